//! The `reveille-chaos` command.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    reveille_chaos::cli::main_with(std::env::args_os()).await
}
