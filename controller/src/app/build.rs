//! Builds the controller from its configuration, runs it, and drains it.

use std::{
    fs::{File, TryLockError},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use reveille_proto::{
    clock::Clock,
    points::Points,
    v1::{control_server::ControlServer, fleet_server::FleetServer},
    waits::Waits,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::AbortHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{
    codegen::http::{HeaderValue, header::DATE},
    transport::Server,
};
use tower::util::MapResponseLayer;
use tracing::{info, warn};

use super::Shared;
use crate::{
    api::{self, AuthError, Control, ControlService, Tokens},
    config::{Config, ConfigError},
    deliver::Carrier,
    fleet::{AgentEvent, FleetService},
    store::{ControllerRow, Database, Store, StoreError},
    tasks::{self, Task, TaskError},
    tls::{Certificates, Face, Incoming, TlsError, Wire},
};

/// How long open requests may take to end after a SIGTERM, in real time.
const DRAIN: Duration = Duration::from_secs(10);

/// What is put in from outside: time and chance, who is told of the points that are passed, how the database is waited for,
/// and where connections come from.
#[derive(Debug)]
pub struct Seams {
    pub clock: Clock,
    pub seed: u64,
    pub points: Points,
    pub waits: Waits,
    /// Instead of the ports of the configuration.
    pub doors: Option<Doors>,
    /// Carries webhooks, instead of an HTTP client.
    pub carrier: Option<Arc<dyn Carrier>>,
}

/// Connections that are made without a port.
#[derive(Debug)]
pub struct Doors {
    pub http: mpsc::Receiver<(Wire, SocketAddr)>,
    pub grpc: mpsc::Receiver<(Wire, SocketAddr)>,
}

impl Seams {
    /// Nobody is told of points, connections come to the ports of the configuration, and webhooks go over HTTP.
    pub fn new(clock: Clock, seed: u64) -> Self {
        Self { clock, seed, points: Points::default(), waits: Waits::default(), doors: None, carrier: None }
    }

    /// The system's clock, and a seed of the operating system.
    pub fn production() -> Self {
        Self::new(Clock::system(), rand::TryRng::try_next_u64(&mut rand::rngs::SysRng).unwrap_or(0))
    }
}

/// Why the controller did not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("failed to make the data directory {path}")]
    DataDir { path: PathBuf, source: std::io::Error },
    /// Two controllers on one embedded database would both dispatch.
    #[error("another controller uses {path}")]
    Locked { path: PathBuf },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Tokens(#[from] AuthError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("failed to listen on {address} (`listen.{key}`)")]
    Listen { key: &'static str, address: SocketAddr, source: std::io::Error },
    #[error("failed to start a task")]
    Task(#[from] TaskError),
    /// Its loop is over for good: only a new process brings it back.
    #[error("the task `{task}` died")]
    TaskDied { task: &'static str },
    #[error("the server stopped")]
    Serve(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A controller that is bound to its ports and ready to run.
#[derive(Debug)]
pub struct App {
    shared: Shared,
    tokens: Tokens,
    certificates: Option<Certificates>,
    http: Listener,
    grpc: Listener,
    http_addr: SocketAddr,
    grpc_addr: SocketAddr,
    database: Database,
    carrier: Option<Arc<dyn Carrier>>,
    /// Held as long as the controller lives; the system lets go of it when the process dies. None where controllers
    /// share a server.
    lock: Option<File>,
}

/// Where connections come from.
#[derive(Debug)]
enum Listener {
    Port(TcpListener),
    Given(mpsc::Receiver<(Wire, SocketAddr)>),
}

async fn listen(
    key: &'static str,
    address: SocketAddr,
    given: Option<mpsc::Receiver<(Wire, SocketAddr)>>,
) -> Result<(Listener, SocketAddr), AppError> {
    if let Some(given) = given {
        return Ok((Listener::Given(given), address));
    }
    let failed = |source| AppError::Listen { key, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((Listener::Port(listener), bound))
}

/// Makes the directory for its owner only: who came when is nobody else's business. One that is there stays as it is.
fn make_private(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Tells the other controllers of this one.
async fn introduce(shared: &Shared, http: SocketAddr, grpc: SocketAddr) -> Result<(), StoreError> {
    let now = shared.clock.now();
    let row = ControllerRow {
        controller: shared.controller.clone(),
        epoch: shared.epoch,
        started_at: now,
        seen_at: now,
        grpc_address: grpc.to_string(),
        http_address: http.to_string(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    shared.store.controller_keep(&row).await
}

/// Takes the data directory for this process.
pub(crate) fn lock(dir: &Path) -> Result<File, AppError> {
    let failed = |source| AppError::DataDir { path: dir.to_owned(), source };
    let path = dir.join("controller.lock");
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AppError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

impl App {
    /// Opens the database, reads the tokens, binds the ports.
    pub async fn build(config: Config, seams: Seams) -> Result<Self, AppError> {
        config.check()?;
        let dir = config.data_dir()?;
        make_private(&dir).map_err(|source| AppError::DataDir { path: dir.clone(), source })?;
        let database = config.database()?;
        let lock = match &database {
            Database::File(_) => Some(lock(&dir)?),
            Database::Server(_) => None,
        };
        let tokens = Tokens::load_or_create(&config, &dir)?;
        let certificates = Certificates::read(&config.tls)?;
        let (http_door, grpc_door) = seams.doors.map(|doors| (doors.http, doors.grpc)).unzip();
        let (http, http_addr) = listen("http", config.listen.http, http_door).await?;
        let (grpc, grpc_addr) = listen("grpc", config.listen.grpc, grpc_door).await?;
        if certificates.is_none() && !(http_addr.ip().is_loopback() && grpc_addr.ip().is_loopback()) {
            warn!(http = %http_addr, grpc = %grpc_addr, "no TLS: tokens travel in the clear, see [tls]");
        }
        let store = Store::open_waiting(&database, &seams.waits).await?.telling(seams.points.clone());
        let store = store.notifying(config.notify.receivers()?);
        let instances = config.instances.clone();
        let rng = StdRng::seed_from_u64(seams.seed);
        let shared = Shared::new(config, seams.clock, store, (rng, seams.points, seams.waits)).await?;
        let carrier = seams.carrier;
        introduce(&shared, http_addr, grpc_addr).await?;
        // Before anything is planned or dispatched.
        shared.days(shared.clock.now());
        for instance in &instances {
            shared.store.instance_describe(&instance.id, &instance.cohort, &instance.time_zone).await?;
        }
        Ok(Self { shared, tokens, certificates, http, grpc, http_addr, grpc_addr, database, carrier, lock })
    }

    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc_addr
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Runs until `shutdown`, then drains: no new wakes, open requests end, tasks finish what they are at.
    /// Wakes under way stay with the agents and in the database.
    ///
    /// Dropping the future stops every task at its next await: what is not committed by then did not happen.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), AppError> {
        let _stop_when_dropped = shutdown.clone().drop_guard();
        let tracker = TaskTracker::new();
        let (service, events, greeter) = FleetService::new(self.shared.clone(), shutdown.clone());
        let (ready, ready_watch) = watch::channel(false);
        let running = Running::default();
        let vital = Vital {
            tracker: tracker.clone(),
            shutdown: shutdown.clone(),
            died: Arc::default(),
            running: running.0.clone(),
        };
        spawn_tasks(&self.shared, events, self.carrier.as_ref(), &vital)?;
        if let Some(certificates) = &self.certificates {
            let task = tasks::Certificates::new(certificates.clone());
            vital.spawn(
                tasks::Certificates::NAME,
                tasks::run(task, self.shared.clone(), |_| None, shutdown.clone()),
            );
        }
        vital.spawn("greet", greeter.run(self.shared.clone(), shutdown.clone()));
        vital.spawn("reconfigure", reconfigure(self.shared.clone(), shutdown.clone()));
        let control = Control::new(self.shared.clone());
        let (http, grpc) = (self.http, self.grpc);
        let incoming = |listener, local, face: Face| -> Result<Incoming, AppError> {
            let listener = match listener {
                Listener::Given(given) => return Ok(Incoming::given(local, given)),
                Listener::Port(listener) => listener,
            };
            let unshaken = self.shared.metrics.failed_handshakes(face.as_str());
            Incoming::new(listener, self.certificates.clone(), face, unshaken, shutdown.clone())
                .map_err(|error| AppError::Serve(error.into()))
        };
        let (http, incoming) =
            (incoming(http, self.http_addr, Face::Http)?, incoming(grpc, self.grpc_addr, Face::Grpc)?);
        let router = api::http_router(control.clone(), &self.tokens, ready_watch);
        let http = axum::serve(http, router).with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<FleetServer<FleetService>>().await;
        health.set_serving::<ControlServer<ControlService>>().await;
        let fleet = FleetServer::with_interceptor(service, self.tokens.agent_interceptor());
        let grpc = Server::builder()
            // Agents ping every 30 s; without leave, a server answers that with GOAWAY.
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_keepalive_timeout(Some(Duration::from_secs(20)))
            .http2_adaptive_window(Some(false))
            .layer(MapResponseLayer::new(dated(self.shared.clock.clone())))
            .add_service(fleet)
            .add_service(api::control_service(control, &self.tokens))
            .add_service(health_service)
            .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
        info!(http = %self.http_addr, grpc = %self.grpc_addr, epoch = self.shared.epoch, "controller runs");
        ready.send_replace(true);
        notify(&[sd_notify::NotifyState::Ready]);
        let served = serve_until(http.into_future(), grpc, &shutdown).await;
        shutdown.cancel();
        notify(&[sd_notify::NotifyState::Stopping]);
        tracker.close();
        if tokio::time::timeout(DRAIN, tracker.wait()).await.is_err() {
            warn!("tasks did not end in time");
        }
        if let Some(fence) = self.shared.lead.fence() {
            // So that nobody waits for the lease to run out.
            let (store, me) = (&self.shared.store, &self.shared.controller);
            let released = tokio::time::timeout(DRAIN, store.lease_release(&fence.lease, me, fence.epoch));
            released.await.ok();
        }
        // A database that does not answer is left as it is.
        tokio::time::timeout(DRAIN, self.shared.store.close()).await.ok();
        drop(self.lock);
        vital.died.get().map_or(served, |task| Err(AppError::TaskDied { task }))
    }
}

type Answer = tonic::codegen::http::Response<tonic::body::Body>;

/// Answers say when they were given, by the controller's own clock: the server would take another one, and where that is not the
/// same the same answer would not be as long.
fn dated(clock: Clock) -> impl Fn(Answer) -> Answer + Clone {
    move |mut answer| {
        let date = httpdate::fmt_http_date(clock.now().into());
        if let Ok(date) = HeaderValue::from_str(&date) {
            answer.headers_mut().insert(DATE, date);
        }
        answer
    }
}

/// Work the controller cannot do without: when one ends before its time, the whole process goes down and says so,
/// for its supervisor to start it again.
#[derive(Debug, Clone)]
struct Vital {
    tracker: TaskTracker,
    shutdown: CancellationToken,
    died: Arc<OnceLock<&'static str>>,
    running: Arc<Mutex<Vec<AbortHandle>>>,
}

/// Every task of a controller. Once they have ended by themselves, dropping it does nothing.
#[derive(Debug, Default)]
struct Running(Arc<Mutex<Vec<AbortHandle>>>);

impl Drop for Running {
    fn drop(&mut self) {
        for task in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

/// Dropped with the work, however that ends.
struct Pulse {
    name: &'static str,
    vital: Vital,
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if !self.vital.shutdown.is_cancelled() {
            // The first one is the cause.
            self.vital.died.set(self.name).ok();
            self.vital.shutdown.cancel();
        }
    }
}

impl Vital {
    fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let pulse = Pulse { name, vital: self.clone() };
        let task = self.tracker.spawn(async move {
            let _pulse = pulse;
            work.await;
        });
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(task.abort_handle());
    }
}

fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "the service manager could not be told");
    }
}

/// Serves both until one fails or the drain is over.
async fn serve_until<H, G>(http: H, grpc: G, shutdown: &CancellationToken) -> Result<(), AppError>
where
    H: Future<Output = Result<(), std::io::Error>>,
    G: Future<Output = Result<(), tonic::transport::Error>>,
{
    let both = async {
        tokio::try_join!(async { http.await.map_err(|e| AppError::Serve(e.into())) }, async {
            grpc.await.map_err(|e| AppError::Serve(e.into()))
        },)
        .map(|_| ())
    };
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        biased;
        served = both => served,
        () = drained => Ok(()),
    }
}

fn spawn_tasks(
    shared: &Shared,
    events: mpsc::UnboundedReceiver<AgentEvent>,
    carrier: Option<&Arc<dyn Carrier>>,
    vital: &Vital,
) -> Result<(), AppError> {
    fn spawn<T: Task + 'static>(
        task: T,
        signal: fn(&Shared) -> Option<&tokio::sync::Notify>,
        (shared, vital): (&Shared, &Vital),
    ) {
        vital.spawn(T::NAME, tasks::run(task, shared.clone(), signal, vital.shutdown.clone()));
    }
    let on = (shared, vital);
    spawn(tasks::Ingest::new(shared.clone())?, |shared| Some(&shared.signals.ingest), on);
    spawn(tasks::Learn::new(shared.clone()), |shared| Some(&shared.signals.learn), on);
    spawn(tasks::Plan::new(shared.clone()), |shared| Some(&shared.signals.plan), on);
    spawn(tasks::Mirror::new(shared.clone()), |_| None, on);
    spawn(tasks::Dispatch::new(shared.clone()), |shared| Some(&shared.signals.dispatch), on);
    if !shared.needs.is_empty() {
        spawn(tasks::Needs::new(shared.clone()), |_| None, on);
    }
    spawn(tasks::Settle::new(shared.clone()), |shared| Some(&shared.signals.settle), on);
    spawn(tasks::Prune::new(shared.clone()), |_| None, on);
    if !shared.config.notify.receivers()?.is_empty() {
        spawn(tasks::Notify::new(shared.clone(), carrier)?, |shared| Some(&shared.signals.notify), on);
    }
    if shared.store.is_shared() {
        spawn(tasks::Lead::new(shared.clone()), |_| None, on);
        spawn(tasks::CutOff::new(shared.clone()), |_| None, on);
    }
    vital.spawn("listen", tasks::listen(shared.clone(), events, vital.shutdown.clone()));
    Ok(())
}

/// Tells the agents of every change of policy that concerns them.
async fn reconfigure(shared: Shared, shutdown: CancellationToken) {
    let mut policy = shared.policy_watch();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            changed = policy.changed() => if changed.is_err() { return },
        }
        shared.fleet.send_configure(&shared.policy(), shared.config.fleet.load_interval_ms);
    }
}
