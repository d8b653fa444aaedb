//! Runs an experiment in a local world: another process keeps the world, this one gives the orders and renews the lease. When it
//! is gone, the keeper ends everything.

use std::{
    io::{BufRead, BufReader, Read as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::time::sleep;

use super::{
    Answer, Body, Entry, Run,
    steps::{Hand, Script, request_of},
};
use crate::experiment::{
    file::{Activity, Experiment},
    serve::LEASE,
};
use crate::local::LocalSpec;

/// Names the run in the environment of every process of it, for whoever looks what is left.
pub const RUN_MARK: &str = "REVEILLE_LOCAL_RUN";
/// How often the lease is renewed in its length.
const RENEWALS: u32 = 4;
/// An order may have the world go on for so long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4 * 3_600);

/// How experiments are run locally.
#[derive(Debug, Clone)]
pub struct LocalRun {
    /// The `reveille-chaos` binary that is the keeper and every other process.
    pub program: PathBuf,
    /// Seconds of the world in one of ours.
    pub speed: f64,
    pub lease: Duration,
    /// Each controller and agent is a container of its own.
    pub in_containers: bool,
}

impl LocalRun {
    pub(super) fn spec(&self) -> LocalSpec {
        let Self { program, speed, in_containers, .. } = self.clone();
        LocalSpec { program, speed, in_containers }
    }
}

/// Runs an experiment once; the keeper writes journals to `journals`.
///
/// # Errors
/// When no keeper can be started, or it goes away.
pub fn run_locally(
    entry: &Entry,
    seed: u64,
    local: &LocalRun,
    journals: Option<&Path>,
) -> anyhow::Result<Run> {
    let mut keeper = Keeper::start(entry, seed, local, journals)?;
    let url = keeper.url()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ran = runtime.block_on(take_steps(&entry.experiment, &url, local.lease));
    // What it has to say is said when it is over, also where an order was not answered.
    let told = keeper.over();
    match (ran, told) {
        (_, Ok(run)) => Ok(run),
        (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
    }
}

/// The process that keeps the world.
struct Keeper {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Keeper {
    fn start(entry: &Entry, seed: u64, local: &LocalRun, journals: Option<&Path>) -> anyhow::Result<Self> {
        let mut command = Command::new(&local.program);
        command
            .args([
                "--output",
                "json",
                "serve",
                "--mode",
                local.spec().mode().name(),
                "--listen",
                "127.0.0.1:0",
            ])
            .args(["--seed", &seed.to_string(), "--speed", &local.speed.to_string()])
            .args(["--lease", &format!("{}s", local.lease.as_secs_f64())])
            .args(entry.args())
            .env(RUN_MARK, format!("{}-{seed}", std::process::id()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // What ends this process from the terminal ends the run by its lease, and in order.
            .process_group(0);
        if let Some(journals) = journals {
            command.arg("--journals").arg(journals);
        }
        let mut child = command.arg(&entry.name).spawn().context("failed to start a keeper")?;
        let said = child.stdout.take().context("a keeper says nothing")?;
        Ok(Self { child, said: BufReader::new(said) })
    }

    /// Where it takes orders.
    fn url(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.said.read_line(&mut line).context("failed to listen to the keeper")?;
        let said: Value = serde_json::from_str(&line).context("the keeper did not say where it is")?;
        said["harness_url"].as_str().map(str::to_owned).context("the keeper did not say where it is")
    }

    /// Waits for its end, and gives what it says of the run.
    fn over(mut self) -> anyhow::Result<Run> {
        let mut said = String::new();
        self.said.read_to_string(&mut said).context("failed to listen to the keeper")?;
        let status = self.child.wait().context("failed to wait for the keeper")?;
        serde_json::from_str(&said)
            .with_context(|| format!("the keeper ended with {status} and said nothing"))
    }
}

/// Takes every step, and renews the lease meanwhile and until the keeper has taken everything down.
async fn take_steps(experiment: &Experiment, url: &str, lease: Duration) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_TIMEOUT).build()?;
    let orders = Orders { client: client.clone(), url: url.to_owned() };
    let renewing = renew(client, format!("{url}{LEASE}"), lease);
    let taking = async {
        let mut orders = orders;
        let mut script = Script::of(experiment);
        while let Some(activity) = script.next() {
            let answer = script.carry_out(activity, &mut orders).await?;
            anstream::eprintln!("step {}: {}", activity.name, answer.status);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        taken = taking => taken?,
        renewed = renewing => return renewed,
    }
    // It judges, and plays the control.
    let client = reqwest::Client::builder().no_proxy().build()?;
    renew(client, format!("{url}{LEASE}"), lease).await.ok();
    Ok(())
}

/// Until the keeper is not there any more.
async fn renew(client: reqwest::Client, url: String, lease: Duration) -> anyhow::Result<()> {
    loop {
        let renewed = client.post(&url).timeout(lease).send().await;
        renewed.context("the keeper is gone")?;
        sleep(lease / RENEWALS).await;
    }
}

/// Has the keeper carry out each step.
struct Orders {
    client: reqwest::Client,
    url: String,
}

impl Hand for Orders {
    async fn take(&mut self, activity: &Activity) -> anyhow::Result<Answer> {
        let Some((method, target, body)) = request_of(activity) else {
            bail!("`{}` is no request to the harness", activity.name);
        };
        let method = method.parse().context("a step has no method")?;
        let mut request = self.client.request(method, format!("{}{target}", self.url));
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.context("the keeper does not answer")?;
        let status = answer.status().as_u16();
        let text = answer.text().await.context("the keeper does not answer")?;
        let body = match serde_json::from_str::<Value>(&text) {
            Ok(value) if !value.is_number() => Body::Json(value),
            _ => Body::Text(text),
        };
        Ok(Answer { status, body })
    }
}
