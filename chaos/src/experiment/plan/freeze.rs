//! The plan as a file: targets, times and parameters that no longer depend on anything, under one hash.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    draw::{generator, pick},
    reach::{Reach, one_of_a_kind},
    resolve::{PlanError, resolve},
    rung::{Evidence, Unlocked, unlocked},
};
use crate::experiment::file::{Experiment, Length, OnEmpty, RunMode, Scope, Target, TargetKind, World};

pub const FORMAT: &str = "reveille.plan/v1";

/// What a run may touch. Only a file with the right `plan_sha256` is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: String,
    pub experiment: String,
    pub title: String,
    pub seed: u64,
    pub modes: Vec<RunMode>,
    /// Of the experiment as it was read, with its inputs filled in.
    pub experiment_sha256: String,
    pub targets: BTreeMap<String, FrozenTarget>,
    pub faults: Vec<FrozenFault>,
    pub hosts: u64,
    pub instances: u64,
    pub hosts_max: u64,
    pub instances_max: Option<u64>,
    pub unlocked: Unlocked,
    /// Of all that stands above.
    pub plan_sha256: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrozenTarget {
    pub kind: TargetKind,
    pub resolved: Vec<String>,
    pub excluded: usize,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrozenFault {
    pub id: String,
    pub kind: String,
    pub target: String,
    /// With every default filled in.
    pub params: Value,
    pub starts: Length,
    pub ends: Length,
    pub lease: Length,
}

/// Resolves the targets with the seed and narrows them to the rung that is open.
pub fn freeze(experiment: &Experiment, seed: u64, evidence: &Evidence) -> Result<Plan, PlanError> {
    freeze_on(experiment, seed, unlocked(&experiment.reveille().blast_radius.ladder, evidence))
}

/// Resolves the targets with the seed and narrows them to this rung.
pub fn freeze_on(experiment: &Experiment, seed: u64, unlocked: Unlocked) -> Result<Plan, PlanError> {
    let ours = experiment.reveille();
    let (mut targets, mut reach) = (BTreeMap::new(), Reach::default());
    for fault in &ours.faults {
        let declared = ours.targets.get(&fault.target).cloned();
        let missing = || PlanError::NoTarget(fault.id.clone(), fault.target.clone());
        let target = declared.or_else(|| one_of_a_kind(&fault.target)).ok_or_else(missing)?;
        let frozen = target_of(&fault.target, &target, &ours.world, seed, &unlocked.scope)?;
        reach.add(&Reach::through(target.kind, &frozen.resolved, &ours.world));
        targets.insert(fault.target.clone(), frozen);
    }
    let faults = ours.faults.iter().map(fault_of).collect::<Result<_, _>>()?;
    let mut plan = Plan {
        format: FORMAT.into(),
        experiment: ours.id.clone(),
        title: experiment.title.clone(),
        seed,
        modes: ours.modes.clone(),
        experiment_sha256: sha256_of(experiment)?,
        targets,
        faults,
        hosts: reach.hosts.len() as u64,
        instances: reach.instances.len() as u64,
        hosts_max: ours.blast_radius.max.hosts,
        instances_max: ours.blast_radius.max.instances,
        unlocked,
        plan_sha256: String::new(),
    };
    plan.plan_sha256 = plan.sha256()?;
    Ok(plan)
}

impl Plan {
    /// Whether nobody has changed it since it was frozen.
    pub fn is_intact(&self) -> Result<bool, PlanError> {
        Ok(self.sha256()? == self.plan_sha256)
    }

    fn sha256(&self) -> Result<String, PlanError> {
        sha256_of(&Self { plan_sha256: String::new(), ..self.clone() })
    }
}

fn fault_of(fault: &crate::experiment::file::Fault) -> Result<FrozenFault, PlanError> {
    let none = |source| PlanError::NoFault { id: fault.id.clone(), source };
    Ok(FrozenFault {
        id: fault.id.clone(),
        kind: fault.kind.clone(),
        target: fault.target.clone(),
        params: serde_json::to_value(fault.what().map_err(none)?).map_err(PlanError::Json)?,
        starts: fault.schedule.at,
        ends: fault.schedule.ends(),
        lease: fault.lease,
    })
}

fn target_of(
    name: &str,
    target: &Target,
    world: &World,
    seed: u64,
    scope: &Scope,
) -> Result<FrozenTarget, PlanError> {
    let resolved = resolve(name, target, world, seed);
    let names = narrowed(resolved.names, target.kind, scope, seed, name);
    if names.is_empty() && target.on_empty == OnEmpty::Fail {
        return Err(PlanError::Empty(name.to_owned()));
    }
    let sha256 = sha256_of(&names)?;
    Ok(FrozenTarget { kind: target.kind, resolved: names, excluded: resolved.excluded, sha256 })
}

/// The share and the caps of the rung, over the names that were resolved.
fn narrowed(names: Vec<String>, kind: TargetKind, scope: &Scope, seed: u64, name: &str) -> Vec<String> {
    let share = scope.share.map_or(names.len(), |share| (names.len() as f64 * share).ceil() as usize);
    let cap = match kind {
        TargetKind::Instance => scope.instances,
        TargetKind::Host | TargetKind::Agent | TargetKind::Link => scope.hosts,
        _ => None,
    };
    let count = cap.map_or(share, |cap| share.min(cap as usize));
    if count >= names.len() {
        return names;
    }
    pick(&names, count, &mut generator(seed, &format!("{name}/rung")))
}

/// Over compact JSON, in which every field has its fixed place.
pub(super) fn sha256_of<T: Serialize>(value: &T) -> Result<String, PlanError> {
    let json = serde_json::to_vec(value).map_err(PlanError::Json)?;
    let mut hex = String::new();
    for byte in Sha256::digest(json) {
        write!(hex, "{byte:02x}").expect("a string takes everything");
    }
    Ok(hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::template::find;

    fn plan(seed: u64, evidence: &Evidence) -> Plan {
        freeze(&find("EP-03").unwrap().read().unwrap(), seed, evidence).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_one_other_targets() {
        let first = plan(7, &Evidence::default());
        assert_eq!(first, plan(7, &Evidence::default()));
        let other = plan(8, &Evidence::default());
        assert_ne!(first.targets["victims"].resolved, other.targets["victims"].resolved);
        assert_ne!(first.plan_sha256, other.plan_sha256);
        assert_eq!(first.experiment_sha256, other.experiment_sha256);
    }

    #[test]
    fn a_plan_that_was_changed_by_hand_is_not_intact() {
        let json = serde_json::to_string(&plan(7, &Evidence::default())).unwrap();
        let mut read: Plan = serde_json::from_str(&json).unwrap();
        assert!(read.is_intact().unwrap());
        read.targets.get_mut("victims").unwrap().resolved.push("dev002".into());
        assert!(!read.is_intact().unwrap());
    }

    #[test]
    fn a_plan_is_as_wide_as_the_open_rung() {
        let wide = plan(7, &Evidence::default());
        let climbed = Evidence { held: [(0, 20)].into(), approved: false };
        let narrow = plan(7, &climbed);
        let names = |plan: &Plan| plan.targets["victims"].resolved.clone();
        assert_eq!(names(&narrow).len(), names(&wide).len().div_ceil(2), "half of them on loopback");
        assert!(names(&narrow).iter().all(|name| names(&wide).contains(name)));
        assert_eq!(narrow.unlocked.mode, RunMode::Local);
    }
}
