//! The hunt for planted defects: seeds are played until one shows the defect, then its plan is made small.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reveille_proto::planted::passed;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    Defect,
    kept::{Kept, play},
};
use crate::{
    experiment::Verdict,
    sim::{
        Plan, Planned, SimOutcome, room,
        shrink::{Failure, shrink},
    },
};

/// How long a run is tried to be, the shortest first, in seconds.
const SHORTER_S: [u32; 5] = [600, 1_200, 2_400, 3_600, 5_400];

/// What is looked for, and how long.
#[derive(Debug, Clone)]
pub struct HuntSpec {
    pub defects: Vec<&'static Defect>,
    /// Seeds after which a defect counts as not found.
    pub seeds_max: u64,
    /// Real time to make a plan small.
    pub shrink: Duration,
    /// Defects at a time.
    pub jobs: usize,
}

/// What became of one defect.
#[derive(Debug, Clone, Serialize)]
pub struct Hunted {
    #[serde(flatten)]
    pub defect: &'static Defect,
    pub found: Option<Kept>,
    /// Of the seeds that did not show it, which other invariants were violated in how many.
    pub else_violated: Vec<(&'static str, u64)>,
    pub wall_s: f64,
}

/// All of them, in the order of the list.
#[derive(Debug, Clone, Serialize)]
pub struct Hunt {
    pub defects: Vec<Hunted>,
    pub wall_s: f64,
}

impl Hunt {
    /// A proving ground that does not see every defect proves less than it says.
    pub fn verdict(&self) -> Verdict {
        let all = self.defects.iter().all(|hunted| hunted.found.is_some());
        if all { Verdict::Held } else { Verdict::Inconclusive }
    }
}

/// Hunts for each defect. `told` hears what became of each as soon as it is known.
pub fn hunt(spec: &HuntSpec, told: &(dyn Fn(&Hunted) + Sync)) -> Hunt {
    let began = Instant::now();
    let (next, hunted) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let sound = Sound::new(spec.seeds_max);
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(defect) = spec.defects.get(place) else { return };
            let one = one(defect, spec, &sound);
            told(&one);
            hunted.lock().unwrap_or_else(PoisonError::into_inner).push((place, one));
        }
    };
    room::side_by_side(spec.jobs, work);
    let mut hunted = hunted.into_inner().unwrap_or_else(PoisonError::into_inner);
    hunted.sort_by_key(|(place, _)| *place);
    let defects = hunted.into_iter().map(|(_, one)| one).collect();
    Hunt { defects, wall_s: began.elapsed().as_secs_f64() }
}

/// The first seeds as they are without a defect, each played when it is first asked for.
struct Sound(Vec<OnceLock<Option<BTreeSet<&'static str>>>>);

impl Sound {
    fn new(seeds: u64) -> Self {
        Self((0..seeds).map(|_| OnceLock::new()).collect())
    }

    /// Whether the defect's place is passed in the plan of a seed, and the plan holds: otherwise nothing comes of the defect
    /// there, or something else does.
    fn passes(&self, defect: &Defect, seed: u64) -> bool {
        let played = || {
            passed();
            let holds = holds(&Plan::swarm(seed));
            let passed = passed();
            holds.then_some(passed)
        };
        let known = self.0.get(seed as usize).and_then(|one| one.get_or_init(played).as_ref());
        known.is_some_and(|passed| passed.contains(defect.id))
    }
}

fn one(defect: &'static Defect, spec: &HuntSpec, sound: &Sound) -> Hunted {
    let began = Instant::now();
    let mut else_violated = BTreeMap::new();
    let mut seeds = (0..spec.seeds_max).filter_map(|seed| Some((seed, telling(defect, seed, sound)?)));
    let found = seeds.find_map(|(seed, plan)| {
        // An installation that cannot be set up with the defect shows nothing of it.
        let outcome = play(&plan, Some(defect)).ok()?;
        for (id, _) in outcome.violations().filter(|(id, _)| *id != defect.invariant) {
            *else_violated.entry(id).or_default() += 1;
        }
        shown(defect, seed, &outcome)
    });
    let found = found.map(|found| smaller(defect, &found, spec.shrink));
    let else_violated = if found.is_some() { Vec::new() } else { else_violated.into_iter().collect() };
    Hunted { defect, found, else_violated, wall_s: began.elapsed().as_secs_f64() }
}

/// The plan of a seed, where something may come of the defect in it, and nothing else does.
fn telling(defect: &Defect, seed: u64, sound: &Sound) -> Option<Plan> {
    if defect.kinds.is_empty() {
        return sound.passes(defect, seed).then(|| Plan::swarm(seed));
    }
    let plan = Plan::directed(seed, defect.kinds);
    passed();
    let is_passed = holds(&plan) && passed().contains(defect.id);
    is_passed.then_some(plan)
}

/// The defect, where the outcome violates what it breaks.
fn shown(defect: &Defect, seed: u64, outcome: &SimOutcome) -> Option<Kept> {
    let (invariant, first) = outcome.violations().find(|(id, _)| *id == defect.invariant)?;
    Some(Kept {
        defect: defect.id.to_owned(),
        invariant: invariant.to_owned(),
        text: first.text.clone(),
        seed,
        seeds: seed + 1,
        kinds: defect.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        plan: outcome.plan.clone(),
    })
}

/// Whether the plan holds without a defect: otherwise it shows something else.
fn holds(plan: &Plan) -> bool {
    play(plan, None).is_ok_and(|outcome| outcome.verdict == Verdict::Held)
}

fn smaller(defect: &'static Defect, found: &Kept, budget: Duration) -> Kept {
    let failure = Failure { verdict: Verdict::Violated, invariants: vec![defect.invariant] };
    let mut smallest = found.clone();
    let mut fails = |plan: &Plan| {
        let shown = shown(defect, found.seed, &play(plan, Some(defect)).ok()?)?;
        holds(plan).then(|| {
            smallest = shown;
            failure.clone()
        })
    };
    // First without what comes later: nothing makes all that follows as quick.
    let mut short = SHORTER_S.into_iter().map(|played_s| cut(&found.plan, played_s));
    let plan = short.find(|plan| fails(plan).is_some()).unwrap_or_else(|| found.plan.clone());
    let until = Instant::now() + budget;
    shrink(&plan, &failure, &mut fails, &|| Instant::now() < until);
    smallest
}

/// The first seconds of a plan.
fn cut(plan: &Plan, played_s: u32) -> Plan {
    let early = plan.faults.iter().filter(|planned| planned.at_s < played_s);
    let faults = early.map(|planned| {
        let for_s = planned.for_s.min(played_s - planned.at_s);
        Planned { for_s, ..planned.clone() }
    });
    let asks = plan.asks.iter().filter(|ask| ask.at_s < played_s).cloned();
    Plan { played_s, faults: faults.collect(), asks: asks.collect(), ..plan.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_plan_can_be_played() {
        for plan in (0..20).map(Plan::swarm) {
            let short = cut(&plan, 1_200);
            assert_eq!(short.check(), Ok(()));
            assert!(short.faults.len() <= plan.faults.len() && short.asks.len() <= plan.asks.len());
        }
    }
}
