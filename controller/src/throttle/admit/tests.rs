use super::*;
use crate::throttle::{Course, Measurement};

fn limits() -> HostLimits {
    HostLimits { cpu_ceiling_percent: 70.0, wakes_max: 8, places_for_people: 1, fleet_wakes_max: 64 }
}

fn t(s: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + s).expect("in range")
}

fn load(cpu_percent: f64, at: Timestamp) -> Load {
    Load { measured_at: at, cpu_percent, cores: 8.0, ..Load::default() }
}

/// The answer for a host of 8 cores at `cpu_percent`, with wakes running since the given seconds.
fn ask(cpu_percent: f64, running_since: &[i64], limit: u32) -> Result<Permit, Closed> {
    let rule = ThrottleRule { limit_start: limit, ..ThrottleRule::default() };
    let running: Vec<_> = running_since.iter().map(|s| Running { since: t(*s) }).collect();
    admit(&Admission {
        gate: &HostGate::new(&rule),
        load: Some(&load(cpu_percent, t(0))),
        running: &running,
        settling: &[],
        outlook: None,
        frozen_since: None,
        is_for_person: true,
        fleet_active: running.len() as u32,
        limits: limits(),
        rule: &rule,
        now: t(0),
    })
}

#[test]
fn the_gate_is_closed_at_the_ceiling_and_open_below() {
    assert!(ask(57.4, &[], 2).is_ok());
    assert_eq!(ask(70.0, &[], 2), Err(Closed::OverCeiling { cpu_percent: 70.0 }));
    assert!(ask(f64::NAN, &[], 2).is_err());
}

#[test]
fn a_permit_counts_before_it_is_measured() {
    // 12.5 % a wake on 8 cores: two fresh ones and a third make 50 + 37.5.
    assert_eq!(ask(50.0, &[0, 0], 8), Err(Closed::NoHeadroom { cpu_percent_expected: 87.5 }));
    // Long since measured: nothing of them is reserved any more.
    assert_eq!(ask(50.0, &[-120, -500], 8).map(|p| p.cpu_percent_expected), Ok(62.5));
    // Half way through the decay, half is.
    assert_eq!(ask(50.0, &[-60], 8).map(|p| p.cpu_percent_expected), Ok(68.75));
}

#[test]
fn the_first_wake_needs_headroom_too_unless_the_host_is_smaller_than_a_wake() {
    assert_eq!(ask(60.0, &[], 2), Err(Closed::NoHeadroom { cpu_percent_expected: 72.5 }));
    let (limits, gate) = (limits(), HostGate::new(&ThrottleRule::default()));
    let one_core = Load { cores: 1.0, ..load(20.0, t(0)) };
    let asked = |settling: &[Running]| {
        admit(&Admission {
            gate: &gate,
            load: Some(&one_core),
            running: &[],
            settling,
            outlook: None,
            frozen_since: None,
            is_for_person: true,
            fleet_active: 0,
            limits,
            rule: &ThrottleRule::default(),
            now: t(0),
        })
    };
    assert!(asked(&[]).is_ok());
    assert!(asked(&[Running { since: t(-5) }]).is_err(), "the one before has only just ended");
}

#[test]
fn stale_future_and_missing_loads_close_the_gate() {
    let rule = ThrottleRule::default();
    let limits = limits();
    let gate = HostGate::new(&rule);
    let at = |load: Option<&Load>| {
        admit(&Admission {
            gate: &gate,
            load,
            running: &[],
            settling: &[],
            outlook: None,
            frozen_since: None,
            is_for_person: true,
            fleet_active: 0,
            limits,
            rule: &rule,
            now: t(0),
        })
    };
    assert_eq!(at(None), Err(Closed::NoLoad));
    assert_eq!(at(Some(&load(1.0, t(-30)))), Err(Closed::StaleLoad { age_s: 30 }));
    assert!(at(Some(&load(1.0, t(-29)))).is_ok());
    assert_eq!(at(Some(&load(1.0, t(31)))), Err(Closed::FutureLoad));
}

#[test]
fn caps_of_host_and_fleet_hold() {
    assert_eq!(ask(1.0, &[-999, -999, -999], 2), Err(Closed::HostFull { active: 3, limit: 3 }));
    let rule = ThrottleRule::default();
    let limits = HostLimits { fleet_wakes_max: 5, ..limits() };
    let ask = Admission {
        gate: &HostGate::new(&rule),
        load: Some(&load(1.0, t(0))),
        running: &[],
        settling: &[],
        outlook: None,
        frozen_since: None,
        is_for_person: true,
        fleet_active: 5,
        limits,
        rule: &rule,
        now: t(0),
    };
    assert_eq!(admit(&ask), Err(Closed::FleetFull { active: 5, max: 5 }));
}

#[test]
fn a_place_is_kept_for_people_beyond_the_limit_and_below_the_cap() {
    let (limits, load) = (limits(), load(1.0, t(0)));
    let asked = |active: usize, is_for_person, limit_start, limits: HostLimits| {
        let rule = ThrottleRule { limit_start, ..ThrottleRule::default() };
        admit(&Admission {
            gate: &HostGate::new(&rule),
            load: Some(&load),
            running: &vec![Running { since: t(-999) }; active],
            settling: &[],
            outlook: None,
            frozen_since: None,
            is_for_person,
            fleet_active: 0,
            limits,
            rule: &rule,
            now: t(0),
        })
    };
    assert_eq!(asked(2, false, 2, limits), Err(Closed::HostFull { active: 2, limit: 2 }));
    assert_eq!(asked(2, true, 2, limits).map(|permit| permit.limit), Ok(3));
    assert_eq!(asked(3, true, 2, limits), Err(Closed::HostFull { active: 3, limit: 3 }));
    assert_eq!(asked(7, false, 8, limits), Err(Closed::KeptForPeople { active: 7, limit: 8 }));
    assert!(asked(7, true, 8, limits).is_ok() && asked(6, false, 8, limits).is_ok());
    let narrow = HostLimits { wakes_max: 1, ..limits };
    assert!(asked(0, false, 2, narrow).is_ok(), "the only place is for all");
}

/// A host of 16 cores, measured for ten minutes with 4 of them in use, and a class that burns 4 for a minute after
/// a quiet one.
fn learned() -> (Pace<WakeId>, Vec<StartCurve>) {
    let mut pace = Pace::default();
    for _ in 0..600 {
        let measurement = Measurement { seconds: 1.0, cores_used: 4.0, by_start: Some(&[]), granted: 1.0 };
        pace.measured(&measurement, &[]);
    }
    let mut course = Course::default();
    (0..120).for_each(|s| course.saw(s.into(), if s < 60 { 0.0 } else { 4.0 }));
    let mut curve = StartCurve::assumed(1.0, 120.0);
    (0..10).for_each(|_| curve.learn(&course));
    (pace, vec![curve])
}

fn wake(n: u8) -> WakeId {
    format!("0190a1b2-0000-7000-8000-0000000000{n:02}").parse().expect("valid")
}

#[test]
fn known_curves_decide_in_place_of_the_assumed_cost() {
    let (mut pace, curves) = learned();
    let (rule, limits) = (ThrottleRule::default(), limits());
    let (gate, load) = (HostGate::new(&rule), Load { cores: 16.0, ..load(25.0, t(0)) });
    let mut admitted = 0;
    let refused = loop {
        // Granted minutes ago by the clock: an assumed cost would have decayed, the burst is yet to come.
        let running = vec![Running { since: t(-999) }; admitted];
        let outlook = Some(Outlook { pace: &pace, curves: &curves, class: 0 });
        let asked = admit(&Admission {
            gate: &gate,
            load: Some(&load),
            running: &running,
            settling: &[],
            outlook,
            frozen_since: None,
            is_for_person: true,
            fleet_active: 0,
            limits,
            rule: &rule,
            now: t(0),
        });
        match asked {
            Ok(permit) => assert!(permit.cpu_percent_expected <= limits.cpu_ceiling_percent),
            Err(closed) => break closed,
        }
        pace.start(wake(admitted as u8), 0);
        admitted += 1;
        assert!(admitted < 10, "there is no end to it");
    };
    assert_eq!(admitted, 1, "4 and 4 cores of 11.2 leave no room for 4 more and a margin");
    assert!(matches!(refused, Closed::NoHeadroom { .. }), "{refused}");
}

/// A class whose starts were measured to use so many cores for a minute, on a host of 16 with 4 in use for ten minutes.
fn known(each: &[f64]) -> (Pace<WakeId>, Vec<StartCurve>) {
    let (pace, _) = learned();
    let mut curve = StartCurve::assumed(1.0, 120.0);
    for cores in each {
        let mut course = Course::default();
        (0..60).for_each(|s| course.saw(s.into(), *cores));
        curve.learn(&course);
    }
    (pace, vec![curve])
}

fn asked_alone(pace: &Pace<WakeId>, curves: &[StartCurve], is_for_person: bool) -> Result<Permit, Closed> {
    let rule = ThrottleRule::default();
    admit(&Admission {
        gate: &HostGate::new(&rule),
        load: Some(&Load { cores: 16.0, ..load(25.0, t(0)) }),
        running: &[],
        settling: &[],
        outlook: Some(Outlook { pace, curves, class: 0 }),
        frozen_since: None,
        is_for_person,
        fleet_active: 0,
        limits: limits(),
        rule: &rule,
        now: t(0),
    })
}

#[test]
fn a_curve_nobody_is_sure_of_does_not_keep_an_idle_host_from_starting_one() {
    let (pace, curves) = known(&[0.5, 12.0, 0.5, 0.5, 12.0, 0.5, 0.5, 12.0, 0.5, 0.5]);
    let room = Room { cores: 16.0, cpu_ceiling_percent: 70.0, is_capped: false };
    assert!(pace.admits(0, &room, &curves).is_err(), "4 in use, 4 expected, and nobody knows how exactly");
    assert!(asked_alone(&pace, &curves, false).is_ok());
    let mut busy = pace.clone();
    busy.start(wake(1), 0);
    assert!(asked_alone(&busy, &curves, true).is_err(), "one at a time");
}

#[test]
fn a_person_is_not_kept_waiting_by_a_curve_that_cannot_be_put_right_otherwise() {
    let (mut pace, curves) = known(&[8.0; 10]);
    assert!(asked_alone(&pace, &curves, false).is_err(), "4 in use and 8 expected are above 11.2");
    assert!(asked_alone(&pace, &curves, true).is_ok(), "nothing has started for ten minutes");
    pace.start(wake(1), 0);
    pace.forget(&wake(1));
    assert!(asked_alone(&pace, &curves, true).is_err(), "something has started just now");
}

/// A person asks for a start on a host where nothing has started.
fn asking<'a>(gate: &'a HostGate, load: &'a Load, rule: &'a ThrottleRule) -> Admission<'a> {
    Admission {
        gate,
        load: Some(load),
        running: &[],
        settling: &[],
        outlook: None,
        frozen_since: None,
        is_for_person: true,
        fleet_active: 0,
        limits: limits(),
        rule,
        now: t(0),
    }
}

#[test]
fn a_curve_of_too_few_starts_leaves_the_decision_to_the_assumed_cost() {
    let (pace, curves) = known(&[4.0; 9]);
    let permit = asked_alone(&pace, &curves, true).expect("25 and 6.25 % of 70");
    assert!((permit.cpu_percent_expected - 31.25).abs() < 1e-9 && permit.limit == 3, "{permit:?}");
    let (pace, curves) = known(&[4.0; 10]);
    let permit = asked_alone(&pace, &curves, true).expect("it fits");
    let percent = 25.0 + 25.0 + 4.3;
    assert!((permit.cpu_percent_expected - percent).abs() < 0.1 && permit.limit == 8, "{permit:?}");
}

#[test]
fn where_the_group_of_the_starts_is_capped_no_cost_is_assumed() {
    let (rule, warm) = (ThrottleRule::default(), load(65.0, t(0)));
    let gate = HostGate::new(&rule);
    assert!(matches!(admit(&asking(&gate, &warm, &rule)), Err(Closed::NoHeadroom { .. })));
    let capped = Load { group_cores: Some(0.4), ..warm };
    let permit = admit(&asking(&gate, &capped, &rule));
    assert_eq!(permit.map(|permit| permit.cpu_percent_expected), Ok(65.0));
}

#[test]
fn alone_on_its_host_may_start_what_is_expected_to_fit_what_never_would_and_what_is_capped() {
    let uncapped = Load { cores: 16.0, ..load(25.0, t(0)) };
    let capped = Load { group_cores: Some(7.2), ..uncapped };
    let rule = ThrottleRule::default();
    let gate = HostGate::new(&rule);
    let starts = |load: &Load, each: [f64; 10]| {
        let (pace, curves) = known(&each);
        let room = Room {
            cores: load.cores,
            cpu_ceiling_percent: limits().cpu_ceiling_percent,
            is_capped: load.group_cores.is_some(),
        };
        assert!(pace.admits(0, &room, &curves).is_err(), "with others it would have to wait");
        let outlook = Some(Outlook { pace: &pace, curves: &curves, class: 0 });
        admit(&Admission { outlook, is_for_person: false, ..asking(&gate, load, &rule) }).is_ok()
    };
    // 4 cores of 11.2 are in use.
    let unsure = [2.0, 6.0, 2.0, 6.0, 2.0, 6.0, 2.0, 6.0, 2.0, 6.0];
    assert!(starts(&uncapped, unsure), "4 more are expected to fit");
    assert!(!starts(&uncapped, [9.0; 10]), "it would fit later");
    assert!(starts(&uncapped, [11.0; 10]), "it does not fit beside nothing at all");
    assert!(starts(&capped, [9.0; 10]), "the group holds it under the ceiling");
}

#[test]
fn an_assumed_cost_may_fill_a_host_to_its_ceiling() {
    let rule = ThrottleRule { wake_cost_cores: 2.0, ..ThrottleRule::default() };
    let gate = HostGate::new(&rule);
    let asked = |cpu_percent| {
        admit(&asking(&gate, &load(cpu_percent, t(0)), &rule)).map(|permit| permit.cpu_percent_expected)
    };
    assert_eq!(asked(45.0), Ok(70.0), "2 of 8 cores are 25 %");
    assert_eq!(asked(45.5), Err(Closed::NoHeadroom { cpu_percent_expected: 70.5 }));
}

#[test]
fn a_host_just_large_enough_for_one_wake_is_not_too_small_for_it() {
    let rule = ThrottleRule { wake_cost_cores: 4.0, ..ThrottleRule::default() };
    let (gate, limits) = (HostGate::new(&rule), HostLimits { cpu_ceiling_percent: 50.0, ..limits() });
    let asked = |cpu_percent| admit(&Admission { limits, ..asking(&gate, &load(cpu_percent, t(0)), &rule) });
    assert!(asked(0.0).is_ok());
    assert_eq!(
        asked(1.0),
        Err(Closed::NoHeadroom { cpu_percent_expected: 51.0 }),
        "it waits for a calm host"
    );
}

#[test]
fn pressure_closes_the_gate_at_its_maximum() {
    let rule = ThrottleRule::default();
    let gate = HostGate::new(&rule);
    let asked = |io: f64, memory: f64| {
        let load =
            Load { io_pressure_percent: Some(io), memory_pressure_percent: Some(memory), ..load(10.0, t(0)) };
        admit(&asking(&gate, &load, &rule)).map(|permit| permit.limit)
    };
    assert_eq!(asked(59.9, 19.9), Ok(3));
    assert_eq!(asked(60.0, 19.9), Err(Closed::Pressure { what: "io", percent: 60.0 }));
    assert_eq!(asked(0.0, 20.0), Err(Closed::Pressure { what: "memory", percent: 20.0 }));
}

#[test]
fn a_frozen_load_closes_the_gate_and_says_so() {
    let rule = ThrottleRule::default();
    let (gate, load, limits) = (HostGate::new(&rule), load(20.0, t(0)), limits());
    let frozen_since = Some(t(-i64::from(rule.load_frozen_s)));
    let ask = Admission {
        gate: &gate,
        load: Some(&load),
        running: &[],
        settling: &[],
        outlook: None,
        frozen_since,
        is_for_person: true,
        fleet_active: 0,
        limits,
        rule: &rule,
        now: t(0),
    };
    let closed = admit(&ask).expect_err("frozen");
    assert!(closed.code() == "frozen_load" && closed.to_string().contains("same to the bit"), "{closed}");
}
