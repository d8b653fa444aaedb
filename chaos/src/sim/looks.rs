//! Who looks at a play: at hosts and their gates, at the model in service, at rows, and at what was left out of the log.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    inject,
    play::{PATIENCE, Play},
};
use crate::{
    history::{Entry, Function, Key, Kind},
    oracle::snapshot,
    play::{audit, figures::by_label},
    points::ends_in_metrics,
};

/// Between two looks at the model, in seconds.
const MODEL_EVERY_S: u32 = 300;
/// What a gate says that could not be looked at.
const UNSEEN: &str = "it could not be looked at";
/// Lines and records that are nobody's, by what the controller counts them as.
const LEFT_OUT: [&str; 7] = [
    "reject:",
    "ignored_agent",
    "ignored_path",
    "ignored_client",
    "no_instance",
    "bad_instance",
    "too_many_instances",
];

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// What the gates of the hosts said when they were last looked at.
    gates: BTreeMap<String, String>,
    /// When the model in service is looked at next; `None` where nobody does.
    model_at_s: Option<u32>,
    /// What was last seen of it.
    model: Option<Value>,
    /// Wakes that were over when their rows were last looked at.
    audited: BTreeSet<String>,
    /// Lines of the log that were left out.
    left_out: u64,
}

impl Play {
    /// Says whether the controller was seen: one that is down cannot be looked at.
    pub(super) async fn look(&mut self) -> bool {
        if inject::is_blind(self) {
            // Judges hear of wakes all the same; nobody else reads anything.
            drop(tokio::time::timeout(PATIENCE, self.stage.watch.glance()).await);
            self.gates_are_unknown();
            return false;
        }
        let looked = async {
            self.stage.watch.glance().await?;
            self.stage.watch.control().hosts().await
        };
        let began = tokio::time::Instant::now();
        let looked = tokio::time::timeout(PATIENCE, looked).await;
        // Of virtual time: what the controller computes takes none, what it waits for does.
        let (kind, ms) = if matches!(looked, Ok(Ok(_))) {
            (Kind::Ok, began.elapsed().as_millis() as u64)
        } else {
            (Kind::Fail, PATIENCE.as_millis() as u64)
        };
        let called = Entry::new("operator", kind, Function::ApiCall, Key::default());
        self.stage.recorder.record(called.value(json!({"ms": ms})));
        let hosts = match looked {
            Ok(Ok(hosts)) => hosts,
            unanswered => {
                tracing::debug!(?unanswered, "the controller could not be looked at");
                self.gates_are_unknown();
                return false;
            }
        };
        for host in hosts {
            self.gate(host.host_id, &host.gate);
        }
        true
    }

    /// Whoever runs an experiment wants to know of the model in service too.
    pub(crate) fn follow_model(&mut self) {
        self.looks.model_at_s = Some(self.now_s());
    }

    /// Which model serves, and how many of the instances that the hosts list it knows.
    pub(super) async fn look_at_model(&mut self, at_s: u32) {
        if self.looks.model_at_s.is_none_or(|due_s| at_s < due_s) || inject::is_blind(self) {
            return;
        }
        let mut control = self.stage.watch.control().clone();
        let looked = async {
            let (version, known) = control.model().await?;
            Ok::<_, tonic::Status>((version, known, control.hosts().await?))
        };
        self.audit().await;
        self.look_at_log().await;
        // Who cannot be asked, or has no model yet, is asked at the next look.
        let Ok(Ok((version, known, hosts))) = tokio::time::timeout(PATIENCE, looked).await else { return };
        self.looks.model_at_s = Some(at_s + MODEL_EVERY_S);
        let listed: u32 = hosts.iter().map(|host| host.instances).sum();
        let seen = json!({"version": version, "known": known, "listed": listed});
        if self.looks.model.as_ref() != Some(&seen) {
            let entry = Entry::new("controller", Kind::Ok, Function::ModelPublish, Key::default());
            self.stage.recorder.record(entry.value(seen.clone()));
            self.looks.model = Some(seen);
        }
    }

    /// Whether each move of the wakes that have ended has its row. Where the database cannot be read, nobody knows, and the next
    /// look tells.
    async fn audit(&mut self) {
        let over = self.stage.watch.seen.all.iter().filter(|wake| !wake.end.is_empty());
        let new: Vec<String> =
            over.map(|wake| wake.wake_id.clone()).filter(|wake| !self.looks.audited.contains(wake)).collect();
        let Ok(store) = self.stage.auditor().await else { return };
        let (mut wakes, mut gaps) = (0_u64, 0);
        for id in new {
            let Ok(wake) = id.parse() else { continue };
            let Ok(Some(missing)) = audit::gaps(&store, wake).await else { return };
            self.looks.audited.insert(id);
            (wakes, gaps) = (wakes + 1, gaps + missing);
        }
        let entry = Entry::new("auditor", Kind::Ok, Function::StoreCommit, Key::default());
        self.stage.recorder.record(entry.value(json!({"audited": wakes, "gaps": gaps})));
    }

    /// How many lines of the log the controller has left out since it was started.
    async fn look_at_log(&mut self) {
        let Ok(Ok(figures)) = tokio::time::timeout(PATIENCE, self.stage.page("/metrics")).await else {
            return;
        };
        let left_out = lines_left_out(&figures);
        if left_out != self.looks.left_out {
            let entry = Entry::new("controller", Kind::Ok, Function::Ingest, Key::default());
            self.stage.recorder.record(entry.value(json!({"left_out": left_out})));
            self.looks.left_out = left_out;
        }
    }

    /// Nobody can be blamed for what nobody can see: a gate that cannot be looked at counts as closed.
    fn gates_are_unknown(&mut self) {
        for host in self.looks.gates.keys().cloned().collect::<Vec<_>>() {
            self.gate(host, UNSEEN);
        }
    }

    fn gate(&mut self, host: String, gate: &str) {
        // A figure in the reason may be another at every look.
        let reason: String = gate.chars().filter(|c| !c.is_ascii_digit()).collect();
        if self.looks.gates.get(&host) == Some(&reason) {
            return;
        }
        let key = Key { host: Some(host.clone()), ..Key::default() };
        let value = json!({"free": gate == "open", "gate": gate});
        self.stage.recorder.record(Entry::new("controller", Kind::Ok, Function::Gate, key).value(value));
        self.looks.gates.insert(host, reason);
    }

    /// The hosts as they are in the end.
    pub(super) async fn last_look(&mut self) {
        let hosts = self.stage.watch.control().hosts().await.unwrap_or_default();
        for host in hosts {
            let key = Key { host: Some(host.host_id), ..Key::default() };
            let value = json!({"last": true, "active_wakes": host.active_wakes, "connected": host.connected});
            self.stage.recorder.record(Entry::new("controller", Kind::Ok, Function::Gate, key).value(value));
        }
    }

    /// How every wake stands in the end, with its moves, and what the controller's books say; for who runs an experiment, and
    /// where nothing happens meanwhile. A controller that does not answer tells nothing.
    pub(super) async fn last_books(&mut self) {
        if self.looks.model_at_s.is_none() || self.stage.local.is_some() {
            return;
        }
        match self.books().await {
            Ok(entries) => {
                for entry in entries {
                    self.stage.recorder.record(entry);
                }
            }
            Err(error) => tracing::debug!(%error, "the controller's books could not be read"),
        }
    }

    async fn books(&mut self) -> anyhow::Result<Vec<Entry>> {
        self.stage.watch.look().await?;
        let mut entries = Vec::new();
        for wake in &self.stage.watch.seen.all {
            let key = Key {
                instance: Some(wake.instance_id.clone()),
                wake: Some(wake.wake_id.clone()),
                attempt: Some(wake.attempt),
                ..Key::default()
            };
            let story: Value =
                serde_json::from_str(&self.stage.page(&format!("/v1/wakes/{}", wake.wake_id)).await?)?;
            let entry = Entry::new("controller", Kind::Ok, Function::StoreCommit, key);
            entries.push(entry.value(snapshot::wake(&story, true)));
        }
        let report: Value = serde_json::from_str(&self.stage.page("/v1/report").await?)?;
        let metrics = ends_in_metrics(&self.stage.page("/metrics").await?);
        let entry = Entry::new("controller", Kind::Ok, Function::StoreCommit, Key::default());
        entries.push(entry.value(json!({"books": {"metrics": metrics, "report": report}})));
        Ok(entries)
    }
}

fn lines_left_out(figures: &str) -> u64 {
    let counts = by_label(figures, "reveille_ingest_lines_total", "outcome");
    counts.filter(|(of, _)| LEFT_OUT.iter().any(|name| of.starts_with(name))).map(|(_, lines)| lines).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_nobody_are_counted_from_the_figures() {
        let figures = "HTTP/1.1 200 OK\r\n\r\n# TYPE reveille_ingest_lines counter\n\
                       reveille_ingest_lines_total{outcome=\"lines\"} 90\n\
                       reveille_ingest_lines_total{outcome=\"ignored_agent\"} 7\n\
                       reveille_ingest_lines_total{outcome=\"reject:not_utf8\"} 2\n\
                       reveille_ingest_lines_total{outcome=\"visit\"} 81\n";
        assert_eq!(lines_left_out(figures), 9);
    }
}
