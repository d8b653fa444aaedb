//! The last look: everything the judges want to know of the end goes into the history.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{
    desk::{Desk, DeskError},
    leftover,
    nodes::{self, AGENTS},
    watch::Watch,
};
use crate::history::{Entry, Function, Key, Kind, Recorder};

/// Hosts, agents' journals, what the plan left out, every wake with its story, and the controller's own figures.
pub(super) async fn note(
    dir: &Path,
    desk: &Desk,
    recorder: &Recorder,
    watch: &mut Watch,
) -> Result<(), DeskError> {
    for host in desk.hosts().await? {
        let key = Key { host: Some(host.host_id.clone()), ..Key::default() };
        let value = json!({"last": true, "active_wakes": host.active_wakes, "connected": host.connected});
        recorder.record(Entry::new("controller", Kind::Ok, Function::Gate, key).value(value));
    }
    for agent in 0..AGENTS {
        let key = Key { host: Some(nodes::host(agent)), ..Key::default() };
        let left = leftover::in_journal(&dir.join(nodes::agent(agent))).unwrap_or_default();
        let entry = Entry::new(nodes::agent(agent), Kind::Ok, Function::StoreCommit, key);
        recorder.record(entry.value(json!({"left": left})));
    }
    for omitted in desk.omissions().await? {
        let key = Key { instance: Some(omitted.instance_id), ..Key::default() };
        let entry = Entry::new("controller", Kind::Ok, Function::Plan, key);
        recorder.record(entry.value(json!({"omitted": omitted.reason})));
    }
    watch.last_look().await?;
    let books = json!({"metrics": ended(&desk.metrics().await?), "report": desk.report().await?});
    let entry = Entry::new("controller", Kind::Ok, Function::StoreCommit, Key::default());
    recorder.record(entry.value(json!({"books": books})));
    Ok(())
}

/// Wakes by end, as `/metrics` counts them in the database.
fn ended(metrics: &str) -> Value {
    let of = |line: &str| {
        let (end, count) = line.strip_prefix("reveille_wakes_ended_last_day{end=\"")?.split_once("\"} ")?;
        Some((end.to_owned(), count.trim().parse::<u64>().ok()?))
    };
    json!(metrics.lines().filter_map(of).collect::<BTreeMap<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_from_the_metrics() {
        let text = "# TYPE reveille_wakes_ended_last_day gauge\n\
                    reveille_wakes_ended_last_day{end=\"woken\"} 3\n\
                    reveille_wakes_ended_total{end=\"woken\"} 9\n";
        assert_eq!(ended(text), json!({"woken": 3}));
    }
}
