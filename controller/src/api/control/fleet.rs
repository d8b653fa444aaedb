//! Hosts and instances.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId};

use super::Control;
use crate::{
    api::{
        ControlError,
        view::{HostView, InstancePage, InstanceView, page_size, split_page},
    },
    fleet::LiveHost,
    policy::Policy,
    store::{HostRow, InstanceRow},
    throttle::{Admission, HostGate, Running, ThrottleRule, admit},
    wake::Wake,
};

/// What every gate is judged by.
struct Yard<'a> {
    policy: &'a Policy,
    rule: &'a ThrottleRule,
    fleet_active: u32,
    now: Timestamp,
}

impl Control {
    /// Every host that was ever seen, in order of id, with its gate as the dispatcher would find it now.
    pub async fn hosts(&self) -> Result<Vec<HostView>, ControlError> {
        let rows = self.shared.store.hosts_list().await?;
        let wakes = self.shared.store.wakes_running().await?;
        let fleet_active = wakes.len() as u32;
        let running = running_by_host(&wakes);
        let live: BTreeMap<HostId, LiveHost> = self.shared.fleet.all().into_iter().collect();
        let policy = self.shared.policy();
        let yard =
            Yard { policy: &policy, rule: &self.shared.config.throttle, fleet_active, now: self.now() };
        let none = Vec::new();
        let views = rows.into_iter().map(|row| {
            let running = running.get(&row.host).unwrap_or(&none);
            let live = live.get(&row.host);
            host_view(row, live, running, &yard)
        });
        Ok(views.collect())
    }

    /// In order of id.
    pub async fn instances(
        &self,
        asked: u32,
        after: Option<&InstanceId>,
    ) -> Result<InstancePage, ControlError> {
        let size = page_size(asked)?;
        let rows = self.shared.store.instances_list(after, size + 1).await?;
        let (rows, next_page_token) = split_page(rows, size, |row| row.instance.to_string());
        let policy = self.shared.policy();
        let zone = |row: &InstanceRow| self.shared.config.time_zone_of(&row.cohort);
        let items = rows.into_iter().map(|row| InstanceView::new(&row, &policy, zone(&row))).collect();
        Ok(InstancePage { items, next_page_token })
    }
}

fn running_by_host(wakes: &[Wake]) -> BTreeMap<HostId, Vec<Running>> {
    let mut by_host: BTreeMap<HostId, Vec<Running>> = BTreeMap::new();
    for run in wakes.iter().filter_map(|wake| wake.state.run()) {
        by_host.entry(run.host.clone()).or_default().push(Running { since: run.dispatched_at });
    }
    by_host
}

fn host_view(row: HostRow, live: Option<&LiveHost>, running: &[Running], yard: &Yard<'_>) -> HostView {
    let connected = live.is_some_and(|live| live.connected);
    let load = live.and_then(|live| live.load);
    let fresh = HostGate::new(yard.rule);
    let gate = live.map_or(&fresh, |live| &live.gate);
    let policy = live.map_or_else(|| yard.policy.clone(), |live| live.policy(yard.policy));
    let asked = admit(&Admission {
        gate,
        load: load.as_ref(),
        running,
        settling: &[],
        fleet_active: yard.fleet_active,
        policy: &policy,
        rule: yard.rule,
        now: yard.now,
    });
    let (code, detail) = match (connected, asked) {
        (false, _) => ("disconnected", "its agent is not connected".to_owned()),
        (true, Ok(_)) => ("open", String::new()),
        (true, Err(closed)) => (closed.code(), closed.to_string()),
    };
    HostView {
        host_id: row.host.into(),
        host_class: row.class,
        zone: row.zone,
        cores: row.cores,
        agent_version: row.agent_version,
        connected,
        last_seen_at: row.last_seen_at,
        cpu_percent: load.map(|load| load.cpu_percent),
        load_age_ms: load.map(|load| yard.now.duration_since(load.measured_at).as_millis() as i64),
        active_wakes: running.len() as u32,
        wakes_limit: gate.limit(&policy),
        gate: code.to_owned(),
        gate_detail: detail,
        instances: row.instances,
    }
}
