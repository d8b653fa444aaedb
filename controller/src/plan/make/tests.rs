//! What one candidate is planned, and that many are each decided on as if alone.

use std::collections::BTreeMap;

use jiff::{SignedDuration, civil::Date};
use proptest::prelude::*;
use reveille_proto::{HostId, InstanceId};

use super::*;
use crate::{
    model::{
        Abstain, HourProfile, Rule,
        calendar::{date_of, day_of},
    },
    plan::{HeldOutWake, HoldOut, Outlook, PlannedWake, Presence},
    policy::Policy,
    visits::Activity,
};

/// No host has a bound.
static ALL_AT_ONCE: BTreeMap<HostId, u32> = BTreeMap::new();

/// One instance that was active at 09:20 on each of the forty days before Wednesday 2026-04-01 in its zone.
struct Scene {
    instance: InstanceId,
    host: HostId,
    zone: TimeZone,
    profile: HourProfile,
    policy: Policy,
    rule: Rule,
    horizon: SignedDuration,
    lead_time: SignedDuration,
    presence: Presence,
    hold_out: HoldOut,
}

impl Scene {
    fn new(zone: &str) -> Self {
        let zone = TimeZone::get(zone).expect("a known zone");
        let as_of: Date = "2026-04-01".parse().expect("a date");
        let mut activity = Activity::default();
        for back in 1..=40 {
            let day = as_of.saturating_sub(SignedDuration::from_hours(24 * back));
            let at = day.at(9, 20, 0, 0).to_zoned(zone.clone()).expect("exists").timestamp();
            activity.insert(at);
        }
        let rule = Rule::default();
        Self {
            instance: InstanceId::new("dev1").expect("an id"),
            host: HostId::new("host-1").expect("an id"),
            profile: HourProfile::fit(&activity, &zone, as_of, &rule),
            zone,
            policy: Policy::default(),
            rule,
            horizon: SignedDuration::from_hours(1),
            lead_time: SignedDuration::from_secs(300),
            presence: Presence::Asleep,
            hold_out: HoldOut::default(),
        }
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            instance: &self.instance,
            cohort: "dev",
            host: Some(&self.host),
            zone: &self.zone,
            outlook: Outlook::Hours(&self.profile),
            presence: self.presence,
            lead_time: self.lead_time,
            opted_out: false,
        }
    }

    fn input<'a, I: Iterator<Item = Candidate<'a>>>(
        &'a self,
        now: &str,
        policy: &'a Policy,
        already_due_per_hour: &'a BTreeMap<i64, u32>,
        candidates: I,
    ) -> PlanInput<'a, I> {
        PlanInput {
            now: at(now),
            horizon: self.horizon,
            rule: &self.rule,
            threshold: 0.0,
            policy,
            model_version: 7,
            hold: SignedDuration::from_hours(3),
            already_due_per_hour,
            starts_at_once: &ALL_AT_ONCE,
            hold_out: &self.hold_out,
            candidates,
        }
    }

    fn plan_of(&self, now: &str, candidate: Candidate<'_>) -> Result<PlannedWake, OmissionReason> {
        let mut omissions = Vec::new();
        let due = BTreeMap::new();
        let input = self.input(now, &self.policy, &due, std::iter::once(candidate));
        let mut made = plan_telling(input, |_, reason| omissions.push(reason));
        assert_eq!(made.wakes.len() as u64 + made.left_out(), 1, "once in the plan: {made:?}");
        assert_eq!((made.model_version, made.made_at), (7, at(now)));
        omissions.extend(made.omissions.into_iter().map(|omission| omission.reason));
        made.wakes.pop().ok_or_else(|| omissions.remove(0))
    }

    fn plan(&self, now: &str) -> Result<PlannedWake, OmissionReason> {
        self.plan_of(now, self.candidate())
    }
}

fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("2026-04-01T{text}:00Z") };
    text.parse().expect("a timestamp")
}

#[test]
fn it_is_woken_a_lead_time_before_its_hour() {
    let wake = Scene::new("UTC").plan("08:10").expect("woken");
    assert_eq!((wake.due_at, wake.serve_at, wake.expires_at), (at("08:55"), at("09:00"), at("09:55")));
    assert_eq!(wake.why, "active in this hour on 22 of 22 weekdays");
    assert!((wake.probability - 1.0).abs() < 1e-12);
    let local = Scene::new("Asia/Kolkata").plan("2026-04-01T03:00:00Z").expect("woken");
    assert_eq!(local.serve_at, at("03:30"));
}

#[test]
fn the_horizon_bounds_what_is_seen() {
    let scene = Scene::new("UTC");
    assert_eq!(scene.plan("08:00"), Err(OmissionReason::BelowThreshold { best: 0.0 }));
    assert!(scene.plan("08:01").is_ok());
    assert_eq!(scene.plan("10:00"), Err(OmissionReason::BelowThreshold { best: 0.0 }));
}

#[test]
fn an_hour_that_has_begun_is_worth_it_until_it_is_half_over() {
    let scene = Scene::new("UTC");
    let wake = scene.plan("09:25").expect("still worth it");
    assert_eq!((wake.due_at, wake.serve_at, wake.expires_at), (at("09:25"), at("09:30"), at("09:55")));
    assert_eq!(scene.plan("09:26"), Err(OmissionReason::TooLate { serve_at: at("09:31") }));
    assert_eq!(wake.hour_at, at("09:00"));
    let near = scene.plan("08:58").expect("a little late");
    assert_eq!((near.due_at, near.serve_at, near.hour_at), (at("08:58"), at("09:03"), at("09:00")));
}

#[test]
fn one_that_is_awake_or_covered_when_its_hour_begins_is_left_alone() {
    let mut scene = Scene::new("UTC");
    scene.presence = Presence::Awake { until: at("09:01") };
    assert_eq!(scene.plan("08:30"), Err(OmissionReason::AlreadyAwake));
    scene.presence = Presence::Covered { until: at("09:01") };
    assert_eq!(scene.plan("08:30"), Err(OmissionReason::Covered));
    scene.presence = Presence::Unknown;
    assert!(scene.plan("08:30").is_ok());
}

#[test]
fn a_wake_is_not_due_before_the_instance_sleeps() {
    let mut scene = Scene::new("UTC");
    scene.presence = Presence::Awake { until: at("08:58") };
    let wake = scene.plan("08:30").expect("woken");
    assert_eq!((wake.due_at, wake.serve_at), (at("08:58"), at("09:03")));
    scene.presence = Presence::Awake { until: at("09:00") };
    assert_eq!(scene.plan("08:30").expect("woken").due_at, at("09:00"));
    scene.presence = Presence::Awake { until: at("08:40") };
    assert_eq!(scene.plan("08:30").expect("woken").due_at, at("08:55"));
}

#[test]
fn the_policy_has_its_say() {
    let mut scene = Scene::new("UTC");
    scene.policy.quiet_dates.insert("2026-04-01".parse().unwrap());
    assert_eq!(scene.plan("08:30"), Err(OmissionReason::QuietDate));
    scene.policy = Policy::default();
    scene.policy.cohorts.insert("other".into());
    assert_eq!(scene.plan("08:30"), Err(OmissionReason::CohortNotSelected));
    scene.policy.cohorts.insert("dev".into());
    assert!(scene.plan("08:30").is_ok());
    scene.policy.paused = true;
    assert_eq!(scene.plan("08:30"), Err(OmissionReason::Paused));
    assert_eq!(scene.plan("10:00"), Err(OmissionReason::BelowThreshold { best: 0.0 }), "not for the pause");
    scene.policy = Policy { fleet_wakes_per_hour_max: 0, ..Policy::default() };
    assert_eq!(scene.plan("08:30"), Err(OmissionReason::FleetHourFull { wakes_max: 0 }));
    scene.policy.opted_out.insert(scene.instance.clone());
    assert_eq!(scene.plan("08:30"), Err(OmissionReason::OptedOut));
}

#[test]
fn a_quiet_date_is_one_of_the_instances_zone() {
    // 09:00 of April 1 in Auckland is 20:00 of March 31 in UTC.
    let mut scene = Scene::new("Pacific/Auckland");
    let now = "2026-03-31T19:30:00Z";
    assert!(scene.plan(now).is_ok());
    scene.policy.quiet_dates.insert("2026-03-31".parse().unwrap());
    assert!(scene.plan(now).is_ok());
    scene.policy.quiet_dates.insert("2026-04-01".parse().unwrap());
    assert_eq!(scene.plan(now), Err(OmissionReason::QuietDate));
}

#[test]
fn what_is_missing_is_said() {
    let mut scene = Scene::new("UTC");
    let now = "08:30";
    let without = |change: fn(&mut Candidate<'_>)| {
        let mut candidate = scene.candidate();
        change(&mut candidate);
        scene.plan_of(now, candidate).expect_err("left alone")
    };
    assert_eq!(without(|c| c.outlook = Outlook::Unknown), OmissionReason::NoProfile);
    assert_eq!(without(|c| c.host = None), OmissionReason::NoHost);
    assert_eq!(without(|c| c.opted_out = true), OmissionReason::OptedOut);
    scene.rule.min_history_days = 50;
    assert_eq!(scene.plan(now), Err(OmissionReason::Abstained(Abstain::TooShort { days: 40 })));
}

/// A draw that holds "dev1" of "dev" out on the day, and not on those beside it.
fn draw_of(day: i32) -> HoldOut {
    let scene = Scene::new("UTC");
    let draws = (0..1_000).map(|salt| HoldOut { share: 0.5, salt: salt.to_string() });
    let holds = |draw: &HoldOut, day| draw.holds("dev", &scene.instance, day);
    let only = |draw: &HoldOut| holds(draw, day) && !holds(draw, day - 1) && !holds(draw, day + 1);
    draws.into_iter().find(only).expect("one in eight draws does")
}

#[test]
fn one_that_is_held_out_says_what_would_have_been_done() {
    let mut scene = Scene::new("UTC");
    scene.hold_out = draw_of(day_of("2026-04-01".parse().unwrap()));
    let held_out = OmissionReason::HeldOut(Box::new(HeldOutWake {
        hour_at: at("09:00"),
        due_at: at("08:55"),
        serve_at: at("09:00"),
        probability: 1.0,
    }));
    assert_eq!(scene.plan("08:30"), Err(held_out));
    assert!(scene.plan("2026-04-02T08:30:00Z").is_ok(), "the day after is not held out");
    // Held out is only what would have been woken: the rest is the same in both arms.
    scene.policy.paused = true;
    assert_eq!(scene.plan("08:30"), Err(OmissionReason::Paused));
    scene.policy = Policy { fleet_wakes_per_hour_max: 0, ..Policy::default() };
    assert_eq!(scene.plan("08:30"), Err(OmissionReason::FleetHourFull { wakes_max: 0 }));
    scene.policy = Policy::default();
    let hostless = Candidate { host: None, ..scene.candidate() };
    assert_eq!(scene.plan_of("08:30", hostless), Err(OmissionReason::NoHost));
}

#[test]
fn the_day_held_out_is_the_local_one_of_the_hour_aimed_at() {
    // 09:00 of April 1 in Auckland is 20:00 of March 31 in UTC.
    let mut scene = Scene::new("Pacific/Auckland");
    let local_day = day_of("2026-04-01".parse().unwrap());
    scene.hold_out = draw_of(local_day);
    let planned = scene.plan("2026-03-31T19:30:00Z");
    assert!(matches!(planned, Err(OmissionReason::HeldOut(_))), "{planned:?}");
    scene.hold_out = draw_of(local_day + 1);
    assert!(scene.plan("2026-03-31T19:30:00Z").is_ok());
}

#[test]
fn both_clock_changes_meet_each_local_hour_once() {
    // The profile is of March; plan hourly through the night of each change of 2026 in Berlin.
    for (day, hours) in [("2026-03-29", 23), ("2026-10-25", 25)] {
        let mut scene = Scene::new("Europe/Berlin");
        let date: Date = day.parse().unwrap();
        let mut activity = Activity::default();
        let start = date.to_zoned(scene.zone.clone()).unwrap().timestamp();
        for back in 1..=40 {
            let before = date.saturating_sub(SignedDuration::from_hours(24 * back));
            activity.insert(before.at(2, 20, 0, 0).to_zoned(scene.zone.clone()).unwrap().timestamp());
        }
        scene.profile = HourProfile::fit(&activity, &scene.zone, date, &scene.rule);
        let mut woken_for = Vec::new();
        for hour in 0..hours {
            let now = start + SignedDuration::from_hours(hour);
            if let Some(last) = woken_for.last() {
                scene.presence = Presence::Covered { until: *last + SignedDuration::from_hours(3) };
            }
            if let Ok(wake) = scene.plan(&now.to_string()) {
                woken_for.push(wake.serve_at);
            }
        }
        // In spring 02:00 does not exist that night; in autumn it comes twice and the hold covers the second.
        assert_eq!(woken_for.len(), usize::from(hours == 25), "{day}: {woken_for:?}");
    }
}

#[test]
fn beyond_the_budget_of_the_day_nobody_is_woken_by_forecast() {
    let scene = Scene::new("UTC");
    let ids = ["dev1", "dev2", "dev3"].map(|id| InstanceId::new(id).expect("an id"));
    // Two hours ago one was woken by forecast, of the three of the day.
    let due: BTreeMap<_, _> = [(at("07:00").as_second() / 3600, 1)].into();
    let policy = Policy { wakes_per_day_max: 3, ..Policy::default() };
    let made = plan(scene.input(
        "08:30",
        &policy,
        &due,
        ids.iter().map(|instance| Candidate { instance, ..scene.candidate() }),
    ));
    let woken: Vec<_> = made.wakes.iter().map(|wake| wake.instance.as_str()).collect();
    assert_eq!(woken, ["dev1", "dev2"]);
    let spent = OmissionReason::BudgetSpent { day: "2026-04-01".parse().expect("a date"), wakes_max: 3 };
    assert_eq!(made.omissions, [Omission { instance: ids[2].clone(), reason: spent.clone() }]);
    assert_eq!(spent.code(), "budget_spent");
    assert!(
        spent.to_string().starts_with("budget spent: ") && spent.to_string().contains("who asks is woken")
    );
}

#[test]
fn many_are_decided_on_as_each_alone() {
    let mut scene = Scene::new("UTC");
    scene.hold_out = HoldOut { share: 0.2, salt: String::new() };
    let instances: Vec<_> =
        (0..9 * SHARE).map(|n| InstanceId::new(format!("dev{n}")).expect("an id")).collect();
    let candidate = |n: usize| Candidate {
        instance: &instances[n],
        host: (!n.is_multiple_of(7)).then_some(&scene.host),
        presence: if n.is_multiple_of(3) { Presence::Awake { until: at("10:00") } } else { scene.presence },
        ..scene.candidate()
    };
    let policy = Policy { fleet_wakes_per_hour_max: u32::MAX, ..Policy::default() };
    let due = BTreeMap::new();
    let made = plan(scene.input("08:30", &policy, &due, (0..instances.len()).map(candidate)));
    let (mut wakes, mut held_out, mut passed) = (made.wakes.iter(), 0, 0);
    for n in 0..instances.len() {
        match scene.plan_of("08:30", candidate(n)) {
            Ok(wake) => assert_eq!(wakes.next(), Some(&wake)),
            Err(OmissionReason::HeldOut(_)) => held_out += 1,
            Err(_) => passed += 1,
        }
    }
    assert_eq!(wakes.next(), None);
    assert!(held_out > SHARE / 2 && passed > SHARE);
    assert_eq!(made.left_out(), (held_out + passed) as u64);
}

proptest! {
    /// Whatever is known of the fleet, each candidate is in the plan once and the cap holds.
    #[test]
    fn every_candidate_is_in_the_plan_once(
        active_days in proptest::collection::vec(0..31i32, 1..60),
        awake in proptest::collection::vec(0..4u8, 60),
        wakes_max in 0..20u32,
        share in 0.0..0.5f64,
    ) {
        let scene = Scene::new("UTC");
        let hold_out = HoldOut { share, salt: String::new() };
        let policy = Policy { fleet_wakes_per_hour_max: wakes_max, ..Policy::default() };
        let fleet: Vec<_> = active_days.iter().enumerate().map(|(i, days)| {
            let mut activity = Activity::default();
            activity.insert(at("2026-01-01T00:00:00Z"));
            for back in 1..=*days {
                activity.insert(at("09:20") - SignedDuration::from_hours(24 * i64::from(back)));
            }
            let profile = HourProfile::fit(&activity, &TimeZone::UTC, date_of(20_544), &scene.rule);
            (InstanceId::new(format!("dev{i:02}")).expect("an id"), profile)
        }).collect();
        let candidates = fleet.iter().zip(&awake).map(|((instance, profile), awake)| Candidate {
            instance,
            outlook: Outlook::Hours(profile),
            presence: match awake {
                0 => Presence::Awake { until: at("10:00") },
                1 => Presence::Covered { until: at("10:00") },
                2 => Presence::Unknown,
                _ => Presence::Asleep,
            },
            ..scene.candidate()
        });
        let mut passed = Vec::new();
        let input = PlanInput {
            now: at("08:30"),
            horizon: scene.horizon,
            rule: &scene.rule,
                threshold: 0.0,
            policy: &policy,
            model_version: 1,
            hold: SignedDuration::from_hours(3),
            already_due_per_hour: &BTreeMap::new(),
            starts_at_once: &BTreeMap::new(),
            hold_out: &hold_out,
            candidates,
        };
        let made = plan_telling(input, |candidate, _| passed.push(candidate.instance));
        let mut ids: Vec<_> = made.wakes.iter().map(|w| &w.instance)
            .chain(made.omissions.iter().map(|o| &o.instance)).chain(passed).collect();
        ids.sort();
        prop_assert_eq!(ids, fleet.iter().map(|(instance, _)| instance).collect::<Vec<_>>());
        prop_assert!(made.wakes.len() <= wakes_max as usize);
        let least = made.wakes.iter().map(|w| w.probability).fold(1.0, f64::min);
        let held = |instance| hold_out.holds("dev", instance, 20_544);
        for omission in &made.omissions {
            let left_out = matches!(omission.reason, OmissionReason::HeldOut(_));
            prop_assert!(!left_out || held(&omission.instance));
        }
        for wake in &made.wakes {
            prop_assert!(!held(&wake.instance));
            prop_assert!(wake.probability >= scene.rule.min_share && wake.probability >= least);
            prop_assert!(wake.due_at <= wake.serve_at && wake.due_at <= wake.expires_at);
        }
    }
}
