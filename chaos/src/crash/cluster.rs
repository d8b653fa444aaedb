//! The processes, their files, and killing them.

use std::{
    fs::OpenOptions,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Context as _;
use tokio::process::{Child, Command};

use super::node::NODE;
use crate::world::instance_id;

/// Agents of the cluster.
pub const AGENTS: usize = 2;
/// Wakes a host may run at once.
pub const HOST_WAKES_MAX: u32 = 16;
/// From the command until the instance must serve: a call whose answer was lost before it acted is given up after this.
pub const WAKE_TIMEOUT_S: u32 = 5;

/// One process that is killed and started again.
#[derive(Debug)]
struct Member {
    name: String,
    args: Vec<String>,
    starts: u64,
    child: Child,
}

/// Controller, agents, endpoints. Dropping it kills them all.
#[derive(Debug)]
pub struct Cluster {
    program: PathBuf,
    dir: PathBuf,
    members: Vec<Member>,
    pub grpc: SocketAddr,
    pub data_dir: PathBuf,
    /// The portal and the instances' own.
    endpoints: [SocketAddr; 2],
}

impl Cluster {
    /// Writes the controller's configuration below `dir` and starts it and the endpoints.
    pub fn start(program: &Path, dir: &Path, effects: &Path) -> anyhow::Result<Self> {
        let [http, grpc, portal, fallback] = free_addresses()?;
        let data_dir = dir.join("controller");
        let members = Vec::new();
        let endpoints = [portal, fallback];
        let mut cluster =
            Self { program: program.into(), dir: dir.into(), members, grpc, data_dir, endpoints };
        cluster.launch("controller", vec!["controller".into(), cluster.write_controller(http)?])?;
        for (name, listen) in [("portal", portal), ("instance", fallback)] {
            let effects = effects.to_string_lossy().into_owned();
            cluster.launch(name, vec!["endpoint".into(), name.into(), listen.to_string(), effects])?;
        }
        Ok(cluster)
    }

    /// Starts the agents, which need the token the controller makes. `pages` is where the instances serve.
    pub fn start_agents(&mut self, pages: SocketAddr, wakes: u32) -> anyhow::Result<()> {
        for agent in 0..AGENTS {
            let config = self.write_agent(agent, wakes, pages)?;
            self.launch(&format!("agent-{}", agent + 1), vec!["agent".into(), config])?;
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// kill -9, and waits until the process is gone. Gives its name.
    pub async fn kill(&mut self, index: usize) -> anyhow::Result<&str> {
        let member = &mut self.members[index];
        if let Some(status) = member.child.try_wait()? {
            anyhow::bail!("{} had ended by itself: {status}; see {}.log", member.name, member.name);
        }
        member.child.kill().await.with_context(|| format!("failed to kill {}", member.name))?;
        Ok(&member.name)
    }

    /// Starts a killed process again, with the files it left.
    pub fn restart(&mut self, index: usize) -> anyhow::Result<()> {
        let member = &self.members[index];
        let starts = member.starts + 1;
        let child = self.spawn(&member.name, &member.args, starts)?;
        let member = &mut self.members[index];
        (member.child, member.starts) = (child, starts);
        Ok(())
    }

    fn launch(&mut self, name: &str, args: Vec<String>) -> anyhow::Result<()> {
        let child = self.spawn(name, &args, 0)?;
        self.members.push(Member { name: name.to_owned(), args, starts: 0, child });
        Ok(())
    }

    /// Everything but the controller draws from a seed, which is another one at every start.
    fn spawn(&self, name: &str, args: &[String], starts: u64) -> anyhow::Result<Child> {
        let log = self.dir.join(format!("{name}.log"));
        let log = OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = Command::new(&self.program);
        command
            .arg(NODE)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        if args.first().is_some_and(|kind| kind != "controller") {
            command.arg(starts.to_string());
        }
        command.spawn().with_context(|| format!("failed to start {name}"))
    }

    fn write_controller(&self, http: SocketAddr) -> anyhow::Result<String> {
        let data_dir = toml_text(&self.data_dir.to_string_lossy());
        let grpc = self.grpc;
        let text = format!(
            "[listen]\nhttp = \"{http}\"\ngrpc = \"{grpc}\"\n\
             [store]\ndata_dir = {data_dir}\n\
             [policy]\nhost_wakes_max = {HOST_WAKES_MAX}\n\
             [wake]\ntimeout_s = {WAKE_TIMEOUT_S}\nbackoff_base_s = 1\nbackoff_max_s = 2\ndeadline_grace_s = 3\n\
             attempts_max = 10\ndispatch_interval_ms = 100\ndemand_expiry_s = 600\n\
             [throttle]\nlimit_start = {HOST_WAKES_MAX}\n\
             [fleet]\nload_interval_ms = 200\n"
        );
        write(&self.dir.join("controller.toml"), &text)
    }

    fn write_agent(&self, agent: usize, wakes: u32, pages: SocketAddr) -> anyhow::Result<String> {
        let [portal, fallback] = self.endpoints;
        let ids: Vec<String> = instances_of(agent, wakes).map(|id| format!("\"{id}\"")).collect();
        let state_dir = toml_text(&self.dir.join(format!("agent-{}", agent + 1)).to_string_lossy());
        let token = toml_text(&self.data_dir.join("agent.token").to_string_lossy());
        let (ids, grpc, host) = (ids.join(", "), self.grpc, agent + 1);
        let text = format!(
            "host_id = \"host-{host}\"\nstate_dir = {state_dir}\n\
             [controller]\naddress = \"http://{grpc}\"\ntoken_file = {token}\nreconnect_backoff_max_s = 1\n\
             [guard]\nwakes_max = {HOST_WAKES_MAX}\n\
             [load]\ninterval_ms = 200\n\
             [[instance_templates]]\nids = [{ids}]\n\
             [instance_templates.driver]\nkind = \"http\"\n\
             url = \"http://{portal}/wake/{{instance}}?wake={{wake_id}}\"\nrequest_timeout_s = 2\n\
             [instance_templates.driver.fallback]\n\
             url = \"http://{fallback}/wake/{{instance}}?wake={{wake_id}}\"\nrequest_timeout_s = 2\n\
             [instance_templates.readiness]\nkind = \"http\"\nurl = \"http://{pages}/i/{{instance}}/\"\n\
             interval_ms = 100\n"
        );
        write(&self.dir.join(format!("agent-{host}.toml")), &text)
    }
}

/// The instances that live on the host of this agent.
fn instances_of(agent: usize, wakes: u32) -> impl Iterator<Item = String> {
    (0..wakes as usize).filter(move |i| i % AGENTS == agent).map(|i| instance_id(i).to_string())
}

/// Ports that were free a moment ago: they must be the same at every restart, so the system cannot choose them later.
fn free_addresses<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    let listeners: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>().context("no free port")?;
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    addresses.try_into().map_err(|_| anyhow::anyhow!("as many addresses as listeners"))
}

fn toml_text(text: &str) -> String {
    // A JSON string is a TOML basic string.
    serde_json::Value::from(text).to_string()
}

fn write(path: &Path, text: &str) -> anyhow::Result<String> {
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
    Ok(path.to_string_lossy().into_owned())
}
