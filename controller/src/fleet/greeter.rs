//! Hellos on their way to the store: those that come while others are committed are committed together.
//!
//! A fleet that comes back at once says thousands of them in a second, and each must be on disk before it is answered.

use std::collections::{BTreeSet, VecDeque};

use tokio::sync::{
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    oneshot,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    app::Shared,
    store::{Greeting, Said, StoreError},
};

/// Hellos in one commit: it takes some milliseconds, and nobody waits for more of others than that.
const TOGETHER_MAX: usize = 256;

/// A hello, and who waits for what becomes of it.
#[derive(Debug)]
struct Waiting {
    said: Said,
    answer: oneshot::Sender<Greeting>,
}

/// Where sessions hand in their hellos.
#[derive(Debug, Clone)]
pub(super) struct Greetings(UnboundedSender<Waiting>);

/// Commits them. The controller cannot do without.
#[derive(Debug)]
pub struct Greeter {
    waiting: UnboundedReceiver<Waiting>,
}

impl Greetings {
    /// Its queue needs no bound: each session waits for one hello, and sessions have a bound.
    pub(super) fn new() -> (Self, Greeter) {
        let (sender, waiting) = unbounded_channel();
        (Self(sender), Greeter { waiting })
    }

    /// What became of a hello once it is on disk; `None` when it could not be kept, which has been said.
    pub(super) async fn greet(&self, said: Said) -> Option<Greeting> {
        let (answer, greeting) = oneshot::channel();
        self.0.send(Waiting { said, answer }).ok()?;
        greeting.await.ok()
    }
}

impl Greeter {
    /// Runs until `shutdown`; who waits then is answered with nothing.
    pub async fn run(mut self, shared: Shared, shutdown: CancellationToken) {
        let (mut heard, mut queue) = (Vec::new(), VecDeque::new());
        loop {
            if queue.is_empty() {
                let count = tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    count = self.waiting.recv_many(&mut heard, TOGETHER_MAX) => count,
                };
                if count == 0 {
                    return;
                }
            }
            while queue.len() + heard.len() < TOGETHER_MAX {
                let Ok(one) = self.waiting.try_recv() else { break };
                heard.push(one);
            }
            queue.extend(heard.drain(..));
            greet(&shared, together(&mut queue)).await;
        }
    }
}

/// The hellos of the next commit. Of a host that said two, the second one waits: their order is kept.
fn together(queue: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let (mut hosts, mut now, mut later) = (BTreeSet::new(), Vec::new(), VecDeque::new());
    for one in queue.drain(..) {
        // Nobody waits for it: the agent gave up, and will say it again.
        if one.answer.is_closed() {
            continue;
        }
        if hosts.insert(one.said.hello.host.clone()) {
            now.push(one);
        } else {
            later.push_back(one);
        }
    }
    *queue = later;
    now
}

async fn greet(shared: &Shared, waiting: Vec<Waiting>) {
    match keep(shared, &waiting).await {
        Ok(greetings) => answer(shared, waiting, greetings),
        // One of them may be what the database does not like; the others are not to suffer for it.
        Err(error) if error.is_refusal() && waiting.len() > 1 => {
            for one in waiting {
                let one = vec![one];
                match keep(shared, &one).await {
                    Ok(greetings) => answer(shared, one, greetings),
                    Err(error) => tell(&error, &one),
                }
            }
        }
        Err(error) => tell(&error, &waiting),
    }
}

async fn keep(shared: &Shared, waiting: &[Waiting]) -> Result<Vec<Greeting>, StoreError> {
    let said: Vec<&Said> = waiting.iter().map(|one| &one.said).collect();
    shared.store.hosts_hello(&said, &shared.controller, shared.clock.now()).await
}

fn answer(shared: &Shared, waiting: Vec<Waiting>, greetings: Vec<Greeting>) {
    for (Waiting { said, answer }, greeting) in waiting.into_iter().zip(greetings) {
        // Who has gone meanwhile says hello again. If it was another agent of the same host, the one that is still here has
        // been fenced off by a session that never began: it has to say hello anew.
        if let Err(greeting) = answer.send(greeting) {
            let host = &said.hello.host;
            if shared.fleet.fenced(host, |epoch| epoch < greeting.session_epoch) {
                info!(host_id = %host, "a session is ended that was fenced off by one that never began");
            }
        }
    }
}

fn tell(error: &StoreError, waiting: &[Waiting]) {
    let first = waiting.first().map(|one| one.said.hello.host.as_str()).unwrap_or_default();
    warn!(%error, host_id = first, hellos = waiting.len(), "failed to keep hellos");
}

#[cfg(test)]
mod tests {
    use reveille_proto::{HostId, edge::Hello};

    use super::*;

    fn waiting(host: &str, epoch_min: u64) -> (Waiting, oneshot::Receiver<Greeting>) {
        let hello = Hello {
            protocol_version: 1,
            agent_version: "test".into(),
            host: HostId::new(host).expect("an id"),
            host_class: String::new(),
            zone: String::new(),
            cores: 1.0,
            journal_id: "j".into(),
            inventory: Vec::new(),
            unfinished: Vec::new(),
            cpu_ceiling_percent: None,
            wakes_max: None,
            epoch: 0,
        };
        let (answer, greeting) = oneshot::channel();
        (Waiting { said: Said { hello, epoch_min }, answer }, greeting)
    }

    #[test]
    fn a_host_is_in_a_commit_once_and_who_gave_up_in_none() {
        let all = [waiting("a", 1), waiting("b", 2), waiting("a", 3), waiting("c", 4)];
        let (said, mut greetings): (VecDeque<_>, Vec<_>) = all.into_iter().unzip();
        let mut queue = said;
        greetings.pop();
        let epochs = |all: &[Waiting]| all.iter().map(|one| one.said.epoch_min).collect::<Vec<_>>();
        assert_eq!(epochs(&together(&mut queue)), [1, 2]);
        assert_eq!(epochs(&together(&mut queue)), [3]);
        assert!(together(&mut queue).is_empty());
    }
}
