//! Policies on a fleet of people with habits: what they get, what it costs, and what nobody may know beforehand.

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId};

use super::{Card, Contender, HostSpec, Story, WhatIf, whatif};
use crate::{
    model::{AbstainRule, DayCalendar, Fitted, Scorer, calendar::day_of, days::Whose},
    policy::{Mode, Policy},
    throttle::ThrottleRule,
    visits::Visit,
};

const DAY_S: i64 = 86_400;
const GAP_S: i64 = 7_200;
const INSTANCES: u64 = 12;
const DAYS: i64 = 35;

fn first_day() -> i32 {
    // A Monday.
    day_of("2026-01-05".parse().expect("a date"))
}

/// The same number each time, evenly spread below `below`.
fn chance(instance: u64, day: i64, what: u64, below: u64) -> u64 {
    let mixed =
        (instance * 1_000_003 + day.unsigned_abs() * 7_919 + what).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33) % below
}

/// On most workdays everybody comes between eight and nine and stays for a morning.
fn story(instance: u64, until_day: i64) -> Story {
    let id = InstanceId::new(format!("dev{instance:02}")).expect("an id");
    let comes = (0..until_day).filter(|day| day % 7 < 5 && chance(instance, *day, 1, 10) < 9);
    let visit = |day: i64| {
        let minute = 8 * 60 + chance(instance, day, 2, 60) as i64;
        let arrived_s = (i64::from(first_day()) + day) * DAY_S + minute * 60;
        let at = |at_s| Timestamp::from_second(at_s).expect("in range");
        Visit {
            instance: id.clone(),
            arrived_at: at(arrived_s),
            departed_at: at(arrived_s + 10_000),
            asked_at: None,
        }
    };
    let mut story = Story::new(id.clone(), comes.map(visit).collect(), GAP_S);
    story.host = Some(0);
    story.lead_time_s = 300;
    story
}

struct World {
    stories: Vec<Story>,
    hosts: Vec<HostSpec>,
    days: DayCalendar,
    throttle: ThrottleRule,
    /// Counted from the first day on.
    span: (i32, i32),
}

impl World {
    fn new() -> Self {
        let host = HostSpec { host: HostId::new("h1").expect("an id"), cores: 8.0, background_percent: 20.0 };
        Self {
            stories: (0..INSTANCES).map(|instance| story(instance, DAYS)).collect(),
            hosts: vec![host],
            days: DayCalendar::default(),
            throttle: ThrottleRule::default(),
            span: (14, 28),
        }
    }

    fn replay<const N: usize>(&self, contenders: &[Contender; N]) -> [Card; N] {
        let scorer = Scorer::new(Fitted::embedded().clone());
        let input = WhatIf {
            stories: &self.stories,
            hosts: &self.hosts,
            scorer: &scorer,
            abstain: AbstainRule::default(),
            days: &self.days,
            throttle: &self.throttle,
            window_s: 10_800,
            idle_gap_s: GAP_S,
            fitted_lead_s: 300,
            from_day: first_day() + self.span.0,
            to_day: first_day() + self.span.1,
        };
        whatif(input, contenders, |_, _| {})
    }

    fn one(&self, policy: Policy, throttled: bool) -> Card {
        let [card] = self.replay(&[Contender { policy, throttled }]);
        card
    }

    fn arrivals(&self) -> u64 {
        let within = |day: i64| (i64::from(self.span.0)..i64::from(self.span.1)).contains(&day);
        let day = |at_s: i64| at_s.div_euclid(DAY_S) - i64::from(first_day());
        self.stories.iter().flat_map(Story::arrivals_s).filter(|at_s| within(day(*at_s))).count() as u64
    }
}

fn act(idle_budget_h: f64) -> Policy {
    Policy { mode: Mode::Act, idle_budget_h, ..Policy::default() }
}

#[test]
fn a_larger_budget_finds_more_awake_and_costs_more() {
    let world = World::new();
    let throttled = |hours| Contender { policy: act(hours), throttled: true };
    let [little, much] = world.replay(&[throttled(0.25), throttled(2.0)]);
    for card in [&little, &much] {
        assert_eq!((card.arrivals, card.found_awake + card.asked), (world.arrivals(), world.arrivals()));
        assert_eq!(card.instance_days, INSTANCES * 14);
        assert!(card.wakes_false <= card.wakes && card.asked_while_starting <= card.asked, "{card:?}");
    }
    assert!(little.found_awake < much.found_awake && little.idle_h < much.idle_h, "{little:?} {much:?}");
    assert!(much.found_awake_share > Some(0.5), "{much:?}");
    let [again, _] = world.replay(&[throttled(2.0), throttled(8.0)]);
    assert_eq!(again, much, "the same whoever else takes part");
}

#[test]
fn a_policy_that_wakes_nobody_leaves_everybody_to_ask() {
    let mut world = World::new();
    for policy in [
        Policy { mode: Mode::ForecastOnly, ..act(2.0) },
        Policy { paused: true, ..act(2.0) },
        Policy { opted_out: world.stories.iter().map(|story| story.instance.clone()).collect(), ..act(2.0) },
        Policy { cohorts: ["others".to_owned()].into(), ..act(2.0) },
    ] {
        let card = world.one(policy.clone(), true);
        assert_eq!((card.wakes, card.asked), (0, world.arrivals()), "{policy:?}");
        assert!(card.hosts[0].cpu_max_percent > 20.0, "those who ask start all the same");
    }
    for day in 0..70 {
        world.days.mark_quiet_day(Whose::Everybody, first_day() + day);
    }
    assert_eq!(world.one(act(2.0), true).wakes, 0, "quiet days");
}

#[test]
fn the_throttle_makes_wakes_wait() {
    let mut world = World::new();
    let free = world.one(act(4.0), false);
    assert_eq!((free.wakes_delayed, free.hosts.len()), (0, 0));
    // Four cores: one wake is 25 %, so that two at once are under 75 %.
    world.hosts[0].cores = 4.0;
    let narrow = Policy { cpu_ceiling_percent: 75.0, ..act(4.0) };
    let tight = world.one(narrow, true);
    assert!(tight.wakes_delayed > 0 && tight.delay_p50_s > Some(0), "{tight:?}");
    assert!(tight.delay_p50_s <= tight.delay_p90_s, "{tight:?}");
    let hot = world.one(Policy { cpu_ceiling_percent: 30.0, ..act(4.0) }, true);
    assert_eq!(hot.wakes, 0, "a wake does not fit");
    assert!(hot.wakes_expired + hot.wakes_overtaken > 0, "{hot:?}");
    assert!(hot.hosts[0].above_ceiling_s > 0, "who asks is started all the same: {hot:?}");
}

#[test]
fn whom_no_host_holds_only_a_free_policy_wakes() {
    let mut world = World::new();
    for story in &mut world.stories {
        story.host = None;
    }
    assert_eq!(world.one(act(2.0), true).wakes, 0);
    assert!(world.one(act(2.0), false).wakes > 0);
}

/// What comes after a wake's window may not have told anything.
#[test]
fn nothing_is_known_beforehand() {
    let world = World::new();
    let all = world.one(act(1.0), true);
    let short = World { stories: (0..INSTANCES).map(|i| story(i, 29)).collect(), ..World::new() };
    assert_eq!(short.one(act(1.0), true), all);
}
