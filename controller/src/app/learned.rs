//! The model in service as it is in memory: loaded once a version, then told of every sighting.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;

use super::Shared;
use crate::{
    model::{Fitted, HourProfile, ModelKind, Profiles, Rule, Scorer},
    store::ModelRow,
    tasks::{TaskError, zones},
    visits::Sighting,
};

/// The model in service.
#[derive(Debug)]
pub struct Learned {
    pub version: u64,
    pub mind: Mind,
}

/// What it is.
#[derive(Debug)]
pub enum Mind {
    /// Counts clock hours.
    Rule { rule: Rule, profiles: BTreeMap<InstanceId, HourProfile> },
    /// Scores quarter hours.
    Fitted { scorer: Arc<Scorer>, profiles: Profiles },
}

/// Before a version is loaded, sightings are read again so far back: they may have come while it was being made.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

impl Shared {
    /// Sees to it that the model in service is in memory. False when none is in service.
    pub async fn learn_anew(&self) -> Result<bool, TaskError> {
        let _turn = self.learned_turn.lock().await;
        let Some(serving) = self.store.model_serving().await? else { return Ok(false) };
        if self.learned(|learned| learned.version == serving.version).unwrap_or(false) {
            return Ok(true);
        }
        let version = serving.version;
        let since = serving.trained_at - MARGIN;
        let mind = self.mind(serving).await?;
        let fitted = matches!(mind, Mind::Fitted { .. });
        self.learned_set(Learned { version, mind });
        if fitted {
            // What was seen since it was made; after it was put in memory, so that nothing falls in between.
            let zones = self.zones().await?;
            let now = self.clock.now();
            let gap_s = i64::from(self.config.visits.idle_gap_s);
            let visits = self.store.visits_between(since, now + SignedDuration::from_hours(1)).await?;
            self.learned_change(|profiles| {
                for visit in &visits {
                    profiles.relive(visit, now, gap_s, || zones.of(&visit.instance));
                }
            });
        }
        Ok(true)
    }

    async fn mind(&self, serving: ModelRow) -> Result<Mind, TaskError> {
        if serving.kind == ModelKind::Rule {
            let profiles = self.store.profiles_of(serving.version).await?.into_iter().collect();
            return Ok(Mind::Rule { rule: serving.rule, profiles });
        }
        let mut profiles = Profiles::default();
        for (instance, profile, zone) in self.store.stays_of(serving.version).await? {
            profiles.insert(instance, profile, zone);
        }
        let fitted = serving.fitted.unwrap_or_else(|| Fitted::embedded().clone());
        Ok(Mind::Fitted { scorer: Arc::new(Scorer::new(fitted)), profiles })
    }

    /// Tells the model in memory what a batch of a log said. Returns how many sightings were not believed.
    pub fn saw(&self, sightings: &[Sighting]) -> u64 {
        if sightings.is_empty()
            || self.learned(|learned| matches!(learned.mind, Mind::Rule { .. })).unwrap_or(true)
        {
            return 0;
        }
        // Where one unknown so far lives is looked up at the next training.
        let zone = TimeZone::get(&self.config.model.time_zone).unwrap_or(TimeZone::UTC);
        let now = self.clock.now();
        let gap_s = i64::from(self.config.visits.idle_gap_s);
        let mut refused = 0;
        self.learned_change(|profiles| {
            for sighting in sightings {
                let zone = || zone.clone();
                refused += u64::from(!profiles.see(&sighting.instance, sighting.at, now, gap_s, zone));
            }
        });
        refused
    }

    async fn zones(&self) -> Result<Zones, TaskError> {
        let instances = self.store.instances_list(None, 0).await?;
        let (own, default) = zones(&instances, &self.config, |_| None)?;
        Ok(Zones { own, default })
    }
}

/// Where instances live that the model does not know yet.
struct Zones {
    own: BTreeMap<InstanceId, TimeZone>,
    default: TimeZone,
}

impl Zones {
    fn of(&self, instance: &InstanceId) -> TimeZone {
        self.own.get(instance).unwrap_or(&self.default).clone()
    }
}

/// The instant whose features stand for a wake that is to serve at `serve_at`: heads were fitted for instances that
/// serve so long after their wake.
pub fn scored_at(serve_at: Timestamp) -> Timestamp {
    serve_at.saturating_sub(SignedDuration::from_secs(FITTED_LEAD_S)).unwrap_or(serve_at)
}

/// From the call until it serves, in the data models are fitted on.
pub const FITTED_LEAD_S: i64 = 300;
