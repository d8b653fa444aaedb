//! The `reveille-agent` command.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    reveille_agent::cli::main_with(std::env::args_os()).await
}
