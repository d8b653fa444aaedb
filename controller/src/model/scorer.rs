//! The fitted model at work: profiles in, scores and probabilities out.

use serde::{Deserialize, Serialize};

use super::{
    decay::Decay,
    features::{Features, Scene, features},
    fitted::Fitted,
    forecast::Abstain,
    head::Head,
    moment::Moment,
    profile::Profile,
    screen::glance,
};

/// How much must be known of an instance before anything is said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AbstainRule {
    /// Complete days since the first sighting.
    pub min_history_days: u16,
    /// Days with use among the last 30 complete ones.
    pub min_active_days: u16,
}

impl Default for AbstainRule {
    /// A week is enough: what is not known of the instance is taken from the population.
    fn default() -> Self {
        Self { min_history_days: 7, min_active_days: 2 }
    }
}

impl AbstainRule {
    pub fn check(self, profile: &Profile, moment: Moment) -> Result<(), Abstain> {
        if profile.first_day().is_none_or(|first| first >= moment.day()) {
            return Err(Abstain::NoHistory);
        }
        let days = profile.history_days(moment);
        if days < i32::from(self.min_history_days) {
            return Err(Abstain::TooShort { days: days.unsigned_abs() as u16 });
        }
        let active_days = profile.active_days(moment, 30);
        if active_days < u32::from(self.min_active_days) {
            return Err(Abstain::TooQuiet { active_days: active_days as u16 });
        }
        Ok(())
    }
}

/// What the model says of one instance at one moment, if it is asleep then.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// To be compared with a threshold. Not a probability.
    pub score: f32,
    /// Of an arrival within the window, 0..=1.
    pub probability: f64,
    /// Hours a wake made now is expected to be awake without its user, until the arrival or the end of the window.
    pub idle_h: f64,
    /// Whether waking a quarter hour later is worth more, even with the chance that its user comes before.
    pub waits: bool,
}

/// A fitted model with what it needs to be asked. Made once, shared by all.
#[derive(Debug, Clone)]
pub struct Scorer {
    fitted: Fitted,
    decay: Decay,
}

const HOUR_S: f64 = 3_600.0;
const QUARTER_S: f64 = 900.0;

/// What the score must gain within a quarter hour to make up for a user who is certain to come meanwhile. On recorded
/// presence anything from 2 to 4 finds about 1 % more people for the same hours than waking at once.
const GAIN_PER_MISSED: f32 = 3.0;

/// Whether it is better to wake a quarter hour `later`, with the score it has then if nobody comes, than with the `score`
/// of now. `meanwhile` is the probability that somebody comes before.
pub(super) fn waits(score: f32, later: f32, meanwhile: f32) -> bool {
    later - score > GAIN_PER_MISSED * meanwhile
}

impl Scorer {
    pub fn new(fitted: Fitted) -> Self {
        Self { fitted, decay: Decay::default() }
    }

    pub fn fitted(&self) -> &Fitted {
        &self.fitted
    }

    /// What all instances on the same clock share at a moment.
    pub fn scene(&self, moment: Moment) -> Scene {
        Scene::new(moment, &self.fitted.population)
    }

    pub fn features(&self, profile: &Profile, scene: &Scene) -> Features {
        features(profile, scene, &self.decay)
    }

    /// The score to wake on. The instance must be asleep.
    pub fn score(&self, profile: &Profile, scene: &Scene) -> f32 {
        self.fitted.score(&self.features(profile, scene))
    }

    /// What the score is at most, at a first look: a tenth of the price of the score. Of those that reach a threshold a
    /// few in a thousand are missed. The instance must be asleep.
    pub fn bound(&self, profile: &Profile, scene: &Scene) -> f32 {
        let screen = self.fitted.screen.as_ref();
        screen.map_or(f32::INFINITY, |screen| screen.bound(&glance(profile, scene)))
    }

    /// The score, and what it means in people and hours.
    pub fn scored(&self, profile: &Profile, scene: &Scene, window_s: i64) -> Scored {
        self.judged(profile, scene, window_s, f32::NEG_INFINITY)
    }

    /// As [`Scorer::scored`], but what is only of interest for a wake is worked out only from `threshold` on: below,
    /// `probability` and `idle_h` are 0, and nothing waits.
    pub fn judged(&self, profile: &Profile, scene: &Scene, window_s: i64, threshold: f32) -> Scored {
        let features = self.features(profile, scene);
        let score = self.fitted.score(&features);
        if score < threshold {
            return Scored { score, probability: 0.0, idle_h: 0.0, waits: false };
        }
        let (hazards, window_s) = (self.hazards(&features), window_s as f64);
        Scored {
            score,
            probability: hazards.probability(window_s),
            idle_h: hazards.idle_h(window_s),
            waits: waits(score, self.score(profile, scene.next()), hazards.probability(QUARTER_S) as f32),
        }
    }

    /// Probability of an arrival within `within_s` seconds, if the instance sleeps now.
    pub fn probability(&self, features: &Features, within_s: f64) -> f64 {
        self.hazards(features).probability(within_s)
    }

    fn hazards(&self, features: &Features) -> Hazards {
        let Fitted { within_1h, within_3h, within_24h, .. } = &self.fitted;
        let h1 = hazard(within_1h, features);
        // A later bound cannot be less likely, whatever the heads say each for itself.
        let h3 = hazard(within_3h, features).max(h1);
        Hazards { h1, h3, h24: hazard(within_24h, features).max(h3) }
    }
}

/// The cumulative hazard that a head tells of.
fn hazard(head: &Head, features: &Features) -> f64 {
    -f64::from(-head.probability(features)).ln_1p()
}

/// Probability of an arrival within a quarter hour: the hazard of the hour is taken as constant.
pub(super) fn within_a_quarter(within_1h: &Head, features: &Features) -> f32 {
    -(-hazard(within_1h, features) * QUARTER_S / HOUR_S).exp_m1() as f32
}

/// Cumulative hazards of an arrival within 1, 3 and 24 h: the logarithms, negative, of the probability of nobody coming.
///
/// The heads give these. Between them the hazard is taken as constant, so that its sum is linear in time; beyond 24 h
/// days are taken as alike.
#[derive(Debug, Clone, Copy)]
struct Hazards {
    h1: f64,
    h3: f64,
    h24: f64,
}

impl Hazards {
    fn probability(self, within_s: f64) -> f64 {
        -(-self.cumulative(within_s)).exp_m1()
    }

    /// Expected hours until the arrival or the end of the window: the integral of the probability of nobody having
    /// come, which falls by a power in each stretch of constant hazard.
    fn idle_h(self, window_s: f64) -> f64 {
        let Self { h1, h3, h24 } = self;
        let window_h = window_s.max(0.0) / HOUR_S;
        let stretches = [
            (0.0, 1.0, h1),
            (1.0, 3.0, (h3 - h1) / 2.0),
            (3.0, 24.0, (h24 - h3) / 21.0),
            (24.0, f64::INFINITY, h24 / 24.0),
        ];
        let mut idle_h = 0.0;
        for (from_h, to_h, per_h) in stretches {
            if window_h <= from_h {
                break;
            }
            let hours = window_h.min(to_h) - from_h;
            let share = if per_h > 0.0 { -(-per_h * hours).exp_m1() / per_h } else { hours };
            idle_h += (-self.cumulative(from_h * HOUR_S)).exp() * share;
        }
        idle_h
    }

    fn cumulative(self, within_s: f64) -> f64 {
        let Self { h1, h3, h24 } = self;
        let hours = within_s.max(0.0) / HOUR_S;
        if hours <= 1.0 {
            h1 * hours
        } else if hours <= 3.0 {
            h1 + (h3 - h1) * (hours - 1.0) / 2.0
        } else if hours <= 24.0 {
            h3 + (h24 - h3) * (hours - 3.0) / 21.0
        } else {
            h24 * hours / 24.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-4, "{value} is not {expected}");
    }

    #[test]
    fn a_history_is_enough_from_a_week_with_two_days_of_use_on() {
        let check = |days: &[i64], today: i64| {
            let mut profile = Profile::default();
            for day in days {
                profile.see_second(day * 86_400 + 32_400, 0, 7_200);
            }
            AbstainRule::default().check(&profile, Moment::of_second(today * 86_400 + 61_200, 0))
        };
        assert_eq!(check(&[], 100), Err(Abstain::NoHistory));
        assert_eq!(check(&[100], 100), Err(Abstain::NoHistory), "nothing of today is a history");
        assert_eq!(check(&[94, 95], 100), Err(Abstain::TooShort { days: 6 }));
        assert_eq!(check(&[93, 95], 100), Ok(()));
        assert_eq!(check(&[93], 100), Err(Abstain::TooQuiet { active_days: 1 }));
        assert_eq!(check(&[10, 69, 99], 100), Err(Abstain::TooQuiet { active_days: 1 }), "of thirty days");
        assert_eq!(check(&[10, 70, 99], 100), Ok(()));
    }

    #[test]
    fn waiting_must_gain_more_than_the_user_who_may_come_meanwhile() {
        assert!(waits(1.0, 1.31, 0.1) && !waits(1.0, 1.29, 0.1));
        assert!(!waits(1.0, 1.0, 0.0) && !waits(1.0, 0.5, 0.0));
    }

    const HAZARDS: Hazards = Hazards { h1: 0.2, h3: 0.5, h24: 2.6 };

    #[test]
    fn a_hazard_is_that_of_its_hours_and_grows_evenly_between_them() {
        for (hours, hazard) in [
            (-1.0, 0.0),
            (0.0, 0.0),
            (0.5, 0.1),
            (1.0, 0.2),
            (2.0, 0.35),
            (3.0, 0.5),
            (10.0, 1.2),
            (24.0, 2.6),
            (36.0, 3.9),
        ] {
            assert_near(HAZARDS.cumulative(hours * 3_600.0), hazard);
            assert_near(HAZARDS.probability(hours * 3_600.0), 1.0 - (-hazard).exp());
        }
    }

    #[test]
    fn idle_hours_are_the_sum_of_the_probabilities_that_nobody_has_come_yet() {
        for hours in [0.0, 0.25, 1.0, 2.5, 3.0, 12.0, 30.0] {
            let parts = 20_000;
            let part_h = hours / f64::from(parts);
            let alone = |part: i32| 1.0 - HAZARDS.probability((f64::from(part) + 0.5) * part_h * 3_600.0);
            let sum: f64 = (0..parts).map(|part| alone(part) * part_h).sum();
            assert_near(HAZARDS.idle_h(hours * 3_600.0), sum);
        }
        let nobody = Hazards { h1: 0.0, h3: 0.0, h24: 0.0 };
        assert_near(nobody.idle_h(3.0 * 3_600.0), 3.0);
    }

    #[test]
    fn heads_tell_of_hazards_of_which_a_later_one_is_never_less() {
        let head = |probability: f32| Head {
            intercept: (probability / (1.0 - probability)).ln(),
            ..Head::default()
        };
        let fitted = Fitted {
            within_1h: head(0.5),
            within_3h: head(0.4),
            within_24h: head(0.9),
            ..Fitted::embedded().clone()
        };
        let features = [0.0; super::super::features::COUNT];
        let scorer = Scorer::new(fitted);
        for (hours, probability) in [(1.0, 0.5), (3.0, 0.5), (24.0, 0.9)] {
            assert_near(scorer.probability(&features, hours * 3_600.0), probability);
        }
        // Nobody comes in four quarter hours with probability one half.
        let quarter = within_a_quarter(&scorer.fitted().within_1h, &features);
        assert_near(f64::from(quarter), 1.0 - 0.5_f64.powf(0.25));
    }

    /// Wakes by how recently it came, and by nothing else.
    fn scorer(screen: Option<crate::model::screen::Screen>) -> Scorer {
        let head = |intercept: f32| Head { intercept, ..Head::default() };
        let mut wake = head(1.0);
        wake.weights[0] = 0.5;
        Scorer::new(Fitted {
            wake,
            network: None,
            screen,
            within_1h: head(-2.0),
            within_3h: head(-1.0),
            within_24h: head(0.0),
            ..Fitted::default()
        })
    }

    fn daily() -> Profile {
        let mut profile = Profile::default();
        for day in 0..30 {
            profile.see_second(day * 86_400 + 32_400, 0, 7_200);
        }
        profile
    }

    #[test]
    fn from_a_threshold_on_it_is_told_what_a_score_means() {
        let scorer = scorer(None);
        let scene = scorer.scene(Moment::of_second(30 * 86_400 + 25_200, 0));
        let features = scorer.features(&daily(), &scene);
        let score = scorer.score(&daily(), &scene);
        assert!((score - 1.0 - 0.5 * features[0]).abs() < 1e-6 && features[0].abs() > 0.01, "{score}");
        let scored = scorer.scored(&daily(), &scene, 10_800);
        assert_eq!(scorer.judged(&daily(), &scene, 10_800, score), scored);
        // Within 3 h it comes with the odds of 1 to e.
        assert_near(scored.probability, 1.0 / (1.0 + 1f64.exp()));
        assert_near(scored.probability, scorer.probability(&features, 10_800.0));
        assert!(scored.idle_h > 2.0 && scored.idle_h < 3.0, "{scored:?}");
        assert!(!scored.waits);
        let below = scorer.judged(&daily(), &scene, 10_800, score + 0.01);
        assert_eq!(below, Scored { score, probability: 0.0, idle_h: 0.0, waits: false });
    }

    #[test]
    fn it_waits_for_a_score_that_is_much_higher_a_quarter_hour_later() {
        let mut fitted = scorer(None).fitted().clone();
        (fitted.wake.weights[0], fitted.within_1h.intercept) = (9.0, -9.0);
        let scorer = Scorer::new(fitted);
        // At six the window just does not reach the nine o'clock at which it comes on each day.
        let waits = |second: i64| {
            let scene = scorer.scene(Moment::of_second(30 * 86_400 + second, 0));
            scorer.scored(&daily(), &scene, 10_800).waits
        };
        assert_eq!((waits(20_700), waits(21_600), waits(22_500)), (false, true, false));
    }

    #[test]
    fn a_first_look_bounds_the_score_if_there_is_one() {
        use crate::model::screen::{COUNT, Cut, Screen};
        let scene = scorer(None).scene(Moment::of_second(30 * 86_400 + 25_200, 0));
        assert!(scorer(None).bound(&daily(), &scene).is_infinite());
        let cut = |threshold, line| Cut { threshold, line };
        let screen = Screen { weights: [0.0; COUNT], cuts: vec![cut(-2.0, -1.0), cut(2.0, 1.0)] };
        let bound = scorer(Some(screen)).bound(&daily(), &scene);
        assert!(bound.abs() < 1e-6, "{bound}");
    }
}
