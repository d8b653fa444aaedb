//! One run of the course: started, walked, waited for, looked at a last time, judged.

use std::{
    path::{Path, PathBuf},
    sync::PoisonError,
    time::Duration,
};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use reveille_proto::clock::Clock;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    PointKey, Role, Stage,
    calls::Calls,
    course::Walker,
    desk::{Desk, DeskError},
    files::{ATTEMPTS_MAX, HOST_WAKES_MAX, Places, RECONNECT_S_MAX, world_start},
    last_look, leftover,
    nodes::{self, AGENTS, CONTROLLER, Launch, Nodes},
    plant::Plant,
    ports,
    watch::{Seen, Watch},
};
use crate::{
    history::{Header, History, Recorder},
    oracle::{Checked, Exactness, Settings, check_course},
    world::{Switch, Tap},
};

/// How long everybody may take to be there for the first time.
const READY_S_MAX: u64 = 60;
/// How long after the course everything must be over.
const SETTLE_S_MAX: u64 = 45;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A message between the processes and what observes them may be on its way for so long on a busy machine.
const TRANSIT_S: f64 = 1.0;
/// Between two beats of the machine's pulse; one that is later by as much is told.
const BEAT: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub struct RunSpec {
    /// The `reveille-chaos` binary that is started as every process.
    pub program: PathBuf,
    /// Where everything of this run is; must be there and empty.
    pub dir: PathBuf,
    /// Of an empty PostgreSQL database; without one, it is a file.
    pub database_url: Option<String>,
    /// Where somebody dies; without one, nobody does.
    pub die_at: Option<PointKey>,
    pub plant: Option<Plant>,
}

/// What became of a run.
#[derive(Debug)]
pub struct RunOutcome {
    /// Every point that was passed, until a death if there was one.
    pub passed: Vec<PointKey>,
    /// Whether somebody died where it was told.
    pub died: bool,
    pub checked: Vec<Checked>,
    /// What went wrong that no invariant speaks of: a process that ended by itself, one that did not come up.
    pub problems: Vec<String>,
}

/// Runs the course once. Fails when that cannot be carried out; what was found is in the outcome.
pub async fn run(spec: &RunSpec) -> anyhow::Result<RunOutcome> {
    Scene::open(spec).await?.play().await
}

/// Everything that lives through a run.
struct Scene {
    dir: PathBuf,
    recorder: Recorder,
    desk: Desk,
    walker: Walker,
    calls: Calls,
    fates: std::sync::Arc<std::sync::Mutex<nodes::Fates>>,
    keeper: JoinHandle<Nodes>,
    watch: JoinHandle<Watch>,
    keeper_stop: CancellationToken,
    watch_stop: CancellationToken,
    world_stop: CancellationToken,
}

impl Scene {
    async fn open(spec: &RunSpec) -> anyhow::Result<Self> {
        let began_ms = Clock::system().now().as_millisecond();
        let clock = Clock::scaled(world_start(), 1.0);
        let header = Header::new("points", 0, "real", "UTC");
        let history = spec.dir.join("history.jsonl");
        let recorder = Recorder::create(&history, &header, clock.clone(), TimeZone::UTC)?;
        let [keeper_stop, watch_stop, world_stop] = [(); 3].map(|()| CancellationToken::new());
        let (calls, orders) = Calls::new(spec.die_at.clone());
        let stage = Stage::new(recorder.clone(), calls.clone());
        let addresses = stage.serve(&world_stop).await?;
        let [http, grpc] = ports::addresses()?;
        let switch = Switch::default();
        let link = Tap::serve_switched(grpc, recorder.clone(), switch.clone(), world_stop.clone()).await?;
        let database_url = spec.database_url.as_deref();
        Places { dir: &spec.dir, http, grpc, link, stage: &addresses, database_url }.write()?;
        recorder.record(settings().entry());
        tokio::spawn(beat(recorder.clone(), world_stop.clone()));
        let mut nodes = Nodes::new(launch(spec, began_ms), recorder.clone());
        nodes.start(CONTROLLER)?;
        (0..AGENTS).try_for_each(|agent| nodes.start(&nodes::agent(agent)))?;
        let fates = nodes.fates();
        let keeper = nodes.keep(orders, keeper_stop.clone());
        let desk = Desk::new(http, spec.dir.join("controller").join("operator.token"))?;
        let (watch, seen) = Watch::new(desk.clone(), recorder.clone());
        let watch = tokio::spawn(watch.until(watch_stop.clone()));
        let walker = Walker {
            desk: desk.clone(),
            recorder: recorder.clone(),
            clock,
            stage,
            switch,
            seen,
            access_log: spec.dir.join("access.log"),
            is_shared: spec.database_url.is_some(),
        };
        let dir = spec.dir.clone();
        Ok(Self {
            dir,
            recorder,
            desk,
            walker,
            calls,
            fates,
            keeper,
            watch,
            keeper_stop,
            watch_stop,
            world_stop,
        })
    }

    async fn play(mut self) -> anyhow::Result<RunOutcome> {
        let mut problems = Vec::new();
        if self.is_ready().await {
            self.walker.walk().await?;
            if let Err(why) = self.settled().await {
                problems.push(format!("not everything was over {SETTLE_S_MAX} s after the course: {why}"));
            }
        } else {
            problems.push(format!("controller and agents were not there after {READY_S_MAX} s"));
        }
        self.watch_stop.cancel();
        let mut watch = self.watch.await.context("the watch panicked")?;
        if let Err(error) = last_look::note(&self.dir, &self.desk, &self.recorder, &mut watch).await {
            problems.push(format!("the controller cannot be looked at in the end: {error}"));
        }
        self.keeper_stop.cancel();
        self.keeper.await.context("the keeper of the processes panicked")?.end().await;
        self.world_stop.cancel();
        self.recorder.finish()?;
        let history = History::read(&self.dir.join("history.jsonl"))?;
        let mut fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        problems.append(&mut fates.problems);
        let mut passed = self.calls.passed_all();
        passed.extend(passed_by_nodes(&self.dir)?);
        let died = !fates.died.is_empty();
        Ok(RunOutcome { passed, died, checked: check_course(&history), problems })
    }

    async fn is_ready(&self) -> bool {
        let until = Instant::now() + Duration::from_secs(READY_S_MAX);
        while Instant::now() < until {
            let hosts = self.desk.hosts().await.unwrap_or_default();
            if hosts.iter().filter(|host| host.connected).count() == AGENTS {
                return true;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        false
    }

    /// Waits until every wake is over and judged as far as it can be, and nobody has anything in hand.
    async fn settled(&mut self) -> Result<(), String> {
        let until = Instant::now() + Duration::from_secs(SETTLE_S_MAX);
        loop {
            let why = match self.is_unsettled().await {
                Ok(None) => return Ok(()),
                Ok(Some(why)) => why,
                Err(error) => error.to_string(),
            };
            if Instant::now() > until {
                return Err(why);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What is not over yet.
    async fn is_unsettled(&self) -> Result<Option<String>, DeskError> {
        let seen: Seen = std::sync::Arc::new(self.desk.wakes().await?);
        if let Some(wake) = seen.iter().find(|wake| wake.end.is_none()) {
            return Ok(Some(format!("the wake of {} is {}", wake.instance_id, wake.state)));
        }
        let came = [Role::Forecast, Role::ForecastJoined, Role::Accepted].map(Role::name);
        let is_unjudged = |wake: &super::desk::WakeSeen| {
            came.contains(&wake.instance_id.as_str())
                && wake.end.as_deref() == Some("woken")
                && wake.verdict.is_none()
        };
        if let Some(wake) = seen.iter().find(|wake| is_unjudged(wake)) {
            return Ok(Some(format!("the wake of {} is not judged", wake.instance_id)));
        }
        let hosts = self.desk.hosts().await?;
        if let Some(host) = hosts.iter().find(|host| host.active_wakes > 0 || !host.connected) {
            return Ok(Some(format!("{} is not at rest", host.host_id)));
        }
        for agent in 0..AGENTS {
            let left = leftover::in_journal(&self.dir.join(nodes::agent(agent))).unwrap_or_default();
            if !left.is_empty() {
                return Ok(Some(format!("{} has {} wakes in hand", nodes::agent(agent), left.len())));
            }
        }
        Ok(None)
    }
}

fn launch(spec: &RunSpec, began_ms: i64) -> Launch {
    Launch {
        program: spec.program.clone(),
        dir: spec.dir.clone(),
        began_ms,
        die_at: spec.die_at.clone(),
        plant: spec.plant,
    }
}

fn settings() -> Settings {
    Settings {
        host_wakes_max: HOST_WAKES_MAX,
        transit_s: TRANSIT_S,
        attempts_max: ATTEMPTS_MAX,
        reconnect_s_max: RECONNECT_S_MAX as f64,
        began_ms: world_start().as_millisecond(),
        ..Settings::default()
    }
}

/// Tells of every moment in which this machine was held up.
async fn beat(recorder: Recorder, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let due = Instant::now() + BEAT;
        tokio::time::sleep_until(due).await;
        let late = Instant::now().saturating_duration_since(due);
        if late > BEAT {
            recorder.record(Exactness::entry(late.as_secs_f64()));
        }
    }
}

fn passed_by_nodes(dir: &Path) -> anyhow::Result<Vec<PointKey>> {
    let mut passed = Vec::new();
    for name in std::iter::once(CONTROLLER.to_owned()).chain((0..AGENTS).map(nodes::agent)) {
        let path = Nodes::points_file(dir, &name);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for line in text.lines() {
            let point = line.parse().map_err(anyhow::Error::msg);
            passed.push(point.with_context(|| format!("failed to read {}", path.display()))?);
        }
    }
    Ok(passed)
}
