//! People in front of a simulated controller: they ask, and look at what it knows.

use std::time::Duration;

use reveille_proto::v1::WakeView;
use serde_json::json;
use tonic::Code;

use super::play::{PATIENCE, Play};
use crate::{
    history::{Entry, Function, Key, Kind},
    world::{host_id, instance_id},
};

/// As long as somebody who asks waits for an answer.
const ASK_PATIENCE: Duration = Duration::from_secs(60);

impl Play {
    /// The wakes the controller knows, where it says so.
    pub(super) async fn wakes(&mut self) -> Vec<WakeView> {
        let wakes = tokio::time::timeout(PATIENCE, self.stage.watch.control().wakes());
        wakes.await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Somebody asks for an instance; whom nobody answers does not know what became of it.
    pub(super) fn ask(&mut self, instance: usize) {
        let host = host_id(self.stage.spec.world.host_of(instance)).to_string();
        let instance = instance_id(instance).to_string();
        let (mut control, recorder) = (self.stage.watch.control().clone(), self.stage.recorder.clone());
        self.asking.spawn(async move {
            let answer = tokio::time::timeout(ASK_PATIENCE, control.wake(&instance)).await;
            let wake = answer.as_ref().ok().and_then(|answer| answer.as_ref().ok());
            let wake = wake.map(|wake| wake.wake_id.clone());
            let kind = match answer {
                Ok(Ok(_)) => Kind::Ok,
                Ok(Err(status)) if is_refusal(status.code()) => Kind::Fail,
                // A controller in trouble may have made it before it got there.
                _ => Kind::Info,
            };
            let key = Key { instance: Some(instance), wake, host: Some(host), ..Key::default() };
            let entry = Entry::new("person", kind, Function::ManualWake, key);
            recorder.record(entry.value(json!({"what": "ask"})));
        });
    }
}

/// Whether this is a no, and nothing was done.
fn is_refusal(code: Code) -> bool {
    use Code::{Aborted, Cancelled, DataLoss, DeadlineExceeded, Internal, Unavailable, Unknown};
    !matches!(code, Aborted | Cancelled | DataLoss | DeadlineExceeded | Internal | Unavailable | Unknown)
}
