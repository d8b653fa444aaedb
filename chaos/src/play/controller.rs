//! The real controller, set up to live in a world that runs faster than ours.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use reveille_controller::{
    app::{App, Seams},
    config::Config,
    logs::{LogFormat, SourceConfig},
    model::ModelKind,
    policy::{Mode, Policy},
};
use reveille_proto::clock::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::PlaySpec;
use crate::world::{TEMPLATE, VHOST_SUFFIX, WAKE_REQUEST_PATH};

/// Samples come every [`LOAD_INTERVAL_S`]; a few may be late when the machine is busy.
pub const LOAD_FRESHNESS_S: u32 = 60;
/// Seconds of the world between two load samples: 7 ms of ours at 1440x.
pub const LOAD_INTERVAL_S: u32 = 10;
/// Days of sightings an instance must have; the back-filled log is 30 days long.
const MIN_HISTORY_DAYS: u16 = 21;

/// A controller that runs in this process.
#[derive(Debug)]
pub struct Controller {
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    /// Directory of its database and tokens.
    pub data_dir: PathBuf,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Controller {
    /// Starts on free loopback ports and follows `access_log`.
    pub async fn start(
        spec: &PlaySpec,
        dir: &Path,
        access_log: &Path,
        clock: Clock,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let data_dir = dir.join("controller");
        let config = config(spec, &data_dir, access_log);
        config.check().context("failed to configure the controller")?;
        let seams = Seams::new(clock, spec.world.seed);
        let app = App::build(config, seams).await.context("failed to start the controller")?;
        let (grpc, http) = (app.grpc_addr(), app.http_addr());
        let task = tokio::spawn(async move { app.run(stop).await.context("the controller failed") });
        Ok(Self { grpc, http, data_dir, task })
    }

    /// Waits until it has gone down after its token was cancelled.
    pub async fn stopped(self) -> anyhow::Result<()> {
        self.task.await.context("the controller panicked")?
    }
}

/// A controller that follows `access_log` and keeps everything in `data_dir`.
pub fn config(spec: &PlaySpec, data_dir: &Path, access_log: &Path) -> Config {
    let mut config = Config::default();
    config.listen.http = ([127, 0, 0, 1], 0).into();
    config.listen.grpc = ([127, 0, 0, 1], 0).into();
    config.store.data_dir = Some(data_dir.to_owned());
    let mut source = SourceConfig::new(access_log.to_string_lossy(), LogFormat::F5);
    TEMPLATE.clone_into(&mut source.template);
    source.follow = true;
    config.logs.sources = vec![source];
    VHOST_SUFFIX.clone_into(&mut config.logs.extract.strip_suffix);
    config.logs.wake_request = vec![format!("^POST {WAKE_REQUEST_PATH}")];
    config.visits.poll_interval_ms = 30_000;
    spec.world.zone.iana_name().unwrap_or("UTC").clone_into(&mut config.model.time_zone);
    // The demo plans by the rule; the fitted model is put to the test by `reveille backtest`.
    config.model.kind = ModelKind::Rule;
    config.model.rule.min_history_days = MIN_HISTORY_DAYS;
    config.wake.dispatch_interval_ms = 5_000;
    config.throttle.load_freshness_s = LOAD_FRESHNESS_S;
    (config.throttle.wake_cost_cores, config.throttle.wake_cost_decay_s) = spec.wake_cost;
    config.fleet.load_interval_ms = LOAD_INTERVAL_S * 1000;
    // Two days of sixty users are too few to tell an effect, and the comparison with the time before knows it all.
    config.plan.hold_out_share = 0.0;
    config.policy = Policy {
        mode: Mode::Act,
        host_wakes_max: spec.host_wakes_max,
        cpu_ceiling_percent: spec.world.cpu_ceiling_percent,
        ..Policy::default()
    };
    config
}
