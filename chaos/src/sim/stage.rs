//! An installation: a world, the real controller, a real agent for each host, and somebody who looks. In a simulation controller
//! and agents are tasks, in a local world processes; what becomes of them, and of the lines between them, is one.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use reveille_controller::{
    config::WakeConfig,
    store::{Database, Store, StoreError},
    throttle::ThrottleRule,
};
use reveille_proto::{
    clock::{Clock, Hands},
    waits::Waits,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Plan, inject::StoreGate, life, night::Night, node::Node, receiver::Receiver};
use crate::{
    experiment::{
        catalogue::FaultKind,
        file::{Length, RunMode},
    },
    history::{Header, Recorder},
    local::{Installation, LocalSpec, Names, Setting},
    net::{Exchange, Ways},
    oracle::Settings,
    play::{PlaySpec, agents::Reach, control::Control, pulse::Pulse, watch::Watch},
    world::{AccessLog, BackgroundSpec, Live, Switch, Tap, World, WorldSpec, boot::BootSpec, stream},
};

/// What the controller is called.
pub(super) const CONTROLLER: &str = "controller";
/// Where its pages are.
pub(super) const PAGES: &str = "controller-pages";
/// Who looks.
pub(super) const WATCH: &str = "watch";
/// Who stands between agents and controller.
pub(super) const TAP: &str = crate::world::link::NAME;
/// What agents call the endpoints of the world.
const ENDPOINTS: &str = "world";
/// Stream of the seed that lines draw their lateness from.
const LINES: u64 = 910;
/// And that messages draw from which pass twice or late.
const MESSAGES: u64 = 911;

/// As long as the processes of a local world may take until all of them work.
const LEAD: Duration = Duration::from_secs(8);

/// What controller and agents are.
#[derive(Debug, Clone)]
pub enum Means {
    /// Tasks of one thread, under a clock that leaps; so databases are waited for.
    Simulated(Waits),
    /// Processes, under a clock that runs.
    Local(LocalSpec),
}

impl Means {
    /// Seconds of the world in one of the runtime's.
    fn speed(&self) -> f64 {
        match self {
            Self::Simulated(_) => 1.0,
            Self::Local(spec) => spec.speed,
        }
    }

    pub(crate) fn mode(&self) -> RunMode {
        match self {
            Self::Simulated(_) => RunMode::Sim,
            Self::Local(spec) => spec.mode(),
        }
    }

    /// So much later than in a simulation, in seconds of the world, everything is there: processes take their time.
    pub(crate) fn lead_s(&self) -> u32 {
        match self {
            Self::Simulated(_) => 0,
            Self::Local(spec) => (LEAD.as_secs_f64() * spec.speed).ceil() as u32,
        }
    }

    fn recorder(&self, spec: &PlaySpec, dir: &Path, clock: &Clock) -> std::io::Result<Recorder> {
        let zone = spec.world.zone.clone();
        let kind = if matches!(self, Self::Simulated(_)) { "virtual" } else { "scaled" };
        let header = Header::new("sim", spec.world.seed, kind, zone.iana_name().unwrap_or("UTC"));
        let recorder = Recorder::create(&dir.join("history.jsonl"), &header, clock.clone(), zone)?;
        recorder.keep();
        Ok(recorder)
    }

    fn waits(&self) -> Waits {
        match self {
            Self::Simulated(waits) => waits.clone(),
            Self::Local(_) => Waits::default(),
        }
    }
}

pub(super) struct Stage {
    pub(super) spec: PlaySpec,
    pub(super) dir: PathBuf,
    pub(super) live: Live,
    pub(super) recorder: Recorder,
    pub(super) exchange: Exchange,
    /// What the tap between agents and controller does.
    pub(super) switch: Switch,
    pub(super) watch: Watch,
    pub(super) controller: Option<Node>,
    pub(super) agents: Vec<Option<Node>>,
    pub(super) starts_at: Timestamp,
    /// On the controller's way to its database.
    pub(super) store: StoreGate,
    /// Who is told of wakes; nobody is where no fault is about it.
    pub(super) receiver: Option<Receiver>,
    /// What becomes of the clocks of machines, and of who runs on them.
    pub(super) controller_hands: Hands,
    pub(super) agent_hands: Vec<Hands>,
    /// It is played in the night in which clocks are changed.
    pub(super) night: Option<Night>,
    /// Lines that are missing in the log of the days before.
    pub(super) withheld_lines: u64,
    /// Somebody else's look into the controller's database; none before it was opened.
    auditor: Option<Store>,
    /// Second agents of hosts.
    pub(super) copies: BTreeMap<usize, Node>,
    /// Where controller and agents are processes.
    pub(super) local: Option<Installation>,
    pub(super) waits: Waits,
    pub(super) reach: Reach,
    log: JoinHandle<std::io::Result<()>>,
    world_stop: CancellationToken,
}

/// What a plan asks of a play.
pub(crate) fn play_spec(plan: &Plan, speed: f64) -> PlaySpec {
    let world = WorldSpec {
        seed: plan.seed,
        hosts: plan.hosts,
        instances: plan.instances,
        cores: plan.cores,
        cpu_ceiling_percent: plan.cpu_ceiling_percent,
        boot: BootSpec {
            work_core_s: plan.boot_core_s,
            wall_min_s: plan.boot_s as usize,
            cores_max: plan.boot_cores_max.clone(),
        },
        background: BackgroundSpec {
            mean_share: plan.background.0,
            share_max: plan.background.1,
            ..BackgroundSpec::default()
        },
        ..WorldSpec::default()
    };
    let played = SignedDuration::from_secs(plan.played_s.into());
    PlaySpec {
        played,
        speed,
        host_wakes_max: plan.host_wakes_max,
        wake_cost: plan.wake_cost,
        ..PlaySpec::new("sim", world)
    }
}

/// When it begins; in a night in which clocks are changed, that is the world's night.
fn starts_at(plan: &Plan, spec: &mut PlaySpec, night: Option<&Night>) -> anyhow::Result<Timestamp> {
    let Some(night) = night else {
        return Ok(spec.world.starts_at()? + SignedDuration::from_hours(plan.start_hour.into()));
    };
    (spec.world.start, spec.world.zone) = (night.monday, night.zone.clone());
    Ok(night.starts_at)
}

/// What becomes of messages; one may be lost from the beginning on.
fn switch(plan: &Plan) -> Switch {
    let switch = Switch::with(stream(plan.seed, MESSAGES));
    if let Some(missing) = &plan.missing {
        switch.lose(missing.clone());
    }
    switch
}

/// What the judges go by.
fn settings(plan: &Plan, spec: &PlaySpec, starts_at: Timestamp) -> Settings {
    Settings {
        began_ms: starts_at.as_millisecond(),
        gates_every_s: plan.look_every_s.into(),
        load_frozen_s: f64::from(ThrottleRule::default().load_frozen_s),
        demand_expiry_s: f64::from(WakeConfig::default().demand_expiry_s),
        ..spec.settings()
    }
}

/// How much of the log of the days before is missing.
fn missing_s(plan: &Plan) -> i64 {
    let missing_s = |what: &FaultKind| match what {
        FaultKind::DataGap(fault) => (fault.missing.as_ms() / 1_000) as i64,
        _ => 0,
    };
    plan.whats().map(missing_s).max().unwrap_or(0)
}

/// Whether anybody is told of wakes: who is makes each of them dearer.
fn is_told(plan: &Plan) -> bool {
    let is_about =
        |what: &FaultKind| matches!(what, FaultKind::ControllerSlowSink(_) | FaultKind::OperatorBlind(_));
    plan.whats().any(is_about)
}

/// Where agents find the rest of the installation; the portal's token is written there.
fn reach(dir: &Path, link: String, live: &Live) -> anyhow::Result<Reach> {
    let portal_token_file = dir.join("portal.token");
    live.enter().token.keep_in(portal_token_file.clone()).context("failed to write the portal's token")?;
    Ok(Reach {
        link,
        token_file: dir.join(CONTROLLER).join("agent.token"),
        endpoints: ENDPOINTS.to_owned(),
        portal_token_file: Some(portal_token_file),
    })
}

impl Stage {
    /// Writes the log of the days before, and starts everything.
    pub(super) async fn set(plan: &Plan, dir: &Path, means: &Means) -> anyhow::Result<Self> {
        let (speed, waits) = (means.speed(), means.waits());
        let mut spec = play_spec(plan, speed);
        let night = Night::of(plan)?;
        let starts_at = starts_at(plan, &mut spec, night.as_ref())?;
        let mut world = World::new(spec.world.clone())?;
        let access_log = dir.join("access.log");
        let mut log = AccessLog::create(&access_log)?;
        let withheld_lines = log
            .back_fill_but(&mut world, starts_at.as_second(), missing_s(plan))
            .context("failed to write the history of the log")?;
        let clock = Clock::scaled(starts_at, speed);
        let recorder = means.recorder(&spec, dir, &clock)?;
        recorder.record(settings(plan, &spec, starts_at).entry());
        world.go_live(Some(recorder.clone()));
        let live = Live::new(world, clock);
        let world_stop = CancellationToken::new();
        let exchange = Exchange::new(stream(plan.seed, LINES));
        let ways = Ways::Within(exchange.clone());
        let switch = switch(plan);
        let seen = (recorder.clone(), switch.clone());
        let link = Tap::open(&ways, CONTROLLER, seen, world_stop.clone()).await?;
        let data_dir = dir.join(CONTROLLER);
        let reach = reach(dir, link, &live)?;
        let log = tokio::spawn(log.keep(live.clone(), world_stop.clone()));
        let dir = dir.to_owned();
        let store = StoreGate::default();
        let controller_hands = Hands::default();
        let receiver = is_told(plan).then(|| Receiver::new(recorder.clone(), live.clock().clone()));
        let setting = Setting {
            plan,
            live: &live,
            exchange: &exchange,
            gate: store.gate(),
            names: Names { controller: CONTROLLER, tap: TAP },
            stop: &world_stop,
        };
        let (local, started) = match means {
            Means::Simulated(_) => {
                let own = (&waits, &store, &controller_hands, receiver.as_ref());
                (None, life::start_controller(&spec, &dir, &live, &exchange, own).await?)
            }
            Means::Local(local) => {
                let (local, started) = opened(local, &dir, setting, &store, &recorder).await?;
                (Some(local), started)
            }
        };
        let control = Control::over(ways.channel(WATCH, CONTROLLER)?, &data_dir)?;
        let watch = Watch::new(control, recorder.clone());
        let mut stage = Self {
            spec,
            dir,
            live,
            recorder,
            exchange,
            switch,
            watch,
            controller: Some(started),
            agents: Vec::new(),
            starts_at,
            store,
            receiver,
            controller_hands,
            agent_hands: (0..plan.hosts).map(|_| Hands::default()).collect(),
            night,
            withheld_lines,
            auditor: None,
            copies: BTreeMap::new(),
            local,
            waits,
            reach,
            log,
            world_stop,
        };
        for host in 0..plan.hosts {
            let agent = stage.agent(host, false).await?;
            stage.agents.push(Some(agent));
        }
        Ok(stage)
    }

    /// Where the controller keeps its rows.
    pub(super) fn database(&self) -> PathBuf {
        self.dir.join(CONTROLLER).join("reveille.db")
    }

    /// So much of the world's time, on the clock of what is not the world's: of lines, locks and disks.
    pub(super) fn runtime(&self, length: Length) -> Duration {
        Duration::from(length).div_f64(self.spec.speed)
    }

    /// The controller's database, past the controller.
    pub(super) async fn auditor(&mut self) -> Result<Store, StoreError> {
        if let Some(auditor) = &self.auditor {
            return Ok(auditor.clone());
        }
        let database = Database::File(self.database());
        let opened = Store::connect_waiting(&database, &self.waits).await?;
        Ok(self.auditor.insert(opened).clone())
    }

    /// Takes everything down at once: nobody is asked, and the history ends where it is.
    pub(super) async fn abandoned(mut self) -> anyhow::Result<()> {
        self.recorder.finish().context("failed to write the history")?;
        let copies = std::mem::take(&mut self.copies).into_values();
        let all = self.agents.drain(..).flatten().chain(copies).chain(self.controller.take());
        futures::future::join_all(all.map(Node::crash)).await;
        self.world_stop.cancel();
        match self.local.take() {
            Some(local) => local.clear().await,
            None => Ok(()),
        }
    }

    /// Ends the history and takes everything down in order. What happens meanwhile is not part of it: who goes first of those
    /// who are told at the same time is left to chance.
    pub(super) async fn struck(mut self) -> anyhow::Result<()> {
        self.recorder.finish().context("failed to write the history")?;
        if let Some(auditor) = self.auditor.take() {
            auditor.close().await;
        }
        for agent in self.agents.drain(..).flatten() {
            agent.stopped().await?;
        }
        if let Some(controller) = self.controller.take() {
            controller.stopped().await?;
        }
        self.world_stop.cancel();
        if let Some(local) = self.local.take() {
            local.clear().await?;
        }
        self.log.await.context("the log writer panicked")?.context("failed to write the access log")
    }
}

/// A local world, and its controller once it answers.
async fn opened(
    spec: &LocalSpec,
    dir: &Path,
    setting: Setting<'_>,
    store: &StoreGate,
    recorder: &Recorder,
) -> anyhow::Result<(Installation, Node)> {
    let live = setting.live.clone();
    let pulse = Pulse::start(recorder.clone(), spec.speed, setting.stop.clone());
    pulse.await.context("failed to listen for the pulse")?;
    let local = Installation::open(spec, dir, setting).await?;
    store.starting(true);
    let mut running = local.start_controller(live.clock().now()).await?;
    local.controller_answers(&mut running).await?;
    store.starting(false);
    Ok((local, running.into()))
}
