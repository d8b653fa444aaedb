//! Points of an agent that only the endpoint can see: its call has arrived, and it has had its effect. The agent that made
//! it is killed before it hears anything.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{mpsc, oneshot};

use super::{PointKey, Role, nodes};

/// An agent is to be killed; answered when it is gone.
pub type Order = (String, oneshot::Sender<()>);

/// Where calls are counted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Calls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    die_at: Option<PointKey>,
    kill: mpsc::Sender<Order>,
    passed: Mutex<Vec<PointKey>>,
}

impl Calls {
    /// Kills are ordered at the other end of the result.
    pub fn new(die_at: Option<PointKey>) -> (Self, mpsc::Receiver<Order>) {
        let (kill, orders) = mpsc::channel(1);
        (Self(Arc::new(Inner { die_at, kill, passed: Mutex::default() })), orders)
    }

    /// All that were passed, in order.
    pub fn passed_all(&self) -> Vec<PointKey> {
        self.0.passed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a point; returns when the agent is dead, if this is where it dies.
    pub async fn passed(&self, step: &str, endpoint: &str, role: Role) {
        let key = self.count(step, endpoint, role);
        if self.0.die_at.as_ref() != Some(&key) {
            return;
        }
        let (dead, is_dead) = oneshot::channel();
        if self.0.kill.send((key.node, dead)).await.is_ok() {
            is_dead.await.ok();
        }
    }

    fn count(&self, step: &str, endpoint: &str, role: Role) -> PointKey {
        let mut passed = self.0.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = PointKey {
            node: nodes::agent(role.agent()),
            step: step.into(),
            what: endpoint.into(),
            role: role.name().into(),
            nth: 0,
        };
        let mut counts: BTreeMap<_, u32> = BTreeMap::new();
        passed.iter().for_each(|point| *counts.entry(point.stem()).or_default() += 1);
        key.nth = counts.get(&key.stem()).copied().unwrap_or(0) + 1;
        passed.push(key.clone());
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_agent_is_gone_before_the_endpoint_goes_on() {
        let die_at = "agent-1/call-acted/portal/accepted/2".parse().ok();
        let (calls, mut orders) = Calls::new(die_at);
        calls.passed("call-arrived", "portal", Role::Accepted).await;
        calls.passed("call-acted", "portal", Role::Accepted).await;
        assert!(orders.try_recv().is_err(), "not the second one");
        let again = calls.clone();
        let goes_on = tokio::spawn(async move { again.passed("call-acted", "portal", Role::Accepted).await });
        let (node, dead) = orders.recv().await.expect("an order");
        assert!(node == "agent-1" && !goes_on.is_finished());
        dead.send(()).expect("waited for");
        goes_on.await.expect("no panic");
        assert_eq!(calls.passed_all().len(), 3);
    }
}
