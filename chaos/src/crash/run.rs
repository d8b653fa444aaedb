//! One bench: start, ask, kill, restart, wait until all is over, count.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use rand::{RngExt, rngs::StdRng};
use reveille_proto::clock::Clock;
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    CrashOutcome,
    cluster::{AGENTS, Cluster, WAKE_TIMEOUT_S},
    effects::Effects,
    page, wanted,
};
use crate::{
    experiment::Verdict,
    history::{Entry, Function, Header, History, Key, Kind, Recorder},
    oracle::s5_one_end,
    play::{control::Control, watch::Watch},
    world::{instance_id, stream},
};

/// Between two kills, in milliseconds.
const KILL_EVERY_MS: std::ops::Range<u64> = 20..400;
/// A killed process stays dead this long, in milliseconds.
const DEAD_MS: std::ops::Range<u64> = 0..200;
/// How long a process may take to answer for the first time.
const START_S_MAX: u64 = 30;
/// How long after the last kill every wake must have its end: all attempts of the slowest.
const SETTLE_S_MAX: u64 = 20 * WAKE_TIMEOUT_S as u64;
/// Between two looks at the controller's wakes.
const LOOK_EVERY_MS: u64 = 250;

#[derive(Debug, Clone)]
pub struct CrashSpec {
    /// The `reveille-chaos` binary that is started as every node.
    pub program: PathBuf,
    pub kills: u32,
    /// Instances, each wanted once.
    pub wakes: u32,
    pub seed: u64,
    /// Everything stays here; a temporary directory otherwise.
    pub keep: Option<PathBuf>,
}

/// Runs the bench. Fails when the bench itself cannot be carried out; what it found is in the outcome.
pub async fn crash(spec: &CrashSpec) -> anyhow::Result<CrashOutcome> {
    crash_watched(spec, &mut |_| {}).await
}

/// As [`crash`]; tells after each kill how many there were.
pub async fn crash_watched(
    spec: &CrashSpec,
    told: &mut (dyn FnMut(u32) + Send),
) -> anyhow::Result<CrashOutcome> {
    let began = Instant::now();
    let mut bench = Bench::start(spec).await?;
    let (killed, on_kill) = watch::channel(0);
    let wanted = bench.ask_for_all(spec, on_kill);
    bench.kill_and_restart(spec, &killed, told).await?;
    wanted.await.context("the load panicked")?;
    bench.settle(spec.wakes).await?;
    let mut outcome = bench.count(spec).await?;
    outcome.wall_s = began.elapsed().as_secs_f64();
    outcome.judge();
    Ok(outcome)
}

struct Bench {
    dir: PathBuf,
    _temporary: Option<TempDir>,
    clock: Clock,
    effects: Effects,
    cluster: Cluster,
    recorder: Recorder,
    watch: Watch,
    control: Control,
    kills: BTreeMap<String, u64>,
    kills_under_load: u64,
    pages_stop: CancellationToken,
}

impl Bench {
    async fn start(spec: &CrashSpec) -> anyhow::Result<Self> {
        let temporary = spec.keep.is_none().then(tempfile::tempdir).transpose()?;
        let dir = match (&spec.keep, &temporary) {
            (Some(dir), _) => dir.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => anyhow::bail!("neither a directory to keep nor a temporary one"),
        };
        std::fs::create_dir_all(&dir).with_context(|| format!("failed to make {}", dir.display()))?;
        let clock = Clock::system();
        let effects = Effects::open(&dir.join("effects"))?;
        let pages_stop = CancellationToken::new();
        let pages = page::serve(effects.clone(), pages_stop.clone()).await?;
        let mut cluster = Cluster::start(&spec.program, &dir, &dir.join("effects"))?;
        let header = Header::new("crash", spec.seed, "real", "UTC");
        let recorder = Recorder::create(&dir.join("history.jsonl"), &header, clock.clone(), TimeZone::UTC)?;
        connected(&cluster, 0, &clock).await?;
        cluster.start_agents(pages, spec.wakes)?;
        let control = connected(&cluster, AGENTS, &clock).await?;
        let watch = Watch::new(control.clone(), recorder.clone());
        Ok(Self {
            dir,
            _temporary: temporary,
            clock,
            effects,
            cluster,
            recorder,
            watch,
            control,
            kills: BTreeMap::new(),
            kills_under_load: 0,
            pages_stop,
        })
    }

    /// Spreads the load evenly over the kills, so that every kill finds wakes in progress.
    fn ask_for_all(&self, spec: &CrashSpec, mut killed: watch::Receiver<u32>) -> JoinHandle<()> {
        let (mut control, clock) = (self.control.clone(), self.clock.clone());
        let (wakes, kills) = (spec.wakes, spec.kills.max(1));
        tokio::spawn(async move {
            for index in 0..wakes {
                let due = |killed: &u32| {
                    u64::from(*killed) * u64::from(wakes) >= u64::from(index) * u64::from(kills)
                };
                // The bench is over when nobody counts kills any more; what is left is asked for at once.
                killed.wait_for(due).await.ok();
                wanted::ask(&mut control, index as usize, &clock).await;
            }
        })
    }

    async fn kill_and_restart(
        &mut self,
        spec: &CrashSpec,
        killed: &watch::Sender<u32>,
        told: &mut (dyn FnMut(u32) + Send),
    ) -> anyhow::Result<()> {
        let mut rng = stream(spec.seed, 70);
        for _ in 0..spec.kills {
            self.pause(&mut rng, KILL_EVERY_MS).await;
            let index = rng.random_range(0..self.cluster.len());
            // A controller that has just been killed cannot be looked at; its wakes are looked at next time.
            let under_load = self.watch.look().await.is_ok() && self.watch.seen.in_progress() > 0;
            self.kills_under_load += u64::from(under_load);
            let name = self.cluster.kill(index).await?.to_owned();
            self.note(Function::Crash, &name);
            *self.kills.entry(name.clone()).or_default() += 1;
            self.pause(&mut rng, DEAD_MS).await;
            self.cluster.restart(index)?;
            self.note(Function::Restart, &name);
            killed.send_modify(|count| *count += 1);
            told(*killed.borrow());
        }
        Ok(())
    }

    /// Waits until every wake has its end and no permit is held, as long as that may take.
    async fn settle(&mut self, wakes: u32) -> anyhow::Result<()> {
        let clock = self.clock.clone();
        let settled = async {
            loop {
                if self.settled(wakes).await.unwrap_or(false) {
                    return;
                }
                clock.sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
            }
        };
        if clock.timeout(Duration::from_secs(SETTLE_S_MAX), settled).await.is_none() {
            tracing::warn!("not everything was over in {SETTLE_S_MAX} s");
        }
        Ok(())
    }

    async fn settled(&mut self, wakes: u32) -> Result<bool, tonic::Status> {
        self.watch.look().await?;
        let all = &self.watch.seen.all;
        let ended = all.iter().all(|wake| !wake.end.is_empty());
        let hosts = self.control.hosts().await?;
        Ok(ended && all.len() >= wakes as usize && hosts.iter().all(|host| host.active_wakes == 0))
    }

    async fn count(mut self, spec: &CrashSpec) -> anyhow::Result<CrashOutcome> {
        let looked = self.watch.look().await;
        looked.with_context(|| format!("the controller does not answer; see {}", self.dir.display()))?;
        let hosts = self.control.hosts().await?;
        self.pages_stop.cancel();
        self.recorder.finish()?;
        let history = History::read(&self.dir.join("history.jsonl"))?;
        let seen = &self.watch.seen;
        let ids: Vec<String> = (0..spec.wakes as usize).map(|i| instance_id(i).to_string()).collect();
        let calls = self.effects.counts(ids.iter().map(String::as_str))?;
        let known = |id: &String| seen.all.iter().any(|wake| wake.instance_id == *id);
        let open = seen.all.iter().filter(|wake| wake.end.is_empty());
        Ok(CrashOutcome {
            seed: spec.seed,
            wall_s: 0.0,
            kills: self.kills,
            kills_asked: spec.kills,
            kills_under_load: self.kills_under_load,
            instances: spec.wakes,
            wakes: seen.all.len() as u64,
            by_end: seen.by(|wake| &wake.end),
            without_wake: ids.iter().filter(|id| !known(id)).cloned().collect(),
            without_end: open.map(|wake| wake.wake_id.clone()).collect(),
            changed_ends: s5_one_end::check(&history.events).violations,
            calls: calls.values().map(|count| *count as u64).sum(),
            called_twice: calls.into_iter().filter(|(_, count)| *count > 1).collect(),
            permits_left: hosts.into_iter().map(|host| (host.host_id, host.active_wakes)).collect(),
            verdict: Verdict::Error,
        })
    }

    async fn pause(&self, rng: &mut StdRng, range_ms: std::ops::Range<u64>) {
        self.clock.sleep(Duration::from_millis(rng.random_range(range_ms))).await;
    }

    fn note(&self, function: Function, node: &str) {
        self.recorder.record(Entry::new(node, Kind::Ok, function, Key::default()));
    }
}

/// A client of the controller, once it answers and this many agents are connected.
async fn connected(cluster: &Cluster, agents: usize, clock: &Clock) -> anyhow::Result<Control> {
    let ready = async {
        loop {
            // Until the controller has made its tokens there is no client.
            if let Ok(mut control) = Control::new(cluster.grpc, &cluster.data_dir)
                && let Ok(hosts) = control.hosts().await
                && hosts.iter().filter(|host| host.connected).count() >= agents
            {
                return control;
            }
            clock.sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
    };
    let ready = clock.timeout(Duration::from_secs(START_S_MAX), ready).await;
    ready.with_context(|| format!("the controller and {agents} agents did not come up in {START_S_MAX} s"))
}
