//! The load: clients that ask for one instance after the other, of whichever controller answers, until one has taken it
//! down.

use std::time::Duration;

use reveille_proto::clock::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    controllers::{ANSWER_TIMEOUT, Controllers},
    ledger::Ledger,
};
use crate::{
    history::{Entry, Function, Key, Kind, Recorder},
    world::instance_id,
};

/// Each asks on its own, so that one that waits for an answer keeps nobody else from asking.
const CLIENTS: usize = 8;
/// Between two instances a client asks for: all of them together ask for twenty in a second, while they are answered.
const ASK_EVERY: Duration = Duration::from_millis(400);
/// Between two asks for the same instance.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// A round takes about six seconds; one that takes longer than this is no good one.
const ROUND_S_MAX: usize = 30;

/// Instances that are enough for so many rounds.
pub(super) fn instances_for(rounds: u32) -> usize {
    let a_second = CLIENTS * 1000 / ASK_EVERY.as_millis() as usize;
    (rounds as usize + 1) * ROUND_S_MAX * a_second
}

/// What every client needs.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) clock: Clock,
    pub(super) doors: Controllers,
    pub(super) ledger: Ledger,
    pub(super) recorder: Recorder,
    pub(super) instances: usize,
}

impl Load {
    /// Asks until `stop`, or until there is no instance left. What was begun is brought to its end.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(self.clone().client(client, stop.clone()));
        }
        clients.join_all().await;
    }

    async fn client(self, client: usize, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let Some(index) = self.ledger.ask_next(self.clock.now(), self.instances) else { return };
            let wake = self.until_acknowledged(client + index, index).await;
            let key = Key {
                instance: Some(instance_id(index).to_string()),
                wake: Some(wake.clone()),
                ..Key::default()
            };
            self.recorder.record(Entry::new("client", Kind::Ok, Function::ManualWake, key));
            self.ledger.acknowledged(wake, index);
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.clock.sleep(ASK_EVERY) => {}
            }
        }
    }

    /// Who gets no answer does not know whether it was taken down, and asks the other: an instance has one open wake.
    async fn until_acknowledged(&self, first: usize, index: usize) -> String {
        let instance = instance_id(index).to_string();
        for controller in first.. {
            let mut control = self.doors.control(controller);
            match tokio::time::timeout(ANSWER_TIMEOUT, control.wake(&instance)).await {
                Ok(Ok(wake)) => return wake.wake_id,
                Ok(Err(status)) => tracing::debug!(instance, code = ?status.code(), "asked in vain"),
                Err(_) => tracing::debug!(instance, "no answer"),
            }
            self.clock.sleep(ASK_AGAIN).await;
        }
        unreachable!("numbers do not end")
    }
}
