//! Learns a profile per instance and the weights that go with them, validates the lot, and puts it in service. The last
//! good version goes on serving when training fails.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;
use serde::Serialize;
use tracing::{info, warn};

use super::{
    Task, TaskError,
    phases::learn_phases,
    weights::{self, Sample, TrainLimits},
};
use crate::{
    app::Shared,
    config::Config,
    model::{self, Cut, HourProfile, Metrics, ModelKind, Origin, Profile, Quality},
    store::{InstanceRow, Learned, ModelRow, ModelStatus, Store},
};

/// What a training did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearnStatus {
    pub version: u64,
    pub kind: ModelKind,
    pub instances: u64,
    /// Why the version was not put in service.
    pub rejected: Option<String>,
    /// Where its weights come from; `None` for kind `rule`.
    pub origin: Option<Origin>,
    /// Why weights other than fresh ones serve.
    pub kept_because: Option<String>,
    /// How good the weights are that were fitted, whether or not they serve.
    pub quality: Option<Quality>,
}

/// Where instances live that name no zone of their own.
#[derive(Debug)]
pub(super) struct ZoneRules {
    by_cohort: BTreeMap<String, TimeZone>,
    pub(super) default: TimeZone,
}

impl ZoneRules {
    pub(super) fn of(config: &Config) -> Result<Self, TaskError> {
        let by_cohort =
            config.cohorts.iter().map(|cohort| Ok((cohort.name.clone(), zone(&cohort.time_zone)?)));
        Ok(Self {
            by_cohort: by_cohort.collect::<Result<_, TaskError>>()?,
            default: zone(&config.model.time_zone)?,
        })
    }

    /// The zone that is known of an instance: its own, else its cohort's. One that is unknown is as good as none.
    pub(super) fn known(&self, row: &InstanceRow) -> Option<TimeZone> {
        let own = Some(&row.time_zone).filter(|name| !name.is_empty()).and_then(|name| {
            let own = zone(name);
            own.inspect_err(|error| warn!(instance_id = %row.instance, %error, "its time zone is not used"))
                .ok()
        });
        own.or_else(|| self.by_cohort.get(&row.cohort).cloned())
    }
}

/// The zone an instance lives in: its own, else its cohort's, else the offset learned of it, else the default.
pub(super) fn zone_of(row: &InstanceRow, learned: Option<&TimeZone>, rules: &ZoneRules) -> TimeZone {
    rules.known(row).or_else(|| learned.cloned()).unwrap_or_else(|| rules.default.clone())
}

/// The zone of each instance that does not live in the default one, and the default. `learned` gives the offset
/// learned of an instance, where there is one.
pub(crate) fn zones<'a>(
    instances: &[InstanceRow],
    config: &Config,
    learned: impl Fn(&InstanceId) -> Option<&'a TimeZone>,
) -> Result<(BTreeMap<InstanceId, TimeZone>, TimeZone), TaskError> {
    let rules = ZoneRules::of(config)?;
    let zones = instances.iter().map(|row| (row, zone_of(row, learned(&row.instance), &rules)));
    let other = zones.filter(|(_, zone)| *zone != rules.default);
    Ok((other.map(|(row, zone)| (row.instance.clone(), zone)).collect(), rules.default))
}

pub(super) fn zone(name: &str) -> Result<TimeZone, TaskError> {
    TimeZone::get(name).map_err(|_| TaskError::Config(format!("{name:?} is no IANA time zone")))
}

/// One training on what the store holds, as of `now`.
pub async fn learn_once(store: &Store, config: &Config, now: Timestamp) -> Result<LearnStatus, TaskError> {
    learn_told(store, config, now, &TrainLimits::default(), |_| {}).await
}

/// As [`learn_once`], within limits, and telling what it is at.
pub async fn learn_told(
    store: &Store,
    config: &Config,
    now: Timestamp,
    limits: &TrainLimits,
    mut progress: impl FnMut(&str) + Send + 'static,
) -> Result<LearnStatus, TaskError> {
    progress("reading what was seen");
    let instances = store.instances_list(None, 0).await?;
    let learned = learn_phases(store, config, &instances, now).await?;
    let (zones, fallback) = zones(&instances, config, |instance| learned.get(instance))?;
    let rule = &config.model.rule;
    let mut profiles: Vec<Learned> = Vec::new();
    let mut metrics = Metrics::default();
    let (mut day_first, mut day_last) = (i32::MAX, i32::MIN);
    store
        .activity_each(i32::MIN, &mut |instance, activity| {
            let tz = zones.get(&instance).unwrap_or(&fallback);
            let as_of = now.to_zoned(tz.clone()).date();
            day_first = day_first.min(activity.first_day().unwrap_or(i32::MAX));
            day_last = day_last.max(activity.last_day().unwrap_or(i32::MIN));
            let hours = HourProfile::fit(&activity, tz, as_of, rule);
            metrics.count(&hours, rule);
            profiles.push(Learned { instance, hours, stays: None });
        })
        .await?;
    let serving = store.model_serving().await?;
    let rejected = model::validate(&metrics, serving.as_ref().map(|model| &model.metrics)).err();
    let weights = match (config.model.kind, rejected) {
        (ModelKind::Fitted, None) => {
            let cut = Cut::of(day_first, day_last);
            let sample = relive(store, config, limits, cut, &mut profiles).await?;
            Some(weights::weights(sample, cut, config, limits, serving, progress).await?)
        }
        _ => None,
    };
    metrics.origin = weights.as_ref().map(|weights| weights.origin);
    metrics.quality = weights.as_ref().and_then(|weights| weights.quality);
    let kept_because = weights.as_ref().and_then(|weights| weights.kept_because.clone());
    let day_start = |day: i32| Timestamp::from_second(i64::from(day) * 86_400).ok();
    let rejected = rejected.map(|why| why.to_string());
    let row = ModelRow {
        version: 0,
        status: if rejected.is_some() { ModelStatus::Rejected } else { ModelStatus::Serving },
        trained_at: now,
        data_from: day_start(day_first),
        data_to: day_start(day_last),
        instances: profiles.len() as u64,
        rule: rule.clone(),
        metrics,
        detail: rejected.clone().or_else(|| kept_because.clone()).unwrap_or_default(),
        kind: config.model.kind,
        fitted: weights.map(|weights| weights.fitted),
        pinned: false,
    };
    let kept: &[_] = if rejected.is_some() { &[] } else { &profiles };
    let published = store.model_publish(&row, kept, None).await?;
    Ok(LearnStatus {
        version: published.version,
        kind: config.model.kind,
        instances: profiles.len() as u64,
        rejected: rejected.or_else(|| published.held_by.map(|_| published.detail)),
        origin: metrics.origin,
        kept_because,
        quality: metrics.quality,
    })
}

/// Gives every profile the stays of its visits, and draws the histories to fit on. Both come in order of instance.
async fn relive(
    store: &Store,
    config: &Config,
    limits: &TrainLimits,
    cut: Option<Cut>,
    profiles: &mut [Learned],
) -> Result<Sample, TaskError> {
    let idle_gap_s = i64::from(config.visits.idle_gap_s);
    let mut sample = Sample::new(limits, cut);
    store
        .visits_each(&mut |instance, visits| {
            let Ok(found) = profiles.binary_search_by(|learned| learned.instance.cmp(&instance)) else {
                return;
            };
            let zone = profiles[found].hours.zone();
            let mut stays = Profile::default();
            for visit in visits {
                stays.relive(visit.arrived_at, visit.departed_at, zone, idle_gap_s);
            }
            sample.add(&instance, visits, zone, idle_gap_s);
            profiles[found].stays = Some(stays);
        })
        .await?;
    // Seen, and without a visit that is still kept.
    for learned in profiles {
        learned.stays.get_or_insert_default();
    }
    Ok(sample)
}

/// Trains on a timer.
#[derive(Debug)]
pub struct Learn {
    shared: Shared,
}

impl Learn {
    pub fn new(shared: Shared) -> Self {
        Self { shared }
    }
}

impl Task for Learn {
    const NAME: &'static str = "learn";
    const LEADER_ONLY: bool = true;

    fn period(&self) -> Duration {
        Duration::from_secs(self.shared.config.model.train_interval_s.into())
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        if self.shared.store.activity_is_empty().await? {
            return Ok("nothing was seen yet".into());
        }
        let status = learn_once(&self.shared.store, &self.shared.config, self.shared.clock.now()).await?;
        match &status.rejected {
            None => {
                let (weights, why) = (status.origin.map(|origin| origin.to_string()), &status.kept_because);
                info!(
                    version = status.version,
                    instances = status.instances,
                    weights,
                    why,
                    "a model is in service"
                );
            }
            Some(why) => warn!(version = status.version, why, "a model was not put in service"),
        }
        self.shared.signals.plan.notify_one();
        Ok(format!("version {} of {} instances", status.version, status.instances))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod zone_tests {
    use super::*;
    use crate::config::CohortConfig;

    fn row(cohort: &str, time_zone: &str) -> InstanceRow {
        InstanceRow {
            instance: InstanceId::new("dev1").expect("an id"),
            host: None,
            cohort: cohort.into(),
            time_zone: time_zone.into(),
            first_seen_at: None,
            last_seen_at: None,
        }
    }

    #[test]
    fn a_zone_is_the_instances_the_cohorts_the_learned_or_the_default() {
        let mut config = Config::default();
        config.model.time_zone = "Europe/Berlin".into();
        config.cohorts = vec![CohortConfig { name: "gulf".into(), time_zone: "Asia/Dubai".into() }];
        let rules = ZoneRules::of(&config).expect("known zones");
        let learned = TimeZone::fixed(jiff::tz::Offset::constant(9));
        let of = |row: &InstanceRow| zone_of(row, Some(&learned), &rules);
        let named = |name: &str| TimeZone::get(name).expect("a known zone");
        assert_eq!(of(&row("gulf", "Asia/Tokyo")), named("Asia/Tokyo"));
        assert_eq!(of(&row("gulf", "")), named("Asia/Dubai"));
        assert_eq!(of(&row("gulf", "Mars/Olympus")), named("Asia/Dubai"), "an unknown one is none");
        assert_eq!(of(&row("dev", "")), learned);
        assert_eq!(zone_of(&row("dev", ""), None, &rules), named("Europe/Berlin"));
        let (zones, default) = zones(&[row("gulf", "")], &config, |_| None).expect("known zones");
        assert_eq!(
            (zones.into_values().collect(), default),
            (vec![named("Asia/Dubai")], named("Europe/Berlin"))
        );
    }
}
