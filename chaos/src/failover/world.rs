//! The cluster: a database and its watcher, two controllers, four agents, each in a container of its own.
//!
//! Two networks: the controllers reach the database on one, and are reached by agents and clients on the other, so that a
//! controller can lose the first and keep the second.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{
    controllers::Controllers,
    files::{self, HOME, LEASE_LOG, PROGRAM, TOKENS},
};
use crate::container::{Ground, Member, MemberSpec, Network};

pub(super) const CONTROLLERS: usize = 2;
/// One host each.
pub(super) const AGENTS: usize = 4;
const CONTROLLER_NAMES: [&str; CONTROLLERS] = ["controller-a", "controller-b"];

/// All that runs. Dropping it kills and removes them.
#[derive(Debug)]
pub(super) struct World {
    pub(super) controllers: Vec<Member>,
    pub(super) database: Member,
    /// Controllers and the database.
    pub(super) back: Network,
    /// Controllers, agents and this machine.
    front: Network,
    pub(super) doors: Controllers,
    agents: Vec<Member>,
    watcher: Member,
}

/// What a world is made of.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) ground: &'a Ground,
    /// The `reveille-chaos` binary that is every node.
    pub(super) program: &'a Path,
    pub(super) dir: &'a Path,
    pub(super) instances: usize,
    pub(super) front: Network,
    /// Where the endpoints are found.
    pub(super) endpoint: SocketAddr,
}

impl Plan<'_> {
    fn dir(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A member with a directory of its own, which this user may read and remove afterwards.
    fn spec(&self, name: &str, script: String) -> anyhow::Result<MemberSpec> {
        // Whoever runs this has made the directory.
        let made = std::fs::metadata(self.dir)?;
        Ok(MemberSpec {
            name: name.to_owned(),
            script,
            mounts: vec![(self.dir(name), HOME.to_owned())],
            mounts_read_only: vec![
                (self.program.to_owned(), PROGRAM.to_owned()),
                (self.dir("tokens"), TOKENS.to_owned()),
            ],
            user: Some(format!("{}:{}", made.uid(), made.gid())),
        })
    }

    async fn database(&self, back: &Network) -> anyhow::Result<Member> {
        files::make_dir(&self.dir("database"))?;
        let spec = self.spec("database", files::database_script())?;
        // It becomes somebody else by itself.
        let spec = MemberSpec { user: None, mounts_read_only: Vec::new(), ..spec };
        self.ground.member(back, &spec).await
    }

    async fn watcher(&self, back: &Network, database: &str) -> anyhow::Result<Member> {
        files::write_watcher(&self.dir("watcher"))?;
        let spec = self.spec("watcher", files::watcher_script(database))?;
        self.ground.member(back, &spec).await
    }

    async fn controller(&self, name: &str, back: &Network, database: &str) -> anyhow::Result<Member> {
        files::write_controller(&self.dir(name), database)?;
        let script = files::node_script(&format!("controller {HOME}/controller.toml"));
        let member = self.ground.member(back, &self.spec(name, script)?).await?;
        self.front.join(&member).await?;
        Ok(member)
    }

    async fn agent(&self, agent: usize, controllers: &[String]) -> anyhow::Result<Member> {
        let name = format!("agent-{}", agent + 1);
        files::write_agent(&self.dir(&name), agent, controllers, self.endpoint, self.instances)?;
        let script = files::node_script(&format!("agent {HOME}/agent.toml {agent}"));
        self.ground.member(&self.front, &self.spec(&name, script)?).await
    }
}

impl World {
    /// Starts everything; nobody is waited for.
    pub(super) async fn start(plan: Plan<'_>) -> anyhow::Result<Self> {
        files::write_tokens(&plan.dir("tokens"))?;
        let back = plan.ground.network("back").await?;
        let database = plan.database(&back).await?;
        super::steady::database_answers(database.address(&back).await?).await?;
        let watcher = plan.watcher(&back, &database.host_name).await?;
        let (mut controllers, mut at) = (Vec::new(), [Ipv4Addr::UNSPECIFIED; CONTROLLERS]);
        for (name, at) in CONTROLLER_NAMES.iter().zip(&mut at) {
            let member = plan.controller(name, &back, &database.host_name).await?;
            *at = member.address(&plan.front).await?;
            controllers.push(member);
        }
        let names: Vec<String> = controllers.iter().map(|member| member.host_name.clone()).collect();
        let mut agents = Vec::new();
        for agent in 0..AGENTS {
            agents.push(plan.agent(agent, &names).await?);
        }
        let doors = Controllers::new(at, &plan.dir("tokens"))?;
        let front = plan.front;
        Ok(Self { controllers, database, back, front, doors, agents, watcher })
    }

    /// Kills and removes everything.
    pub(super) async fn remove(self) -> anyhow::Result<()> {
        let Self { controllers, database, agents, watcher, .. } = self;
        for member in agents.into_iter().chain(controllers).chain([watcher, database]) {
            member.remove().await?;
        }
        Ok(())
    }

    /// What the watcher writes, below the run's directory.
    pub(super) fn lease_file(dir: &Path) -> PathBuf {
        dir.join("watcher").join(LEASE_LOG)
    }

    /// Starts a controller that was killed, and learns where it is now.
    pub(super) async fn restart_controller(&self, index: usize) -> anyhow::Result<()> {
        self.controllers[index].start_again().await?;
        self.doors.moved(index, self.controllers[index].address(&self.front).await?)
    }
}
