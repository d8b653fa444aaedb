//! What becomes of the controller and the agents of a stage: they start, die, stand still and go on, as tasks or as processes.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use reveille_agent::app::{Agent, Seams as AgentSeams};
use reveille_controller::{
    api::{AGENT_TOKEN_FILE, OPERATOR_TOKEN_FILE},
    app::{App, Doors, Seams},
};
use reveille_proto::{clock::Hands, waits::Waits};
use serde_json::json;

use super::{
    inject::StoreGate,
    node::Node,
    receiver::Receiver,
    stage::{CONTROLLER, PAGES, Stage, TAP, WATCH},
};
use crate::{
    history::{Entry, Function, Key, Kind},
    local::COPY,
    net::{Exchange, Flow, InProcess, Ways},
    play::{PlaySpec, agents, controller, load::HostLoad},
    world::{Live, host_id, router},
};

impl Stage {
    /// The controller dies.
    pub(super) async fn controller_dies(&mut self) {
        let Some(controller) = self.controller.take() else { return };
        controller.crash().await;
        // Even where it stood still: who is started again does not.
        self.controller_is_held(false);
        for caller in [TAP, WATCH] {
            self.exchange.cut(caller);
        }
        self.note_node(Function::Crash, CONTROLLER);
    }

    /// The controller is started again.
    pub(super) async fn controller_starts(&mut self) -> anyhow::Result<()> {
        if self.controller.is_none() {
            self.note_node(Function::Restart, CONTROLLER);
            if let Some(local) = &self.local {
                self.store.starting(true);
                self.controller = Some(local.start_controller(self.live.clock().now()).await?.into());
                // Nobody who is started again is waited for.
                tokio::spawn(is_through(local.controller_at(), self.store.clone()));
                return Ok(());
            }
            let own = (&self.waits, &self.store, &self.controller_hands, self.receiver.as_ref());
            let started = start_controller(&self.spec, &self.dir, &self.live, &self.exchange, own);
            self.controller = Some(started.await?);
        }
        Ok(())
    }

    /// The controller stops in the middle of what it does, or goes on as if nothing had been.
    pub(super) async fn controller_stands_still(&self, stands_still: bool) -> anyhow::Result<()> {
        match self.controller.as_ref().and_then(Node::running) {
            Some(running) if stands_still => running.stop().await,
            Some(running) => running.go_on().await,
            None => {
                self.controller_is_held(stands_still);
                Ok(())
            }
        }
    }

    /// A process is held by the kernel.
    fn controller_is_held(&self, stands_still: bool) {
        if self.local.is_some() {
            return;
        }
        if stands_still {
            self.controller_hands.hold();
        } else {
            self.controller_hands.release();
        }
        self.store.stand_still(stands_still);
        let flow = if stands_still { Flow::HELD } else { Flow::default() };
        for caller in [TAP, WATCH] {
            self.exchange.change(caller, |weather| (weather.there, weather.back) = (flow, flow));
        }
    }

    /// An agent stops in the middle of what it does, or goes on as if nothing had been.
    pub(super) async fn agent_stands_still(&self, host: usize, stands_still: bool) -> anyhow::Result<()> {
        match self.agents[host].as_ref().and_then(Node::running) {
            Some(running) if stands_still => running.stop().await?,
            Some(running) => running.go_on().await?,
            None if stands_still => self.agent_hands[host].hold(),
            None => self.agent_hands[host].release(),
        }
        Ok(())
    }

    /// The agent of a host dies.
    pub(super) async fn agent_dies(&mut self, host: usize) {
        let Some(agent) = self.agents[host].take() else { return };
        agent.crash().await;
        self.agent_hands[host].release();
        self.exchange.cut(host_id(host).as_str());
        self.note_node(Function::Crash, &format!("agent-{}", host + 1));
    }

    /// The agent of a host is started again.
    pub(super) async fn agent_starts(&mut self, host: usize) -> anyhow::Result<()> {
        if self.agents[host].is_none() {
            self.note_node(Function::Restart, &format!("agent-{}", host + 1));
            self.agents[host] = Some(self.agent(host, false).await?);
        }
        Ok(())
    }

    /// A second agent says it is this host's.
    pub(super) async fn copy_starts(&mut self, host: usize) -> anyhow::Result<()> {
        if !self.copies.contains_key(&host) {
            let copy = self.agent(host, true).await?;
            self.copies.insert(host, copy);
        }
        Ok(())
    }

    pub(super) async fn copy_dies(&mut self, host: usize) {
        let Some(copy) = self.copies.remove(&host) else { return };
        copy.crash().await;
        self.exchange.cut(&format!("{}{COPY}", host_id(host)));
    }

    /// How often the second agent of a host has called the controller.
    pub(super) fn copy_calls(&self, host: usize) -> u64 {
        self.exchange.laid(&format!("{}{COPY}", host_id(host)))
    }

    /// What a second agent of a host keeps, and who it is on the exchange, has a name of its own.
    pub(super) async fn agent(&self, host: usize, is_copy: bool) -> anyhow::Result<Node> {
        if let Some(local) = &self.local {
            return Ok(local.start_agent(host, is_copy, self.live.clock().now()).await?.into());
        }
        let suffix = if is_copy { COPY } else { "" };
        let mut config = agents::config(&self.spec, &self.dir, &self.reach, host);
        config.state_dir = Some(self.dir.join(format!("agent-{}{suffix}", host + 1)));
        let load = Box::new(HostLoad::new(self.live.clone(), host));
        // A new start draws anew: the time is in it.
        let seed = self.spec.world.seed ^ self.live.clock().now().as_second() as u64 ^ (host as u64) << 48;
        // A copy runs on a machine of its own.
        let hands = if suffix.is_empty() { self.agent_hands[host].clone() } else { Hands::default() };
        let clock = self.live.clock().with(hands);
        let endpoints = InProcess::new(router(self.live.clone())).called_by(clock.clone());
        let seams = AgentSeams {
            waits: self.waits.clone(),
            dial: Ways::Within(self.exchange.clone()).dial(&format!("{}{suffix}", host_id(host))),
            carrier: Some(Arc::new(endpoints)),
            ..AgentSeams::new(clock, load, seed)
        };
        let agent = Agent::build(config, seams).await.context("failed to start an agent")?;
        Ok(Node::start(|stop| async move { agent.run(stop).await.context("an agent failed") }))
    }

    fn note_node(&self, function: Function, node: &str) {
        let entry = Entry::new("world", Kind::Ok, function, Key::default());
        self.recorder.record(entry.value(json!({"node": node})));
    }
}

/// A controller that was started again has started once it listens, and meets its database as it is from then on.
async fn is_through(address: std::net::SocketAddr, store: StoreGate) {
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.starting(false);
}

/// Tokens of this world, which no socket leads to: those the controller draws for itself would not always be as long once they are
/// packed, and lines count bytes.
fn keep_tokens(data_dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(data_dir)?;
    std::fs::write(data_dir.join(AGENT_TOKEN_FILE), "token-of-simulated-agents")?;
    std::fs::write(data_dir.join(OPERATOR_TOKEN_FILE), "token-of-simulated-operators")
}

/// A controller within this process.
pub(super) async fn start_controller(
    spec: &PlaySpec,
    dir: &Path,
    live: &Live,
    exchange: &Exchange,
    (waits, store, hands, receiver): (&Waits, &StoreGate, &Hands, Option<&Receiver>),
) -> anyhow::Result<Node> {
    keep_tokens(&dir.join(CONTROLLER)).context("failed to write the controller's tokens")?;
    let mut config = controller::config(spec, &dir.join(CONTROLLER), &dir.join("access.log"));
    // Wakes of a later start have ids of their own.
    let seed = spec.world.seed ^ live.clock().now().as_second() as u64;
    let clock = live.clock().with(hands.clone());
    let doors = Doors { http: exchange.listen(PAGES), grpc: exchange.listen(CONTROLLER) };
    let waits = waits.clone().behind(store.gate());
    let mut seams = Seams { waits, doors: Some(doors), ..Seams::new(clock, seed) };
    if let Some(receiver) = receiver {
        config.notify.webhooks = vec![Receiver::webhook(dir).context("failed to write a secret")?];
        seams.carrier = Some(Arc::new(receiver.clone()));
    }
    store.starting(true);
    let app = App::build(config, seams).await.context("failed to start the controller")?;
    store.starting(false);
    Ok(Node::start(|stop| async move { app.run(stop).await.context("the controller failed") }))
}
