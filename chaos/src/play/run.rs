//! One play from the first back-filled line to the verdict.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use jiff::Timestamp;
use reveille_proto::clock::Clock;
use serde_json::json;
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    PlaySpec, Played, Progress,
    agents::{Agents, Reach},
    control::Control,
    controller::Controller,
    outcome::{self, Before, WakeCounts},
    pulse::Pulse,
    watch::Watch,
};
use crate::{
    experiment::Verdict,
    history::{Entry, Function, Header, History, Key, Kind, Recorder},
    oracle,
    world::{AccessLog, Live, Tap, UserRecord, World, serve, spec::HISTORY_DAYS},
};

/// Seconds of the world between two looks of the progress line.
const SHOW_EVERY_S: u64 = 120;
/// Looks of the progress line per look at the controller's wakes.
const SHOWS_PER_WATCH: u32 = 5;
/// Seconds of the world that wakes still in progress at the end are waited for: the controller's deadline and its grace.
const LAST_WAKES_S: u64 = 1_800;

/// Plays `spec`. Cancelling `stop` ends the play early and cleanly, with the verdict `aborted` unless it is worse.
pub async fn play(
    spec: &PlaySpec,
    progress: &mut Progress,
    stop: CancellationToken,
) -> anyhow::Result<Played> {
    let began = Instant::now();
    let directory = Directory::open(spec.keep.as_deref())?;
    progress.say(&format!("writing {HISTORY_DAYS} days of log for {} instances", spec.world.instances));
    let (world, log) = back_filled(spec, &directory.path).await?;
    let before = world.user_record().clone();
    let mut stage = Stage::set(spec, &directory.path, world, log).await?;
    progress.say(&format!("playing {} h at {:.0}x", (spec.played + spec.settle).as_hours(), spec.speed));
    let ended = stage.play(spec, progress, &stop).await;
    progress.finish();
    let mut played = stage.struck(spec, &before, ended).await?;
    played.wall_s = began.elapsed().as_secs_f64();
    played.kept.clone_from(&spec.keep);
    Ok(played)
}

/// Where everything of a play lies.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Deleted at the end, unless it is to be kept.
    _temporary: Option<TempDir>,
}

impl Directory {
    fn open(keep: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = keep {
            std::fs::create_dir_all(path).with_context(|| format!("failed to make {}", path.display()))?;
            return Ok(Self { path: path.to_owned(), _temporary: None });
        }
        let temporary = tempfile::tempdir().context("failed to make a temporary directory")?;
        Ok(Self { path: temporary.path().to_owned(), _temporary: Some(temporary) })
    }

    fn access_log(path: &Path) -> PathBuf {
        path.join("access.log")
    }

    fn history(path: &Path) -> PathBuf {
        path.join("history.jsonl")
    }
}

async fn back_filled(spec: &PlaySpec, path: &Path) -> anyhow::Result<(World, AccessLog)> {
    let spec = spec.clone();
    let path = Directory::access_log(path);
    let work = move || {
        let start_s = spec.world.starts_at()?.as_second();
        let mut world = World::new(spec.world)?;
        let mut log = AccessLog::create(&path)
            .with_context(|| format!("failed to create {}: give an empty directory", path.display()))?;
        log.back_fill(&mut world, start_s).context("failed to write the history of the log")?;
        anyhow::Ok((world, log))
    };
    tokio::task::spawn_blocking(work).await.context("the back-fill panicked")?
}

/// How playing ended: what is known when the clock is stopped.
#[derive(Debug)]
struct Ended {
    from: Timestamp,
    to: Timestamp,
    users: UserRecord,
    wakes: WakeCounts,
    not_recovered: Vec<String>,
    report: serde_json::Value,
    aborted: bool,
}

/// Everything that runs while a play is on.
#[derive(Debug)]
struct Stage {
    live: Live,
    pulse: Pulse,
    recorder: Recorder,
    watch: Watch,
    controller: Controller,
    agents: Agents,
    log: JoinHandle<std::io::Result<()>>,
    starts_at: Timestamp,
    history: PathBuf,
    /// Agents first, then the controller, then the world.
    agents_stop: CancellationToken,
    controller_stop: CancellationToken,
    world_stop: CancellationToken,
}

impl Stage {
    async fn set(spec: &PlaySpec, path: &Path, mut world: World, log: AccessLog) -> anyhow::Result<Self> {
        let [agents_stop, controller_stop, world_stop] = [(); 3].map(|()| CancellationToken::new());
        let starts_at = spec.world.starts_at()?;
        let clock = Clock::scaled(starts_at, spec.speed);
        let zone = spec.world.zone.clone();
        let history = Directory::history(path);
        let header = Header::new(spec.name, spec.world.seed, "scaled", zone.iana_name().unwrap_or("UTC"));
        let recorder = Recorder::create(&history, &header, clock.clone(), zone)
            .with_context(|| format!("failed to create {}", history.display()))?;
        recorder.record(spec.settings().entry());
        if let Some(fault) = spec.fault.clone() {
            fault.put_into(&mut world, starts_at.as_second());
        }
        world.go_live(Some(recorder.clone()));
        let live = Live::new(world, clock.clone());
        let endpoints =
            serve(live.clone(), world_stop.clone()).await.context("failed to serve the endpoints")?;
        let access_log = Directory::access_log(path);
        let controller = Controller::start(spec, path, &access_log, clock, controller_stop.clone()).await?;
        let link = Tap::serve(controller.grpc, recorder.clone(), controller_stop.clone()).await?;
        let token_file = controller.data_dir.join("agent.token");
        let reach = Reach {
            link: link.to_string(),
            token_file,
            endpoints: endpoints.to_string(),
            portal_token_file: None,
        };
        let agents = Agents::start(spec, path, &reach, &live, &agents_stop).await?;
        let log = tokio::spawn(log.keep(live.clone(), world_stop.clone()));
        let control = Control::new(controller.grpc, &controller.data_dir)?;
        let watch = Watch::new(control, recorder.clone());
        let pulse = Pulse::start(recorder.clone(), spec.speed, world_stop.clone());
        let pulse = pulse.await.context("failed to listen for the pulse")?;
        Ok(Self {
            live,
            pulse,
            recorder,
            watch,
            controller,
            agents,
            log,
            starts_at,
            history,
            agents_stop,
            controller_stop,
            world_stop,
        })
    }

    /// Until the end of the span, or until `stop`.
    async fn play(
        &mut self,
        spec: &PlaySpec,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> anyhow::Result<Ended> {
        let (from, to) = (self.starts_at, self.starts_at + spec.played);
        let mut users = None;
        let mut shows = 0;
        let aborted = loop {
            let now = self.live.clock().now();
            let glance = self.live.enter().glance();
            if now >= to && users.is_none() {
                users = Some(self.live.stopped().user_record().clone());
            }
            let total_s = (spec.played + spec.settle).as_secs_f64();
            let share = now.duration_since(from).as_secs_f64() / total_s;
            progress.show(now, share.min(1.0), &glance, self.watch.seen.all.len());
            if share >= 1.0 {
                break false;
            }
            if shows % SHOWS_PER_WATCH == 0 {
                self.watch.look().await.context("failed to ask the controller for its wakes")?;
            }
            shows += 1;
            tokio::select! {
                () = stop.cancelled() => break true,
                () = self.live.clock().sleep(Duration::from_secs(SHOW_EVERY_S)) => {}
            }
        };
        if aborted {
            let stopped = Entry::new("operator", Kind::Ok, Function::Lever, Key::default());
            self.recorder.record(stopped.value(json!({"run": "stopped"})));
        }
        let not_recovered = if aborted { Vec::new() } else { self.last_wakes().await? };
        let users = users.unwrap_or_else(|| self.live.stopped().user_record().clone());
        let to = to.min(self.live.clock().now());
        self.watch.look().await.context("failed to ask the controller for its wakes")?;
        let report = self.watch.control().report(from.as_millisecond(), to.as_millisecond()).await?;
        let seen = &self.watch.seen;
        let wakes = WakeCounts {
            total: seen.all.len() as u64,
            by_reason: seen.by(|wake| reason(wake.reason().as_str_name())),
            by_end: seen.by(|wake| &wake.end),
            by_verdict: seen.by(|wake| &wake.verdict),
        };
        Ok(Ended { from, to, users, wakes, not_recovered, report, aborted })
    }

    /// Has no more wakes started and waits until none is in progress any more; says what is left when that takes
    /// longer than any wake may.
    async fn last_wakes(&mut self) -> anyhow::Result<Vec<String>> {
        let clock = self.live.clock().clone();
        let watch = &mut self.watch;
        watch.control().set_policy("mode", "forecast-only").await.context("failed to stop the forecasts")?;
        let gone = async {
            // A command may have been on its way while the policy changed: one quiet look is not enough.
            let mut quiet = 0;
            loop {
                watch.look().await?;
                quiet = if watch.seen.in_progress() == 0 { quiet + 1 } else { 0 };
                if quiet == 2 {
                    return Ok::<(), tonic::Status>(());
                }
                clock.sleep(Duration::from_secs(SHOW_EVERY_S)).await;
            }
        };
        match clock.timeout(Duration::from_secs(LAST_WAKES_S), gone).await {
            Some(looked) => looked.map(|()| Vec::new()).context("failed to ask the controller for its wakes"),
            None => Ok(vec![format!("{} wakes were still in progress", self.watch.seen.in_progress())]),
        }
    }

    /// Takes everything down in order, then reads the history and judges.
    async fn struck(
        self,
        spec: &PlaySpec,
        before: &UserRecord,
        ended: anyhow::Result<Ended>,
    ) -> anyhow::Result<Played> {
        self.agents_stop.cancel();
        self.agents.stopped().await?;
        self.controller_stop.cancel();
        self.controller.stopped().await?;
        self.world_stop.cancel();
        self.log.await.context("the log writer panicked")?.context("failed to write the access log")?;
        let late_ms = self.pulse.late_ms_max();
        self.recorder.finish().context("failed to write the history")?;
        let ended = ended?;
        let history = History::read(&self.history)?;
        let world = self.live.stopped();
        let mut played = Played {
            experiment: spec.name.to_owned(),
            seed: spec.world.seed,
            from: ended.from,
            to: ended.to,
            speed: spec.speed,
            wall_s: 0.0,
            late_ms_max: late_ms,
            transit_s: spec.settings().transit_s,
            instances: spec.world.instances,
            before: Before::new(spec, before),
            asked_per_day: ended.users.asked() as f64 / days(ended.from, ended.to),
            users: ended.users,
            hosts: outcome::hosts(spec, &world),
            cpu_ceiling_percent: spec.world.cpu_ceiling_percent,
            wakes: ended.wakes,
            faults: world.faults.proofs(),
            invariants: oracle::check_all(&history),
            deviations: Vec::new(),
            not_recovered: ended.not_recovered,
            verdict: Verdict::Error,
            exit_code: Verdict::Error.code(),
            report: ended.report,
            kept: None,
        };
        played.judge(ended.aborted);
        Ok(played)
    }
}

/// `REASON_FORECAST` is `forecast` to people.
fn reason(wire: &'static str) -> &'static str {
    match wire {
        "REASON_FORECAST" => "forecast",
        "REASON_DEMAND" => "demand",
        "REASON_OPERATOR" => "operator",
        "REASON_EXPERIMENT" => "experiment",
        other => other,
    }
}

fn days(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_secs_f64() / 86_400.0).max(1e-9)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{
        experiment::catalogue::{FaultKind, endpoint::HttpError},
        play::FaultSpec,
        world::WorldSpec,
    };

    /// Everybody at their desks on the first morning, so that a short play has many wakes.
    fn morning(name: &'static str) -> PlaySpec {
        PlaySpec {
            played: SignedDuration::from_hours(9),
            settle: SignedDuration::ZERO,
            speed: 2400.0,
            ..PlaySpec::new(name, WorldSpec::default())
        }
    }

    fn silent(spec: &PlaySpec) -> Progress {
        rustls::crypto::ring::default_provider().install_default().ok();
        Progress::new(true, spec.world.zone.clone(), spec.world.cpu_ceiling_percent)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_road_is_played_from_log_to_verdict_and_a_fault_is_proven() {
        let fault = FaultSpec {
            what: FaultKind::EndpointHttpError(HttpError { share: 0.5, ..HttpError::default() }),
            from_s: 0,
            for_s: 8 * 3600,
        };
        let spec = PlaySpec { fault: Some(fault), ..morning("test") };
        let played = play(&spec, &mut silent(&spec), CancellationToken::new()).await.expect("played");
        assert_eq!(played.verdict, Verdict::Held, "{:?} {:?}", played.invariants, played.not_recovered);
        assert!(played.faults[0].hits > 0 && !played.faults[0].on);
        assert!(played.wakes.by_end.get("woken").is_some_and(|woken| *woken > 5), "{:?}", played.wakes);
        assert!(played.before.asked_per_day > 5.0);
        assert!(played.report.get("arrivals").is_some(), "{}", played.report);
        assert_eq!(played.hosts.len(), 3);
        let table = crate::play::table::render(&played);
        for text in
            ["arrivals", "found awake", "host-3", "S5", "fault endpoint.http_error: hit", "verdict: held"]
        {
            assert!(table.contains(text), "no {text} in\n{table}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_play_that_is_stopped_ends_at_once_and_says_so() {
        let spec = morning("stopped");
        let stop = CancellationToken::new();
        stop.cancel();
        let played = play(&spec, &mut silent(&spec), stop).await.expect("played");
        assert_eq!(played.verdict, Verdict::Aborted);
        assert!(played.to < played.from + SignedDuration::from_hours(9));
    }
}
