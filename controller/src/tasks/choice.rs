//! Which of the wakes whose time has come may start now: the policy's no, the throttle's permit.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId, WakeId, planted};

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
    queue::{Board, Queued, Rank, Reserved, RetryBudget},
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

/// Chooses, over all hosts, those that are needed first; batch after batch, so that what it knows of ten thousand hosts is
/// put together once.
#[derive(Debug)]
pub(super) struct Chooser<'a> {
    rules: Rules<'a>,
    turns: Vec<Turn>,
    /// The first wake of each host that goes on, and the host's place among the turns.
    next: BinaryHeap<Reverse<(Rank, usize)>>,
    /// Hosts that can start no more.
    spent: Vec<HostId>,
}

/// One host while it is chosen for.
#[derive(Debug)]
struct Turn {
    host: HostId,
    live: LiveHost,
    /// Looked at, and not to be started now.
    skipped: BTreeSet<WakeId>,
    /// For whom it keeps what CPU becomes free.
    reserved: Option<Reserved>,
}

/// What says yes or no to one wake.
#[derive(Debug)]
struct Rules<'a> {
    shared: &'a Shared,
    policy: &'a Policy,
    zones: ZoneRules,
    now: Timestamp,
    /// Wakes in progress by shared resource.
    by_shared: BTreeMap<&'a str, u32>,
    retries: &'a mut RetryBudget,
}

impl<'a> Chooser<'a> {
    /// Of the wakes of these hosts.
    pub(super) fn new(
        shared: &'a Shared,
        policy: &'a Policy,
        hosts: &[HostId],
        retries: &'a mut RetryBudget,
    ) -> Result<Self, TaskError> {
        let rules = Rules::new(shared, policy, retries)?;
        let (mut turns, mut next, mut spent) = (Vec::new(), BinaryHeap::new(), Vec::new());
        let board = shared.board.lock();
        for host in hosts {
            match rules.turn(host, &board) {
                Some((rank, turn)) => {
                    next.push(Reverse((rank, turns.len())));
                    turns.push(turn);
                }
                None => spent.push(host.clone()),
            }
        }
        drop(board);
        Ok(Self { rules, turns, next, spent })
    }

    /// The hosts that can start no more.
    pub(super) fn into_spent(self) -> Vec<HostId> {
        self.spent
    }

    /// Takes from the board up to `most` wakes that may start, the earliest needed first whichever host it is on. Their
    /// permits count from here on.
    pub(super) fn batch(&mut self, most: usize, board: &mut Board) -> Choice {
        self.rules.now = self.rules.shared.clock.now();
        let mut choice = Choice::default();
        while let Some(Reverse((rank, index))) = self.next.pop() {
            if choice.chosen.len() + choice.ruled_out.len() >= most {
                self.next.push(Reverse((rank, index)));
                choice.is_full = true;
                break;
            }
            let turn = &mut self.turns[index];
            // Between two batches the board may have changed: then only the place in the order is put right.
            let is_first = board.first_rank(&turn.host, &turn.skipped) == Some(rank);
            let goes_on = !is_first
                || (self.rules.try_one(turn, &mut choice, board) && turn.skipped.len() <= TRIED_BEYOND_MAX);
            match board.first_rank(&turn.host, &turn.skipped).filter(|_| goes_on) {
                Some(rank) => self.next.push(Reverse((rank, index))),
                None => self.spent.push(turn.host.clone()),
            }
        }
        choice
    }
}

impl<'a> Rules<'a> {
    fn new(shared: &'a Shared, policy: &'a Policy, retries: &'a mut RetryBudget) -> Result<Self, TaskError> {
        let (zones, now) = (ZoneRules::of(&shared.config)?, shared.clock.now());
        let mut rules = Self { shared, policy, zones, now, by_shared: BTreeMap::new(), retries };
        // Nobody pays for what is not configured.
        if !shared.config.shared_resources.is_empty() {
            for (host, wakes) in shared.fleet.running() {
                for permitted in wakes.values() {
                    rules.count(&host, &permitted.instance);
                }
            }
        }
        Ok(rules)
    }

    fn count(&mut self, host: &HostId, instance: &InstanceId) {
        for resource in self.shared.config.shared_resources.iter().filter(|r| r.is_needed(host, instance)) {
            *self.by_shared.entry(&resource.name).or_default() += 1;
        }
    }

    fn turn(&self, host: &HostId, board: &Board) -> Option<(Rank, Turn)> {
        let live = self.shared.fleet.live(host).filter(|live| live.connected)?;
        if self.policy.stopped || self.policy.drained_hosts.contains(host) {
            let code = if self.policy.stopped { "stopped" } else { "drained" };
            self.shared.metrics.gate_closed(code);
            return None;
        }
        let skipped = BTreeSet::new();
        let rank = board.first_rank(host, &skipped)?;
        Some((rank, Turn { host: host.clone(), live, skipped, reserved: None }))
    }

    /// Tries the next wake of a host; `false` when none of the others can start either.
    fn try_one(&mut self, turn: &mut Turn, choice: &mut Choice, board: &mut Board) -> bool {
        let fleet = &self.shared.fleet;
        let next =
            fleet.by_owner(|in_progress| board.next_of(&turn.host, in_progress, &turn.skipped).cloned());
        let Some(queued) = next else { return false };
        let id = queued.wake.id;
        if fleet.is_running(&turn.host, id) {
            // It was sent while the board was set right by what had been read before.
            board.remove(id);
            return true;
        }
        if queued.wake.expires_at <= self.now {
            // The sweep ends it, with its reason.
            turn.skipped.insert(id);
            return true;
        }
        if let Some(why) = self.held_back(&queued) {
            board.remove(id);
            choice.ruled_out.push((queued.wake, why));
            return true;
        }
        if self.policy.paused && queued.wake.priority == Priority::Forecast {
            return false;
        }
        match self.grant(turn, &queued) {
            Ok(granted) => {
                board.remove(id);
                choice.chosen.push(self.chosen(turn, queued, &granted));
                true
            }
            Err(closed) => {
                self.shared.metrics.gate_closed(closed.code());
                if matches!(closed, Closed::NoHeadroom { .. }) {
                    turn.reserved.get_or_insert_with(|| Reserved::for_wake(&queued, self.now));
                }
                turn.skipped.insert(id);
                !closed.is_of_the_host()
            }
        }
    }

    fn grant(&mut self, turn: &Turn, queued: &Queued) -> Result<Granted, Closed> {
        let Turn { host, live, reserved, .. } = turn;
        if let Some(reserved) = reserved.as_ref().filter(|reserved| !reserved.lets(queued)) {
            return Err(Closed::Reserved { instance: reserved.instance.clone() });
        }
        if let Some(instance) = self.shared.needs_first(&queued.wake) {
            return Err(Closed::Needs { instance });
        }
        let is_spent = queued.wake.last_attempt > 0 && !self.retries.allows(self.now);
        if is_spent && !planted!("retry-budget-ignored") {
            return Err(Closed::RetriesSpent);
        }
        let max = self.policy.zone_wakes_max;
        let active = if max > 0 { self.shared.fleet.active_in_zone(&live.zone) } else { 0 };
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
            fleet_active: self.shared.fleet.active(),
            policy: self.policy,
            now: self.now,
        };
        self.shared.fleet.grant(queued.wake.id, permitted(queued, self.now), &ask)
    }

    fn chosen(&mut self, turn: &Turn, queued: Queued, granted: &Granted) -> Chosen {
        let Turn { host, live, .. } = turn;
        self.count(host, &queued.wake.instance);
        self.retries.sent(queued.wake.last_attempt + 1, self.now);
        let event = dispatched(self.shared, host, live, grant_note(granted));
        Chosen { host: host.clone(), epoch: live.epoch, queued, event }
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
