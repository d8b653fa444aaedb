//! One simulated host: its queue, its permits, and the CPU they make.

use jiff::Timestamp;
use reveille_proto::{HostId, edge::Load};

use super::{card::HostCard, story::instant};
use crate::{
    policy::{HostLimits, Policy},
    queue::rank,
    throttle::{Admission, HostGate, Running, ThrottleRule, admit},
    wake::Wake,
};

/// How often the queue is looked at and the load measured, in seconds.
pub(super) const STEP_S: i64 = 5;

/// A host as it is replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct HostSpec {
    pub host: HostId,
    pub cores: f64,
    /// CPU in percent of its cores while nothing starts.
    pub background_percent: f64,
}

/// A wake that waits for a permit.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) index: usize,
    pub(super) wake: Wake,
    pub(super) lead_time_s: i64,
}

/// An instance that starts.
#[derive(Debug, Clone, Copy)]
struct Start {
    since_s: i64,
    serves_s: i64,
    /// By a wake, which holds a permit; otherwise by the platform, because its user asked.
    is_wake: bool,
}

/// What a round of dispatching did.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) started: Vec<Queued>,
    pub(super) expired: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Host<'a> {
    spec: &'a HostSpec,
    gate: HostGate,
    queue: Vec<Queued>,
    starts: Vec<Start>,
    /// Wakes that ended so recently that a measured load might not show it yet, with when they ended.
    settling: Vec<(Running, i64)>,
    cpu_max_percent: f64,
    above_ceiling_s: u64,
}

impl<'a> Host<'a> {
    pub(super) fn new(spec: &'a HostSpec, rule: &ThrottleRule) -> Self {
        Self {
            spec,
            gate: HostGate::new(rule),
            queue: Vec::new(),
            starts: Vec::new(),
            settling: Vec::new(),
            cpu_max_percent: spec.background_percent,
            above_ceiling_s: 0,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.starts.is_empty()
    }

    pub(super) fn enqueue(&mut self, queued: Queued) {
        self.queue.push(queued);
    }

    /// Its user came first.
    pub(super) fn withdraw(&mut self, index: usize) {
        self.queue.retain(|queued| queued.index != index);
    }

    /// The platform starts an instance because its user asked: no permit is needed.
    pub(super) fn start_by_user(&mut self, at_s: i64, lead_time_s: i64) {
        self.starts.push(Start { since_s: at_s, serves_s: at_s + lead_time_s, is_wake: false });
    }

    /// Wakes in progress.
    pub(super) fn permits(&self) -> u32 {
        self.starts.iter().filter(|start| start.is_wake).count() as u32
    }

    /// Ends what serves by now.
    pub(super) fn retire(&mut self, now_s: i64, rule: &ThrottleRule) {
        let lag_s = i64::from(rule.load_lag_s);
        self.settling.retain(|(_, ended_s)| now_s - ended_s <= lag_s);
        let over = |start: &Start| start.serves_s <= now_s;
        let ended = self.starts.iter().filter(|start| over(start) && start.is_wake);
        let running = |start: &Start| (Running { since: instant(start.since_s) }, start.serves_s);
        self.settling.extend(ended.map(running).filter(|(_, ended_s)| now_s - ended_s <= lag_s));
        self.starts.retain(|start| !over(start));
    }

    /// Starts what may start now: the queue says who goes first, the throttle how many. `fleet_active` counts every
    /// permit of the fleet.
    pub(super) fn dispatch(
        &mut self,
        now_s: i64,
        policy: &Policy,
        rule: &ThrottleRule,
        fleet_active: &mut u32,
    ) -> Round {
        let now = instant(now_s);
        let load = self.load(now, rule);
        self.gate.observe(&load, self.permits(), &self.limits(policy), rule, now);
        let mut round = Round::default();
        let queue = &mut self.queue;
        round.expired.extend(queue.extract_if(.., |wake| wake.wake.expires_at <= now).map(|wake| wake.index));
        queue.sort_by_cached_key(|queued| rank(&queued.wake));
        let mut waiting = std::mem::take(queue).into_iter();
        for queued in waiting.by_ref() {
            if !self.has_permit(now, &load, policy, rule, *fleet_active) {
                self.queue.push(queued);
                break;
            }
            let serves_s = now_s + queued.lead_time_s;
            self.starts.push(Start { since_s: now_s, serves_s, is_wake: true });
            *fleet_active += 1;
            round.started.push(queued);
        }
        self.queue.extend(waiting);
        round
    }

    fn limits(&self, policy: &Policy) -> HostLimits {
        policy.on_host(self.spec.cores, None, None)
    }

    fn has_permit(
        &self,
        now: Timestamp,
        load: &Load,
        policy: &Policy,
        rule: &ThrottleRule,
        fleet_active: u32,
    ) -> bool {
        let wakes = self.starts.iter().filter(|start| start.is_wake);
        let running: Vec<_> = wakes.map(|start| Running { since: instant(start.since_s) }).collect();
        let settling: Vec<_> = self.settling.iter().map(|(running, _)| *running).collect();
        let ask = Admission {
            gate: &self.gate,
            load: Some(load),
            running: &running,
            settling: &settling,
            outlook: None,
            frozen_since: None,
            // Only forecasts queue here; who asks is started by the platform at once.
            is_for_person: false,
            fleet_active,
            limits: self.limits(policy),
            rule,
            now,
        };
        admit(&ask).is_ok()
    }

    /// The step from now on goes into the figures.
    pub(super) fn account(&mut self, now_s: i64, policy: &Policy, rule: &ThrottleRule) {
        let cpu_percent = self.load(instant(now_s), rule).cpu_percent;
        self.cpu_max_percent = self.cpu_max_percent.max(cpu_percent);
        if cpu_percent > policy.cpu_ceiling_percent {
            self.above_ceiling_s += STEP_S.unsigned_abs();
        }
    }

    /// What the agent would measure: the background, and every start at the cost the throttle takes it to have.
    fn load(&self, now: Timestamp, rule: &ThrottleRule) -> Load {
        let each_percent = 100.0 * rule.wake_cost_cores / self.spec.cores;
        let cpu_percent = self.spec.background_percent + each_percent * self.starts.len() as f64;
        Load {
            measured_at: now,
            cpu_percent: cpu_percent.min(100.0),
            cores: self.spec.cores,
            active_wakes: self.permits(),
            ..Load::default()
        }
    }

    pub(super) fn card(&self) -> HostCard {
        HostCard {
            host: self.spec.host.clone(),
            cores: self.spec.cores,
            background_percent: self.spec.background_percent,
            cpu_max_percent: self.cpu_max_percent,
            above_ceiling_s: self.above_ceiling_s,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use reveille_proto::InstanceId;

    use super::*;
    use crate::wake::{Priority, Reason, State};

    pub(in super::super) fn wake(index: usize, due_s: i64) -> Queued {
        let wake = Wake {
            id: format!("{index:032x}").parse().expect("an id"),
            instance: InstanceId::new(format!("dev{index}")).expect("an id"),
            reason: Reason::Forecast,
            priority: Priority::Forecast,
            requested_by: "forecast".into(),
            plan_id: None,
            probability: None,
            created_at: instant(0),
            due_at: instant(due_s),
            serve_at: None,
            expires_at: instant(due_s + 1_800),
            state: State::Queued { attempt: 1, failures: 0, not_before: instant(due_s) },
            called_at: None,
            serving_at: None,
            detail: String::new(),
            last_host: None,
            last_attempt: 0,
            dispatched_at: None,
            moves: 0,
        };
        Queued { index, wake, lead_time_s: 300 }
    }

    /// Which wakes start when, on a host of `cores` that looks every five seconds for an hour.
    fn starts(mut host: Host<'_>, policy: &Policy) -> (Vec<(i64, usize)>, HostCard) {
        let rule = ThrottleRule::default();
        let mut started = Vec::new();
        for now_s in (0..3_600).step_by(STEP_S as usize) {
            host.retire(now_s, &rule);
            let mut fleet_active = host.permits();
            let round = host.dispatch(now_s, policy, &rule, &mut fleet_active);
            started.extend(round.started.iter().map(|queued| (now_s, queued.index)));
            host.account(now_s, policy, &rule);
        }
        assert!(host.is_idle());
        (started, host.card())
    }

    fn spec(cores: f64) -> HostSpec {
        HostSpec { host: HostId::new("h1").expect("an id"), cores, background_percent: 10.0 }
    }

    #[test]
    fn the_earliest_due_go_first_and_the_limit_grows() {
        let (spec, rule) = (spec(64.0), ThrottleRule::default());
        let mut host = Host::new(&spec, &rule);
        for (index, due_s) in [(0, 30), (1, 20), (2, 10), (3, 0)] {
            host.enqueue(wake(index, due_s));
        }
        let (started, card) = starts(host, &Policy::default());
        // Two at first; at the limit since the second look, for a minute.
        assert_eq!(started, [(0, 3), (0, 2), (65, 1), (65, 0)]);
        assert!((card.cpu_max_percent - (10.0 + 4.0 / 64.0 * 100.0)).abs() < 1e-9, "{card:?}");
        assert_eq!(card.above_ceiling_s, 0);
    }

    #[test]
    fn who_asks_needs_no_permit_but_leaves_less_for_the_others() {
        let (spec, rule) = (spec(4.0), ThrottleRule::default());
        let mut host = Host::new(&spec, &rule);
        host.enqueue(wake(0, 0));
        host.enqueue(wake(1, 0));
        for _ in 0..3 {
            host.start_by_user(0, 300);
        }
        assert_eq!(host.permits(), 0);
        host.withdraw(1);
        let (started, card) = starts(host, &Policy::default());
        assert_eq!(started, [(300, 0)], "85 % until those who asked are served");
        assert_eq!(card.above_ceiling_s, 300);
    }

    #[test]
    fn what_waits_too_long_is_not_started() {
        let (spec, rule) = (spec(4.0), ThrottleRule::default());
        let mut host = Host::new(&spec, &rule);
        host.enqueue(wake(0, 0));
        let (started, _) = starts(host, &Policy { cpu_ceiling_percent: 30.0, ..Policy::default() });
        assert_eq!(started, []);
    }

    /// Its start from 100 s on ends at 400 s, and stays reserved for the ten seconds that a load may take to show it.
    #[test]
    fn a_start_ends_when_it_serves_and_a_wake_is_reserved_for_a_little_longer() {
        let (spec, rule, policy) = (spec(64.0), ThrottleRule::default(), Policy::default());
        let mut host = Host::new(&spec, &rule);
        host.enqueue(wake(0, 100));
        assert!(!host.is_idle(), "one waits");
        let mut fleet_active = 3;
        let round = host.dispatch(100, &policy, &rule, &mut fleet_active);
        assert_eq!((round.started.len(), fleet_active, host.permits()), (1, 4, 1));
        assert!(!host.is_idle(), "one starts");
        host.start_by_user(150, 260);
        host.retire(399, &rule);
        assert_eq!((host.starts.len(), host.settling.len()), (2, 0));
        host.retire(400, &rule);
        assert_eq!((host.permits(), host.starts.len()), (0, 1));
        assert_eq!(host.settling, [(Running { since: instant(100) }, 400)]);
        host.retire(410, &rule);
        assert!(host.is_idle(), "who asked is served from 410 s on");
        assert_eq!(host.settling.len(), 1, "and needs no reserve");
        host.retire(411, &rule);
        assert_eq!(host.settling, []);
    }

    #[test]
    fn what_ended_long_before_anybody_looked_is_not_reserved() {
        let (spec, rule, policy) = (spec(64.0), ThrottleRule::default(), Policy::default());
        for (looked_s, reserved) in [(310, 1), (311, 0)] {
            let mut host = Host::new(&spec, &rule);
            host.enqueue(wake(0, 0));
            host.dispatch(0, &policy, &rule, &mut 0);
            host.retire(looked_s, &rule);
            assert_eq!((host.permits(), host.settling.len()), (0, reserved), "{looked_s}");
        }
    }

    #[test]
    fn the_load_is_the_background_and_what_starts() {
        let (spec, policy) = (spec(4.0), Policy::default());
        let rule = ThrottleRule { wake_cost_cores: 1.5, ..ThrottleRule::default() };
        let mut host = Host::new(&spec, &rule);
        host.start_by_user(0, 300);
        host.enqueue(wake(0, 0));
        host.dispatch(0, &Policy { cpu_ceiling_percent: 100.0, ..policy.clone() }, &rule, &mut 0);
        let expected = Load {
            measured_at: instant(5),
            cpu_percent: 85.0,
            cores: 4.0,
            active_wakes: 1,
            ..Load::default()
        };
        assert_eq!(host.load(instant(5), &rule), expected);
        for (ceiling_percent, above_s) in [(85.0, 0), (84.9, 5), (84.9, 10), (85.1, 10)] {
            host.account(5, &Policy { cpu_ceiling_percent: ceiling_percent, ..policy.clone() }, &rule);
            assert_eq!(host.card().above_ceiling_s, above_s, "above {ceiling_percent}");
        }
        host.start_by_user(0, 300);
        host.account(5, &policy, &rule);
        assert!((host.card().cpu_max_percent - 100.0).abs() < 1e-9, "no more than all");
    }

    #[test]
    fn a_wake_expires_at_its_last_moment_and_leaves_the_others() {
        let (spec, rule) = (spec(64.0), ThrottleRule::default());
        let mut host = Host::new(&spec, &rule);
        for (index, due_s) in [(0, 0), (1, 1), (2, 50), (3, 60)] {
            host.enqueue(wake(index, due_s));
        }
        host.withdraw(2);
        let round = host.dispatch(1_800, &Policy::default(), &rule, &mut 0);
        assert_eq!(round.expired, [0]);
        assert_eq!(round.started.iter().map(|queued| queued.index).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn a_full_fleet_starts_nothing() {
        let (spec, rule) = (spec(64.0), ThrottleRule::default());
        let policy = Policy { fleet_wakes_max: 5, ..Policy::default() };
        let mut host = Host::new(&spec, &rule);
        host.enqueue(wake(0, 0));
        host.enqueue(wake(1, 0));
        let mut fleet_active = 4;
        assert_eq!(host.dispatch(0, &policy, &rule, &mut fleet_active).started.len(), 1);
        assert_eq!((fleet_active, host.queue.len()), (5, 1));
    }
}
