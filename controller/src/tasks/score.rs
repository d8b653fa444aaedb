//! Scores a whole fleet for one round of planning, on as many threads as it is given.

use std::{collections::BTreeMap, thread};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    model::{AbstainRule, Moment, Profile, Scorer, features::Scene},
    plan::Outlook,
};

/// What every instance of a round is asked by.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    pub scorer: &'a Scorer,
    pub abstain: AbstainRule,
    /// What a wake would cost is worked out for scores from here on.
    pub threshold: f32,
    /// How long a wake waits for its user, in seconds.
    pub window_s: i64,
}

/// What is asked about one instance.
#[derive(Debug, Clone, Copy)]
pub enum Ask<'a> {
    /// The model does not know it.
    Unknown,
    /// In use, or covered by a wake: whatever the model says, there is nothing to do.
    Awake,
    Asleep {
        profile: &'a Profile,
        scene: &'a Scene,
    },
}

/// What instances on the same clock share at a moment, computed once.
#[derive(Debug, Default)]
pub struct Scenes {
    scenes: Vec<Scene>,
    by_moment: BTreeMap<Moment, usize>,
}

impl Scenes {
    /// The place of the scene that the clocks of `zone` show at `at`.
    pub fn at(&mut self, scorer: &Scorer, at: Timestamp, zone: &TimeZone) -> usize {
        let moment = Moment::new(at, zone);
        *self.by_moment.entry(moment).or_insert_with(|| {
            self.scenes.push(scorer.scene(moment));
            self.scenes.len() - 1
        })
    }

    /// The scene at a place that [`Scenes::at`] gave.
    pub fn get(&self, place: usize) -> &Scene {
        &self.scenes[place]
    }
}

impl Round<'_> {
    /// What the model says of one instance.
    pub fn outlook(&self, ask: Ask<'_>) -> Outlook<'static> {
        match ask {
            Ask::Unknown => Outlook::Unknown,
            Ask::Awake => Outlook::Awake,
            Ask::Asleep { profile, scene } => match self.abstain.check(profile, scene.moment()) {
                Err(abstain) => Outlook::Scored(Err(abstain)),
                Ok(()) if self.scorer.bound(profile, scene) < self.threshold => Outlook::Unlikely,
                Ok(()) => {
                    Outlook::Scored(Ok(self.scorer.judged(profile, scene, self.window_s, self.threshold)))
                }
            },
        }
    }
}

/// The outlooks of the instances `0..count`, in their order. `ask` says what each is asked. The threads share the
/// instances evenly, and nothing is allocated but the answer; with one thread none is started.
pub fn score_all<'a>(
    round: &Round<'_>,
    count: usize,
    threads: usize,
    ask: impl Fn(usize) -> Ask<'a> + Sync,
) -> Vec<Outlook<'static>> {
    let mut outlooks = vec![Outlook::Unknown; count];
    let share = count.div_ceil(threads.max(1)).max(1);
    let fill = |first: usize, outlooks: &mut [Outlook<'static>]| {
        for (index, outlook) in outlooks.iter_mut().enumerate() {
            *outlook = round.outlook(ask(first + index));
        }
    };
    if threads <= 1 {
        fill(0, &mut outlooks);
        return outlooks;
    }
    thread::scope(|scope| {
        for (part, outlooks) in outlooks.chunks_mut(share).enumerate() {
            let fill = &fill;
            scope.spawn(move || fill(part * share, outlooks));
        }
    });
    outlooks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fitted, head::Head, population::Population};

    fn scorer() -> Scorer {
        let mut wake = Head::default();
        wake.weights.fill(0.01);
        let fitted = Fitted {
            wake: wake.clone(),
            network: None,
            screen: None,
            within_1h: wake.clone(),
            within_3h: wake.clone(),
            within_24h: wake,
            population: Population::default(),
            frontier: Vec::new(),
        };
        Scorer::new(fitted)
    }

    fn used_daily(days: i64) -> Profile {
        let mut profile = Profile::default();
        for day in 0..days {
            profile.see_second(1_770_000_000 + day * 86_400, 0, 7_200);
        }
        profile
    }

    #[test]
    fn threads_change_nothing_and_order_is_kept() {
        let scorer = scorer();
        let round =
            Round { scorer: &scorer, abstain: AbstainRule::default(), threshold: 0.0, window_s: 10_800 };
        let profiles: Vec<_> = (0..25).map(used_daily).collect();
        let mut scenes = Scenes::default();
        let at = Timestamp::from_second(1_770_000_000 + 24 * 86_400 + 43_200).expect("a time");
        let place = scenes.at(&scorer, at, &TimeZone::UTC);
        let ask = |index: usize| match index {
            3 => Ask::Awake,
            4 => Ask::Unknown,
            _ => Ask::Asleep { profile: &profiles[index], scene: scenes.get(place) },
        };
        let alone = score_all(&round, profiles.len(), 1, ask);
        for threads in [0, 2, 3, 7, 40] {
            let shared = score_all(&round, profiles.len(), threads, ask);
            assert_eq!(format!("{shared:?}"), format!("{alone:?}"), "{threads}");
        }
        assert!(matches!(alone[3], Outlook::Awake) && matches!(alone[4], Outlook::Unknown));
        assert!(matches!(alone[1], Outlook::Scored(Err(_))), "used on one day only");
        assert!(matches!(alone[24], Outlook::Scored(Ok(_))));
        assert!(score_all(&round, 0, 2, ask).is_empty());
    }

    #[test]
    fn zones_that_show_the_same_time_share_a_scene() {
        let (scorer, mut scenes) = (scorer(), Scenes::default());
        let zone = |name: &str| TimeZone::get(name).expect("a zone");
        let at = "2026-03-03T08:00:00Z".parse().expect("a time");
        let berlin = scenes.at(&scorer, at, &zone("Europe/Berlin"));
        assert_eq!(scenes.at(&scorer, at, &zone("Europe/Paris")), berlin);
        assert_ne!(scenes.at(&scorer, at, &zone("Asia/Kolkata")), berlin);
        assert_eq!(scenes.get(berlin).moment().slot(), 36);
    }
}
