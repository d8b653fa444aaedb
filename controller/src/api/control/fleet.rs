//! Hosts and instances.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{HostId, InstanceId};

use super::Control;
use crate::{
    api::{
        ControlError,
        view::{HostView, InstancePage, InstanceView, page_size, split_page},
    },
    fleet::{Ask, LiveHost},
    policy::Policy,
    store::{HostRow, InstanceRow},
    throttle::HostGate,
    wake::Priority,
};

/// A controller that was not seen for so long is not there.
const CONTROLLER_AGE_MAX: SignedDuration = SignedDuration::from_secs(10);

/// What every gate is judged by.
struct Yard<'a> {
    control: &'a Control,
    policy: &'a Policy,
    fleet_active: u32,
    now: Timestamp,
    /// The controllers that are there.
    there: Vec<String>,
}

impl Yard<'_> {
    /// Whose turn is next on a host, of those whose time has come.
    fn next_on(&self, host: &HostId) -> Option<(InstanceId, Priority)> {
        let shared = &self.control.shared;
        let board = shared.board.lock();
        let next =
            shared.fleet.by_owner(|in_progress| board.next_of(host, in_progress, &BTreeSet::new()).cloned());
        next.map(|queued| (queued.wake.instance, queued.wake.priority))
    }
}

impl Control {
    /// Every host that was ever seen, in order of id, with its gate as the dispatcher would find it now.
    pub async fn hosts(&self) -> Result<Vec<HostView>, ControlError> {
        let rows = self.shared.store.hosts_list().await?;
        let running = self.shared.fleet.running();
        let fleet_active = running.values().map(|wakes| wakes.len() as u32).sum();
        let live: BTreeMap<HostId, LiveHost> = self.shared.fleet.all().into_iter().collect();
        let policy = self.shared.policy();
        let now = self.now();
        let there = self.shared.store.controllers_seen_since(now - CONTROLLER_AGE_MAX).await?;
        let yard = Yard { control: self, policy: &policy, fleet_active, now, there };
        let views = rows.into_iter().map(|row| {
            let active = running.get(&row.host).map_or(0, |wakes| wakes.len() as u32);
            let live = live.get(&row.host);
            host_view(row, live, active, &yard)
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

fn host_view(row: HostRow, live: Option<&LiveHost>, active: u32, yard: &Yard<'_>) -> HostView {
    let connected = live.is_some_and(|live| live.connected);
    let load = live.and_then(|live| live.load);
    let fresh = HostGate::new(&yard.control.shared.config.throttle);
    let gate = live.map_or(&fresh, |live| &live.gate);
    let limits =
        live.map_or_else(|| yard.policy.on_host(row.cores, None, None), |live| live.limits(yard.policy));
    // Classes of instances differ in what they cost: the gate is that of who waits first, or of the cheapest.
    let next = yard.next_on(&row.host);
    let asked = yard.control.shared.fleet.ask(&Ask {
        host: &row.host,
        instance: next.as_ref().map(|(instance, _)| instance),
        is_for_person: next.as_ref().is_none_or(|(_, priority)| *priority != Priority::Forecast),
        fleet_active: yard.fleet_active,
        policy: yard.policy,
        now: yard.now,
    });
    let is_drained = yard.policy.drained_hosts.contains(&row.host);
    let other = row.controller.filter(|other| !connected && *other != yard.control.shared.controller);
    let is_elsewhere = other.as_ref().is_some_and(|other| yard.there.contains(other));
    let (code, detail) = match (connected, asked) {
        (false, _) if is_elsewhere => {
            ("elsewhere", format!("controller {} has its session", other.unwrap_or_default()))
        }
        (false, _) => ("disconnected", "its agent is not connected".to_owned()),
        _ if yard.policy.stopped => ("stopped", "everything is stopped (policy `stopped`)".to_owned()),
        _ if is_drained => ("drained", "it is drained (policy `drained_hosts`)".to_owned()),
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
        active_wakes: active,
        wakes_limit: gate.limit(&limits, false),
        gate: code.to_owned(),
        gate_detail: detail,
        instances: row.instances,
    }
}
