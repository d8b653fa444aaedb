use std::sync::LazyLock;

use reveille_proto::InstanceId;

use super::{super::host::HostSpec, *};
use crate::{
    model::{AbstainRule, DayCalendar, Fitted, Scorer},
    throttle::ThrottleRule,
    visits::Visit,
};

/// When the day begins that counts.
const DAY: i64 = 86_400;
const WINDOW_S: i64 = 10_800;
static SCORER: LazyLock<Scorer> = LazyLock::new(|| Scorer::new(Fitted::embedded().clone()));

/// Two who live on one host of four cores that is busy with 10 %, and whose instances serve after 300 s.
struct World {
    stories: [Story; 2],
    hosts: [HostSpec; 1],
    days: DayCalendar,
    throttle: ThrottleRule,
}

impl World {
    /// Both come at these seconds after the midnight before the day that counts, each for a moment.
    fn new(arrivals_s: &[i64]) -> Self {
        let story = |name: &str| {
            let instance = InstanceId::new(name).expect("an id");
            let visit = |at_s: &i64| Visit {
                instance: instance.clone(),
                arrived_at: instant(*at_s),
                departed_at: instant(*at_s),
                asked_at: None,
            };
            let mut story = Story::new(instance.clone(), arrivals_s.iter().map(visit).collect(), 7_200);
            (story.host, story.lead_time_s) = (Some(0), 300);
            story
        };
        let host = HostId::new("h1").expect("an id");
        Self {
            stories: ["dev1", "dev2"].map(story),
            hosts: [HostSpec { host, cores: 4.0, background_percent: 10.0 }],
            days: DayCalendar::default(),
            throttle: ThrottleRule::default(),
        }
    }

    fn course<'a>(&'a self, contender: &'a Contender) -> Course<'a> {
        let input = WhatIf {
            stories: &self.stories,
            hosts: &self.hosts,
            scorer: &SCORER,
            abstain: AbstainRule::default(),
            days: &self.days,
            throttle: &self.throttle,
            window_s: WINDOW_S,
            idle_gap_s: 7_200,
            fitted_lead_s: 300,
            from_day: 1,
            to_day: 3,
        };
        let mut course = Course::new(input, contender);
        course.threshold = 1.0;
        course
    }
}

fn contender(throttled: bool) -> Contender {
    let policy = Policy { mode: Mode::Act, cpu_ceiling_percent: 75.0, ..Policy::default() };
    Contender { policy, throttled }
}

fn id() -> WakeId {
    "0195554f-7a00-7000-8000-000000000001".parse().expect("an id")
}

fn worthy(index: usize, score: f32, bound: f32) -> Worthy {
    Worthy { index, scored: Scored { score, probability: 0.5, idle_h: 1.0, waits: false }, bound }
}

fn planned(due_s: i64) -> PlannedWake {
    PlannedWake {
        instance: InstanceId::new("dev1").expect("an id"),
        host: HostId::new("h1").expect("an id"),
        due_at: instant(due_s),
        serve_at: instant(due_s + 300),
        hour_at: instant(due_s),
        expires_at: instant(due_s + 1_800),
        probability: 0.5,
        idle_h: None,
        saved_s: None,
        why: String::new(),
    }
}

/// Wakes, of them in vain, found awake, asked, of them while it was starting.
fn counts(course: &Course<'_>) -> [u64; 5] {
    let Count { wakes, wakes_false, found_awake, asked, asked_while_starting, .. } = course.count;
    [wakes, wakes_false, found_awake, asked, asked_while_starting]
}

#[test]
fn a_wake_is_used_missed_or_in_vain() {
    let (world, contender) = (World::new(&[DAY + 10_000, DAY + 60_000]), contender(false));
    let mut course = world.course(&contender);
    course.start(0, id(), DAY + 9_000, DAY + 9_000);
    let user = Some((DAY + 10_000, true));
    assert_eq!(course.standings[0], Standing::Woken { covered_until_s: DAY + 19_800, user });
    course.arrive(0, DAY + 10_000);
    assert_eq!((counts(&course), course.standings[0]), ([1, 0, 1, 0, 0], Standing::Asleep));
    assert!((course.count.idle_s - 700.0).abs() < 1e-9);
    // A quarter of an hour late: it begins to serve 200 s after its user came.
    course.start(0, id(), DAY + 9_000, DAY + 9_900);
    course.arrive(0, DAY + 10_000);
    assert_eq!((counts(&course), &course.count.delays_s[..]), ([2, 0, 1, 1, 1], &[900][..]));
    // The next comes after the window.
    course.start(0, id(), DAY + 30_000, DAY + 30_000);
    course.arrive(0, DAY + 60_000);
    assert_eq!((counts(&course), course.count.delays_s.len()), ([3, 1, 1, 2, 1], 1));
    assert!((course.count.idle_s - 11_200.0).abs() < 1e-9);
    // One who was not expected finds what was woken for another visit asleep.
    course.start(0, id(), DAY + 9_000, DAY + 9_000);
    course.arrive(0, DAY + 9_500);
    assert_eq!(counts(&course), [4, 1, 1, 3, 1]);
}

#[test]
fn what_came_before_the_days_that_count_is_not_counted() {
    let (world, contender) = (World::new(&[10_000]), contender(true));
    let mut course = world.course(&contender);
    course.start(0, id(), 9_000, 9_500);
    course.arrive(0, 10_000);
    course.standings[0] = Standing::Queued { covered_until_s: 20_000 };
    course.arrive(0, 10_000);
    course.standings[0] = Standing::Queued { covered_until_s: 20_000 };
    course.expire(0, 10_000);
    course.end_day(0, 2);
    let card = course.finish();
    assert_eq!((card.wakes, card.arrivals, card.wakes_delayed, card.idle_h.to_bits()), (0, 0, 0, 0));
    assert_eq!((card.wakes_overtaken, card.wakes_expired, card.instance_days), (0, 0, 0));
}

#[test]
fn instance_days_are_of_the_days_that_count() {
    let (world, contender) = (World::new(&[]), contender(true));
    let mut course = world.course(&contender);
    for (today, instances) in [(0, 7), (1, 2), (2, 3)] {
        course.end_day(today, instances);
    }
    assert_eq!(course.finish().instance_days, 5);
}

#[test]
fn a_wake_waits_until_it_starts_expires_or_is_overtaken() {
    let (world, contender) = (World::new(&[DAY + 10_000]), contender(true));
    let mut course = world.course(&contender);
    course.carry_out(0, &planned(DAY + 9_000), DAY + 9_100);
    let queued = Standing::Queued { covered_until_s: DAY + 9_100 + WINDOW_S };
    assert_eq!((course.standings[0], course.serial), (queued, 1));
    course.arrive(0, DAY + 9_200);
    assert_eq!((course.standings[0], course.count.wakes_overtaken), (Standing::Asleep, 1));
    assert_eq!(counts(&course), [0, 0, 0, 1, 0]);
    course.carry_out(0, &planned(DAY + 9_300), DAY + 9_100);
    let covered_until_s = DAY + 9_300 + WINDOW_S;
    assert_eq!((course.standings[0], course.serial), (Standing::Queued { covered_until_s }, 2));
    course.expire(0, DAY + 9_900);
    assert_eq!((course.standings[0], course.count.wakes_expired), (Standing::Expired { covered_until_s }, 1));
    // The platform starts it, and nothing is overtaken.
    course.arrive(0, DAY + 10_000);
    assert_eq!((counts(&course), course.count.wakes_overtaken), ([0, 0, 0, 2, 0], 1));
}

#[test]
fn who_asks_makes_a_wake_on_the_same_host_wait() {
    let (world, contender) = (World::new(&[DAY + 10_000]), contender(true));
    let mut course = world.course(&contender);
    // Three who start take the host to 85 % until they are served.
    course.advance(DAY + 9_000, DAY + 9_000, &[(DAY + 9_000, 1), (DAY + 9_000, 1), (DAY + 9_000, 1)]);
    course.carry_out(0, &planned(DAY + 9_000), DAY + 9_000);
    course.advance(DAY + 9_000, DAY + 9_900, &[]);
    assert_eq!(course.count.delays_s, [300]);
    let user = Some((DAY + 10_000, true));
    assert_eq!(course.standings[0], Standing::Woken { covered_until_s: DAY + 9_300 + WINDOW_S, user });
    course.advance(DAY + 9_900, DAY + 10_800, &[(DAY + 10_000, 0)]);
    assert_eq!(counts(&course), [1, 0, 1, 3, 0]);
    assert_eq!(course.finish().hosts[0].above_ceiling_s, 300);
}

/// Each step of five seconds in which a start takes the host to 35 % counts once, over the end of a quarter hour.
#[test]
fn time_passes_step_by_step() {
    let (mut world, mut contender) = (World::new(&[]), contender(true));
    contender.policy.cpu_ceiling_percent = 30.0;
    world.stories[1].lead_time_s = 1_200;
    let mut course = world.course(&contender);
    // Seen at the step of 9,015 s, served at that of 9,315 s.
    course.advance(DAY + 9_000, DAY + 9_900, &[(DAY + 9_012, 0)]);
    assert_eq!(course.yard.as_ref().expect("throttled").cards()[0].above_ceiling_s, 300);
    course.advance(DAY + 9_900, DAY + 10_800, &[(DAY + 10_200, 1)]);
    assert_eq!(course.yard.as_ref().expect("throttled").cards()[0].above_ceiling_s, 900);
    course.advance(DAY + 10_800, DAY + 11_700, &[]);
    assert_eq!(course.finish().hosts[0].above_ceiling_s, 1_500);
}

#[test]
fn a_wake_that_waits_too_long_is_told_when_it_expires() {
    let (world, mut contender) = (World::new(&[]), contender(true));
    contender.policy.cpu_ceiling_percent = 30.0;
    let mut course = world.course(&contender);
    course.carry_out(0, &planned(DAY), DAY);
    course.advance(DAY, DAY + 1_800, &[]);
    assert_eq!(course.count.wakes_expired, 0);
    course.advance(DAY + 1_800, DAY + 2_700, &[]);
    assert_eq!(course.standings[0], Standing::Expired { covered_until_s: DAY + WINDOW_S });
    assert_eq!((course.count.wakes_expired, course.count.wakes), (1, 0));
}

#[test]
fn a_plan_wakes_from_the_threshold_on_whom_no_wake_covers() {
    let (world, contender) = (World::new(&[]), contender(false));
    let mut course = world.course(&contender);
    course.plan(DAY + 9_000, &[worthy(0, 1.0, 1.0), worthy(1, 2.0, 0.9)]);
    assert_eq!(
        (course.serial, course.count.wakes),
        (1, 1),
        "the second was found unlikely at the first look"
    );
    assert_eq!(course.due_per_hour, [(26, 1)].into());
    course.plan(DAY + 9_900, &[worthy(0, 1.0, 1.0), worthy(1, 0.9, 2.0)]);
    assert_eq!(course.count.wakes, 1, "covered, and below the threshold");
    course.plan(DAY + 9_900, &[worthy(1, 1.5, 2.0)]);
    assert_eq!((course.count.wakes, course.due_per_hour.clone()), (2, [(26, 2)].into()));
    course.plan(DAY + 9_000 + WINDOW_S, &[worthy(0, 1.0, 1.0), worthy(1, 1.5, 2.0)]);
    assert_eq!((course.count.wakes, course.due_per_hour.clone()), (3, [(26, 2), (29, 1)].into()));
    assert_eq!(course.count.wakes_false, 3);
}

#[test]
fn only_a_policy_that_acts_plans() {
    let (world, mut contender) = (World::new(&[]), contender(false));
    assert_eq!(world.course(&contender).threshold().to_bits(), 1.0_f32.to_bits());
    contender.policy.mode = Mode::ForecastOnly;
    let mut course = world.course(&contender);
    course.plan(DAY, &[worthy(0, 2.0, 2.0)]);
    assert_eq!((course.count.wakes, course.serial), (0, 0));
    assert!(course.threshold().is_infinite());
}

#[test]
fn hours_of_days_past_are_forgotten() {
    let (world, contender) = (World::new(&[]), contender(false));
    let mut course = world.course(&contender);
    course.due_per_hour = [(47, 1), (48, 2), (49, 3)].into();
    course.begin_day(2);
    assert_eq!(course.due_per_hour, [(48, 2), (49, 3)].into());
    assert_ne!(course.threshold.to_bits(), 1.0_f32.to_bits(), "the price of the day");
}

/// Started before midnight, it begins to serve after it.
#[test]
fn a_wake_is_paid_on_the_day_it_begins_to_serve() {
    let (world, contender) = (World::new(&[]), contender(false));
    let thresholds = |wakes: bool| {
        let mut course = world.course(&contender);
        if wakes {
            course.start(0, id(), 2 * DAY - 200, 2 * DAY - 200);
        }
        for day in [1, 2] {
            course.end_day(day, 1);
        }
        [3, 4].map(|day| {
            course.begin_day(day);
            course.threshold.to_bits()
        })
    };
    let (with, without) = (thresholds(true), thresholds(false));
    assert_eq!(with[0], without[0]);
    assert_ne!(with[1], without[1]);
}
