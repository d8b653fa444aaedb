//! What the model in service says of each instance at the time of planning.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{
    app::{Learned, Mind, scored_at},
    model::{AbstainRule, Crowds, DayCalendar, Moment, Profile, Scorer, features::Scene},
    plan::{Outlook, Presence},
    store::InstanceRow,
};

/// Asks the model about one instance after the other. What instances on the same clock share is computed once.
pub(super) struct Outlooks<'a> {
    learned: Option<&'a Learned>,
    now: Timestamp,
    window_s: i64,
    threshold: f32,
    abstain: AbstainRule,
    crowds: Option<&'a Crowds>,
    days: &'a DayCalendar,
    /// By cohort and what its clock shows.
    scenes: BTreeMap<(&'a str, Moment), Scene>,
}

impl<'a> Outlooks<'a> {
    pub(super) fn new(
        learned: Option<&'a Learned>,
        now: Timestamp,
        window: SignedDuration,
        threshold: f32,
        abstain: AbstainRule,
        crowds: Option<&'a Crowds>,
        days: &'a DayCalendar,
    ) -> Self {
        let window_s = window.as_secs();
        Self { learned, now, window_s, threshold, abstain, crowds, days, scenes: BTreeMap::new() }
    }

    pub(super) fn of(
        &mut self,
        row: &'a InstanceRow,
        presence: Presence,
        lead_time: SignedDuration,
    ) -> Outlook<'a> {
        match self.learned.map(|learned| &learned.mind) {
            None => Outlook::Unknown,
            Some(Mind::Rule { profiles, .. }) => {
                profiles.get(&row.instance).map_or(Outlook::Unknown, Outlook::Hours)
            }
            Some(Mind::Fitted { scorer, profiles }) => {
                let Some((profile, zone)) = profiles.get(&row.instance) else { return Outlook::Unknown };
                self.scored(scorer, &row.cohort, profile, zone, presence, lead_time)
            }
        }
    }

    fn scored(
        &mut self,
        scorer: &Scorer,
        cohort: &'a str,
        profile: &Profile,
        zone: &TimeZone,
        presence: Presence,
        lead_time: SignedDuration,
    ) -> Outlook<'a> {
        let serve_at = self.now.saturating_add(lead_time).unwrap_or(self.now);
        let moment = Moment::new(scored_at(serve_at), zone);
        if let Err(abstain) = self.abstain.check(profile, moment) {
            return Outlook::Scored(Err(abstain));
        }
        if let Presence::Awake { until } = presence
            && until > self.now
        {
            return Outlook::Awake;
        }
        let (crowds, days) = (self.crowds, self.days);
        let scene = self.scenes.entry((cohort, moment)).or_insert_with(|| match crowds {
            None => scorer.scene(moment),
            Some(crowds) => {
                let is_holiday = days.of(cohort).is_holiday(moment.day());
                Scene::new(moment, &crowds.of(cohort).population(moment, is_holiday))
            }
        });
        Outlook::Scored(Ok(scorer.judged(profile, scene, self.window_s, self.threshold)))
    }
}
