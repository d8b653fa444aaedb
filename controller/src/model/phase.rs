//! Learned phase: how far an instance's clock is from UTC, from when its user comes, where nobody told us.
//!
//! People arrive by the clock on their wall. Where the arrivals of others are known by that clock, the offset under
//! which an instance's arrivals in UTC look most like theirs is its own. What comes out is an offset and no zone: it
//! says nothing about clock changes, so it is learned from the days since the last one and learned anew after the next.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::visits::{Activity, QUARTER_S, QUARTERS_PER_DAY};

/// Half hours of a day: the grain of an offset.
pub const HALF_HOURS: usize = 48;

const HALF_HOUR_S: i64 = 1_800;
const DAY_S: i64 = 86_400;

/// A sighting after at least so many quarter hours without one is an arrival: two hours.
const IDLE_QUARTERS: i64 = 8;

/// The smallest offset, in half hours: UTC-10:30. Offsets a day apart cannot be told from each other; of each pair
/// the one is taken where people live, so that the largest is UTC+13:00.
const OFFSET_MIN: i64 = -21;

/// Arrivals by the half hour of a clock.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrivalClock([f64; HALF_HOURS]);

impl Default for ArrivalClock {
    fn default() -> Self {
        Self([0.0; HALF_HOURS])
    }
}

impl ArrivalClock {
    /// The arrivals in `activity` at `from` or later, by the clock of `zone`.
    pub fn of(activity: &Activity, zone: &TimeZone, from: Timestamp) -> Self {
        let mut clock = Self::default();
        let from_day = from.as_second().div_euclid(DAY_S) as i32;
        let mut last = i64::MIN / 2;
        for (day, mask) in activity.days().skip_while(|(day, _)| *day < from_day - 1) {
            for bit in (0..QUARTERS_PER_DAY).filter(|bit| mask >> bit & 1 == 1) {
                let quarter = i64::from(day) * i64::from(QUARTERS_PER_DAY) + i64::from(bit);
                let at = Timestamp::from_second(quarter * QUARTER_S).unwrap_or(Timestamp::MAX);
                if quarter - last > IDLE_QUARTERS && at >= from {
                    clock.count(zone, at);
                }
                last = quarter;
            }
        }
        clock
    }

    /// Counts one arrival.
    pub fn count(&mut self, zone: &TimeZone, at: Timestamp) {
        let local_s = at.as_second() + i64::from(zone.to_offset(at).seconds());
        self.0[(local_s.rem_euclid(DAY_S) / HALF_HOUR_S) as usize] += 1.0;
    }

    /// Adds the arrivals of another instance.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, more)| *mine += more);
    }

    pub fn arrivals(&self) -> f64 {
        self.0.iter().sum()
    }

    /// Share of each half hour, smeared over its neighbours, and nowhere less than a tenth of an even share: nothing
    /// is impossible.
    fn shares(&self) -> [f64; HALF_HOURS] {
        let at = |i: usize| self.0[i % HALF_HOURS];
        let smeared: [f64; HALF_HOURS] =
            std::array::from_fn(|i| 0.25 * at(i + HALF_HOURS - 1) + 0.5 * at(i) + 0.25 * at(i + 1));
        let sum: f64 = smeared.iter().sum();
        let even = 1.0 / HALF_HOURS as f64;
        if sum > 0.0 { smeared.map(|count| 0.9 * count / sum + 0.1 * even) } else { [even; HALF_HOURS] }
    }
}

/// When an offset is believed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhaseRule {
    /// Arrivals an instance must have.
    pub arrivals_min: f64,
    /// Arrivals the others must have.
    pub template_arrivals_min: f64,
    /// Most arrivals that count. People have habits: a hundred arrivals of one are not a hundred draws from what all do.
    pub arrivals_worth_max: f64,
    /// Share of instances whose user keeps hours of their own, whatever the zone.
    pub odd_share: f64,
    /// Least probability that the offset is the right one, give or take half an hour.
    pub confidence_min: f64,
}

impl Default for PhaseRule {
    fn default() -> Self {
        Self {
            arrivals_min: 10.0,
            template_arrivals_min: 200.0,
            arrivals_worth_max: 20.0,
            odd_share: 0.1,
            confidence_min: 0.75,
        }
    }
}

/// A learned offset.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Seconds east of UTC, a multiple of 1800 from -37800 to 46800.
    pub offset_s: i32,
    /// Probability that it is right, give or take half an hour.
    pub confidence: f64,
}

/// Why no offset is learned: the default zone is used.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Unclear {
    #[error("it arrived only {arrivals:.0} times")]
    TooFewArrivals { arrivals: f64 },
    #[error("the others arrived only {arrivals:.0} times")]
    TooFewOthers { arrivals: f64 },
    #[error("{} is only {:.0} % likely to be its offset from UTC in seconds", best.offset_s, best.confidence * 100.0)]
    Ambiguous { best: Phase },
}

/// How common each offset is among instances whose zone is known: who keeps odd hours is more likely at home there
/// than at the other end of the world.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetPrior([f64; HALF_HOURS]);

impl Default for OffsetPrior {
    /// Every offset is as common as every other.
    fn default() -> Self {
        Self([1.0 / HALF_HOURS as f64; HALF_HOURS])
    }
}

impl OffsetPrior {
    /// From the offsets of known instances, in seconds east of UTC. As much weight as four instances, and a tenth of
    /// theirs, is spread over all offsets.
    pub fn of(offsets_s: impl IntoIterator<Item = i32>) -> Self {
        let mut known = [0.0; HALF_HOURS];
        for offset_s in offsets_s {
            known[place(i64::from(offset_s))] += 1.0;
        }
        let sum: f64 = known.iter().sum();
        let spread = (4.0 + 0.1 * sum) / HALF_HOURS as f64;
        let weights = known.map(|count| count + spread);
        let all: f64 = weights.iter().sum();
        Self(weights.map(|weight| weight / all))
    }
}

/// Learns the offset of an instance from its arrivals by the clock of UTC (`arrivals`) and those of the others, of its
/// cohort or the fleet, by the clocks on their walls (`template`).
///
/// The circular cross-correlation of the counts with the logarithm of the template's shares is, for each offset, the
/// log-likelihood of the arrivals (multinomial). An instance is taken to follow the template, or with `odd_share` to
/// keep hours of its own, which favour no offset; Bayes' rule with `prior` gives the probability of each.
pub fn phase(
    arrivals: &ArrivalClock,
    template: &ArrivalClock,
    prior: &OffsetPrior,
    rule: &PhaseRule,
) -> Result<Phase, Unclear> {
    if template.arrivals() < rule.template_arrivals_min {
        return Err(Unclear::TooFewOthers { arrivals: template.arrivals() });
    }
    let count = arrivals.arrivals();
    if count < rule.arrivals_min || count <= 0.0 {
        return Err(Unclear::TooFewArrivals { arrivals: count });
    }
    let worth = (rule.arrivals_worth_max / count).min(1.0);
    let likely = likelihoods(arrivals, template, worth);
    let mean = likely.iter().sum::<f64>() / HALF_HOURS as f64;
    let odd = rule.odd_share;
    let weights: [f64; HALF_HOURS] =
        std::array::from_fn(|i| prior.0[i] * ((1.0 - odd) * likely[i] + odd * mean));
    let all: f64 = weights.iter().sum();
    let near =
        |i: usize| weights[(i + HALF_HOURS - 1) % HALF_HOURS] + weights[i] + weights[(i + 1) % HALF_HOURS];
    let best = (0..HALF_HOURS).max_by(|a, b| weights[*a].total_cmp(&weights[*b])).unwrap_or(0);
    let phase = Phase { offset_s: offset_s(best), confidence: near(best) / all };
    if phase.confidence < rule.confidence_min {
        return Err(Unclear::Ambiguous { best: phase });
    }
    Ok(phase)
}

/// How likely the arrivals are under each offset, the most likely being 1.
fn likelihoods(arrivals: &ArrivalClock, template: &ArrivalClock, worth: f64) -> [f64; HALF_HOURS] {
    let logs = template.shares().map(f64::ln);
    let log_likely: [f64; HALF_HOURS] = std::array::from_fn(|i| {
        let shift = (i as i64 + OFFSET_MIN).rem_euclid(HALF_HOURS as i64) as usize;
        let score = |(utc, count): (usize, &f64)| worth * count * logs[(utc + shift) % HALF_HOURS];
        arrivals.0.iter().enumerate().map(score).sum()
    });
    let most = log_likely.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    log_likely.map(|log| (log - most).exp())
}

/// Seconds east of UTC of the offset at index `i`.
fn offset_s(i: usize) -> i32 {
    ((i as i64 + OFFSET_MIN) * HALF_HOUR_S) as i32
}

/// Index of the half hour an offset falls in.
fn place(offset_s: i64) -> usize {
    (offset_s.div_euclid(HALF_HOUR_S) - OFFSET_MIN).rem_euclid(HALF_HOURS as i64) as usize
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;
    use proptest::prelude::*;

    use super::*;

    /// Arrivals of a team by its own clock: most between 08:00 and 10:00, some after lunch.
    fn team() -> ArrivalClock {
        let mut clock = ArrivalClock::default();
        for (half, count) in
            [(15, 20.0), (16, 80.0), (17, 120.0), (18, 90.0), (19, 40.0), (26, 30.0), (27, 50.0), (28, 20.0)]
        {
            clock.0[half] = count;
        }
        clock
    }

    /// What one of the team would show in UTC, living at `offset_half_hours`.
    fn member(offset_half_hours: i64) -> ArrivalClock {
        let mut clock = ArrivalClock::default();
        for (half, count) in [(16, 4.0), (17, 9.0), (18, 6.0), (19, 1.0), (26, 1.0), (27, 4.0)] {
            clock.0[(half - offset_half_hours).rem_euclid(48) as usize] += count;
        }
        clock
    }

    fn learn(arrivals: &ArrivalClock, prior: &OffsetPrior) -> Result<Phase, Unclear> {
        phase(arrivals, &team(), prior, &PhaseRule::default())
    }

    proptest! {
        #[test]
        fn known_offsets_are_recovered(half_hours in -21..=26i64) {
            let found = learn(&member(half_hours), &OffsetPrior::default()).expect("clear");
            prop_assert!((i64::from(found.offset_s) - half_hours * 1_800).abs() <= 1_800, "{:?}", found);
            prop_assert!(found.confidence <= 1.0);
        }

        #[test]
        fn whatever_is_seen_a_confidence_is_a_probability(counts in proptest::collection::vec(0..30u32, 48)) {
            let clock = ArrivalClock(std::array::from_fn(|i| f64::from(counts[i])));
            match learn(&clock, &OffsetPrior::default()) {
                Ok(found) | Err(Unclear::Ambiguous { best: found }) => {
                    prop_assert!(found.confidence > 0.0 && found.confidence <= 1.0 + 1e-9);
                    prop_assert!((-37_800..=46_800).contains(&found.offset_s));
                }
                Err(_) => {}
            }
        }
    }

    #[test]
    fn a_night_owl_among_neighbours_is_not_sent_abroad() {
        // All known instances are in UTC; this one comes at 21:00, as one in Tokyo would at... nowhere near 06:00.
        let mut owl = ArrivalClock::default();
        (owl.0[42], owl.0[43], owl.0[44]) = (12.0, 9.0, 4.0);
        let home = OffsetPrior::of(std::iter::repeat_n(0, 100));
        let unclear = learn(&owl, &home).expect_err("ambiguous");
        assert!(matches!(unclear, Unclear::Ambiguous { best } if best.confidence < 0.75), "{unclear}");
        // A member at home is as clear as ever.
        assert_eq!(learn(&member(0), &home).expect("clear").offset_s, 0);
    }

    #[test]
    fn hours_around_the_clock_and_few_arrivals_are_unclear() {
        let flat = ArrivalClock([3.0; HALF_HOURS]);
        assert!(matches!(learn(&flat, &OffsetPrior::default()), Err(Unclear::Ambiguous { .. })));
        let mut few = ArrivalClock::default();
        few.0[17] = 9.0;
        assert_eq!(learn(&few, &OffsetPrior::default()), Err(Unclear::TooFewArrivals { arrivals: 9.0 }));
        let nobody =
            phase(&member(0), &ArrivalClock::default(), &OffsetPrior::default(), &PhaseRule::default());
        assert_eq!(nobody, Err(Unclear::TooFewOthers { arrivals: 0.0 }));
        // A template that is flat itself shows nothing.
        let template = ArrivalClock([50.0; HALF_HOURS]);
        let found = phase(&member(0), &template, &OffsetPrior::default(), &PhaseRule::default());
        assert!(matches!(found, Err(Unclear::Ambiguous { .. })));
    }

    #[test]
    fn arrivals_of_two_are_those_of_both() {
        let (nine, noon) = (9 * 3_600, 12 * 3_600);
        let clock = |seconds: &[i64]| {
            let mut clock = ArrivalClock::default();
            for at_s in seconds {
                clock.count(&TimeZone::UTC, Timestamp::from_second(*at_s).expect("in range"));
            }
            clock
        };
        let mut both = clock(&[nine, noon]);
        both.add(&clock(&[noon, noon + 1_800]));
        assert_eq!(both, clock(&[nine, noon, noon, noon + 1_800]));
        assert!((both.arrivals() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn arrivals_are_sightings_after_a_pause() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
        let activity: Activity = [
            "2026-03-01T23:50:00Z",
            "2026-03-02T00:10:00Z",
            "2026-03-02T08:10:00Z",
            "2026-03-02T09:30:00Z",
            "2026-03-02T12:00:00Z",
        ]
        .into_iter()
        .map(at)
        .collect();
        let clock = ArrivalClock::of(&activity, &TimeZone::UTC, at("2026-03-02T00:00:00Z"));
        assert!((clock.arrivals() - 2.0).abs() < 1e-9, "the first came before, the fourth stayed on");
        assert_eq!((clock.0[16], clock.0[24]), (1.0, 1.0));
        let tokyo = TimeZone::fixed(Offset::constant(9));
        assert!(ArrivalClock::of(&activity, &tokyo, at("2026-03-02T00:00:00Z")).0[34] > 0.5);
    }

    #[test]
    fn offsets_of_the_pacific_are_those_of_people() {
        assert_eq!((offset_s(0), offset_s(47)), (-37_800, 46_800));
        for (i, seconds) in [(place(0), 0), (place(45_000), 45_000), (place(20_700), 19_800)] {
            assert_eq!(offset_s(i), seconds);
        }
    }

    #[test]
    fn an_offset_is_as_likely_as_the_arrivals_under_it() {
        // Worked out apart from this: what two arrivals tell of an offset of two and a half hours.
        let rule = PhaseRule { arrivals_worth_max: 2.0, ..PhaseRule::default() };
        let found = phase(&member(5), &team(), &OffsetPrior::default(), &rule).expect("clear enough");
        assert!(found.offset_s == 9_000 && (found.confidence - 0.798_554_25).abs() < 1e-6, "{found:?}");
        // Where two hours are as common, and a quarter keep hours of their own, it is those.
        let prior = OffsetPrior::of([0, 0, 0, 7_200, 5_400]);
        let rule = PhaseRule { odd_share: 0.25, ..rule };
        let found = phase(&member(5), &team(), &prior, &rule).expect("clear enough");
        assert!(found.offset_s == 7_200 && (found.confidence - 0.817_388_28).abs() < 1e-6, "{found:?}");
        // With all that is seen only those of odd hours are in doubt: half an hour around is 3 of 48.
        let found = learn(&member(-7), &OffsetPrior::default()).expect("clear");
        assert!(found.offset_s == -12_600 && (found.confidence - 0.906_25).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn just_enough_arrivals_are_enough() {
        let mut arrivals = ArrivalClock::default();
        (arrivals.0[13], arrivals.0[14]) = (6.0, 4.0);
        let mut others = ArrivalClock(team().0.map(|count| count * 200.0 / 450.0));
        assert!(learn(&arrivals, &OffsetPrior::default()).is_ok());
        others.0[17] += 200.0 - others.arrivals();
        let rule = PhaseRule { template_arrivals_min: others.arrivals(), ..PhaseRule::default() };
        assert!(phase(&arrivals, &others, &OffsetPrior::default(), &rule).is_ok());
        let none = PhaseRule { arrivals_min: 0.0, ..PhaseRule::default() };
        let found = phase(&ArrivalClock::default(), &team(), &OffsetPrior::default(), &none);
        assert_eq!(found, Err(Unclear::TooFewArrivals { arrivals: 0.0 }));
    }

    #[test]
    fn known_offsets_are_common_and_no_other_is_impossible() {
        // Three known, and as many as four and a tenth of theirs over all 48.
        let prior = OffsetPrior::of([0, 0, 3_600]);
        for (offset_s, known) in [(0, 2.0), (3_600, 1.0), (-28_800, 0.0), (46_800, 0.0)] {
            let expected = (known + 4.3 / 48.0) / 7.3;
            assert!((prior.0[place(offset_s)] - expected).abs() < 1e-9, "{offset_s}");
        }
        assert!((prior.0.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(OffsetPrior::default().0.iter().all(|share| (share - 1.0 / 48.0).abs() < 1e-12));
    }

    #[test]
    fn an_arrival_is_smeared_over_its_neighbours_around_the_clock() {
        let mut last = ArrivalClock::default();
        last.0[47] = 4.0;
        let shares = last.shares();
        let even = 0.1 / 48.0;
        for (half, expected) in [(45, 0.0), (46, 0.225), (47, 0.45), (0, 0.225), (1, 0.0), (20, 0.0)] {
            assert!((shares[half] - even - expected).abs() < 1e-12, "{half}: {}", shares[half]);
        }
        assert!(ArrivalClock::default().shares().iter().all(|share| (share - 1.0 / 48.0).abs() < 1e-12));
    }

    #[test]
    fn an_arrival_comes_after_more_than_two_hours_and_no_earlier_than_asked_for() {
        let from = "2026-03-02T00:00:00Z".parse::<Timestamp>().expect("a timestamp");
        let hours = |quarters: &[i64]| {
            let ats =
                quarters.iter().map(|quarter| from + jiff::SignedDuration::from_secs(quarter * QUARTER_S));
            let clock = ArrivalClock::of(&ats.collect(), &TimeZone::UTC, from);
            (0..HALF_HOURS).filter(|half| clock.0[*half] > 0.5).collect::<Vec<_>>()
        };
        assert_eq!(hours(&[40, 48]), [20], "two hours later");
        assert_eq!(hours(&[40, 49]), [20, 24]);
        assert_eq!(hours(&[0]), [0]);
        assert_eq!(hours(&[-8, 0]), [0; 0], "stayed on since the day before");
        assert_eq!(hours(&[-9, 0]), [0]);
        assert_eq!(hours(&[-96, -5, 30]), [15], "what was before does not count");
        assert_eq!(hours(&[95, 96, 96 + 95]), [47], "over midnight, and once more a day later");
    }
}
