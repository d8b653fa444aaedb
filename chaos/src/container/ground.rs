//! What one run has made: its networks and members, all removed with it.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use super::{Engine, Member, MemberSpec, Network};

/// Makes networks and members. Dropping it removes them.
#[derive(Debug)]
pub struct Ground {
    engine: Engine,
    image: String,
    run: String,
    is_clear: AtomicBool,
}

impl Ground {
    /// `image` is as [`super::ensure_image`] gives it; `name` says what the run is.
    pub fn new(engine: Engine, image: String, name: &str) -> Self {
        let run = format!("reveille-{name}-{}", std::process::id());
        Self { engine, image, run, is_clear: AtomicBool::new(false) }
    }

    pub async fn network(&self, name: &str) -> anyhow::Result<Network> {
        Network::create(&self.engine, &self.run, name).await
    }

    /// Name of a member on its networks, also before it is there.
    pub fn host_name(&self, member: &str) -> String {
        format!("{}-{member}", self.run)
    }

    /// Starts a member on a network.
    pub async fn member(&self, network: &Network, spec: &MemberSpec) -> anyhow::Result<Member> {
        Member::start(&self.engine, &self.run, &self.image, network, spec).await
    }

    /// Removes everything of the run.
    pub async fn clear(&self) -> anyhow::Result<()> {
        self.engine.remove_run(&self.run).await?;
        self.is_clear.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Ground {
    /// A run that ended before its time: its runtime may be going down, so another one does it.
    fn drop(&mut self) {
        if self.is_clear.load(Ordering::Relaxed) {
            return;
        }
        let run = self.run.clone();
        let clearing = std::thread::spawn(move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            // A client of its own: a connection belongs to the runtime it was made on.
            let docker = testcontainers::bollard::Docker::connect_with_defaults().context("no engine")?;
            runtime.block_on(Engine { docker }.remove_run(&run))
        });
        match clearing.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error = format!("{error:#}"), "containers were left behind"),
            Err(_) => tracing::error!("containers were left behind"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use testcontainers::bollard::models::NetworkCreateRequest;

    use super::*;
    use crate::container::{
        ensure_image,
        owner::{OWNER_LABEL, this_process},
    };

    async fn ground() -> Option<Ground> {
        match Engine::reach().await {
            Ok(engine) => {
                let image = ensure_image().await.expect("an image can be made");
                Some(Ground::new(engine, image, "ground-test"))
            }
            Err(why) => {
                eprintln!("SKIPPED: members that are stopped, cut off and killed ({why})");
                None
            }
        }
    }

    #[tokio::test]
    async fn what_a_dead_run_left_is_removed_by_the_next() {
        let engine = match Engine::reach().await {
            Ok(engine) => engine,
            Err(why) => return eprintln!("SKIPPED: what a dead run left ({why})"),
        };
        let host = this_process();
        let (host, _) = host.split_once('/').expect("host and process");
        let (dead, name) = (format!("{host}/4294967295/1"), format!("reveille-dead-{}", std::process::id()));
        let labels = BTreeMap::from([(OWNER_LABEL.to_owned(), dead)]);
        let left = NetworkCreateRequest {
            name: name.clone(),
            labels: Some(labels.into_iter().collect()),
            ..Default::default()
        };
        engine.docker.create_network(left).await.expect("made");
        let next = Engine::reach().await.expect("an engine");
        assert!(next.docker.inspect_network(&name, None).await.is_err());
    }

    /// Whether a connection to the member's port is taken.
    async fn answers(member: &Member, network: &Network) -> bool {
        let Ok(address) = member.address(network).await else { return false };
        let dialled = tokio::net::TcpStream::connect((address, 4000));
        tokio::time::timeout(std::time::Duration::from_secs(1), dialled)
            .await
            .is_ok_and(|dialled| dialled.is_ok())
    }

    async fn until_it_answers(member: &Member, network: &Network) {
        let waited = async {
            while !answers(member, network).await {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), waited).await.expect("it answers in time");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn members_are_cut_off_killed_and_removed() {
        let Some(ground) = ground().await else { return };
        let (front, back) =
            (ground.network("front").await.expect("made"), ground.network("back").await.expect("made"));
        let listen = "use IO::Socket; $s = IO::Socket::INET->new(Listen => 9, LocalPort => 4000, ReuseAddr => 1); \
                      while ($c = $s->accept) { close $c }";
        let spec = MemberSpec {
            name: "listener".into(),
            script: format!("exec perl -e '{listen}'"),
            ..MemberSpec::default()
        };
        let member = ground.member(&front, &spec).await.expect("started");
        back.join(&member).await.expect("joined");
        until_it_answers(&member, &front).await;
        until_it_answers(&member, &back).await;
        back.cut(&member).await.expect("cut");
        assert!(answers(&member, &front).await, "only one of its networks is cut");
        assert!(!answers(&member, &back).await);
        back.join(&member).await.expect("joined again");
        until_it_answers(&member, &back).await;
        member.kill().await.expect("killed");
        member.start_again().await.expect("started again");
        until_it_answers(&member, &front).await;
        until_it_answers(&member, &back).await;

        let (engine, run) = (ground.engine.clone(), ground.run.clone());
        drop(member);
        drop(ground);
        let left = engine.docker.inspect_network(&format!("{run}-front"), None).await;
        assert!(left.is_err(), "its drop removes what a run that was not cleared has made");
    }
}
