//! Which weights a training puts in service: fresh ones if they are good on days they have not seen, else those that
//! serve, else those Reveille comes with.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use reveille_proto::InstanceId;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::TaskError;
use crate::{
    config::{Config, FitSource},
    model::{
        AbstainRule, Cut, Fitted, Origin, Quality,
        cut::DAYS_MIN,
        fit::{Clockwork, FitRule, History, fit},
        meta::validate_weights,
        relive::sightings_of,
        validate::{drift, judge},
    },
    store::ModelRow,
    visits::Visit,
};

/// How much a training looks at, so that it ends in minutes and in memory that does not grow with the fleet.
#[derive(Debug, Clone)]
pub struct TrainLimits {
    /// Instances that are fitted on. The others have profiles all the same.
    pub instances_max: usize,
    /// Instances times days that are fitted on and judged.
    pub instance_days_max: usize,
    /// Quarter hours the heads are fitted on, about.
    pub rows_max: usize,
    /// Instance-days with an arrival, over all instances, below which nothing is fitted: some twenty for each weight.
    pub active_instance_days_min: u64,
}

impl Default for TrainLimits {
    fn default() -> Self {
        Self {
            instances_max: 3_000,
            instance_days_max: 200_000,
            rows_max: 400_000,
            active_instance_days_min: 2_000,
        }
    }
}

/// Histories of some of the instances: the same ones each time, whichever others there are.
#[derive(Debug)]
pub(super) struct Sample {
    /// By a hash of the instance; those with the lowest are kept.
    drawn: BTreeMap<u64, History>,
    instances_max: usize,
    /// Instance-days with an arrival, over all instances.
    active_days: u64,
}

impl Sample {
    pub(super) fn new(limits: &TrainLimits, cut: Option<Cut>) -> Self {
        // Without a cut nothing is fitted, so no history is kept.
        let fitting = cut.map_or(0, |cut| limits.instance_days_max / cut.days().max(1) as usize);
        Self { drawn: BTreeMap::new(), instances_max: limits.instances_max.min(fitting), active_days: 0 }
    }

    /// Takes the visits of an instance, in order.
    pub(super) fn add(&mut self, instance: &InstanceId, visits: &[Visit], zone: &TimeZone, idle_gap_s: i64) {
        let mut arrival_days: Vec<i64> =
            visits.iter().map(|visit| visit.arrived_at.as_second().div_euclid(86_400)).collect();
        arrival_days.dedup();
        self.active_days += arrival_days.len() as u64;
        let digest = Sha256::digest(instance.as_str());
        let hash = digest.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        let is_full = self.drawn.len() >= self.instances_max;
        if self.instances_max == 0
            || is_full && self.drawn.last_key_value().is_some_and(|(last, _)| hash > *last)
        {
            return;
        }
        let seen = visits.iter().flat_map(|visit| {
            sightings_of(visit.arrived_at.as_second(), visit.departed_at.as_second(), idle_gap_s)
        });
        let local = |at_s: i64| {
            let at = jiff::Timestamp::from_second(at_s).unwrap_or(jiff::Timestamp::MAX);
            (at_s, zone.to_offset(at).seconds())
        };
        self.drawn.insert(hash, History { sightings: seen.map(local).collect(), days: Vec::new() });
        if self.drawn.len() > self.instances_max {
            self.drawn.pop_last();
        }
    }
}

/// Weights to serve, and why they.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) fitted: Fitted,
    pub(super) origin: Origin,
    /// Of what was fitted, whether or not it serves.
    pub(super) quality: Option<Quality>,
    pub(super) kept_because: Option<String>,
}

/// Fits weights where that is asked for and there is enough to fit on, and chooses. Runs on a thread of its own: it
/// takes minutes, and going down does not wait for it.
pub(super) async fn weights(
    sample: Sample,
    cut: Option<Cut>,
    config: &Config,
    limits: &TrainLimits,
    serving: Option<ModelRow>,
    progress: impl FnMut(&str) + Send + 'static,
) -> Result<Weights, TaskError> {
    if config.model.fit == FitSource::Embedded {
        let fitted = Fitted::embedded().clone();
        return Ok(Weights { fitted, origin: Origin::Embedded, quality: None, kept_because: None });
    }
    let standing = standing(serving);
    let cut = match enough(&sample, cut, limits) {
        Ok(cut) => cut,
        Err(why) => return Ok(standing.stays(None, why)),
    };
    let clockwork = Clockwork {
        idle_gap_s: config.visits.idle_gap_s.into(),
        lead_s: config.model.lead_time_default_s.into(),
        window_s: config.plan.window_s.into(),
    };
    let rule = FitRule { rows: limits.rows_max, ..FitRule::new(clockwork) };
    let abstain = config.model.abstain;
    let (done, wait) = oneshot::channel();
    let work = move || {
        let histories: Vec<History> = sample.drawn.into_values().collect();
        // Nobody waits any more when the controller goes down.
        let _ = done.send(choose(&histories, cut, abstain, &rule, standing, progress));
    };
    std::thread::Builder::new().name("fit".into()).spawn(work).map_err(|_| TaskError::Thread)?;
    wait.await.map_err(|_| TaskError::Thread)
}

fn enough(sample: &Sample, cut: Option<Cut>, limits: &TrainLimits) -> Result<Cut, String> {
    let cut = cut
        .ok_or_else(|| format!("there are less than {DAYS_MIN} days of visits, too few to fit weights to"))?;
    if sample.active_days < limits.active_instance_days_min {
        return Err(format!(
            "there are {} instance-days with an arrival, less than the {} that weights are fitted to",
            sample.active_days, limits.active_instance_days_min
        ));
    }
    Ok(cut)
}

/// The weights that serve if no others do.
#[derive(Debug)]
struct Standing {
    fitted: Fitted,
    origin: Origin,
}

fn standing(serving: Option<ModelRow>) -> Standing {
    let known = serving.and_then(|row| {
        let origin = match row.metrics.origin {
            Some(Origin::Training) | None => Origin::Version { version: row.version },
            Some(earlier) => earlier,
        };
        // What Reveille comes with may be better in a newer Reveille.
        (origin != Origin::Embedded).then_some(Standing { fitted: row.fitted?, origin })
    });
    known.unwrap_or_else(|| Standing { fitted: Fitted::embedded().clone(), origin: Origin::Embedded })
}

impl Standing {
    fn stays(self, quality: Option<Quality>, why: String) -> Weights {
        Weights { fitted: self.fitted, origin: self.origin, quality, kept_because: Some(why) }
    }
}

/// Fits on the days before the cut, judges on those after it.
fn choose(
    histories: &[History],
    cut: Cut,
    abstain: AbstainRule,
    rule: &FitRule,
    standing: Standing,
    mut progress: impl FnMut(&str),
) -> Weights {
    let before: Vec<History> = histories.iter().map(|history| cut.before(history, abstain)).collect();
    let after: Vec<History> = histories.iter().map(|history| cut.after(history, abstain)).collect();
    // The population is that of the fleet: the weights in service shrink toward what they knew of it.
    let Some(fitted) = fit(&before, rule, &standing.fitted.population, &mut progress) else {
        return standing
            .stays(None, "on the days before the last ones nobody came, so nothing was fitted".into());
    };
    progress("judging on the days kept back");
    let judged = judge(&after, &fitted, rule.clockwork, rule.budget_h);
    let stood = judge(&after, &standing.fitted, rule.clockwork, rule.budget_h);
    let (Some(judged), Some(stood)) = (judged, stood) else {
        return standing
            .stays(None, "on the last days nobody came, so what was fitted cannot be judged".into());
    };
    progress("comparing the days");
    let quality = Quality {
        log_loss: judged.log_loss,
        log_loss_in_service: stood.log_loss,
        log_loss_constant: judged.log_loss_constant,
        calibration_error: judged.calibration_error,
        calibration_error_in_service: stood.calibration_error,
        drift: drift(&before, &after, rule.clockwork, &fitted.population),
        idle_h_per_day: judged.idle_h_per_day,
        recall: judged.recall,
        idle_h_per_day_in_service: stood.idle_h_per_day,
        recall_in_service: stood.recall,
        instance_days: after.iter().map(|history| history.days.len() as u64).sum(),
        days: (cut.end - cut.cut).unsigned_abs(),
    };
    match validate_weights(&quality) {
        Ok(()) => Weights { fitted, origin: Origin::Training, quality: Some(quality), kept_because: None },
        Err(why) => standing.stays(Some(quality), format!("the weights fitted were refused: {why}")),
    }
}
