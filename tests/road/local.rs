//! Kill -9 of whoever runs an experiment in a world of processes, on loopback and in containers, in the middle of every kind of
//! fault that such a world takes: within the lease and five seconds nothing of it is left. And kill -9 of the process that keeps
//! the world.

mod plans;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use reveille_chaos::{
    container::{Engine, Made, ensure_image},
    experiment::{
        catalogue::CATALOGUE,
        file::RunMode,
        run::{RUN_MARK, Remains, RemovedBy},
    },
    local,
};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet},
    time::Instant,
};

use self::plans::{ID, Injected, PER_HOST, Plan, plans};
use crate::harness::{Process, Stage, programs, until};

const LEASE_S: u64 = 6;
/// What a dead runner may leave behind its lease, in seconds.
const LEFT_S_MAX: u64 = 5;
/// Seconds of the world in one of ours, where nobody has to be waited for.
const SPEED: u32 = 20;
/// Until every fault of a world has been met.
const MET_S_MAX: u64 = 240;
/// Worlds at once: each is several processes.
const AT_ONCE: usize = 4;
const CONTAINER_WORLDS_AT_ONCE: usize = 3;

/// A process of a run, and whether it is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    pid: u32,
    is_stopped: bool,
    command: String,
}

/// Every process that carries the mark of this run in its environment.
fn processes(mark: &str) -> Vec<Seen> {
    let wanted = format!("{RUN_MARK}={mark}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("a /proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let environment = read("environ");
        if !environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()) {
            continue;
        }
        let status = String::from_utf8_lossy(&read("stat")).into_owned();
        let state = status.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        found.push(Seen { pid, is_stopped: state == Some('T'), command });
    }
    found
}

/// A runner and its world.
struct Run {
    name: String,
    runner: Process,
    mark: String,
    /// Where worlds are kept, for this run alone.
    temporary: PathBuf,
    journals: PathBuf,
    log: PathBuf,
    mode: RunMode,
    /// Where its containers are, and the number of the process they belong to.
    engine: Option<Engine>,
    keeper: u32,
}

impl Run {
    fn start(stage: &Stage, plan: &Plan) -> Self {
        let name = plan.name.clone();
        let file = stage.path(format!("{name}.json"));
        std::fs::write(&file, plan.file().to_string()).expect("written");
        let (temporary, journals) =
            (stage.path(format!("{name}.tmp")), stage.path(format!("{name}.journals")));
        std::fs::create_dir(&temporary).expect("made");
        let mut command = stage.command(&programs().chaos);
        command.env("TMPDIR", &temporary).args([
            "run",
            "--mode",
            plan.mode.name(),
            "--speed",
            &plan.speed.to_string(),
        ]);
        command.args(["--lease", &format!("{LEASE_S}s"), "--journals"]).arg(&journals).arg(&file);
        let runner = stage.start(&name, command);
        let mark = format!("{}-1", runner.pid());
        let log = stage.path(&name).with_extension("log");
        Self { name, runner, mark, temporary, journals, log, mode: plan.mode, engine: None, keeper: 0 }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until each fault has been met: the runner says how each step was answered.
    async fn all_are_met(&mut self, plan: &Plan) {
        let what = format!("every fault of {} is met", self.name);
        until(&what, MET_S_MAX, async || {
            let said = self.said();
            assert_eq!(self.runner.ended(), None, "{} has ended: {said}", self.name);
            for fault in &plan.faults {
                let met = format!("step met-{}: ", fault.id());
                let answer = said.lines().find_map(|line| line.strip_prefix(&met));
                match answer {
                    Some("200") => {}
                    Some(other) => panic!("{}: {} was not met: {other}\n{said}", self.name, fault.id()),
                    None => return Err(format!("{} is waited for\n{said}", fault.id())),
                }
            }
            Ok(())
        })
        .await;
    }

    /// Containers and networks of this run.
    async fn in_engine(&self) -> Vec<Made> {
        let Some(engine) = &self.engine else { return Vec::new() };
        let mut made = engine.of_runs().await.expect("the engine answers");
        // The number of the process they belong to stands in the name of the run.
        made.retain(|made| made.name.split('-').any(|part| part.parse() == Ok(self.keeper)));
        made
    }

    /// What is still there, in words.
    async fn left(&self) -> Result<(), String> {
        let in_engine = self.in_engine().await;
        if !in_engine.is_empty() {
            return Err(format!("{in_engine:?}"));
        }
        let processes = processes(&self.mark);
        if !processes.is_empty() {
            return Err(format!("{processes:?}"));
        }
        let files: Vec<_> = std::fs::read_dir(&self.temporary).expect("readable").flatten().collect();
        if !files.is_empty() {
            return Err(format!("{files:?}"));
        }
        let mounts = std::fs::read_to_string("/proc/mounts").expect("readable");
        let own = self.temporary.to_string_lossy().into_owned();
        if let Some(mount) = mounts.lines().find(|line| line.contains(&own)) {
            return Err(mount.to_owned());
        }
        Ok(())
    }

    fn remains(&self) -> Remains {
        let path = self.journals.join(format!("{ID}-1.faults.json"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// Of a network that is gone there is no address to listen on.
fn is_free(address: SocketAddr) -> bool {
    match TcpListener::bind(address) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::AddrNotAvailable,
    }
}

/// Whose directory it is stands in its name.
fn keeper_of(temporary: &Path) -> Option<u32> {
    let mut entries = std::fs::read_dir(temporary).ok()?.flatten();
    entries.find_map(|entry| entry.file_name().to_str()?.split('@').nth(1)?.parse().ok())
}

/// Everything of one world: it is set up, every fault is met, the runner dies, nothing is left.
async fn outlived_by_nothing(stage: &Stage, plan: &Plan) -> Vec<String> {
    let mut run = Run::start(stage, plan);
    let began = Instant::now();
    run.all_are_met(plan).await;
    let met_s = began.elapsed().as_secs();
    // Renewed beyond the first lease, and in the middle of it: it lives all the while.
    let met = Instant::now();
    until(&format!("{} outlives a lease", run.name), LEASE_S + LEFT_S_MAX, async || {
        assert!(!processes(&run.mark).is_empty(), "{}: it ended although its runner lives", run.name);
        let lived = met.elapsed();
        if lived > Duration::from_secs(LEASE_S + 1) { Ok(()) } else { Err(format!("{lived:?}")) }
    })
    .await;
    let seen = processes(&run.mark);
    assert!(seen.len() >= 2, "{}: a keeper and its processes: {seen:?}", run.name);
    run.keeper = keeper_of(&run.temporary).expect("a world has a directory");
    if run.mode == RunMode::Container {
        run.engine = Some(Engine::reach().await.expect("it was reached before"));
        let containers = run.in_engine().await;
        // A controller that was killed is not there.
        assert!(containers.len() >= 2, "{}: a network and its members: {containers:?}", run.name);
    }
    let pauses = ["agent.pause", "controller.pause", "clock.suspend"];
    if plan.faults.iter().any(|fault| pauses.contains(&fault.info.name)) {
        let is_stopped = match run.mode {
            RunMode::Local => seen.iter().any(|process| process.is_stopped),
            _ => run.in_engine().await.iter().any(|made| made.is_paused),
        };
        assert!(is_stopped, "{}: nobody is stopped: {seen:?}", run.name);
    }
    let Run { runner, .. } = &mut run;
    runner.kill_now().await;
    let killed = Instant::now();
    until(&format!("nothing is left of {}", run.name), LEASE_S + LEFT_S_MAX, async || run.left().await).await;
    eprintln!(
        "{}: {} kinds met after {met_s} s, nothing left {:.1} s after the runner's death",
        run.name,
        plan.faults.len(),
        killed.elapsed().as_secs_f64()
    );
    let remains = run.remains();
    assert!(remains.lease_ran_out, "{}: {remains:?}", run.name);
    let ended: BTreeMap<&str, _> = remains.faults.iter().map(|end| (end.kind.as_str(), end)).collect();
    for fault in &plan.faults {
        let end = ended.get(fault.info.name).unwrap_or_else(|| panic!("{}: {remains:?}", fault.info.name));
        assert!(end.hits > 0 && end.removed_by == RemovedBy::Lease, "{}: {end:?}", run.name);
    }
    assert!(remains.addresses.len() >= 3, "{remains:?}");
    for address in &remains.addresses {
        assert!(is_free(*address), "{}: {address} is taken", run.name);
    }
    ended.into_keys().map(str::to_owned).collect()
}

#[tokio::test]
async fn nothing_of_a_local_world_outlives_its_runner_by_more_than_the_lease() {
    LocalSet::new().run_until(every_kind(RunMode::Local, AT_ONCE)).await;
}

#[tokio::test]
async fn nothing_of_a_container_world_outlives_its_runner_by_more_than_the_lease() {
    match Engine::reach().await {
        Ok(_) => drop(ensure_image().await.expect("an image can be made")),
        Err(why) => return eprintln!("SKIPPED: a dead runner's containers ({why})"),
    }
    LocalSet::new().run_until(every_kind(RunMode::Container, CONTAINER_WORLDS_AT_ONCE)).await;
}

async fn every_kind(mode: RunMode, at_once: usize) {
    let stage = Rc::new(Stage::enter().await);
    programs();
    let (room, mut worlds) = (Rc::new(Semaphore::new(at_once)), JoinSet::new());
    for plan in plans(mode) {
        let (stage, room) = (stage.clone(), room.clone());
        worlds.spawn_local(async move {
            let _place = room.acquire().await.expect("it stays open");
            outlived_by_nothing(&stage, &plan).await
        });
    }
    let mut proved = BTreeSet::new();
    while let Some(ended) = worlds.join_next().await {
        proved.extend(ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
    }
    let taken: BTreeSet<String> = local::kinds(mode).map(|info| info.name.to_owned()).collect();
    assert_eq!(proved, taken, "every kind that a world takes in mode {}", mode.name());
    let not_taken = CATALOGUE.iter().filter(|info| info.modes.contains(&mode));
    let not_taken: Vec<&str> =
        not_taken.map(|info| info.name).filter(|name| !taken.contains(*name)).collect();
    let (taken, mode) = (taken.len(), mode.name());
    eprintln!("{mode}: {taken} kinds ended with their runner; not taken: {}", not_taken.join(", "));
}

#[tokio::test]
async fn what_a_dead_keeper_leaves_is_ended_by_the_kernel_and_removed_by_the_next() {
    let stage = Stage::enter().await;
    let kinds =
        ["agent.pause", "store.busy"].map(|name| local::kinds(RunMode::Local).find(|info| info.name == name));
    let [Some(pause), Some(busy)] = kinds else { panic!("a local world takes both: {kinds:?}") };
    let faults = vec![Injected::on_host(pause, 0), Injected::on_all(busy)];
    let plan = Plan {
        name: "keeper".to_owned(),
        hosts: 2,
        per_host: PER_HOST,
        speed: SPEED,
        mode: RunMode::Local,
        faults,
    };
    let mut run = Run::start(&stage, &plan);
    run.all_are_met(&plan).await;
    assert!(processes(&run.mark).iter().any(|process| process.is_stopped), "an agent is stopped");
    let keeper = keeper_of(&run.temporary).expect("a world has a directory");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(keeper as i32), nix::sys::signal::Signal::SIGKILL)
        .expect("it lives");
    until("no process is left", LEFT_S_MAX, async || {
        let left = processes(&run.mark);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    until("the runner has ended", 60, async || run.runner.ended().ok_or_else(|| run.said())).await;
    assert_eq!(keeper_of(&run.temporary), Some(keeper), "nobody was there to remove its directory");

    // Whoever sets up the next world, even for a moment.
    let mut next = stage.command(&programs().chaos);
    next.env("TMPDIR", &run.temporary).args(["serve", "--mode", "local", "--listen", "127.0.0.1:0"]);
    next.args(["--lease", "1s"]).arg(stage.path("keeper.json"));
    let mut next = stage.start("next", next);
    until("the next one has ended", 60, async || next.ended().ok_or_else(String::new)).await;
    assert_eq!(keeper_of(&run.temporary), None, "nothing is left of either");
}
