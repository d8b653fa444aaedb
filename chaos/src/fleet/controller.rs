//! The controller as a process: started, killed, and started again with the files and ports it had.

use std::{
    fs::OpenOptions,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use super::{Authority, process::Usage};
use crate::crash::NODE;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Scrapes are answered at once, whatever the database does.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);
/// Loads taken, in the controller's own figures.
const LOADS: &str = "reveille_load_reports_total ";

/// Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Controller {
    program: PathBuf,
    dir: PathBuf,
    http: SocketAddr,
    pub(super) grpc: SocketAddr,
    /// Its authority, where it speaks TLS.
    pub(super) ca: Option<PathBuf>,
    child: Child,
}

impl Controller {
    /// `database_url` is that of a PostgreSQL database; without one, it is a file.
    pub(super) async fn start(
        program: &Path,
        dir: &Path,
        agents: u32,
        database_url: Option<&str>,
        is_tls: bool,
    ) -> anyhow::Result<Self> {
        let [http, grpc] = free_addresses()?;
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let url = database_url.map(|url| format!("database_url = {}\n", quoted(url))).unwrap_or_default();
        let authority = is_tls.then(|| Authority::new(dir, "authority")).transpose()?;
        let tls = match &authority {
            None => String::new(),
            Some(authority) => {
                let own = authority.certify(&["127.0.0.1"])?;
                let [certificate, key] =
                    [own.certificate, own.key].map(|path| quoted(&path.to_string_lossy()));
                format!("[tls]\ncertificate_file = {certificate}\nkey_file = {key}\n")
            }
        };
        let text = format!(
            "[listen]\nhttp = \"{http}\"\ngrpc = \"{grpc}\"\n{tls}[store]\ndata_dir = {}\n{url}\
             [fleet]\nsessions_max = {}\n",
            quoted(&dir.join("controller").to_string_lossy()),
            agents.saturating_mul(2)
        );
        std::fs::write(dir.join("controller.toml"), text).context("failed to write a configuration")?;
        let child = spawn(program, dir)?;
        let mut controller = Self {
            program: program.into(),
            dir: dir.into(),
            http,
            grpc,
            ca: authority.map(|authority| authority.certificate),
            child,
        };
        controller.until_it_listens().await?;
        Ok(controller)
    }

    pub(super) fn token(&self) -> PathBuf {
        self.dir.join("controller").join("agent.token")
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.child.id().context("the controller is over; see controller.log")?)
    }

    /// kill -9, and the same again at once.
    pub(super) async fn restart(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("failed to kill the controller")?;
        self.child = spawn(&self.program, &self.dir)?;
        Ok(())
    }

    /// Load reports it has taken since its start.
    pub(super) async fn loads(&self) -> anyhow::Result<u64> {
        let mut client = reqwest::Client::builder().timeout(SCRAPE_TIMEOUT);
        let mut scheme = "http";
        if let Some(ca) = &self.ca {
            client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(&std::fs::read(ca)?)?);
            scheme = "https";
        }
        let answer = client.build()?.get(format!("{scheme}://{}/metrics", self.http)).send().await?;
        let text = answer.error_for_status()?.text().await?;
        let told = text.lines().find_map(|line| line.strip_prefix(LOADS));
        told.and_then(|number| number.trim().parse().ok()).context("the controller counts no load reports")
    }

    async fn until_it_listens(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        // Both ports are bound before the tokens are there, but they are served after.
        while !self.token().exists() || self.loads().await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(self.dir.join("controller.log")).unwrap_or_default();
                bail!("the controller did not start: {status}\n{log}");
            }
            if began.elapsed() > START_TIMEOUT {
                bail!("waited in vain for the controller to start");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

fn spawn(program: &Path, dir: &Path) -> anyhow::Result<Child> {
    let log = OpenOptions::new().create(true).append(true).open(dir.join("controller.log"))?;
    Command::new(program)
        .args([NODE, "controller"])
        .arg(dir.join("controller.toml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("failed to start the controller")
}

/// Ports that were free a moment ago: they must be the same after the restart.
fn free_addresses() -> anyhow::Result<[SocketAddr; 2]> {
    let listeners = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    Ok([listeners[0].local_addr()?, listeners[1].local_addr()?])
}
