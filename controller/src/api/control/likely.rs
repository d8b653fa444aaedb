//! Forecasts of the fitted model, a page at a time.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;

use crate::{
    api::view::ForecastView,
    model::{Abstain, AbstainRule, Moment, Profile, Scorer, features::Scene, words::habit},
};

/// Most instances that are looked at for one page, so that no question takes long. A page may thus be short or empty
/// and yet not be the last.
pub const LOOKED_AT_MAX: usize = 20_000;

/// Which span, by which model.
#[derive(Debug, Clone, Copy)]
pub struct Likely<'a> {
    pub scorer: &'a Scorer,
    pub abstain: AbstainRule,
    pub at: Timestamp,
    pub within_s: i64,
    /// 0..=1; less likely arrivals are left out.
    pub min_probability: f64,
}

impl Likely<'_> {
    /// How likely a visit begins in the span if nobody comes before it, and why that is thought.
    pub fn one(
        &self,
        instance: &InstanceId,
        profile: &Profile,
        zone: &TimeZone,
    ) -> Result<ForecastView, Abstain> {
        let scene = self.scorer.scene(Moment::new(self.at, zone));
        self.abstain.check(profile, scene.moment())?;
        Ok(self.view(instance, profile, &scene, self.probability(profile, &scene)))
    }

    /// At most `size` forecasts of `known`, which is in order of instance, and the token of the next page: empty when
    /// all were looked at, otherwise the last instance that was.
    pub fn page<'p>(
        &self,
        known: impl Iterator<Item = (&'p InstanceId, &'p Profile, &'p TimeZone)>,
        size: usize,
    ) -> (Vec<ForecastView>, String) {
        let mut scenes: BTreeMap<Moment, Scene> = BTreeMap::new();
        let mut items = Vec::new();
        let mut before: Option<&InstanceId> = None;
        for (looked_at, (instance, profile, zone)) in known.enumerate() {
            if items.len() == size || looked_at == LOOKED_AT_MAX {
                return (items, before.map(ToString::to_string).unwrap_or_default());
            }
            before = Some(instance);
            let moment = Moment::new(self.at, zone);
            if self.abstain.check(profile, moment).is_err() {
                continue;
            }
            let scene = scenes.entry(moment).or_insert_with(|| self.scorer.scene(moment));
            let probability = self.probability(profile, scene);
            if probability >= self.min_probability {
                items.push(self.view(instance, profile, scene, probability));
            }
        }
        (items, String::new())
    }

    fn probability(&self, profile: &Profile, scene: &Scene) -> f64 {
        self.scorer.probability(&self.scorer.features(profile, scene), self.within_s as f64)
    }

    fn view(
        &self,
        instance: &InstanceId,
        profile: &Profile,
        scene: &Scene,
        probability: f64,
    ) -> ForecastView {
        let why = habit(profile, scene.moment(), self.within_s).to_string();
        ForecastView { instance_id: instance.to_string(), probability, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fitted, head::Head, population::Population};

    /// A model by which whoever came on many days is likely to come.
    fn scorer() -> Scorer {
        let mut head = Head { intercept: 2.0, ..Head::default() };
        head.weights.fill(0.05);
        let within = |by: f32| Head { intercept: head.intercept + by, ..head.clone() };
        Scorer::new(Fitted {
            wake: head.clone(),
            network: None,
            screen: None,
            within_1h: within(0.0),
            within_3h: within(0.5),
            within_24h: within(1.0),
            population: Population::default(),
            frontier: Vec::new(),
        })
    }

    const NOW_S: i64 = 1_772_528_400;

    fn fleet(count: usize) -> Vec<(InstanceId, Profile, TimeZone)> {
        let member = |n: usize| {
            let mut profile = Profile::default();
            for back in (1..=60).rev().filter(|back| back % (1 + n % 5) == 0) {
                profile.see_second(NOW_S - back as i64 * 86_400 + 1_800, 0, 7_200);
            }
            (InstanceId::new(format!("dev{n:06}")).expect("an id"), profile, TimeZone::UTC)
        };
        (0..count).map(member).collect()
    }

    fn likely(scorer: &Scorer, min_probability: f64) -> Likely<'_> {
        let at = Timestamp::from_second(NOW_S).expect("a time");
        Likely { scorer, abstain: AbstainRule::default(), at, within_s: 3_600, min_probability }
    }

    fn after<'p>(
        fleet: &'p [(InstanceId, Profile, TimeZone)],
        token: &str,
    ) -> impl Iterator<Item = (&'p InstanceId, &'p Profile, &'p TimeZone)> {
        let from = fleet.partition_point(|(instance, ..)| instance.as_str() <= token);
        fleet[from..].iter().map(|(instance, profile, zone)| (instance, profile, zone))
    }

    #[test]
    fn pages_hold_everybody_once() {
        let (scorer, fleet) = (scorer(), fleet(23));
        let asked = likely(&scorer, 0.0);
        let (mut token, mut told) = (String::new(), Vec::new());
        loop {
            let (items, next) = asked.page(after(&fleet, &token), 5);
            assert!(items.len() <= 5);
            told.extend(items.into_iter().map(|item| item.instance_id));
            if next.is_empty() {
                break;
            }
            token = next;
        }
        assert_eq!(told, fleet.iter().map(|(instance, ..)| instance.to_string()).collect::<Vec<_>>());
        assert_eq!(asked.page(after(&fleet, ""), 23).1, "", "a full page may be the last");
    }

    #[test]
    fn a_page_ends_where_enough_were_looked_at() {
        let (scorer, fleet) = (scorer(), fleet(7));
        let (instance, profile, zone) = &fleet[0];
        let many = std::iter::repeat_n((instance, profile, zone), LOOKED_AT_MAX + 1);
        let (items, next) = likely(&scorer, 1.0).page(many, 5);
        assert_eq!((items.len(), next.as_str()), (0, instance.as_str()));
    }

    #[test]
    fn who_comes_daily_is_likelier_and_the_reason_says_so() {
        let (scorer, fleet) = (scorer(), fleet(5));
        let asked = likely(&scorer, 0.0);
        let told: Vec<_> = fleet.iter().map(|(id, p, zone)| asked.one(id, p, zone).expect("known")).collect();
        assert!(told[0].probability > told[4].probability, "{told:?}");
        assert!(told[0].why.starts_with("came within the next 1 h on 28 of the last 28 days"), "{told:?}");
        let (page, _) = asked.page(after(&fleet, ""), 10);
        assert_eq!(page, told);
        let nobody = asked.one(&fleet[0].0, &Profile::default(), &TimeZone::UTC);
        assert_eq!(nobody, Err(Abstain::NoHistory));
    }
}
