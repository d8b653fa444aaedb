//! The registry from outside: permits that count at once, curves learned from reports, mirrors that are set right.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{
    HostId, InstanceId, WakeId,
    edge::{FieldError, Hello, InstanceLoad, InventoryItem, Load, LoadReport, Observed, WakeLoad},
    v1::{self, controller_message::Kind},
};

use super::{Ask, Granted, Over, Permitted, Registry};
use crate::{
    policy::Policy,
    throttle::{Closed, ThrottleRule, WAKES_KNOWN},
};

fn t(s: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + s).expect("in range")
}

fn host() -> HostId {
    HostId::new("h1").expect("valid")
}

fn instance(n: u32) -> InstanceId {
    format!("dev{n}").parse().expect("valid")
}

fn wake(n: u32) -> WakeId {
    format!("0190a1b2-0000-7000-8000-{n:012}").parse().expect("valid")
}

fn hello() -> Hello {
    let item = |n| InventoryItem { instance: instance(n), cohort: "dev".into(), driver: "process".into() };
    Hello {
        protocol_version: 1,
        agent_version: "test".into(),
        host: host(),
        host_class: "m5".into(),
        zone: "a".into(),
        cores: 16.0,
        journal_id: "j1".into(),
        inventory: (0..50).map(item).collect(),
        unfinished: Vec::new(),
        epoch: 0,
        cpu_ceiling_percent: None,
        wakes_max: None,
    }
}

/// A host whose agent has just connected, with nothing running by the store.
struct Fleet {
    registry: Registry,
    policy: Policy,
    now_s: i64,
    background: f64,
    /// Whether the agent measures each start.
    measures: bool,
}

impl Fleet {
    fn new() -> Self {
        let registry = Registry::new(ThrottleRule::default());
        drop(registry.connect(&hello(), 1));
        registry.begin(&host(), 1, &BTreeMap::new(), t(0));
        Self { registry, policy: Policy::default(), now_s: 0, background: 2.0, measures: true }
    }

    /// The agent says how loaded the host is.
    fn reports(&self, s: i64, cpu_percent: f64) {
        self.reports_of(s, s, cpu_percent);
    }

    /// It says so at `s`, of a time that is `measured_s` by its own clock.
    fn reports_of(&self, measured_s: i64, s: i64, cpu_percent: f64) {
        let load = Load { measured_at: t(measured_s), cpu_percent, cores: 16.0, ..Load::default() };
        let report = LoadReport { load, ..LoadReport::default() };
        self.registry.loaded(&host(), &report, &self.policy, t(s));
    }

    /// Whether a person's wake of any instance could start.
    fn asked_at(&self, s: i64) -> Result<(), Closed> {
        let (host, policy) = (host(), &self.policy);
        let ask =
            Ask { host: &host, instance: None, is_for_person: true, fleet_active: 0, policy, now: t(s) };
        self.registry.ask(&ask).map(drop)
    }

    fn ask(&self, n: u32) -> Result<Granted, Closed> {
        let instance = instance(n);
        let ask = Ask {
            host: &host(),
            instance: Some(&instance),
            is_for_person: true,
            fleet_active: 0,
            policy: &self.policy,
            now: t(self.now_s),
        };
        let permitted = Permitted { instance: instance.clone(), since: t(self.now_s), owner: "ann".into() };
        self.registry.grant(wake(n), permitted, &ask)
    }

    /// Seconds in which each of the running wakes uses so many cores.
    fn pass(&mut self, seconds: i64, cores_each: f64) {
        for _ in 0..seconds {
            self.now_s += 1;
            let running = self.registry.running().remove(&host()).unwrap_or_default();
            let used = self.background + cores_each * running.len() as f64;
            // A measurement of the real world is never the same twice.
            let cpu_percent = 100.0 * used / 16.0 + 1e-6 * (self.now_s % 7) as f64;
            let wakes = running.keys().map(|wake| WakeLoad { wake: *wake, cores: cores_each });
            let report = LoadReport {
                load: Load { measured_at: t(self.now_s), cpu_percent, cores: 16.0, ..Load::default() },
                wakes: wakes.filter(|_| self.measures).collect(),
                instances: Vec::new(),
            };
            self.registry.loaded(&host(), &report, &self.policy, t(self.now_s));
        }
    }

    fn end(&self, n: u32, over: Over) {
        self.registry.ended(&host(), wake(n), over, t(self.now_s));
    }
}

#[test]
fn permits_of_an_earlier_session_that_never_reached_the_store_hold_nobody_up() {
    let mut fleet = Fleet::new();
    fleet.pass(2, 0.0);
    let granted = (0..50).take_while(|n| fleet.ask(*n).is_ok()).count();
    assert!(granted > 0);
    assert!(fleet.ask(49).is_err(), "the host is full");
    // Another controller has brought those wakes to their end meanwhile; then the agent comes back.
    fleet.now_s += 3;
    drop(fleet.registry.connect(&hello(), 2));
    fleet.registry.begin(&host(), 1, &BTreeMap::new(), t(fleet.now_s));
    assert!(fleet.ask(0).is_err(), "what was read for the earlier session is not for this one");
    fleet.registry.begin(&host(), 2, &BTreeMap::new(), t(fleet.now_s));
    fleet.pass(2, 0.0);
    let again = (0..50).take_while(|n| fleet.ask(*n).is_ok()).count();
    assert!(again >= granted, "{again} of {granted}");
    // Of this session, what was just granted may still be on its way to the store.
    fleet.registry.reconcile(&host(), &BTreeMap::new(), t(fleet.now_s + 1));
    assert!(fleet.ask(49).is_err());
}

#[test]
fn nothing_is_granted_before_load_and_permits_are_known() {
    let registry = Registry::new(ThrottleRule::default());
    drop(registry.connect(&hello(), 1));
    let policy = Policy::default();
    let ask = |registry: &Registry| {
        let (host, policy) = (host(), &policy);
        let ask =
            Ask { host: &host, instance: None, is_for_person: true, fleet_active: 0, policy, now: t(0) };
        registry.ask(&ask).map(drop)
    };
    assert_eq!(ask(&registry), Err(Closed::PermitsUnknown));
    registry.reconcile(&host(), &BTreeMap::new(), t(0));
    assert_eq!(
        ask(&registry),
        Err(Closed::PermitsUnknown),
        "that may have been read before the session began"
    );
    registry.begin(&host(), 1, &BTreeMap::new(), t(0));
    assert_eq!(ask(&registry), Err(Closed::NoLoad));
}

#[test]
fn a_class_is_learned_within_ten_starts_and_then_more_are_let_in() {
    let mut fleet = Fleet::new();
    fleet.pass(60, 0.0);
    for n in 0..WAKES_KNOWN {
        fleet.ask(n).expect("one at a time");
        fleet.pass(40, 0.5);
        fleet.end(n, Over::Served);
        fleet.pass(15, 0.0);
    }
    let curves = fleet.registry.curves();
    let (_, curve) = curves.iter().find(|(class, _)| class.cohort == "dev").expect("learned");
    assert!(curve.is_known() && (curve.work_core_s() - 20.0).abs() < 3.0, "{}", curve.work_core_s());
    assert_eq!(fleet.registry.take_learned_curves().len(), 1);
    // Nine cores are free, each wants half a one: more than the 2 that care would allow.
    let granted = (20..40).map_while(|n| fleet.ask(n).ok()).count();
    assert!((10..=18).contains(&granted), "{granted}");
}

#[test]
fn what_only_the_whole_host_tells_is_learned_too() {
    let mut fleet = Fleet { measures: false, ..Fleet::new() };
    fleet.pass(60, 0.0);
    for n in 0..WAKES_KNOWN {
        fleet.ask(n).expect("one at a time");
        fleet.pass(40, 1.0);
        fleet.end(n, Over::Served);
        fleet.pass(15, 0.0);
    }
    let (_, curve) = fleet.registry.curves().remove(0);
    assert!((curve.work_core_s() - 40.0).abs() < 6.0, "{}", curve.work_core_s());
}

#[test]
fn permits_the_store_does_not_know_are_given_back_and_those_it_knows_count() {
    let mut fleet = Fleet::new();
    fleet.pass(5, 0.0);
    fleet.ask(1).expect("granted");
    let stored = |n: u32| (wake(n), Permitted { instance: instance(n), since: t(0), owner: String::new() });
    fleet.registry.reconcile(&host(), &[stored(2)].into(), t(30));
    let ids = |fleet: &Fleet| fleet.registry.running()[&host()].keys().copied().collect::<Vec<_>>();
    assert_eq!(ids(&fleet), [wake(1), wake(2)], "the first may still be on its way to the disk");
    fleet.registry.reconcile(&host(), &[stored(2)].into(), t(599));
    assert_eq!(ids(&fleet), [wake(1), wake(2)], "however slow the disk is");
    fleet.registry.kept(&host(), wake(1), t(600));
    fleet.registry.reconcile(&host(), &[stored(2)].into(), t(600));
    assert_eq!(ids(&fleet), [wake(1), wake(2)], "what was read from then on may not have it");
    fleet.registry.reconcile(&host(), &[stored(2)].into(), t(601));
    assert_eq!((ids(&fleet), fleet.registry.active()), (vec![wake(2)], 1));
    assert!(fleet.registry.generation(&host()).is_some_and(|generation| generation > 5));
    fleet.registry.ended(&host(), wake(2), Over::Other, t(610));
    fleet.registry.reconcile(&host(), &[stored(2)].into(), t(609));
    assert_eq!(fleet.registry.active(), 0, "what was read before it ended brings nothing back");
    fleet.registry.reconcile(&host(), &[stored(2)].into(), t(612));
    assert_eq!(fleet.registry.active(), 1);
}

#[test]
fn a_permit_nobody_speaks_of_any_more_is_not_held_for_ever() {
    let mut fleet = Fleet::new();
    fleet.pass(5, 0.0);
    fleet.ask(1).expect("granted");
    fleet.registry.reconcile(&host(), &BTreeMap::new(), t(5 + 899));
    assert_eq!(fleet.registry.active(), 1);
    fleet.registry.reconcile(&host(), &BTreeMap::new(), t(5 + 900));
    assert_eq!(fleet.registry.active(), 0);
    // Nor one that is given back before anybody knew of it.
    fleet.ask(2).expect("granted");
    fleet.end(2, Over::Other);
    fleet.registry.kept(&host(), wake(2), t(906));
    fleet.registry.reconcile(&host(), &BTreeMap::new(), t(906));
    assert_eq!(fleet.registry.active(), 0);
}

#[test]
fn a_load_that_is_the_same_to_the_bit_closes_the_gate() {
    let fleet = Fleet::new();
    for s in 0..=200 {
        fleet.reports(s, 12.5);
    }
    assert_eq!(fleet.asked_at(200), Err(Closed::FrozenLoad { for_s: 200 }));
    fleet.reports(201, 12.6);
    assert_eq!(fleet.asked_at(201), Ok(()));
    for s in 202..=500 {
        fleet.reports(s, 0.0);
    }
    assert_eq!(fleet.asked_at(500), Ok(()), "an idle host is idle");
}

#[test]
fn a_load_of_the_future_never_becomes_fresh() {
    let fleet = Fleet::new();
    fleet.reports_of(300, 0, 20.0);
    for second in [1, 29, 60, 271, 299, 301, 329] {
        assert_eq!(fleet.asked_at(second), Err(Closed::FutureLoad), "{second}");
    }
    fleet.reports(400, 20.5);
    assert_eq!(fleet.asked_at(401), Ok(()));
    // A little ahead counts as right, and is no fresher for it.
    fleet.reports_of(430, 410, 21.0);
    assert_eq!(fleet.asked_at(439), Ok(()));
    assert_eq!(fleet.asked_at(440), Err(Closed::StaleLoad { age_s: 30 }));
}

#[test]
fn a_frozen_load_is_frozen_whatever_becomes_of_the_controllers_clock() {
    let fleet = Fleet::new();
    (0..=20).for_each(|n| fleet.reports(10 * n, 20.125));
    let is_frozen = |s: i64| matches!(fleet.asked_at(s), Err(Closed::FrozenLoad { .. }));
    assert!(is_frozen(201));
    // It goes back, and what is known is forgotten, but for that.
    (0..=3).for_each(|n| fleet.reports(100 + 10 * n, 20.125));
    assert!(is_frozen(131), "{:?}", fleet.asked_at(131));
}

#[test]
fn a_report_that_is_refused_closes_the_gate_until_a_good_one_comes() {
    let fleet = Fleet::new();
    fleet.reports(1, 12.5);
    assert_eq!(fleet.asked_at(1), Ok(()));
    fleet.registry.load_refused(&host(), &FieldError::new("load.cpu_percent", "is 130"));
    let closed = fleet.asked_at(2).expect_err("nobody knows the load");
    assert_eq!(closed.to_string(), "the newest load was refused: field `load.cpu_percent` is 130");
    fleet.reports(3, 12.5);
    assert_eq!(fleet.asked_at(3), Ok(()));
}

#[test]
fn a_session_that_is_fenced_off_is_ended_and_no_other() {
    let fleet = Fleet::new();
    assert_eq!(fleet.registry.sessions(), [(host(), 1)]);
    assert!(!fleet.registry.fenced(&host(), |epoch| epoch < 1), "it is the newest");
    assert!(fleet.registry.fenced(&host(), |epoch| epoch < 2));
    assert!(fleet.registry.sessions().is_empty());
    assert!(!fleet.registry.fenced(&host(), |_| true), "it is over");
}

#[test]
fn what_was_seen_of_instances_is_kept_until_it_is_said_anew() {
    let fleet = Fleet::new();
    let seen = |index, observed| LoadReport {
        load: Load { measured_at: t(1), cores: 16.0, ..Load::default() },
        instances: vec![InstanceLoad { index, observed, cores: None }],
        ..LoadReport::default()
    };
    let now = t(1) + SignedDuration::from_secs(1);
    fleet.registry.loaded(&host(), &seen(3, Observed::Serving), &fleet.policy, now);
    fleet.registry.loaded(&host(), &seen(9999, Observed::Serving), &fleet.policy, now);
    let observed = |n| fleet.registry.observed(&host(), &instance(n));
    assert_eq!((observed(3), observed(4)), (Some(Observed::Serving), Some(Observed::Unknown)));
}

#[test]
fn a_command_is_sent_again_in_its_session_until_its_agent_speaks_of_it() {
    let registry = Registry::new(ThrottleRule::default());
    let (_, mut outbox) = registry.connect(&hello(), 1);
    let command = |n| v1::Wake { wake_id: wake(n).to_string(), attempt: 1, ..v1::Wake::default() };
    for n in 1..=3 {
        assert!(registry.send(&host(), Kind::Wake(command(n))));
    }
    let mut said = || {
        let messages = std::iter::from_fn(|| outbox.try_recv().ok());
        messages.filter_map(|message| message.kind).collect::<Vec<_>>()
    };
    assert_eq!(said().len(), 3);
    registry.heard(&host(), &wake(1).to_string(), 1);
    registry.ended(&host(), wake(2), Over::Other, t(1));
    assert_eq!([0, 5, 10, 15].map(|s| registry.send_unheard(&host(), t(s))), [0, 0, 1, 0]);
    assert_eq!(said(), [Kind::Wake(command(3))]);
    // In the next session all that is under way is sent again anyway.
    let _next = registry.connect(&hello(), 2);
    assert_eq!(registry.send_unheard(&host(), t(1_000)), 0);
}
