//! A controller without its servers, and hosts that are connected in memory: what is measured is the dispatcher, the
//! throttle and the database.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};
use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};
use reveille_proto::{
    HostId, InstanceId, WakeId,
    edge::{Hello, InventoryItem, Load, LoadReport},
};

use crate::{
    app::{App, Seams, Shared},
    cli::bench::BenchError,
    config::Config,
    fleet::{Outbox, next_wake},
    policy::Mode,
    store::{DatabaseUrl, NewWake},
    tasks::{Mirror, Task},
    wake::Reason,
};

/// Wakes put in the queue with one commit.
const QUEUED_AT_ONCE: usize = 5000;
/// Hellos under way at once.
const HELLOS_AT_ONCE: usize = 16;

/// What was sent to agents, and when.
pub(super) type Sent = Arc<Mutex<Vec<(WakeId, Timestamp)>>>;

pub(super) struct Arena {
    pub(super) shared: Shared,
    pub(super) sent: Sent,
    hosts: Vec<HostId>,
    /// Instances per host.
    each: u32,
    next_instance: u32,
    _app: App,
}

/// Throttle and policy are wide open: how many may start is not what is measured.
fn config(dir: &std::path::Path, database: Option<&DatabaseUrl>) -> Config {
    let mut config = Config::default();
    config.listen.http = ([127, 0, 0, 1], 0).into();
    config.listen.grpc = ([127, 0, 0, 1], 0).into();
    config.store.data_dir = Some(dir.to_owned());
    config.store.database_url = database.cloned();
    config.policy.mode = Mode::Act;
    config.policy.fleet_wakes_max = 100_000_000;
    config.policy.host_places_for_people = 0;
    config.throttle.limit_start = 1_000_000;
    config
}

impl Arena {
    pub(super) async fn open(
        dir: &std::path::Path,
        database: Option<&DatabaseUrl>,
        (hosts, each): (u32, u32),
        bar: &ProgressBar,
    ) -> Result<Self, BenchError> {
        let app = App::build(config(dir, database), Seams::production()).await?;
        let shared = app.shared().clone();
        let hosts: Vec<HostId> =
            (0..hosts).map(|n| HostId::new(format!("host-{n:06}")).expect("valid")).collect();
        let sent = Sent::default();
        bar.set_length(hosts.len() as u64);
        let mut greeted = stream::iter(hosts.iter().enumerate().map(|(n, host)| {
            let (shared, hello) = (shared.clone(), hello(host, n as u32 * each, each));
            async move {
                let now = shared.clock.now();
                let greeting = shared.store.host_hello(&hello, &shared.controller, shared.epoch, now).await?;
                Ok::<_, BenchError>((hello, greeting.session_epoch))
            }
        }))
        // Writers to a file only wait for each other.
        .buffer_unordered(if database.is_some() { HELLOS_AT_ONCE } else { 1 });
        while let Some(both) = greeted.next().await {
            let (hello, epoch) = both?;
            let (_, outbox) = shared.fleet.connect(&hello, epoch);
            let now = shared.clock.now();
            shared.fleet.begin(&hello.host, epoch, &std::collections::BTreeMap::new(), now);
            tokio::spawn(listen(outbox, shared.clone(), Arc::clone(&sent)));
            bar.inc(1);
        }
        drop(greeted);
        let arena = Self { shared, sent, hosts, each, next_instance: 0, _app: app };
        arena.load();
        Ok(arena)
    }

    /// Every host says how loaded it is: a fifth, and that starts run in a group of their own.
    pub(super) fn load(&self) {
        let (now, policy) = (self.shared.clock.now(), self.shared.policy());
        for (n, host) in self.hosts.iter().enumerate() {
            let load = Load {
                measured_at: now,
                cpu_percent: 20.0 + (n % 97) as f64 / 100.0 + f64::from(now.subsec_nanosecond()) * 1e-9,
                cores: 16.0,
                group_cores: Some(8.0),
                ..Load::default()
            };
            self.shared.fleet.loaded(host, &LoadReport { load, ..LoadReport::default() }, &policy, now);
        }
    }

    /// Puts wakes in the queue, one for each of the next instances, due at the times of `due`.
    pub(super) async fn queue(
        &mut self,
        due: impl Iterator<Item = Timestamp>,
        bar: &ProgressBar,
    ) -> Result<Vec<WakeId>, BenchError> {
        let mut wakes = Vec::new();
        for due_at in due {
            wakes.push(self.new_wake(due_at));
        }
        bar.set_length(wakes.len() as u64);
        bar.set_position(0);
        for some in wakes.chunks(QUEUED_AT_ONCE) {
            let some: Vec<_> = some.iter().map(|wake| (wake.clone(), wake.due_at)).collect();
            self.shared.store.wakes_plan(&some).await?;
            bar.inc(some.len() as u64);
        }
        Ok(wakes.iter().map(|wake| wake.id).collect())
    }

    fn new_wake(&mut self, due_at: Timestamp) -> NewWake {
        // Neighbours in the queue live on different hosts.
        let n = self.next_instance;
        self.next_instance += 1;
        let hosts = self.hosts.len() as u32;
        let number = (n % hosts) * self.each + n / hosts;
        NewWake {
            id: self.shared.wake_id(self.shared.clock.now()),
            instance: instance(number),
            reason: Reason::Forecast,
            requested_by: "forecast".into(),
            plan_id: None,
            probability: Some(0.5),
            created_at: self.shared.clock.now(),
            due_at,
            serve_at: Some(due_at),
            expires_at: due_at + SignedDuration::from_hours(3),
        }
    }

    /// Reads the whole queue into the dispatcher's mirror, as at a start.
    pub(super) async fn mirror(&self) -> Result<(), BenchError> {
        Mirror::new(self.shared.clone()).activate().await.map(drop).map_err(BenchError::from)
    }

    pub(super) fn sent(&self) -> usize {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn instance(number: u32) -> InstanceId {
    InstanceId::new(format!("instance-{number:07}")).expect("valid")
}

fn hello(host: &HostId, first: u32, each: u32) -> Hello {
    let item = |n| InventoryItem { instance: instance(n), cohort: "dev".into(), driver: "http".into() };
    Hello {
        protocol_version: reveille_proto::PROTOCOL_VERSION,
        agent_version: "bench".into(),
        host: host.clone(),
        host_class: String::new(),
        zone: String::new(),
        // Two for each core may be in progress: here, all of them.
        cores: f64::from(each),
        journal_id: format!("journal-{host}"),
        inventory: (first..first + each).map(item).collect(),
        unfinished: Vec::new(),
        cpu_ceiling_percent: None,
        wakes_max: None,
        epoch: 0,
    }
}

/// An agent that writes down when each command came.
async fn listen(mut outbox: Outbox, shared: Shared, sent: Sent) {
    while let Some(id) = next_wake(&mut outbox).await {
        let now = shared.clock.now();
        sent.lock().unwrap_or_else(PoisonError::into_inner).push((id, now));
    }
}
