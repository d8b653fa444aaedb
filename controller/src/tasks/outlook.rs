//! What the model in service says of each instance at the time of planning.

use std::{collections::BTreeMap, num::NonZero};

use jiff::{SignedDuration, Timestamp};

use super::score::{Ask, Round, score_all};
use crate::{
    app::{Learned, Mind, scored_at},
    model::{AbstainRule, Crowds, DayCalendar, Moment, Profile, Profiles, Scorer, features::Scene},
    plan::{Outlook, Presence},
    store::InstanceRow,
};

/// What the model is asked by.
#[derive(Clone, Copy)]
pub(super) struct Questions<'a> {
    pub(super) now: Timestamp,
    pub(super) window: SignedDuration,
    pub(super) threshold: f32,
    pub(super) abstain: AbstainRule,
    pub(super) crowds: Option<&'a Crowds>,
    pub(super) days: &'a DayCalendar,
}

/// One instance as it stands at the time of planning.
#[derive(Clone, Copy)]
pub(super) struct Standing<'a> {
    pub(super) row: &'a InstanceRow,
    pub(super) presence: Presence,
    pub(super) lead_time: SignedDuration,
}

/// What the model says of each, in their order; on all cores if it is the fitted one.
pub(super) fn outlooks<'a>(
    questions: Questions<'_>,
    learned: Option<&'a Learned>,
    standings: &[Standing<'a>],
) -> Vec<Outlook<'a>> {
    match learned.map(|learned| &learned.mind) {
        None => vec![Outlook::Unknown; standings.len()],
        Some(Mind::Rule { profiles, .. }) => {
            let of = |standing: &Standing<'a>| profiles.get(&standing.row.instance);
            standings.iter().map(|standing| of(standing).map_or(Outlook::Unknown, Outlook::Hours)).collect()
        }
        Some(Mind::Fitted { scorer, profiles }) => questions.scored(scorer, profiles, standings),
    }
}

impl Questions<'_> {
    fn scored(
        self,
        scorer: &Scorer,
        profiles: &Profiles,
        standings: &[Standing<'_>],
    ) -> Vec<Outlook<'static>> {
        // What instances of a cohort on the same clock share is computed once.
        let mut scenes: Vec<Scene> = Vec::new();
        let mut places: BTreeMap<(&str, Moment), usize> = BTreeMap::new();
        let mut known: Vec<Option<(&Profile, usize)>> = Vec::with_capacity(standings.len());
        for Standing { row, lead_time, .. } in standings {
            let serve_at = self.now.saturating_add(*lead_time).unwrap_or(self.now);
            known.push(profiles.get(&row.instance).map(|(profile, zone)| {
                let moment = Moment::new(scored_at(serve_at), zone);
                let place = *places.entry((row.cohort.as_str(), moment)).or_insert_with(|| {
                    scenes.push(self.scene(scorer, &row.cohort, moment));
                    scenes.len() - 1
                });
                (profile, place)
            }));
        }
        let round = Round {
            scorer,
            abstain: self.abstain,
            threshold: self.threshold,
            window_s: self.window.as_secs(),
        };
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        score_all(&round, standings.len(), threads, |index| {
            let Some((profile, place)) = known[index] else { return Ask::Unknown };
            let scene = &scenes[place];
            // Of one that too little is known of that is said, awake or not.
            let is_known = self.abstain.check(profile, scene.moment()).is_ok();
            match standings[index].presence {
                Presence::Awake { until } if is_known && until > self.now => Ask::Awake,
                _ => Ask::Asleep { profile, scene },
            }
        })
    }

    fn scene(&self, scorer: &Scorer, cohort: &str, moment: Moment) -> Scene {
        let Some(crowds) = self.crowds else { return scorer.scene(moment) };
        let is_holiday = self.days.of(cohort).is_holiday(moment.day());
        Scene::new(moment, &crowds.of(cohort).population(moment, is_holiday))
    }
}
