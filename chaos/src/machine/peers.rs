//! What is usual: so many at once, or all; whoever serves makes room for the next.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use super::{
    background::{Background, follow},
    run::HostSpec,
};

/// Between two looks whether they serve.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Starts all instances, at most `at_once` at a time. They are stopped when it returns.
pub(super) async fn start_all(
    spec: &HostSpec,
    addresses: &[SocketAddr],
    at_once: usize,
    background: &mut Background,
    served: &mut (dyn FnMut(usize) + Send),
) -> anyhow::Result<()> {
    let mut waiting = addresses.iter().enumerate();
    let (mut starting, mut serving): (Vec<(SocketAddr, Child)>, Vec<Child>) = (Vec::new(), Vec::new());
    while serving.len() < addresses.len() {
        while starting.len() < at_once {
            let Some((n, address)) = waiting.next() else { break };
            starting.push((*address, start(&spec.program, n, *address, spec.work_s)?));
        }
        let mut still = Vec::new();
        for (address, child) in starting {
            if TcpStream::connect(address).await.is_ok() {
                serving.push(child);
            } else {
                still.push((address, child));
            }
        }
        starting = still;
        served(serving.len());
        follow(background, serving.len(), addresses.len()).await?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

fn start(program: &Path, n: usize, address: SocketAddr, work_s: u32) -> anyhow::Result<Child> {
    Command::new(program)
        .args(["instance", "--name", &format!("peer{n}"), "--listen", &address.to_string()])
        .args(["--burn-s", &work_s.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("failed to start an instance")
}
