//! Why one instance is expected or not.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use reveille_proto::InstanceId;

use crate::{
    api::view::{ExplainView, ReasonView, SlotView},
    model::{
        Abstain, AbstainRule, Moment, Profile, Scorer,
        calendar::date_of,
        coming::coming,
        explain::{contributions, usual},
        stays::{LocalQuarter, QUARTERS_PER_DAY},
        words::habit,
    },
};

/// The window of a wake, in seconds.
const WINDOW_S: i64 = 10_800;
const HOUR_S: f64 = 3_600.0;
/// Likely times of the coming week that are told.
const SLOTS: usize = 5;
/// Past arrivals that are shown, in days.
const PAST_DAYS: i32 = 28;

/// By what an instance is explained.
#[derive(Debug, Clone, Copy)]
pub(super) struct Explainer<'a> {
    pub(super) scorer: &'a Scorer,
    pub(super) abstain: AbstainRule,
    pub(super) model_version: u64,
    pub(super) at: Timestamp,
    /// Scores from here on are woken.
    pub(super) threshold: f32,
    /// How long before it is to serve a wake must start.
    pub(super) lead_s: f64,
}

impl Explainer<'_> {
    /// What the model sees and says. `others` are some of the fleet, to tell what is usual; `planned` is when wakes
    /// of it are to serve.
    pub(super) fn explain<'p>(
        &self,
        instance: &InstanceId,
        profile: &Profile,
        zone: &TimeZone,
        others: impl Iterator<Item = &'p Profile>,
        planned: &[Timestamp],
    ) -> Result<ExplainView, Abstain> {
        let moment = Moment::new(self.at, zone);
        self.abstain.check(profile, moment)?;
        let scene = self.scorer.scene(moment);
        let features = self.scorer.features(profile, &scene);
        let scored = self.scorer.scored(profile, &scene, WINDOW_S);
        let within = |hours: f64| self.scorer.probability(&features, hours * HOUR_S);
        let usual = usual(self.scorer, &scene, others);
        let reasons = contributions(self.scorer.fitted(), &features, &usual);
        let coming = coming(self.scorer, profile, moment);
        let next = coming.likeliest(SLOTS).into_iter().filter_map(|slot| {
            let at = local(slot.quarter).to_zoned(zone.clone()).ok()?.timestamp();
            Some(SlotView { at, probability: slot.probability })
        });
        let past_from = moment.quarter - PAST_DAYS * QUARTERS_PER_DAY;
        let past = profile.stays().iter().map(|stay| stay.start);
        Ok(ExplainView {
            instance_id: instance.to_string(),
            model_version: self.model_version,
            at: self.at,
            time_zone: zone_name(zone),
            habit: habit(profile, moment, WINDOW_S).to_string(),
            score: scored.score,
            threshold: self.threshold,
            within_1h: within(1.0),
            within_3h: within(3.0),
            within_24h: within(24.0),
            saved_s: scored.probability * self.lead_s,
            idle_h: scored.idle_h,
            model_wakes: scored.score >= self.threshold && !scored.waits,
            waits: scored.score >= self.threshold && scored.waits,
            plan: None,
            reasons: reasons.into_iter().map(ReasonView::from).collect(),
            next: next.collect(),
            first_day: local(coming.first).date(),
            week: coming.quarters,
            planned_wakes: planned.iter().map(|at| zone.to_datetime(*at)).collect(),
            past_arrivals: past
                .filter(|start| (past_from..moment.quarter).contains(start))
                .map(local)
                .collect(),
        })
    }
}

impl From<crate::model::explain::Contribution> for ReasonView {
    fn from(found: crate::model::explain::Contribution) -> Self {
        let group = serde_json::to_value(found.group).ok();
        Self {
            group: group.as_ref().and_then(|name| name.as_str()).unwrap_or_default().to_owned(),
            words: found.group.words().to_owned(),
            adds: found.adds,
            strongest: found.strongest.to_owned(),
        }
    }
}

/// The local time at which a quarter hour begins.
fn local(quarter: LocalQuarter) -> DateTime {
    let slot = quarter.rem_euclid(QUARTERS_PER_DAY) as i8;
    date_of(quarter.div_euclid(QUARTERS_PER_DAY)).at(slot / 4, slot % 4 * 15, 0, 0)
}

fn zone_name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(offset)) => offset.to_string(),
        (None, Err(_)) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fitted, head::Head, population::Population};

    const NOW_S: i64 = 1_772_528_400;

    fn scorer() -> Scorer {
        let mut head = Head { intercept: 2.0, ..Head::default() };
        head.weights.fill(0.05);
        Scorer::new(Fitted {
            wake: head.clone(),
            network: None,
            screen: None,
            within_1h: head.clone(),
            within_3h: Head { intercept: 2.5, ..head.clone() },
            within_24h: Head { intercept: 3.0, ..head },
            population: Population::default(),
            frontier: Vec::new(),
        })
    }

    #[test]
    fn everything_said_fits_together() {
        let scorer = scorer();
        let zone = TimeZone::get("Asia/Kolkata").expect("a zone");
        let at = Timestamp::from_second(NOW_S).expect("a time");
        let mut profile = Profile::default();
        for back in (1..=40).rev() {
            profile.see_second(NOW_S - back * 86_400 + 1_800, 19_800, 7_200);
        }
        let explainer = Explainer {
            scorer: &scorer,
            abstain: AbstainRule::default(),
            model_version: 7,
            at,
            threshold: -100.0,
            lead_s: 300.0,
        };
        let instance = InstanceId::new("dev1").expect("an id");
        let told =
            explainer.explain(&instance, &profile, &zone, std::iter::empty(), &[at]).expect("is known");
        assert_eq!((told.model_version, told.time_zone.as_str()), (7, "Asia/Kolkata"));
        assert!(
            told.habit.starts_with("came within the next 3 h on 28 of the last 28 days"),
            "{}",
            told.habit
        );
        assert!(told.within_1h <= told.within_3h && told.within_3h <= told.within_24h);
        assert!((told.saved_s - 300.0 * told.within_3h).abs() < 1e-9 && told.idle_h > 0.0);
        assert!(told.model_wakes && told.plan.is_none());
        assert_eq!((told.reasons.len(), told.next.len(), told.week.len()), (6, 5, 672));
        assert_eq!(told.past_arrivals.len(), 28);
        assert_eq!(told.planned_wakes, [zone.to_datetime(at)]);
        assert_eq!(told.first_day, zone.to_datetime(at).date());
        assert!(told.next.iter().all(|slot| slot.at >= at), "{:?}", told.next);
        let json = serde_json::to_string(&told).expect("plain data");
        let back: ExplainView = serde_json::from_str(&json).expect("comes back");
        assert_eq!((back.reasons.len(), &back.planned_wakes), (6, &told.planned_wakes));
        let unknown = explainer.explain(&instance, &Profile::default(), &zone, std::iter::empty(), &[]);
        assert_eq!(unknown, Err(Abstain::NoHistory));
    }
}
