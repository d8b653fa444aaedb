//! The `reveille` command: controller and operator's tool.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    reveille_controller::cli::main_with(std::env::args_os()).await
}
