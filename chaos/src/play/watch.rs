//! Watches the controller's wakes from outside and writes every end it sees into the history.

use std::collections::{BTreeMap, BTreeSet};

use reveille_proto::v1::WakeView;
use serde_json::json;
use tonic::Status;

use super::control::{Control, PAGE_SIZE};
use crate::history::{Entry, Function, Key, Kind, Recorder};

/// Of so many looks one is at every wake; the others leave out what was over at both of two that were.
const WHOLE_EVERY: u32 = 10;
/// Wakes that may be new since the last look.
const NEW_MAX: u32 = 8;

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
    /// What was over at the last look at everything.
    over: BTreeSet<String>,
    /// The oldest wake that was not, and those that are newer; none before everything was looked at.
    recent: Option<(String, u32)>,
    looks: u32,
    pub seen: Wakes,
}

impl Watch {
    pub fn new(control: Control, recorder: Recorder) -> Self {
        Self {
            control,
            recorder,
            ends: BTreeMap::new(),
            known: BTreeSet::new(),
            over: BTreeSet::new(),
            recent: None,
            looks: 0,
            seen: Wakes::default(),
        }
    }

    /// Looks at every wake; an end that is new or has changed goes into the history.
    pub async fn look(&mut self) -> Result<(), Status> {
        self.seen.all = self.control.wakes().await?;
        self.tell();
        Ok(())
    }

    /// The same for whoever looks very often: wakes that have been over for long are looked at now and then only.
    pub async fn glance(&mut self) -> Result<(), Status> {
        self.looks += 1;
        let (Some((oldest, newer)), false) = (&self.recent, self.looks.is_multiple_of(WHOLE_EVERY)) else {
            self.look().await?;
            self.remember();
            return Ok(());
        };
        let (oldest, page_size) = (oldest.clone(), (newer + NEW_MAX).min(PAGE_SIZE));
        let recent = self.control.wakes_down_to(&oldest, page_size).await?;
        let last = recent.last().map_or(String::new(), |wake| wake.wake_id.clone());
        self.seen.all.retain(|wake| wake.wake_id < last);
        self.seen.all.splice(0..0, recent);
        self.tell();
        Ok(())
    }

    /// What the next glances may leave out, after a look at everything.
    fn remember(&mut self) {
        let over = |wake: &&WakeView| !wake.end.is_empty();
        let is_recent = |wake: &WakeView| wake.end.is_empty() || !self.over.contains(&wake.wake_id);
        let oldest = self.seen.all.iter().rposition(is_recent);
        self.recent = match oldest {
            Some(place) => Some((self.seen.all[place].wake_id.clone(), place as u32 + 1)),
            None => self.seen.all.first().map(|newest| (newest.wake_id.clone(), 1)),
        };
        self.over = self.seen.all.iter().filter(over).map(|wake| wake.wake_id.clone()).collect();
    }

    /// What is new of the wakes that were seen.
    fn tell(&mut self) {
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

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use reveille_proto::clock::Clock;
    use tonic::transport::Endpoint;

    use super::*;
    use crate::history::Header;

    #[tokio::test]
    async fn a_glance_leaves_out_what_was_over_at_two_looks_at_everything() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("operator.token"), "t").expect("written");
        let channel = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let control = Control::over(channel, dir.path()).expect("there is a token");
        let (header, clock) =
            (Header::new("test", 1, "scaled", "UTC"), Clock::scaled(Timestamp::UNIX_EPOCH, 1.0));
        let recorder =
            Recorder::create(&dir.path().join("history"), &header, clock, TimeZone::UTC).expect("made");
        let mut watch = Watch::new(control, recorder);
        let mut recent = |ends: &[&str]| {
            let view = |(n, end): (usize, &&str)| WakeView {
                // The newest first.
                wake_id: format!("w{}", 9 - n),
                end: (*end).to_owned(),
                ..WakeView::default()
            };
            watch.seen.all = ends.iter().enumerate().map(view).collect();
            watch.remember();
            watch.recent.clone()
        };
        assert_eq!(recent(&[]), None);
        assert_eq!(recent(&["", "woken", "woken"]), Some(("w7".into(), 3)), "over, but nobody knew");
        assert_eq!(recent(&["", "woken", "woken"]), Some(("w9".into(), 1)));
        assert_eq!(recent(&["woken", "woken", "woken"]), Some(("w9".into(), 1)));
        assert_eq!(recent(&["woken", "", "woken"]), Some(("w8".into(), 2)), "an end that was taken back");
        assert_eq!(recent(&["woken", "woken", "woken"]), Some(("w8".into(), 2)));
        assert_eq!(recent(&["woken", "woken", "woken"]), Some(("w9".into(), 1)), "nothing but what is new");
    }
}
