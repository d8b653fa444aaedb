//! Watches the controller's wakes from outside: everything that is seen to change goes into the history, with the whole
//! story of the wake.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Role,
    desk::{Desk, DeskError, WakeSeen},
};
use crate::{
    history::{Entry, Function, Key, Kind, Recorder},
    oracle::snapshot,
};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(180);

/// What was seen last, in order of creation.
pub type Seen = Arc<Vec<WakeSeen>>;

#[derive(Debug)]
pub struct Watch {
    desk: Desk,
    recorder: Recorder,
    known: BTreeMap<String, WakeSeen>,
    /// Of each host, whether something could be started there.
    open: BTreeMap<String, bool>,
    told: watch::Sender<Seen>,
}

impl Watch {
    pub fn new(desk: Desk, recorder: Recorder) -> (Self, watch::Receiver<Seen>) {
        let (told, seen) = watch::channel(Seen::default());
        (Self { desk, recorder, known: BTreeMap::new(), open: BTreeMap::new(), told }, seen)
    }

    /// Looks until `stop`. A controller that does not answer is looked at again.
    pub async fn until(mut self, stop: CancellationToken) -> Self {
        while !stop.is_cancelled() {
            if let Err(error) = self.look().await {
                tracing::debug!(%error, "the controller's wakes could not be looked at");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        self
    }

    pub async fn look(&mut self) -> Result<Seen, DeskError> {
        let mut wakes = self.desk.wakes().await?;
        wakes.reverse();
        for wake in &wakes {
            if self.known.get(&wake.wake_id) == Some(wake) {
                continue;
            }
            // Told with its story or not at all: the next look comes.
            let story = self.desk.story(&wake.wake_id).await?;
            self.tell(wake, &story, false);
            self.known.insert(wake.wake_id.clone(), wake.clone());
        }
        self.look_at_gates().await?;
        let seen = Arc::new(wakes);
        self.told.send_replace(Arc::clone(&seen));
        Ok(seen)
    }

    /// Writes down when a gate opened or closed.
    async fn look_at_gates(&mut self) -> Result<(), DeskError> {
        for host in self.desk.hosts().await? {
            let is_open = host.gate == "open";
            if self.open.insert(host.host_id.clone(), is_open) != Some(is_open) {
                let key = Key { host: Some(host.host_id), ..Key::default() };
                let value = json!({"free": is_open, "gate": host.gate});
                self.recorder.record(Entry::new("controller", Kind::Ok, Function::Gate, key).value(value));
            }
        }
        Ok(())
    }

    /// Writes down how every wake stands at the end.
    pub async fn last_look(&mut self) -> Result<Seen, DeskError> {
        let seen = self.look().await?;
        for wake in seen.iter() {
            let story = self.desk.story(&wake.wake_id).await?;
            self.tell(wake, &story, true);
        }
        Ok(seen)
    }

    fn tell(&self, wake: &WakeSeen, story: &Value, is_last: bool) {
        let before = self.known.get(&wake.wake_id).and_then(|known| known.end.as_ref());
        let key = Key {
            instance: Some(wake.instance_id.clone()),
            wake: Some(wake.wake_id.clone()),
            attempt: Some(wake.attempt),
            host: Role::of(&wake.instance_id).map(|role| super::nodes::host(role.agent())),
            ..Key::default()
        };
        let entry = |function, value| Entry::new("controller", Kind::Ok, function, key.clone()).value(value);
        if let Some(end) = wake.end.as_ref().filter(|end| before != Some(*end)) {
            let value = json!({"end": end, "reason": wake.reason, "detail": wake.detail});
            self.recorder.record(entry(Function::Terminal, value));
        }
        self.recorder.record(entry(Function::StoreCommit, snapshot::wake(story, is_last)));
    }
}
