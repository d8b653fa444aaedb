//! A database that does what it is asked for, and whose answer is lost.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use reveille_proto::waits::{Asked, Gate, Waits};

use super::*;

#[tokio::test]
async fn a_wake_whose_commit_got_no_answer_is_sent_all_the_same() {
    let dir = tempfile::tempdir().expect("a directory");
    let is_losing = Arc::new(AtomicBool::new(false));
    let gate: Gate = Arc::new({
        let is_losing = Arc::clone(&is_losing);
        move |asked| {
            let is_lost = asked == Asked::Answer && is_losing.load(Ordering::SeqCst);
            let answer = if is_lost { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) };
            Box::pin(std::future::ready(answer))
        }
    });
    let seams = Seams { waits: Waits::default().behind(gate), ..Seams::new(Clock::system(), 1) };
    let controller = Running::start_through(dir.path(), config(dir.path()), seams).await;
    let mut agent = FakeAgent::welcomed(&controller).await;
    // Nothing starts on a host without a load.
    let id = controller.request("dev1").await;
    is_losing.store(true, Ordering::SeqCst);
    agent.load(&controller, 10.0).await;
    controller.wake_when(id, |wake| matches!(wake.state, State::Dispatched { .. })).await;
    is_losing.store(false, Ordering::SeqCst);
    let command = tokio::time::timeout(PATIENCE, agent.next_wake()).await.expect("long before its deadline");
    assert_eq!((command.wake_id, command.attempt), (id.to_string(), 1));
    controller.crash().await;
}
