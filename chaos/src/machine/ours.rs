//! Ours: a real controller and a real agent with its process driver, as anybody would run them.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::Instant,
};

use super::{
    background::{Background, follow},
    observer::cpu_s_of,
    run::HostSpec,
};
use crate::{crash::NODE, play::control::Control};

/// How long controller and agent may take until the first load is known.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Nothing here takes longer.
const RUN_TIMEOUT: Duration = Duration::from_secs(1800);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A controller and an agent, and the instances the agent starts. Dropping it stops all of them.
#[derive(Debug)]
pub(super) struct Ours {
    processes: Vec<Child>,
    control: Control,
    dir: PathBuf,
    addresses: Vec<SocketAddr>,
}

impl Ours {
    pub(super) async fn start(
        spec: &HostSpec,
        dir: &Path,
        [http, grpc]: [SocketAddr; 2],
        addresses: &[SocketAddr],
    ) -> anyhow::Result<Self> {
        let (controller, agent) = (dir.join("controller.toml"), dir.join("agent.toml"));
        write(&controller, &controller_toml(spec, dir, http, grpc))?;
        write(&agent, &agent_toml(spec, dir, grpc, addresses))?;
        let mut processes = vec![node(&spec.program, dir, "controller", &controller)?];
        let token = dir.join("controller").join("operator.token");
        until(START_TIMEOUT, "the controller to start", async || Ok(token.exists())).await?;
        processes.push(node(&spec.program, dir, "host-agent", &agent)?);
        let control = Control::new(grpc, &dir.join("controller"))?;
        let ours = Self { processes, control, dir: dir.to_owned(), addresses: addresses.to_vec() };
        let mut asked = ours.control.clone();
        until(START_TIMEOUT, "the agent to say how loaded it is", async || {
            let hosts = asked.hosts().await.unwrap_or_default();
            Ok(hosts.iter().any(|host| host.connected && host.cpu_percent.is_some()))
        })
        .await?;
        Ok(ours)
    }

    /// Asks for every instance at once and returns when all serve.
    pub(super) async fn wake_all(
        &mut self,
        background: &mut Background,
        told: &mut (dyn FnMut(usize) + Send),
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        for n in 1..=self.addresses.len() {
            self.control.wake(&format!("dev{n}")).await.context("failed to ask for an instance")?;
        }
        // Who serves goes on serving; asking again would only use the CPU that is measured.
        let mut waiting = self.addresses.clone();
        loop {
            let mut still = Vec::new();
            for address in waiting {
                if TcpStream::connect(address).await.is_err() {
                    still.push(address);
                }
            }
            waiting = still;
            let serving = self.addresses.len() - waiting.len();
            told(serving);
            follow(background, serving, self.addresses.len()).await?;
            if serving == self.addresses.len() {
                return Ok(());
            }
            if began.elapsed() > RUN_TIMEOUT {
                bail!("only {serving} of {} instances serve after {RUN_TIMEOUT:?}", self.addresses.len());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// CPU seconds that controller and agent have used.
    pub(super) fn used_s(&self) -> anyhow::Result<f64> {
        self.processes.iter().filter_map(Child::id).map(cpu_s_of).sum()
    }

    /// Why starts are not held back by a CPU group, by the agent's own words; `None` when they are.
    pub(super) fn uncapped(&self) -> Option<String> {
        let log = std::fs::read_to_string(self.dir.join("host-agent.log")).unwrap_or_default();
        log.lines().find(|line| line.contains("there is no CPU group here")).map(str::to_owned)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // The agent leaves instances alive, as it should; here they have done their part.
        let pids = self.dir.join("agent").join("pids");
        for file in std::fs::read_dir(pids).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(file.path()).unwrap_or_default();
            let pid = serde_json::from_str::<serde_json::Value>(&text).ok();
            let pid = pid.and_then(|noted| noted["pid"].as_i64()).and_then(|pid| i32::try_from(pid).ok());
            if let Some(pid) = pid {
                nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).ok();
            }
        }
    }
}

fn node(program: &Path, dir: &Path, kind: &str, config: &Path) -> anyhow::Result<Child> {
    let log = std::fs::File::create(dir.join(format!("{kind}.log")))?;
    Command::new(program)
        .args([NODE, kind])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("failed to start the {kind}"))
}

async fn until(
    at_most: Duration,
    what: &str,
    mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so().await? {
        if began.elapsed() > at_most {
            bail!("waited in vain for {what}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// A JSON string is a TOML basic string.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

fn controller_toml(spec: &HostSpec, dir: &Path, http: SocketAddr, grpc: SocketAddr) -> String {
    format!(
        "[listen]\nhttp = \"{http}\"\ngrpc = \"{grpc}\"\n[store]\ndata_dir = {}\n\
         [policy]\ncpu_ceiling_percent = {:?}\n[wake]\ndemand_expiry_s = 3600\n",
        quoted(&dir.join("controller")),
        spec.ceiling_percent
    )
}

fn agent_toml(spec: &HostSpec, dir: &Path, grpc: SocketAddr, addresses: &[SocketAddr]) -> String {
    let mut text = format!(
        "host_id = \"host\"\nstate_dir = {}\n[controller]\naddress = \"http://{grpc}\"\ntoken_file = {}\n",
        quoted(&dir.join("agent")),
        quoted(&dir.join("controller").join("agent.token")),
    );
    for (n, address) in addresses.iter().enumerate() {
        let name = format!("dev{}", n + 1);
        write!(
            text,
            "[[instances]]\nid = \"{name}\"\n[instances.driver]\nkind = \"process\"\ncommand = {}\n\
             args = [\"instance\", \"--name\", \"{name}\", \"--listen\", \"{address}\", \"--burn-s\", \"{}\"]\n\
             [instances.readiness]\nkind = \"http\"\nurl = \"http://{address}/\"\n\
             expect = {{ body_contains = \"instance {name}\" }}\ninterval_ms = 250\n",
            quoted(&spec.program),
            spec.work_s
        )
        .expect("writing to a string cannot fail");
    }
    text
}
