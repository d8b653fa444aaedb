//! The road seen from outside: real processes on loopback, and the layout of the house.

mod ci_jobs;
mod crash;
mod dead_runner;
mod failover;
mod faults;
mod harness;
mod layout;
mod local;
mod mine;
mod notify;
mod points;
mod readme;
mod sandbox;
mod served;
mod toolkit;
mod toxiproxy;

/// The top of the repository.
fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}
