//! Lives through the recorded days once more, quarter hour by quarter hour, for several policies at once.

use std::collections::BTreeMap;

use super::{
    card::Card,
    course::{Contender, Course, Worthy},
    host::HostSpec,
    known::{Known, moment},
    story::Story,
};
use crate::{
    model::{AbstainRule, Crowds, DayCalendar, Moment, Scorer, features::Scene},
    plan::SLOT_S,
    throttle::ThrottleRule,
};

const DAY_S: i64 = 86_400;

/// Days before those that count which are lived through too, so that the price of an idle hour is found by then.
pub const WARM_UP_DAYS: i32 = 28;

/// What is replayed.
#[derive(Debug, Clone, Copy)]
pub struct WhatIf<'a> {
    /// In order of instance.
    pub stories: &'a [Story],
    pub hosts: &'a [HostSpec],
    pub scorer: &'a Scorer,
    pub abstain: AbstainRule,
    /// Holidays and quiet times.
    pub days: &'a DayCalendar,
    pub throttle: &'a ThrottleRule,
    /// How long a wake waits for its user.
    pub window_s: i64,
    /// After so long without a sighting an instance hibernates.
    pub idle_gap_s: i64,
    /// How long after its wake an instance served in the data that models are fitted on.
    pub fitted_lead_s: i64,
    /// UTC days since 1970 that count: `from_day` to before `to_day`.
    pub from_day: i32,
    pub to_day: i32,
}

impl WhatIf<'_> {
    pub(super) fn counted_from_s(&self) -> i64 {
        i64::from(self.from_day) * DAY_S
    }

    pub(super) fn counts(&self, at_s: i64) -> bool {
        at_s >= self.counted_from_s()
    }

    /// The first day that is lived through.
    fn first_day(&self) -> i32 {
        let seen_s = self.stories.iter().filter_map(Story::first_seen_s).min();
        let seen_day = seen_s.map_or(self.from_day, |at_s| at_s.div_euclid(DAY_S) as i32);
        (self.from_day - WARM_UP_DAYS).max(seen_day).min(self.from_day)
    }
}

/// Replays the days, and tells `progress` after each how many of how many are done. A card for each contender, in
/// their order. The same input gives the same cards.
pub fn whatif<const N: usize>(
    input: WhatIf<'_>,
    contenders: &[Contender; N],
    mut progress: impl FnMut(usize, usize),
) -> [Card; N] {
    let first_day = input.first_day();
    let mut world = World::new(input, contenders);
    let days = usize::try_from(input.to_day - first_day).unwrap_or(0);
    for (done, day) in (first_day..input.to_day).enumerate() {
        world.live(day);
        progress(done + 1, days);
    }
    world.courses.map(Course::finish)
}

struct World<'a, const N: usize> {
    input: WhatIf<'a>,
    known: Vec<Known>,
    courses: [Course<'a>; N],
    /// What the fleet does, learned as the days go by.
    crowds: Option<Crowds>,
    /// By time, with the places of their instances.
    arrivals: Vec<(i64, usize)>,
}

impl<'a, const N: usize> World<'a, N> {
    fn new(input: WhatIf<'a>, contenders: &'a [Contender; N]) -> Self {
        let stories = input.stories.iter().enumerate();
        let arrivals = stories.flat_map(|(index, story)| story.arrivals_s().map(move |at_s| (at_s, index)));
        let mut arrivals: Vec<_> = arrivals.collect();
        arrivals.sort_unstable();
        Self {
            input,
            known: input.stories.iter().map(|_| Known::default()).collect(),
            courses: contenders.each_ref().map(|contender| Course::new(input, contender)),
            crowds: None,
            arrivals,
        }
    }

    fn live(&mut self, day: i32) {
        let midnight_s = i64::from(day) * DAY_S;
        let mut forecast = 0;
        for course in &mut self.courses {
            course.begin_day(day);
        }
        for now_s in (midnight_s..midnight_s + DAY_S).step_by(SLOT_S as usize) {
            self.catch_up(now_s);
            if now_s == midnight_s {
                self.look_around(now_s);
            }
            let (worthy, spoken_of) = self.score(now_s);
            forecast = forecast.max(spoken_of);
            let arrivals = self.arrivals_between(now_s, now_s + SLOT_S);
            for course in &mut self.courses {
                course.plan(now_s, &worthy);
                course.advance(now_s, now_s + SLOT_S, &self.arrivals[arrivals.clone()]);
            }
        }
        for course in &mut self.courses {
            course.end_day(day, forecast);
        }
    }

    fn catch_up(&mut self, now_s: i64) {
        for (known, story) in self.known.iter_mut().zip(self.input.stories) {
            known.catch_up(story, now_s, self.input.idle_gap_s);
        }
    }

    fn arrivals_between(&self, from_s: i64, until_s: i64) -> std::ops::Range<usize> {
        let before = |at_s| self.arrivals.partition_point(|(arrival_s, _)| *arrival_s < at_s);
        before(from_s)..before(until_s)
    }

    /// Learns what the crowd does, as production does by the hour; by the day is often enough for what is past.
    fn look_around(&mut self, now_s: i64) {
        let people = self.known.iter().zip(self.input.stories);
        let people =
            people.map(|(known, story)| (story.cohort.as_str(), &known.profile, moment(story, now_s)));
        self.crowds = Some(Crowds::learn(people, &self.input.scorer.fitted().population));
    }

    /// The sleeping instances that reach the lowest threshold, each scored once for all policies, and how many
    /// instances there is something to say about. The others no plan would look at twice.
    fn score(&self, now_s: i64) -> (Vec<Worthy>, u64) {
        let WhatIf { scorer, window_s, .. } = self.input;
        let lowest = self.courses.iter().map(Course::threshold).fold(f32::INFINITY, f32::min);
        let mut scenes: BTreeMap<(&str, Moment), Scene> = BTreeMap::new();
        let (mut worthy, mut spoken_of) = (Vec::new(), 0);
        for (index, (story, known)) in self.input.stories.iter().zip(&self.known).enumerate() {
            // Heads were fitted for instances that serve so long after their wake.
            let moment = moment(story, now_s + story.lead_time_s - self.input.fitted_lead_s);
            if self.input.abstain.check(&known.profile, moment).is_err() {
                continue;
            }
            spoken_of += 1;
            if lowest.is_infinite() || !known.sleeps(now_s, self.input.idle_gap_s) {
                continue;
            }
            let place = (story.cohort.as_str(), moment);
            let scene = scenes.entry(place).or_insert_with(|| self.scene(&story.cohort, moment));
            let scored = scorer.judged(&known.profile, scene, window_s, lowest);
            if scored.score >= lowest {
                worthy.push(Worthy { index, scored, bound: scorer.bound(&known.profile, scene) });
            }
        }
        (worthy, spoken_of)
    }

    fn scene(&self, cohort: &str, moment: Moment) -> Scene {
        let Some(crowds) = &self.crowds else { return self.input.scorer.scene(moment) };
        let is_holiday = self.input.days.of(cohort).is_holiday(moment.day());
        Scene::new(moment, &crowds.of(cohort).population(moment, is_holiday))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use reveille_proto::InstanceId;

    use super::*;
    use crate::{model::Fitted, policy::Policy, visits::Visit};

    /// Of one instance seen at these seconds, counted from `from_day` to before day 100.
    fn with_input<T>(seen_s: &[i64], from_day: i32, then: impl Fn(WhatIf<'_>) -> T) -> T {
        let instance = InstanceId::new("dev1").expect("an id");
        let visit = |at_s: &i64| {
            let at = Timestamp::from_second(*at_s).expect("in range");
            Visit { instance: instance.clone(), arrived_at: at, departed_at: at, asked_at: None }
        };
        let stories = [Story::new(instance.clone(), seen_s.iter().map(visit).collect(), 7_200)];
        then(WhatIf {
            stories: &stories,
            hosts: &[],
            scorer: &Scorer::new(Fitted::embedded().clone()),
            abstain: AbstainRule::default(),
            days: &DayCalendar::default(),
            throttle: &ThrottleRule::default(),
            window_s: 10_800,
            idle_gap_s: 7_200,
            fitted_lead_s: 300,
            from_day,
            to_day: 100,
        })
    }

    #[test]
    fn the_month_before_is_lived_through_as_far_as_there_is_one() {
        let first_day = |seen_s: &[i64], from_day| with_input(seen_s, from_day, |input| input.first_day());
        assert_eq!(first_day(&[10 * DAY_S + 5], 90), 62);
        assert_eq!(first_day(&[70 * DAY_S + 5, 80 * DAY_S], 90), 70);
        assert_eq!(first_day(&[95 * DAY_S], 90), 90);
        assert_eq!(first_day(&[], 90), 90);
    }

    #[test]
    fn what_counts_begins_at_midnight() {
        let counts = |at_s| with_input(&[], 90, |input| input.counts(at_s));
        assert_eq!([90 * DAY_S - 1, 90 * DAY_S, 91 * DAY_S].map(counts), [false, true, true]);
        assert_eq!(with_input(&[], 90, |input| input.counted_from_s()), 90 * 86_400);
    }

    #[test]
    fn every_day_is_told_when_it_is_over() {
        let told = with_input(&[95 * DAY_S], 97, |input| {
            let contender = Contender { policy: Policy::default(), throttled: false };
            let mut told = Vec::new();
            let [card] = whatif(input, &[contender], |done, days| told.push((done, days)));
            assert_eq!((card.arrivals, card.instance_days), (0, 0));
            told
        });
        assert_eq!(told, [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]);
    }

    #[test]
    fn arrivals_are_found_by_time_the_end_left_out() {
        let between = |from_s, until_s| {
            with_input(&[1_000, 20_000, 40_000], 0, |input| {
                let contender = Contender { policy: Policy::default(), throttled: false };
                let contenders = [contender];
                World::new(input, &contenders).arrivals_between(from_s, until_s)
            })
        };
        assert_eq!([between(1_000, 20_000), between(1_001, 20_001), between(0, 1_000)], [0..1, 1..2, 0..0]);
        assert_eq!([between(0, 99_999), between(40_001, 99_999)], [0..3, 3..3]);
    }
}
