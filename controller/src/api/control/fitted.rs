//! The fitted model in service, as questions are answered by it.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;

use super::{Control, ForecastQuery, explain::Explainer, forecasts::Span, likely::Likely};
use crate::{
    api::{
        ControlError,
        view::{ExplainView, ForecastPage},
    },
    app::{Mind, scored_at},
    model::{AbstainRule, LeadTimes, Profiles, Scorer},
};

/// Ended wakes the lead time is learned from.
const SERVING_TIMES_MAX: u32 = 5000;
/// Instances that are looked at to tell what is usual.
const OTHERS_MAX: usize = 256;
/// How far ahead planned wakes are told.
const PLANNED: SignedDuration = SignedDuration::from_hours(24 * 7);

/// A version of the fitted model with the profiles as they are now.
#[derive(Debug, Clone, Copy)]
pub(super) struct FittedNow<'a> {
    pub(super) version: u64,
    pub(super) scorer: &'a Scorer,
    pub(super) profiles: &'a Profiles,
    pub(super) abstain: AbstainRule,
    /// What the idle budget buys at present.
    pub(super) threshold: f32,
}

impl FittedNow<'_> {
    /// In order of instance, or the one asked for by name.
    pub(super) fn forecasts(
        &self,
        query: &ForecastQuery,
        span: &Span,
        size: usize,
    ) -> Result<ForecastPage, ControlError> {
        let likely = Likely {
            scorer: self.scorer,
            abstain: self.abstain,
            at: span.at,
            within_s: span.within.as_secs(),
            min_probability: span.min_probability,
        };
        let (items, next_page_token) = match &query.instance {
            None => likely.page(self.profiles.after(query.after.as_ref()), size),
            Some(instance) => {
                let (profile, zone) = self.profiles.get(instance).ok_or_else(|| unknown(instance))?;
                let told = likely.one(instance, profile, zone);
                (vec![told.map_err(|abstain| silent(instance, &abstain.to_string()))?], String::new())
            }
        };
        let within_s = span.within.as_secs() as u64;
        Ok(ForecastPage { items, next_page_token, model_version: self.version, at: span.at, within_s })
    }

    fn explain(
        &self,
        instance: &InstanceId,
        at: Timestamp,
        lead_s: f64,
        planned: &[Timestamp],
    ) -> Result<ExplainView, ControlError> {
        let (profile, zone) = self.profiles.get(instance).ok_or_else(|| unknown(instance))?;
        let explainer = Explainer {
            scorer: self.scorer,
            abstain: self.abstain,
            model_version: self.version,
            at,
            threshold: self.threshold,
            lead_s,
        };
        // Those after it by name, then from the first on: any will do.
        let others = self.profiles.after(Some(instance)).chain(self.profiles.after(None));
        let others = others.take(OTHERS_MAX.min(self.profiles.len())).map(|(_, profile, _)| profile);
        let told = explainer.explain(instance, profile, zone, others, planned);
        told.map_err(|abstain| silent(instance, &abstain.to_string()))
    }
}

fn silent(instance: &InstanceId, why: &str) -> ControlError {
    ControlError::NotFound(format!("there is no forecast for {instance}: {why}"))
}

fn unknown(instance: &InstanceId) -> ControlError {
    silent(instance, "the model does not know it")
}

impl Control {
    /// Asks the fitted model in service; `None` when there is none, or when it is one that counts hours.
    pub(super) async fn fitted<T>(
        &self,
        ask: impl FnOnce(&FittedNow<'_>) -> T,
    ) -> Result<Option<T>, ControlError> {
        self.shared.learn_anew().await?;
        let abstain = self.shared.config.model.abstain;
        let budget_h = self.shared.policy().idle_budget_h;
        let told = self.shared.learned(|learned| match &learned.mind {
            Mind::Rule { .. } => None,
            Mind::Fitted { scorer, profiles } => Some(ask(&FittedNow {
                version: learned.version,
                scorer,
                profiles,
                abstain,
                threshold: scorer.fitted().threshold(budget_h),
            })),
        });
        Ok(told.flatten())
    }

    /// What the model sees and says of an instance, at a time or now, and what the newest plan does with it.
    pub async fn explain(
        &self,
        instance: &InstanceId,
        at: Option<Timestamp>,
    ) -> Result<ExplainView, ControlError> {
        let store = &self.shared.store;
        let row = store.instance_get(instance).await?;
        let row = row.ok_or_else(|| ControlError::NotFound(format!("there is no instance {instance}")))?;
        let host = row.host.as_ref();
        let hosts = store.hosts_list().await?;
        let class =
            hosts.iter().find(|known| Some(&known.host) == host).map_or("", |host| host.class.as_str());
        let lead_times = LeadTimes::learn(store.wakes_serving_times(SERVING_TIMES_MAX).await?.into_iter());
        let default = SignedDuration::from_secs(self.shared.config.model.lead_time_default_s.into());
        let lead_time = lead_times.lead_time(class, default);
        let lead_s = lead_time.as_secs_f64();
        let now = self.now();
        // Planning judges a wake by when it would serve; what is explained for now must be the same.
        let at_now = scored_at(now.saturating_add(lead_time).unwrap_or(now));
        let mut planned = store.planned_between(now, now.saturating_add(PLANNED).unwrap_or(now)).await?;
        planned.retain(|row| row.instance == *instance);
        let serve_at: Vec<_> = planned.iter().map(|row| row.serve_at).collect();
        let told =
            self.fitted(|fitted| fitted.explain(instance, at.unwrap_or(at_now), lead_s, &serve_at)).await?;
        let mut told = told.ok_or_else(|| {
            ControlError::NotFound("no fitted model is in service; only such a one can be explained".into())
        })??;
        if at.is_none() {
            told.plan = match planned.first() {
                Some(row) => Some(format!("woken to serve at {:.0}: {}", row.serve_at, row.why)),
                None => store.omission_of(instance).await?.map(|row| format!("left alone: {}", row.detail)),
            };
        }
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::model::{Fitted, Profile, head::Head, population::Population};

    const NOW_S: i64 = 1_772_528_400;

    #[test]
    fn forecasts_and_explanations_are_of_the_same_model() {
        let head = Head { intercept: -1.0, ..Head::default() };
        let scorer = Scorer::new(Fitted {
            wake: head.clone(),
            network: None,
            screen: None,
            within_1h: head.clone(),
            within_3h: head.clone(),
            within_24h: head,
            population: Population::default(),
            frontier: Vec::new(),
        });
        let mut profiles = Profiles::default();
        let id = |n: u32| InstanceId::new(format!("dev{n}")).expect("an id");
        for n in 0..5 {
            let mut profile = Profile::default();
            for back in (1..=30).rev() {
                profile.see_second(NOW_S - back * 86_400, 0, 7_200);
            }
            profiles.insert(id(n), profile, TimeZone::UTC);
        }
        let abstain = AbstainRule::default();
        let now = FittedNow { version: 3, scorer: &scorer, profiles: &profiles, abstain, threshold: 0.0 };
        let at = Timestamp::from_second(NOW_S).expect("a time");
        let span = Span { at, within: SignedDuration::from_hours(1), min_probability: 0.0 };
        let page = now.forecasts(&ForecastQuery::default(), &span, 3).expect("a page");
        assert_eq!((page.items.len(), page.next_page_token.as_str(), page.model_version), (3, "dev2", 3));
        let after = ForecastQuery { after: Some(id(2)), ..ForecastQuery::default() };
        let page = now.forecasts(&after, &span, 3).expect("a page");
        assert_eq!((page.items.len(), page.next_page_token.as_str()), (2, ""));
        let one = ForecastQuery { instance: Some(id(4)), ..ForecastQuery::default() };
        assert_eq!(now.forecasts(&one, &span, 3).expect("a page").items[0].instance_id, "dev4");
        let none = ForecastQuery { instance: Some(id(9)), ..ForecastQuery::default() };
        assert!(matches!(now.forecasts(&none, &span, 3), Err(ControlError::NotFound(_))));
        let told = now.explain(&id(1), at, 300.0, &[]).expect("is known");
        assert!((told.within_1h - page.items[0].probability).abs() < 1e-6 && !told.model_wakes);
        assert!(now.explain(&id(9), at, 300.0, &[]).is_err());
    }
}
