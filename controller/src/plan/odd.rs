//! Odd clocks and odd people, each with the plan that is expected.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use reveille_proto::{HostId, InstanceId};

use super::{Candidate, HoldOut, OmissionReason, Outlook, PlanInput, Presence, SLOT_S, make::plan_telling};
use crate::{
    model::{AbstainRule, Fitted, Moment, Profiles, Rule, Scorer},
    policy::{Mode, Policy},
};

const IDLE_S: i64 = 7_200;
const WINDOW_S: i64 = 10_800;
const LEAD_S: i64 = 300;

/// People and when they were seen, and the plans made of it quarter hour by quarter hour.
struct Town {
    scorer: Scorer,
    threshold: f32,
    seen: Vec<(Timestamp, InstanceId)>,
    zones: BTreeMap<InstanceId, TimeZone>,
    host: HostId,
}

/// What was decided about an instance at some quarter hour.
type Decided = (Timestamp, InstanceId, Result<(), OmissionReason>);

impl Town {
    fn new() -> Self {
        let fitted = Fitted::embedded().clone();
        let threshold = fitted.threshold(2.0);
        let host = HostId::new("h1").expect("an id");
        Self { scorer: Scorer::new(fitted), threshold, seen: Vec::new(), zones: BTreeMap::new(), host }
    }

    /// Somebody of `zone` seen at these times.
    fn person(mut self, name: &str, zone: &str, seen: impl IntoIterator<Item = Timestamp>) -> Self {
        let instance = InstanceId::new(name).expect("an id");
        self.zones.insert(instance.clone(), zone_of(zone));
        self.seen.extend(seen.into_iter().map(|at| (at, instance.clone())));
        self
    }

    /// Plans every quarter hour of `[from, to)` as the controller does, on what was logged until then.
    fn play(mut self, from: Timestamp, to: Timestamp) -> Vec<Decided> {
        // A log is read in the order it was written, whatever its clock says.
        self.seen.sort_by_key(|(at, _)| *at);
        let mut profiles = Profiles::default();
        let mut last_seen: BTreeMap<InstanceId, Timestamp> = BTreeMap::new();
        let mut held_until: BTreeMap<InstanceId, Timestamp> = BTreeMap::new();
        let mut read = 0;
        let mut decided = Vec::new();
        let mut now = from;
        while now < to {
            while let Some((at, instance)) = self.seen.get(read).filter(|(at, _)| *at <= now) {
                profiles.see(instance, *at, now, IDLE_S, || self.zones[instance].clone());
                last_seen.insert(instance.clone(), *at);
                held_until.remove(instance);
                read += 1;
            }
            for (instance, due_at) in self.step(&profiles, &last_seen, &held_until, now, &mut decided) {
                held_until.insert(instance, due_at + SignedDuration::from_secs(WINDOW_S));
            }
            now += SignedDuration::from_secs(SLOT_S);
        }
        decided
    }

    fn step(
        &self,
        profiles: &Profiles,
        last_seen: &BTreeMap<InstanceId, Timestamp>,
        held_until: &BTreeMap<InstanceId, Timestamp>,
        now: Timestamp,
        decided: &mut Vec<Decided>,
    ) -> Vec<(InstanceId, Timestamp)> {
        let policy = Policy { mode: Mode::Act, ..Policy::default() };
        let presence = |instance: &InstanceId| {
            let idle = SignedDuration::from_secs(IDLE_S);
            if let Some(until) = last_seen.get(instance).map(|at| *at + idle).filter(|until| *until > now) {
                return Presence::Awake { until };
            }
            held_until.get(instance).map_or(Presence::Asleep, |until| Presence::Covered { until: *until })
        };
        let candidates = self.zones.iter().map(|(instance, zone)| {
            let moment = Moment::new(now, zone);
            let outlook = profiles.get(instance).map_or(Outlook::Unknown, |(profile, _)| {
                let known = AbstainRule::default().check(profile, moment);
                let scene = self.scorer.scene(moment);
                Outlook::Scored(known.map(|()| self.scorer.judged(profile, &scene, WINDOW_S, self.threshold)))
            });
            Candidate {
                instance,
                cohort: "",
                host: Some(&self.host),
                zone,
                outlook,
                presence: presence(instance),
                lead_time: SignedDuration::from_secs(LEAD_S),
                opted_out: false,
            }
        });
        let mut left: Vec<(InstanceId, OmissionReason)> = Vec::new();
        let input = PlanInput {
            now,
            horizon: SignedDuration::from_secs(SLOT_S),
            rule: &Rule::default(),
            threshold: self.threshold,
            policy: &policy,
            model_version: 1,
            hold: SignedDuration::from_secs(WINDOW_S),
            already_due_per_hour: &BTreeMap::new(),
            starts_at_once: &BTreeMap::new(),
            hold_out: &HoldOut::default(),
            candidates,
        };
        let made = plan_telling(input, |candidate, reason| left.push((candidate.instance.clone(), reason)));
        let woken: Vec<_> = made.wakes.into_iter().map(|wake| (wake.instance, wake.due_at)).collect();
        decided.extend(woken.iter().map(|(instance, at)| (*at, instance.clone(), Ok(()))));
        left.extend(made.omissions.into_iter().map(|omission| (omission.instance, omission.reason)));
        decided.extend(left.into_iter().map(|(instance, reason)| (now, instance, Err(reason))));
        woken
    }
}

fn zone_of(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a known zone")
}

fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

/// When the clock of `zone` shows `hour:minute` on `day`.
fn at(zone: &str, day: Date, hour: i8, minute: i8) -> Timestamp {
    day.at(hour, minute, 0, 0).to_zoned(zone_of(zone)).expect("a time").timestamp()
}

/// Monday to Friday of so many weeks before `until`, from ten past nine to half past four.
fn workdays(zone: &'static str, until: Date, weeks: i64) -> impl Iterator<Item = Timestamp> {
    let days = (1..=weeks * 7).map(move |back| until.saturating_sub(SignedDuration::from_hours(24 * back)));
    let workdays = days.filter(|day| day.weekday().to_monday_zero_offset() < 5);
    workdays
        .flat_map(move |day| (9..17).map(move |hour| at(zone, day, hour, if hour == 9 { 10 } else { 30 })))
}

fn wakes(decided: &[Decided]) -> Vec<Timestamp> {
    decided.iter().filter(|(_, _, what)| what.is_ok()).map(|(at, ..)| *at).collect()
}

/// Wakes of the local days `[from, to)` of somebody who worked in the weeks before, and would go on to.
fn met_on(zone: &'static str, from: &str, days: i64) {
    let from = date(from);
    let to = from.saturating_add(SignedDuration::from_hours(24 * days));
    let town = Town::new().person("dev1", zone, workdays(zone, to, 12));
    let decided = town.play(at(zone, from, 0, 0), at(zone, to, 0, 0));
    let woken = wakes(&decided);
    let mut day = from;
    while day < to {
        if day.weekday().to_monday_zero_offset() < 5 {
            let arrival = at(zone, day, 9, 10);
            let served = |wake: &&Timestamp| {
                let before_s = arrival.duration_since(**wake).as_secs();
                (LEAD_S..=WINDOW_S).contains(&before_s)
            };
            assert_eq!(woken.iter().filter(served).count(), 1, "{zone} {day}: {woken:?}");
        }
        day = day.tomorrow().expect("a day");
    }
}

#[test]
fn both_clock_changes_leave_the_morning_where_it_is() {
    // Europe changes on Sunday 2026-03-29 and 2026-10-25; New York a fortnight earlier and a week later.
    for from in ["2026-03-23", "2026-10-19"] {
        met_on("Europe/Berlin", from, 14);
    }
    for from in ["2026-03-02", "2026-10-26"] {
        met_on("America/New_York", from, 14);
    }
}

#[test]
fn half_hour_zones_have_their_own_morning() {
    met_on("Asia/Kolkata", "2026-06-01", 7);
    met_on("Asia/Kathmandu", "2026-06-01", 7);
    // Changes its clock by half an hour, on 2026-04-05 and 2026-10-04.
    met_on("Australia/Lord_Howe", "2026-03-30", 14);
    met_on("Australia/Lord_Howe", "2026-09-28", 14);
}

#[test]
fn a_leap_day_is_a_day_like_others() {
    // 2028-02-29 is a Tuesday.
    met_on("Europe/Berlin", "2028-02-28", 4);
}

#[test]
fn one_visit_tells_nothing() {
    let only = at("UTC", date("2026-03-02"), 9, 10);
    let decided =
        Town::new().person("dev1", "UTC", [only]).play(only, only + SignedDuration::from_hours(24 * 40));
    assert_eq!(wakes(&decided), []);
    let abstained =
        decided.iter().filter(|(.., what)| matches!(what, Err(OmissionReason::Abstained(_)))).count();
    assert_eq!(abstained, decided.len());
}

#[test]
fn ten_thousand_sightings_a_day_are_one_visit_a_day() {
    let to = date("2026-06-01");
    let town = |step_s: i64| {
        let days = (1..=40).map(|back| to.saturating_sub(SignedDuration::from_hours(24 * back)));
        let seen = days.flat_map(move |day| {
            let from = at("UTC", day, 9, 10);
            (0..28_800 / step_s).map(move |i| from + SignedDuration::from_secs(i * step_s))
        });
        let from = at("UTC", date("2026-05-25"), 0, 0);
        let decided = Town::new().person("dev1", "UTC", seen).play(from, at("UTC", to, 0, 0));
        wakes(&decided)
    };
    // 28,800 s of presence: 9,600 sightings a day, or 16; the last is the same quarter hour in both.
    let (many, few) = (town(3), town(900));
    assert_eq!(many, few);
    assert_eq!(many.len(), 7, "{many:?}");
}

#[test]
fn a_clock_in_the_future_changes_nothing() {
    let (from, to) = (date("2026-05-25"), date("2026-06-01"));
    let play = |stray: &[Timestamp]| {
        let mut seen: Vec<_> = workdays("UTC", to, 8).collect();
        seen.sort();
        let mut profiles = Profiles::default();
        let dev = InstanceId::new("dev1").expect("an id");
        let now = at("UTC", from, 8, 0);
        for at in seen.iter().filter(|at| **at < now).chain(stray) {
            profiles.see(&dev, *at, now, IDLE_S, || TimeZone::UTC);
        }
        let scorer = Scorer::new(Fitted::embedded().clone());
        let scene = scorer.scene(Moment::new(now, &TimeZone::UTC));
        let (profile, _) = profiles.get(&dev).expect("is known");
        scorer.score(profile, &scene) >= scorer.fitted().threshold(2.0)
    };
    let next_year = at("UTC", date("2027-05-25"), 9, 0);
    assert!(play(&[]), "woken as usual");
    assert!(play(&[next_year]), "and with a line of next year in the log");
}

#[test]
fn a_cohort_that_vanishes_is_left_asleep_and_takes_nobody_along() {
    let gone = date("2026-04-01");
    let (from, to) = (gone, date("2026-06-01"));
    let leavers = |mut town: Town| {
        for n in 0..5 {
            town = town.person(&format!("left{n}"), "UTC", workdays("UTC", gone, 10));
        }
        town
    };
    let stayer = || Town::new().person("stays", "UTC", workdays("UTC", to, 18));
    let span = (at("UTC", from, 0, 0), at("UTC", to, 0, 0));
    let of_stayer = |decided: Vec<Decided>| -> Vec<Decided> {
        decided.into_iter().filter(|(_, instance, _)| instance.as_str() == "stays").collect()
    };
    let together = leavers(stayer()).play(span.0, span.1);
    let a_month_on = at("UTC", date("2026-05-01"), 0, 0);
    let late: Vec<_> = together
        .iter()
        .filter(|(at, instance, what)| instance.as_str() != "stays" && what.is_ok() && *at >= a_month_on)
        .collect();
    assert!(late.is_empty(), "{late:?}");
    assert_eq!(of_stayer(together), of_stayer(stayer().play(span.0, span.1)));
}
