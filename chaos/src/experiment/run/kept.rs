//! A run in a local world: this process keeps the world while another one gives the orders, and ends it when nobody renews its
//! lease.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{runtime::Builder, sync::mpsc, time::sleep};

use super::{
    Answer, Asked, Body, Conducted, FaultEnd, Harness, RemovedBy, RunSpec,
    conduct::{Begun, Played},
    served::is_asked_for,
    steps::{Script, Steps},
};
use crate::{
    experiment::{file::Experiment, journals::FAULTS_SUFFIX},
    history::History,
    local::{Lease, LocalSpec},
    sim::{self, stage::Means},
};

/// Between two looks at what has become due.
const FOLLOW_EVERY: Duration = Duration::from_millis(50);

/// How a world is kept.
#[derive(Debug)]
pub struct Keeping {
    pub local: LocalSpec,
    pub lease: Lease,
    /// Where orders come from.
    pub asked: mpsc::UnboundedReceiver<Asked>,
}

/// What became of the faults of a run, and what it listened on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remains {
    pub id: String,
    pub seed: u64,
    /// Whether the run ended because nobody renewed its lease.
    pub lease_ran_out: bool,
    pub faults: Vec<FaultEnd>,
    /// Addresses that are free again.
    pub addresses: Vec<SocketAddr>,
}

impl Remains {
    /// Writes it to `dir`, beside the journal of the run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))?;
        let path = dir.join(format!("{}-{}{FAULTS_SUFFIX}", self.id, self.seed));
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
    }
}

/// A run in a local world that is over.
#[derive(Debug)]
pub struct Kept {
    pub remains: Remains,
    /// `None` where the lease ran out: a run that nobody has ended says nothing.
    pub conducted: Option<Conducted>,
}

/// How the steps ended.
enum Ended {
    Steps(Steps),
    LeaseOver,
}

/// Runs `experiment` once in a local world, with everything it writes in `dir`, which must be empty. Everything that was started
/// is gone when this returns.
///
/// # Errors
/// When the experiment cannot be run locally, or the world cannot be set up or played on.
pub fn conduct_kept(
    experiment: &Experiment,
    dir: &Path,
    spec: RunSpec,
    mut keeping: Keeping,
) -> anyhow::Result<Kept> {
    let seed = spec.seed;
    let run = Begun::new(experiment, dir, keeping.local.mode(), spec)?;
    let id = experiment.reveille().id.clone();
    let mut remains = Remains { id, seed, lease_ran_out: false, faults: Vec::new(), addresses: Vec::new() };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.context("failed to make a runtime")?;
    let played = runtime.block_on(play(experiment, &run, &mut keeping, &mut remains))?;
    let Some((played, control)) = played else {
        remains.lease_ran_out = true;
        return Ok(Kept { remains, conducted: None });
    };
    let conducted = Some(run.judged(&played, control.as_ref())?);
    Ok(Kept { remains, conducted })
}

/// `None` where the lease ran out before all was over.
async fn play(
    experiment: &Experiment,
    run: &Begun<'_>,
    keeping: &mut Keeping,
    remains: &mut Remains,
) -> anyhow::Result<Option<(Played, Option<History>)>> {
    let (means, lease) = (Means::Local(keeping.local.clone()), keeping.lease.clone());
    let set = Harness::set(experiment, &run.frozen, &run.run_dir, &means);
    let Some(harness) = within(&lease, Box::pin(set)).await else { return Ok(None) };
    let mut harness = harness?;
    remains.addresses = harness.addresses();
    let steps = match Box::pin(serve(experiment, &mut harness, keeping)).await? {
        Ended::Steps(steps) => steps,
        Ended::LeaseOver => {
            remains.faults = Box::pin(harness.abandoned()).await?;
            return Ok(None);
        }
    };
    harness.note_removed(RemovedBy::End);
    remains.faults = harness.ends();
    let played = match within(&lease, Box::pin(Played::over(harness, steps))).await {
        Some(played) => played?,
        // What was dropped is gone: its processes were killed.
        None => return Ok(None),
    };
    if !run.needs_control() {
        return Ok(Some((played, None)));
    }
    let control = sim::play_recorded(&played.control, &run.control_dir, &means);
    match within(&lease, Box::pin(control)).await {
        Some(control) => Ok(Some((played, Some(control.context("the control run failed")?)))),
        None => Ok(None),
    }
}

/// `None` where the lease ran out first.
async fn within<T>(lease: &Lease, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = lease.over() => None,
        done = work => Some(done),
    }
}

async fn serve(
    experiment: &Experiment,
    harness: &mut Harness,
    keeping: &mut Keeping,
) -> anyhow::Result<Ended> {
    let mut script = Script::of(experiment);
    let lease = keeping.lease.clone();
    while let Some(activity) = script.next() {
        let Some(request) = Box::pin(within(&lease, next(harness, &mut keeping.asked))).await else {
            return Ok(Ended::LeaseOver);
        };
        let Some(request) = request? else { return Ok(Ended::LeaseOver) };
        let answer = if is_asked_for(activity, &request) {
            let Some(answer) = Box::pin(within(&lease, script.carry_out(activity, harness))).await else {
                return Ok(Ended::LeaseOver);
            };
            answer?
        } else {
            let problem =
                format!("the next step of the experiment is `{}`, which this is not", activity.name);
            Answer { status: 409, body: Body::Json(json!({"error": problem})) }
        };
        // Who asked may have gone; the step was taken.
        request.answer.send(answer).ok();
    }
    Ok(Ended::Steps(script.steps))
}

/// The next order; meanwhile the world goes on.
async fn next(
    harness: &mut Harness,
    asked: &mut mpsc::UnboundedReceiver<Asked>,
) -> anyhow::Result<Option<Asked>> {
    loop {
        tokio::select! {
            biased;
            request = asked.recv() => return Ok(request),
            () = sleep(FOLLOW_EVERY) => {}
        }
        harness.follow().await?;
    }
}
