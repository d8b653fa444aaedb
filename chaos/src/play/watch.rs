//! Watches the controller's wakes from outside and writes every end it sees into the history.

use std::collections::{BTreeMap, BTreeSet};

use reveille_proto::v1::WakeView;
use serde_json::json;
use tonic::Status;

use super::control::Control;
use crate::history::{Entry, Function, Key, Kind, Recorder};

/// What the last look showed.
#[derive(Debug, Default, Clone)]
pub struct Wakes {
    pub all: Vec<WakeView>,
}

impl Wakes {
    /// Sent to an agent and without an end yet.
    pub fn in_progress(&self) -> usize {
        self.all.iter().filter(|wake| wake.attempt > 0 && wake.end.is_empty()).count()
    }

    pub fn by(&self, field: impl Fn(&WakeView) -> &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for wake in &self.all {
            let name = field(wake);
            if !name.is_empty() {
                *counts.entry(name.to_owned()).or_default() += 1;
            }
        }
        counts
    }
}

#[derive(Debug)]
pub struct Watch {
    control: Control,
    recorder: Recorder,
    /// wake -> the end it was last seen with
    ends: BTreeMap<String, String>,
    /// Wakes that were looked at before.
    known: BTreeSet<String>,
    pub seen: Wakes,
}

impl Watch {
    pub fn new(control: Control, recorder: Recorder) -> Self {
        Self { control, recorder, ends: BTreeMap::new(), known: BTreeSet::new(), seen: Wakes::default() }
    }

    /// Looks at every wake; an end that is new or has changed goes into the history.
    pub async fn look(&mut self) -> Result<(), Status> {
        self.seen.all = self.control.wakes().await?;
        for wake in &self.seen.all {
            if self.known.insert(wake.wake_id.clone()) && wake.attempt == 0 && wake.end.is_empty() {
                self.recorder.record(due(wake));
            }
        }
        for wake in self.seen.all.iter().filter(|wake| !wake.end.is_empty()) {
            if self.ends.get(&wake.wake_id) == Some(&wake.end) {
                continue;
            }
            self.ends.insert(wake.wake_id.clone(), wake.end.clone());
            self.recorder.record(ended(wake));
        }
        Ok(())
    }

    pub fn control(&mut self) -> &mut Control {
        &mut self.control
    }
}

/// It will be started, and was not yet.
fn due(wake: &WakeView) -> Entry {
    let key = Key {
        instance: Some(wake.instance_id.clone()),
        host: (!wake.host_id.is_empty()).then(|| wake.host_id.clone()),
        wake: Some(wake.wake_id.clone()),
        ..Key::default()
    };
    let value = json!({"reason": wake.reason().as_str_name(), "due_at_ms": wake.due_at_ms});
    Entry::new("controller", Kind::Ok, Function::Due, key).value(value)
}

fn ended(wake: &WakeView) -> Entry {
    let key = Key {
        instance: Some(wake.instance_id.clone()),
        host: (!wake.host_id.is_empty()).then(|| wake.host_id.clone()),
        wake: Some(wake.wake_id.clone()),
        attempt: Some(wake.attempt),
        ..Key::default()
    };
    let value = json!({
        "end": wake.end,
        "reason": wake.reason().as_str_name(),
        "detail": wake.detail,
        "due_at_ms": wake.due_at_ms,
    });
    Entry::new("controller", Kind::Ok, Function::Terminal, key).value(value)
}
