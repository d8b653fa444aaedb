//! The bench from beginning to end: build, wait, play the rounds under load, let everything end, count, remove.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use reveille_proto::clock::Clock;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    FailoverOutcome, GOAL_S, Round,
    count::checked,
    endpoint, files,
    lease::LeaseWatch,
    ledger::Ledger,
    load::{Load, instances_for},
    round::Stage,
    steady::steady,
    world::{Plan, World},
};
use crate::{
    container::{Engine, Ground, ensure_image},
    history::{Entry, Function, Header, History, Key, Kind, Recorder},
    play::watch::Watch,
};

/// What is to be done.
#[derive(Debug, Clone)]
pub struct FailoverSpec {
    /// The `reveille-chaos` binary that is started as every node.
    pub program: PathBuf,
    pub rounds: u32,
    /// Configurations, logs and the history stay here; a temporary directory otherwise.
    pub keep: Option<PathBuf>,
}

/// Hears what goes on, and how many rounds are over.
type Told<'a> = &'a mut (dyn FnMut(&'static str, u64) + Send);

/// Runs the bench. Without a container engine it does nothing and says so.
pub async fn failover(spec: &FailoverSpec) -> anyhow::Result<FailoverOutcome> {
    failover_watched(spec, &mut |_, _| {}, CancellationToken::new()).await
}

/// As [`failover`]; tells what goes on, and ends early, with everything removed, on `stop`.
pub async fn failover_watched(
    spec: &FailoverSpec,
    told: &mut (dyn FnMut(&'static str, u64) + Send),
    stop: CancellationToken,
) -> anyhow::Result<FailoverOutcome> {
    // Clients need one, also those that speak no TLS; who runs this may have chosen another.
    rustls::crypto::ring::default_provider().install_default().ok();
    let began = Instant::now();
    let engine = match Engine::reach().await {
        Ok(engine) => engine,
        Err(why) => return Ok(FailoverOutcome::of_nothing(why.to_string(), spec.rounds)),
    };
    told("the image", 0);
    let image = ensure_image().await?;
    let temporary = spec.keep.is_none().then(tempfile::tempdir).transpose()?;
    let dir = match (&spec.keep, &temporary) {
        (Some(dir), _) => dir.as_path(),
        (None, Some(temporary)) => temporary.path(),
        (None, None) => anyhow::bail!("neither a directory to keep nor a temporary one"),
    };
    files::make_dir(dir)?;
    // The engine knows directories by their full names only.
    let dir = dir.canonicalize().with_context(|| format!("failed to find {}", dir.display()))?;
    let ground = Ground::new(engine, image, "failover");
    // Worlds are large things to carry around.
    let bench = Box::pin(Bench::open(spec, &dir, &ground, told)).await?;
    let mut outcome = Box::pin(bench.run(told, stop)).await?;
    ground.clear().await?;
    outcome.wall_s = began.elapsed().as_secs_f64();
    outcome.judge();
    Ok(outcome)
}

pub(super) struct Bench {
    dir: PathBuf,
    rounds: u32,
    pub(super) instances: usize,
    clock: Clock,
    pub(super) ledger: Ledger,
    recorder: Recorder,
    pub(super) world: World,
    lease: LeaseWatch,
    pub(super) watch: Watch,
    endpoints: CancellationToken,
}

impl Bench {
    async fn open(spec: &FailoverSpec, dir: &Path, ground: &Ground, told: Told<'_>) -> anyhow::Result<Self> {
        told("the containers start", 0);
        let (clock, ledger, endpoints) = (Clock::system(), Ledger::default(), CancellationToken::new());
        let header = Header::new("failover", 0, "real", "UTC");
        let recorder = Recorder::create(&dir.join("history.jsonl"), &header, clock.clone(), TimeZone::UTC)?;
        let front = ground.network("front").await?;
        let endpoint = endpoint::serve(
            front.gateway,
            clock.clone(),
            ledger.clone(),
            recorder.clone(),
            endpoints.clone(),
        );
        let instances = instances_for(spec.rounds);
        let program = spec.program.as_path();
        let plan = Plan { ground, program, dir, instances, front, endpoint: endpoint.await? };
        let world = World::start(plan).await?;
        let lease = LeaseWatch::follow(World::lease_file(dir), recorder.clone());
        told("the steady state", 0);
        steady(&world, &lease, &clock).await?;
        let watch = Watch::new(world.doors.control(0), recorder.clone());
        let (dir, rounds) = (dir.to_owned(), spec.rounds);
        Ok(Self { dir, rounds, instances, clock, ledger, recorder, world, lease, watch, endpoints })
    }

    async fn run(mut self, told: Told<'_>, stop: CancellationToken) -> anyhow::Result<FailoverOutcome> {
        let asking = CancellationToken::new();
        let load = Load {
            clock: self.clock.clone(),
            doors: self.world.doors.clone(),
            ledger: self.ledger.clone(),
            recorder: self.recorder.clone(),
            instances: self.instances,
        };
        let load = tokio::spawn(load.run(asking.clone()));
        let mut outcome =
            FailoverOutcome { rounds_asked: self.rounds, goal_s: GOAL_S, ..FailoverOutcome::default() };
        tokio::select! {
            played = self.play(&mut outcome.rounds, told) => {
                // A cluster that did not come back is a finding, not a failure of the bench.
                outcome.not_recovered.extend(played.err().map(|error| format!("{error:#}")));
            }
            () = stop.cancelled() => outcome.aborted = true,
        }
        asking.cancel();
        if outcome.aborted {
            load.abort();
            // So that nobody is blamed for wakes that were left to be.
            let stopped = Entry::new("bench", Kind::Info, Function::Lever, Key::default());
            self.recorder.record(stopped.value(serde_json::json!({"run": "stopped"})));
            self.count_own(&mut outcome);
        } else {
            told("every wake comes to its end", outcome.rounds.len() as u64);
            load.await.context("the load panicked")?;
            self.settle().await;
            self.count(&mut outcome).await?;
        }
        self.endpoints.cancel();
        self.recorder.finish()?;
        outcome.checked = checked(&History::read(&self.dir.join("history.jsonl"))?);
        self.world.remove().await?;
        Ok(outcome)
    }

    async fn play(&mut self, rounds: &mut Vec<Round>, told: Told<'_>) -> anyhow::Result<()> {
        for round in 0..self.rounds {
            told("rounds", round.into());
            let stage = Stage {
                world: &self.world,
                lease: &self.lease,
                ledger: &self.ledger,
                recorder: &self.recorder,
                clock: &self.clock,
            };
            stage.play(round, rounds).await?;
            // Ends that change between two looks would be missed.
            self.look().await;
        }
        Ok(())
    }
}
