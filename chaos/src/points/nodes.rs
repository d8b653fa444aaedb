//! Controller and agents as processes: started with an order to die, and started again without one when they did.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use serde_json::json;
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{PointKey, calls, plant::Plant};
use crate::{
    crash::NODE,
    history::{Entry, Function, Key, Kind, Recorder},
};

pub const CONTROLLER: &str = "controller";
pub const AGENTS: usize = 2;
/// Between two looks whether somebody died.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The name of an agent's process, counted from 0.
pub fn agent(index: usize) -> String {
    format!("agent-{}", index + 1)
}

/// The host of an agent.
pub fn host(index: usize) -> String {
    format!("host-{}", index + 1)
}

/// What happened to the processes.
#[derive(Debug, Default)]
pub struct Fates {
    /// Those that died as ordered.
    pub died: Vec<String>,
    /// What died unasked, or could not be started again.
    pub problems: Vec<String>,
}

/// How the processes are started.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub dir: PathBuf,
    pub began_ms: i64,
    pub die_at: Option<PointKey>,
    pub plant: Option<Plant>,
}

#[derive(Debug)]
struct Node {
    name: String,
    starts: u64,
    child: Child,
}

/// The running processes. Dropping it kills them all.
#[derive(Debug)]
pub struct Nodes {
    launch: Launch,
    recorder: Recorder,
    running: Vec<Node>,
    fates: Arc<Mutex<Fates>>,
}

impl Nodes {
    pub fn new(launch: Launch, recorder: Recorder) -> Self {
        Self { launch, recorder, running: Vec::new(), fates: Arc::default() }
    }

    /// The file a process writes its points to.
    pub fn points_file(dir: &Path, name: &str) -> PathBuf {
        dir.join(format!("{name}.points"))
    }

    pub fn start(&mut self, name: &str) -> anyhow::Result<()> {
        let child = spawn(&self.launch, name, 0)?;
        self.running.push(Node { name: name.to_owned(), starts: 0, child });
        Ok(())
    }

    pub fn fates(&self) -> Arc<Mutex<Fates>> {
        Arc::clone(&self.fates)
    }

    /// Starts again whoever dies, and kills whom the endpoints order, until `stop`. Gives the processes back.
    pub fn keep(
        mut self,
        mut orders: mpsc::Receiver<calls::Order>,
        stop: CancellationToken,
    ) -> JoinHandle<Self> {
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return self,
                    Some((name, dead)) = orders.recv() => {
                        self.kill(&name).await;
                        dead.send(()).ok();
                    }
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
                self.look();
            }
        })
    }

    /// Ends all of them, hard: whatever they had to keep is on disk.
    pub async fn end(mut self) {
        for node in &mut self.running {
            node.child.kill().await.ok();
        }
    }

    async fn kill(&mut self, name: &str) {
        if let Some(node) = self.running.iter_mut().find(|node| node.name == name) {
            node.child.kill().await.ok();
        }
    }

    fn look(&mut self) {
        for index in 0..self.running.len() {
            let node = &mut self.running[index];
            match node.child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => self.died(index, status),
                Err(error) => {
                    self.problem(format!("{} cannot be looked at: {error}", self.running[index].name));
                }
            }
        }
    }

    fn died(&mut self, index: usize, status: ExitStatus) {
        let name = self.running[index].name.clone();
        self.note(Function::Crash, &name);
        let ordered = self.launch.die_at.as_ref().is_some_and(|point| point.node == name);
        if ordered && self.running[index].starts == 0 && was_killed(status) {
            self.fates().lock().unwrap_or_else(PoisonError::into_inner).died.push(name.clone());
            if let Some(plant) = self.launch.plant
                && let Err(error) = plant.spoil(&self.launch.dir, &name)
            {
                self.problem(format!("nothing could be planted at {name}: {error}"));
            }
        } else {
            self.problem(format!("{name} ended by itself: {status}; see {name}.log"));
        }
        let starts = self.running[index].starts + 1;
        match spawn(&self.launch, &name, starts) {
            Ok(child) => {
                self.note(Function::Restart, &name);
                self.running[index] = Node { name, starts, child };
            }
            Err(error) => self.problem(format!("{error:#}")),
        }
    }

    fn problem(&self, problem: String) {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner).problems.push(problem);
    }

    fn note(&self, function: Function, name: &str) {
        let entry = Entry::new(name, Kind::Ok, function, Key::default());
        self.recorder.record(entry.value(json!({"node": name})));
    }
}

/// By a signal: its own `abort`, or the endpoints' order.
fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal().is_some()
}

/// Only the first start is told to die.
fn spawn(launch: &Launch, name: &str, starts: u64) -> anyhow::Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(launch.dir.join(format!("{name}.log")))?;
    let kind = if name == CONTROLLER { "point-controller" } else { "point-agent" };
    let mut command = Command::new(&launch.program);
    command
        .args([NODE, kind])
        .arg(launch.dir.join(format!("{name}.toml")))
        .arg(starts.to_string())
        .args(["--name", name, "--began-ms", &launch.began_ms.to_string()])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true);
    if starts == 0 {
        command.arg("--points").arg(Nodes::points_file(&launch.dir, name));
        if let Some(point) = launch.die_at.as_ref().filter(|point| point.node == name) {
            command.args(["--die-at", &point.to_string()]);
        }
    }
    command.spawn().with_context(|| format!("failed to start {name}"))
}
