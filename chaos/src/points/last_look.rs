//! The last look: everything the judges want to know of the end goes into the history.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    desk::{Desk, DeskError, HostSeen},
    files::RECONNECT_S_MAX,
    leftover,
    nodes::{self, AGENTS},
    watch::Watch,
};
use crate::{
    history::{Entry, Function, Key, Kind, Recorder},
    play::figures,
};

/// As long as an agent may take to be back, see L3.
const PATIENCE: Duration = Duration::from_secs(30 + RECONNECT_S_MAX);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Hosts, agents' journals, what the plan left out, every wake with its story, and the controller's own figures.
pub(super) async fn note(
    dir: &Path,
    desk: &Desk,
    recorder: &Recorder,
    watch: &mut Watch,
) -> Result<(), DeskError> {
    for host in at_rest(desk).await? {
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
    let books =
        json!({"metrics": ends_in_metrics(&whole_metrics(desk).await?), "report": desk.report().await?});
    let entry = Entry::new("controller", Kind::Ok, Function::StoreCommit, Key::default());
    recorder.record(entry.value(json!({"books": books})));
    Ok(())
}

/// The hosts, once all of them are connected and nothing runs there; as they are when that does not come to be. A disk that
/// is busy for seconds makes a controller let its agents go, and they are back right after.
async fn at_rest(desk: &Desk) -> Result<Vec<HostSeen>, DeskError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let hosts = desk.hosts().await?;
        if hosts.iter().all(|host| host.connected && host.active_wakes == 0) || Instant::now() > until {
            return Ok(hosts);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The controller's figures, once the database answers in time for them; as they are when it does not.
async fn whole_metrics(desk: &Desk) -> Result<String, DeskError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let metrics = desk.metrics().await?;
        if metrics.lines().any(|line| line == "reveille_store_up 1") || Instant::now() > until {
            return Ok(metrics);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Wakes by end, as `/metrics` counts them in the database.
pub(crate) fn ends_in_metrics(metrics: &str) -> Value {
    json!(figures::by_label(metrics, "reveille_wakes_ended_last_day", "end").collect::<BTreeMap<_, _>>())
}
