//! Fits a profile per instance, validates the lot, and puts it in service. The last good version goes on serving
//! when training fails.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;
use serde::Serialize;
use tracing::{info, warn};

use super::{Task, TaskError};
use crate::{
    app::Shared,
    config::Config,
    model::{self, Metrics, Profile},
    store::{InstanceRow, ModelRow, ModelStatus, Store},
};

/// What a training did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LearnStatus {
    pub version: u64,
    pub instances: u64,
    /// Why the version was not put in service.
    pub rejected: Option<String>,
}

/// The zone an instance lives in: its own, or `fallback` when it names none or one that is unknown.
pub(super) fn zone_of(row: &InstanceRow, fallback: &TimeZone) -> TimeZone {
    if row.time_zone.is_empty() {
        return fallback.clone();
    }
    zone(&row.time_zone).unwrap_or_else(|error| {
        warn!(instance_id = %row.instance, %error, "the default time zone is used");
        fallback.clone()
    })
}

/// The zone of each instance that does not live in the default one, and the default.
pub(crate) fn zones(
    instances: &[InstanceRow],
    config: &Config,
) -> Result<(BTreeMap<InstanceId, TimeZone>, TimeZone), TaskError> {
    let fallback = zone(&config.model.time_zone)?;
    let own = instances.iter().filter(|row| !row.time_zone.is_empty());
    Ok((own.map(|row| (row.instance.clone(), zone_of(row, &fallback))).collect(), fallback))
}

pub(super) fn zone(name: &str) -> Result<TimeZone, TaskError> {
    TimeZone::get(name).map_err(|_| TaskError::Config(format!("{name:?} is no IANA time zone")))
}

/// One training on what the store holds, as of `now`.
pub async fn learn_once(store: &Store, config: &Config, now: Timestamp) -> Result<LearnStatus, TaskError> {
    let (zones, fallback) = zones(&store.instances_list(None, 0).await?, config)?;
    let rule = &config.model.rule;
    let mut profiles: Vec<(InstanceId, Profile)> = Vec::new();
    let mut metrics = Metrics::default();
    let (mut day_first, mut day_last) = (i32::MAX, i32::MIN);
    store
        .activity_each(i32::MIN, &mut |instance, activity| {
            let tz = zones.get(&instance).unwrap_or(&fallback);
            let as_of = now.to_zoned(tz.clone()).date();
            day_first = day_first.min(activity.first_day().unwrap_or(i32::MAX));
            day_last = day_last.max(activity.last_day().unwrap_or(i32::MIN));
            let profile = Profile::fit(&activity, tz, as_of, rule);
            metrics.count(&profile, rule);
            profiles.push((instance, profile));
        })
        .await?;
    let day_start = |day: i32| Timestamp::from_second(i64::from(day) * 86_400).ok();
    let serving = store.model_serving().await?;
    let verdict = model::validate(&metrics, serving.as_ref().map(|model| &model.metrics));
    let rejected = verdict.err().map(|why| why.to_string());
    let row = ModelRow {
        version: 0,
        status: if rejected.is_some() { ModelStatus::Rejected } else { ModelStatus::Serving },
        trained_at: now,
        data_from: day_start(day_first),
        data_to: day_start(day_last),
        instances: profiles.len() as u64,
        rule: rule.clone(),
        metrics,
        detail: rejected.clone().unwrap_or_default(),
    };
    let kept: &[_] = if rejected.is_some() { &[] } else { &profiles };
    let version = store.model_publish(&row, kept).await?;
    Ok(LearnStatus { version, instances: profiles.len() as u64, rejected })
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

    fn period(&self) -> Duration {
        Duration::from_secs(self.shared.config.model.train_interval_s.into())
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        if self.shared.store.activity_is_empty().await? {
            return Ok("nothing was seen yet".into());
        }
        let status = learn_once(&self.shared.store, &self.shared.config, self.shared.clock.now()).await?;
        match &status.rejected {
            None => info!(version = status.version, instances = status.instances, "a model is in service"),
            Some(why) => warn!(version = status.version, why, "a model was not put in service"),
        }
        self.shared.signals.plan.notify_one();
        Ok(format!("version {} of {} instances", status.version, status.instances))
    }
}
