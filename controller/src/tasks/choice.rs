//! Which of the wakes whose time has come may start now: the policy's no, the throttle's permit.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reveille_proto::HostId;

use super::{
    TaskError,
    dispatch::dispatched,
    learn::{ZoneRules, zone_of},
};
use crate::{
    app::Shared,
    config::SharedResource,
    fleet::{Ask, Granted, LiveHost, Permitted},
    policy::{Mode, Policy},
    queue::{Board, Queued, RetryBudget},
    store::InstanceRow,
    throttle::Closed,
    wake::{Event, Priority, Reason, Wake},
};

/// Wakes of one host that are tried beyond one that does not fit.
const TRIED_BEYOND_MAX: usize = 8;

/// A wake with its permit, to be committed and sent.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) host: HostId,
    /// Of the host's session.
    pub(super) epoch: u64,
    pub(super) queued: Queued,
    pub(super) event: Event,
}

/// What one look at the queue came to.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) chosen: Vec<Chosen>,
    /// With the reason.
    pub(super) ruled_out: Vec<(Wake, &'static str)>,
    /// There may be more.
    pub(super) is_full: bool,
}

/// Counts what is in progress while it chooses.
#[derive(Debug)]
pub(super) struct Chooser<'a> {
    shared: &'a Shared,
    policy: &'a Policy,
    zones: ZoneRules,
    now: Timestamp,
    most: usize,
    choice: Choice,
    fleet_active: u32,
    by_zone: BTreeMap<String, u32>,
    by_shared: BTreeMap<&'a str, u32>,
    by_owner: BTreeMap<String, u32>,
    retries: &'a mut RetryBudget,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        policy: &'a Policy,
        now: Timestamp,
        most: usize,
        retries: &'a mut RetryBudget,
    ) -> Result<Self, TaskError> {
        let zones = ZoneRules::of(&shared.config)?;
        let mut chooser = Self {
            shared,
            policy,
            zones,
            now,
            most,
            choice: Choice::default(),
            fleet_active: 0,
            by_zone: BTreeMap::new(),
            by_shared: BTreeMap::new(),
            by_owner: BTreeMap::new(),
            retries,
        };
        for (host, wakes) in shared.fleet.running() {
            let zone = shared.fleet.live(&host).map_or_else(String::new, |live| live.zone);
            for permitted in wakes.values() {
                chooser.count(&host, &zone, permitted);
            }
        }
        Ok(chooser)
    }

    fn count(&mut self, host: &HostId, zone: &str, permitted: &Permitted) {
        self.fleet_active += 1;
        *self.by_zone.entry(zone.to_owned()).or_default() += 1;
        *self.by_owner.entry(permitted.owner.clone()).or_default() += 1;
        for resource in
            self.shared.config.shared_resources.iter().filter(|r| r.is_needed(host, &permitted.instance))
        {
            *self.by_shared.entry(&resource.name).or_default() += 1;
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.choice.chosen.len() + self.choice.ruled_out.len() >= self.most
    }

    pub(super) fn done(mut self) -> Choice {
        self.choice.is_full = self.is_full();
        self.choice
    }

    /// Takes from the board what may start on one host.
    pub(super) fn host(&mut self, host: &HostId, board: &mut Board) {
        let Some(live) = self.shared.fleet.live(host).filter(|live| live.connected) else { return };
        if self.policy.stopped || self.policy.drained_hosts.contains(host) {
            let code = if self.policy.stopped { "stopped" } else { "drained" };
            return self.shared.metrics.gate_closed(code);
        }
        let mut skipped = BTreeSet::new();
        while !self.is_full() && skipped.len() <= TRIED_BEYOND_MAX {
            let in_progress = |owner: &str| self.by_owner.get(owner).copied().unwrap_or(0);
            let Some(queued) = board.next_of(host, in_progress, &skipped).cloned() else { return };
            let id = queued.wake.id;
            if queued.wake.expires_at <= self.now {
                // The sweep ends it, with its reason.
                skipped.insert(id);
                continue;
            }
            if let Some(why) = self.held_back(&queued) {
                board.remove(id);
                self.choice.ruled_out.push((queued.wake, why));
                continue;
            }
            if self.policy.paused && queued.wake.priority == Priority::Forecast {
                return;
            }
            match self.grant(host, &live, &queued) {
                Ok(granted) => {
                    board.remove(id);
                    self.choose(host, &live, queued, &granted);
                }
                Err(closed) => {
                    self.shared.metrics.gate_closed(closed.code());
                    if closed.is_of_the_host() {
                        return;
                    }
                    skipped.insert(id);
                }
            }
        }
    }

    fn grant(&mut self, host: &HostId, live: &LiveHost, queued: &Queued) -> Result<Granted, Closed> {
        if let Some(needed) =
            self.shared.needs.of(&queued.wake.instance).iter().find(|id| !self.shared.fleet.is_serving(id))
        {
            return Err(Closed::Needs { instance: needed.clone() });
        }
        if queued.wake.last_attempt > 0 && !self.retries.allows(self.now) {
            return Err(Closed::RetriesSpent);
        }
        let max = self.policy.zone_wakes_max;
        let active = self.by_zone.get(&live.zone).copied().unwrap_or(0);
        if max > 0 && active >= max {
            return Err(Closed::ZoneFull { active, max });
        }
        let instance = &queued.wake.instance;
        for SharedResource { name, wakes_max, .. } in
            self.shared.config.shared_resources.iter().filter(|r| r.is_needed(host, instance))
        {
            let active = self.by_shared.get(name.as_str()).copied().unwrap_or(0);
            if active >= *wakes_max {
                return Err(Closed::SharedFull { name: name.clone(), active, max: *wakes_max });
            }
        }
        let ask = Ask {
            host,
            instance: Some(instance),
            is_for_person: queued.wake.priority != Priority::Forecast,
            fleet_active: self.fleet_active,
            policy: self.policy,
            now: self.now,
        };
        self.shared.fleet.grant(queued.wake.id, permitted(queued, self.now), &ask)
    }

    fn choose(&mut self, host: &HostId, live: &LiveHost, queued: Queued, granted: &Granted) {
        self.count(host, &live.zone, &permitted(&queued, self.now));
        self.retries.sent(queued.wake.last_attempt + 1, self.now);
        let event = dispatched(self.shared, host, live, grant_note(granted));
        self.choice.chosen.push(Chosen { host: host.clone(), epoch: live.epoch, queued, event });
    }

    /// Why a forecast wake that was planned earlier may not be started any more.
    fn held_back(&self, queued: &Queued) -> Option<&'static str> {
        let Queued { wake, cohort, .. } = queued;
        let policy = self.policy;
        if wake.reason != Reason::Forecast || wake.priority == Priority::Person {
            return None;
        }
        if policy.mode == Mode::ForecastOnly {
            return Some("the policy (forecast only)");
        }
        if policy.opted_out.contains(&wake.instance) {
            return Some("the policy (opted out)");
        }
        if !(policy.cohorts.is_empty() || policy.cohorts.contains(cohort)) {
            return Some("the policy (cohort not selected)");
        }
        let days = self.shared.calendars.days();
        if policy.quiet_dates.is_empty() && days.is_empty() {
            return None;
        }
        // A learned offset stays out of it: who has no zone has the quiet days of the default one.
        let zone = zone_of(&as_row(queued), None, &self.zones);
        let wanted_at = wake.serve_at.unwrap_or(self.now).max(self.now);
        if days.is_quiet(cohort, &zone, wanted_at) {
            return Some("a calendar (quiet period)");
        }
        let date = zone.to_datetime(wanted_at).date();
        policy.quiet_dates.contains(&date).then_some("the policy (quiet date)")
    }
}

fn permitted(queued: &Queued, since: Timestamp) -> Permitted {
    Permitted { instance: queued.wake.instance.clone(), since, owner: queued.owner().to_owned() }
}

fn as_row(queued: &Queued) -> InstanceRow {
    InstanceRow {
        instance: queued.wake.instance.clone(),
        host: queued.host.clone(),
        cohort: queued.cohort.clone(),
        time_zone: queued.time_zone.clone(),
        first_seen_at: None,
        last_seen_at: None,
    }
}

/// What the grant was decided from, kept with the move: oracles and people read it there.
fn grant_note(granted: &Granted) -> String {
    let Granted { permit, cpu_percent, load_at, cpu_ceiling_percent, active } = granted;
    format!(
        "cpu_percent={cpu_percent:.1} load_at={load_at} expected_percent={:.1} ceiling_percent={cpu_ceiling_percent} \
         active={active} limit={}",
        permit.cpu_percent_expected, permit.limit
    )
}

/// How long what is in memory may differ from the store before it is set right.
pub(super) const MIRROR_EVERY: SignedDuration = SignedDuration::from_secs(30);
