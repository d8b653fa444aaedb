//! The agents' process as the bench sees it: every line it has said so far.

use std::{
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::Instant,
};

use super::{AgentsSpec, tally::Tick};
use crate::crash::NODE;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Followed {
    child: Child,
    ticks: Arc<Mutex<Vec<Tick>>>,
    agents: u64,
}

impl Followed {
    pub(super) fn start(program: &Path, spec: &AgentsSpec) -> anyhow::Result<Self> {
        let numbers = [spec.agents, spec.instances, spec.ramp_s].map(|number| number.to_string());
        let mut child = Command::new(program)
            .args([NODE, "fleet-agents", &spec.controller.to_string()])
            .arg(&spec.token)
            .args(numbers)
            .args(spec.ca.iter().flat_map(|ca| ["--ca".as_ref(), ca.as_os_str()]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("failed to start the agents")?;
        let lines = child.stdout.take().context("the agents have no standard output")?;
        let ticks = Arc::new(Mutex::new(Vec::new()));
        let heard = ticks.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(lines).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(tick) = serde_json::from_str(&line) {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(tick);
                }
            }
        });
        Ok(Self { child, ticks, agents: spec.agents.into() })
    }

    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the agents' process is over")
    }

    /// What was said last.
    pub(super) fn now(&self) -> Tick {
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner).last().copied().unwrap_or_default()
    }

    /// What was said since `begin`, and that itself.
    pub(super) fn since(&self, begin: &Tick) -> Vec<Tick> {
        let ticks = self.ticks.lock().unwrap_or_else(PoisonError::into_inner);
        ticks.iter().filter(|tick| tick.at_ms >= begin.at_ms).copied().collect()
    }

    /// Waits until every agent has been welcomed after `begin` and has a session; at most so long. `told` hears how many
    /// have one.
    pub(super) async fn all_welcomed(
        &mut self,
        begin: &Tick,
        at_most: Duration,
        told: &mut (dyn FnMut(u64) + Send),
    ) -> anyhow::Result<bool> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the agents' process ended by itself: {status}");
            }
            let now = self.now();
            // Who was welcomed twice since then is among those whose session broke.
            told(now.connected().min(now.welcomed - begin.welcomed));
            if now.welcomed - begin.welcomed >= self.agents && now.connected() == self.agents {
                return Ok(true);
            }
            if began.elapsed() > at_most {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
