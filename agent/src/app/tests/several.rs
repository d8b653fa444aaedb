//! An agent that may go to either of two controllers.

use super::*;
use crate::config::Addresses;

/// Five seconds until a silent controller is given up, and the rest for a busy machine.
const AWAY_S_MAX: u64 = 20;

fn config_of_two(addresses: [String; 2], dir: &Path) -> Config {
    let mut config = config(&addresses[0], "http://127.0.0.1:9", dir);
    config.controller.address = Addresses::new(addresses);
    config
}

#[tokio::test]
async fn a_controller_that_is_gone_is_left_for_the_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut one, mut other) = (FakeController::start().await, FakeController::start().await);
    let agent = Running::start(config_of_two([one.url(), other.url()], dir.path()), &fast()).await;
    let is_first = tokio::select! {
        welcomed = one.welcomed(3) => { drop(welcomed); true }
        welcomed = other.welcomed(3) => { drop(welcomed); false }
    };
    let mut left = if is_first {
        drop(one);
        other
    } else {
        drop(other);
        one
    };
    let (session, hello) = left.welcomed(7).await;
    assert_eq!(hello.epoch, 3, "it tells the epoch it knows, which the other goes beyond");
    drop(session);
    agent.stop().await;
}

#[tokio::test]
async fn a_controller_that_says_nothing_is_left_for_the_other() {
    // Connections are taken by the kernel, as of a process that is stopped; nobody ever reads or answers.
    let stopped = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = format!("http://{}", stopped.local_addr().expect("bound"));
    // Whichever the agent begins with, in one of the two orders it is the silent one.
    for silent_is_first in [true, false] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut controller = FakeController::start().await;
        let (silent, live) = (silent.clone(), controller.url());
        let addresses = if silent_is_first { [silent, live] } else { [live, silent] };
        let agent = Running::start(config_of_two(addresses, dir.path()), &fast()).await;
        let welcomed = tokio::time::timeout(Duration::from_secs(AWAY_S_MAX), controller.welcomed(3)).await;
        assert!(welcomed.is_ok(), "still with the silent one after {AWAY_S_MAX} s");
        agent.stop().await;
    }
}
