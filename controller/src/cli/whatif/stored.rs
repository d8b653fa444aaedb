//! What the database holds that a replay needs.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;
use serde::Serialize;

use super::{policy, span::OnRecord};
use crate::{
    cli::failure::Failure,
    config::Config,
    model::{Fitted, LeadTimes, ModelKind, Origin},
    policy::Policy,
    report::whatif::{HostSpec, Story},
    store::{HostRow, InstanceRow, ModelRow, Store},
    tasks::zones,
    visits::Visit,
};

/// Ended wakes the lead time is learned from.
const SERVING_TIMES_MAX: u32 = 5_000;

/// CPU of a host while nothing starts, in percent, where none was ever measured.
const BACKGROUND_PERCENT: f64 = 10.0;

const DAY_S: i64 = 86_400;

/// Which weights decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ModelUsed {
    /// `None` is the model that Reveille comes with.
    pub(super) version: Option<u64>,
    /// When the weights were fitted, if it was here.
    pub(super) fitted_at: Option<Timestamp>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Stored {
    /// In order of instance; those nobody was seen at are left out.
    pub(super) stories: Vec<Story>,
    pub(super) policy: Policy,
    pub(super) fitted: Fitted,
    pub(super) model: ModelUsed,
    hosts: Vec<HostRow>,
    /// What to mind when reading the outcome.
    pub(super) notes: Vec<String>,
}

impl Stored {
    pub(super) async fn read(store: &Store, config: &Config) -> Result<Self, Failure> {
        let mut notes = Vec::new();
        let (policy, left_out) = policy::in_force(&config.policy, &store.policy_list().await?);
        notes.extend(
            left_out.into_iter().map(|error| format!("a policy key set earlier is left out: {error}")),
        );
        let hosts = store.hosts_list().await?;
        let serving = store.model_serving().await?;
        let stories = stories(store, config, &hosts, serving.as_ref(), &mut notes).await?;
        let (fitted, model) = weights(store, serving, &mut notes).await?;
        notes.extend(homeless(&stories, &hosts));
        Ok(Self { stories, policy, fitted, model, hosts, notes })
    }

    /// The days of the first and of the last arrival; `None` without a visit.
    pub(super) fn on_record(&self, now: Timestamp) -> Option<OnRecord> {
        let day = |at_s: i64| at_s.div_euclid(DAY_S) as i32;
        let days = || self.stories.iter().flat_map(Story::arrivals_s).map(day);
        Some(OnRecord { first_day: days().min()?, last_day: days().max()?, today: day(now.as_second()) })
    }

    /// The hosts, with the CPU of a quiet hour: the lower quartile of what was measured in `[from, to)`.
    pub(super) async fn hosts(
        &mut self,
        store: &Store,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<HostSpec>, Failure> {
        let measured = store.host_load_hours(from, to).await?;
        let quiet_percent = |row: &HostRow| {
            let hours = measured.get(&row.host)?;
            hours.get(hours.len() / 4).copied()
        };
        let spec = |row: &HostRow| HostSpec {
            host: row.host.clone(),
            cores: row.cores,
            background_percent: quiet_percent(row).unwrap_or(BACKGROUND_PERCENT),
        };
        let unmeasured = self.hosts.iter().filter(|row| quiet_percent(row).is_none()).count();
        if unmeasured > 0 {
            let all = self.hosts.len();
            self.notes.push(format!(
                "the CPU of {unmeasured} of {all} hosts was not measured in these days; {BACKGROUND_PERCENT:.0} % is \
                 taken for it while nothing starts"
            ));
        }
        Ok(self.hosts.iter().map(spec).collect())
    }
}

/// What not to know where instances live does to the figures.
fn homeless(stories: &[Story], hosts: &[HostRow]) -> Option<String> {
    if hosts.is_empty() {
        return Some("no agent has told of a host yet: here every wake starts when it is due".to_owned());
    }
    let homeless = stories.iter().filter(|story| story.host.is_none()).count();
    let all = stories.len();
    (homeless > 0).then(|| {
        format!(
            "{homeless} of {all} instances live on no host that an agent has told of: no policy wakes them, the planner \
             alone does"
        )
    })
}

async fn stories(
    store: &Store,
    config: &Config,
    hosts: &[HostRow],
    serving: Option<&ModelRow>,
    notes: &mut Vec<String>,
) -> Result<Vec<Story>, Failure> {
    let rows = store.instances_list(None, 0).await?;
    let learned = learned_zones(store, config, serving).await?;
    let (zones, zone_default) = zones(&rows, config, |id| learned.get(id)).map_err(Failure::internal)?;
    let mut visits: BTreeMap<InstanceId, Vec<Visit>> = BTreeMap::new();
    store.visits_each(&mut |instance, of_it| drop(visits.insert(instance, of_it.to_vec()))).await?;
    let lead_times = LeadTimes::learn(store.wakes_serving_times(SERVING_TIMES_MAX).await?.into_iter());
    let lead_default = SignedDuration::from_secs(config.model.lead_time_default_s.into());
    if lead_times.fleet().is_none() {
        let lead_s = lead_default.as_secs();
        notes.push(format!(
            "too few wakes have served to learn how long one takes: {lead_s} s is taken for it"
        ));
    }
    let idle_gap_s = i64::from(config.visits.idle_gap_s);
    let story = |row: InstanceRow| {
        let visits = visits.remove(&row.instance)?;
        let host = row.host.as_ref().and_then(|host| hosts.iter().position(|known| known.host == *host));
        let class = host.map_or("", |host| hosts[host].class.as_str());
        let mut story = Story::new(row.instance, visits, idle_gap_s);
        story.zone = zones.get(&story.instance).unwrap_or(&zone_default).clone();
        story.cohort = row.cohort;
        story.host = host;
        story.lead_time_s = lead_times.lead_time(class, lead_default).as_secs();
        Some(story)
    };
    let mut stories: Vec<_> = rows.into_iter().filter_map(story).collect();
    stories.sort_by(|a, b| a.instance.cmp(&b.instance));
    Ok(stories)
}

/// The offsets learned of instances without a zone, where the configuration asks for them: planning goes by them too.
async fn learned_zones(
    store: &Store,
    config: &Config,
    serving: Option<&ModelRow>,
) -> Result<BTreeMap<InstanceId, TimeZone>, Failure> {
    let Some(serving) = serving.filter(|_| config.model.learn_phase) else { return Ok(BTreeMap::new()) };
    let stays = store.stays_of(serving.version).await?;
    let fixed = stays.into_iter().filter(|(.., zone)| zone.to_fixed_offset().is_ok());
    Ok(fixed.map(|(instance, _, zone)| (instance, zone)).collect())
}

/// The weights in service, or those Reveille comes with.
async fn weights(
    store: &Store,
    serving: Option<ModelRow>,
    notes: &mut Vec<String>,
) -> Result<(Fitted, ModelUsed), Failure> {
    let embedded = || (Fitted::embedded().clone(), ModelUsed { version: None, fitted_at: None });
    let Some(row) = serving else {
        notes.push("no model is in service yet: the one Reveille comes with decides".to_owned());
        return Ok(embedded());
    };
    if row.kind == ModelKind::Rule {
        notes.push(
            "a rule is in service, which knows no idle budget: the model Reveille comes with decides"
                .to_owned(),
        );
        return Ok(embedded());
    }
    let fitted_at = match row.metrics.origin {
        Some(Origin::Training) => Some(row.trained_at),
        Some(Origin::Version { version }) => store.model_get(version).await?.map(|model| model.trained_at),
        Some(Origin::Embedded) | None => None,
    };
    let version = Some(row.version);
    Ok(row.fitted.map_or_else(embedded, |fitted| (fitted, ModelUsed { version, fitted_at })))
}
