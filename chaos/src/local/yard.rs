//! Where the containers of a world stand: a network of their own, on whose gateway the keeper listens. What is left of a keeper
//! that was killed itself is removed by the next one.

use std::{
    net::Ipv4Addr,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{
    container::{Engine, Ground, Member, MemberSpec, Network, ensure_image},
    experiment::run::RUN_MARK,
};

/// Where a container finds this program.
const PROGRAM: &str = "/reveille-chaos";

#[derive(Debug)]
pub(super) struct Yard {
    ground: Ground,
    network: Network,
    program: PathBuf,
    dir: PathBuf,
    user: String,
}

impl Yard {
    /// # Errors
    /// When no container engine answers, or the image or the network cannot be made.
    pub(super) async fn open(program: &Path, dir: &Path) -> anyhow::Result<Self> {
        let engine = Engine::reach().await?;
        let image = ensure_image().await?;
        // The control run is another world of the same process.
        let name = dir.file_name().map_or("world".into(), |name| name.to_string_lossy());
        let ground = Ground::new(engine, image, &format!("local-{name}"));
        let network = ground.network("front").await?;
        // Who runs this has made the directory, and is who writes to it.
        let made = std::fs::metadata(dir).context("failed to look at the directory of the world")?;
        let user = format!("{}:{}", made.uid(), made.gid());
        Ok(Self { ground, network, program: program.to_owned(), dir: dir.to_owned(), user })
    }

    pub(super) fn gateway(&self) -> Ipv4Addr {
        self.network.gateway
    }

    pub(super) async fn address(&self, member: &Member) -> anyhow::Result<Ipv4Addr> {
        member.address(&self.network).await
    }

    /// This program with `args`, in a container that finds the directory of the world where it is on this machine.
    pub(super) async fn start(&self, name: &str, args: &[&str]) -> anyhow::Result<Member> {
        let dir = self.dir.to_string_lossy().into_owned();
        let mark = std::env::var(RUN_MARK).unwrap_or_default();
        let script = format!(
            "exec >>'{dir}/{name}.log' 2>&1; export {RUN_MARK}='{mark}'; exec {PROGRAM} {}",
            args.iter().map(|arg| format!("'{arg}'")).collect::<Vec<_>>().join(" ")
        );
        let spec = MemberSpec {
            name: name.to_owned(),
            script,
            mounts: vec![(self.dir.clone(), dir)],
            mounts_read_only: vec![(self.program.clone(), PROGRAM.to_owned())],
            user: Some(self.user.clone()),
        };
        self.ground.member(&self.network, &spec).await
    }

    /// Removes everything.
    pub(super) async fn clear(&self) -> anyhow::Result<()> {
        self.ground.clear().await
    }
}
