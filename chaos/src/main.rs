//! The `reveille-chaos` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Thousands of sessions whose buffers come and go: the system's allocator keeps a third more of them resident.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    reveille_controller::memory::give_back_at_once();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    reveille_chaos::cli::main_with(std::env::args_os()).await
}
