//! Commands to agents, as messages of the link.

use reveille_proto::{
    HostId, WakeId,
    edge::AttemptResult,
    planted,
    v1::{self, controller_message::Kind},
};

use tokio::sync::mpsc;

use super::Registry;
use crate::{policy::Policy, wake::Wake};

/// Settings every agent is given, from the policy in force.
pub(super) fn configure(policy: &Policy, load_interval_ms: u32) -> v1::Configure {
    v1::Configure {
        load_interval_ms,
        cpu_ceiling_percent: policy.cpu_ceiling_percent,
        wakes_max: policy.host_wakes_max,
        stopped: policy.stopped,
    }
}

/// What is on its way to one agent. Boxed: the channel sets places for 32 messages aside, and thousands of agents have one
/// each that is almost always empty.
pub type Outbox = mpsc::Receiver<Box<v1::ControllerMessage>>;

/// The wake of the next command in an outbox, other messages passed over; `None` when the session is over.
pub async fn next_wake(outbox: &mut Outbox) -> Option<WakeId> {
    while let Some(message) = outbox.recv().await {
        if let Some(Kind::Wake(wake)) = message.kind
            && let Ok(id) = wake.wake_id.parse()
        {
            return Some(id);
        }
    }
    None
}

/// Each returns whether the message is on its way; a host that is not connected hears it when it is back.
impl Registry {
    /// The command of the wake's present run; `false` also when it has none.
    ///
    /// The session may have changed since the wake was stepped: an agent with another journal than the run's cannot
    /// know what was called, and may only look.
    pub fn send_wake(&self, wake: &Wake, look_only: bool) -> bool {
        let Some(run) = wake.state.run() else { return false };
        let command = v1::Wake {
            wake_id: wake.id.to_string(),
            epoch: run.epoch,
            attempt: run.attempt,
            instance_id: wake.instance.to_string(),
            reason: wake.reason.to_wire().into(),
            // By the clock of the host, whose session is looked up last.
            deadline_ms: 0,
            idempotency_key: if planted!("key-of-the-attempt") {
                format!("{}-{}", wake.id, run.attempt)
            } else {
                wake.id.to_string()
            },
            look_only,
        };
        self.send_with(&run.host, |live| {
            let look_only = look_only || live.journal_id != run.journal_id;
            let deadline_ms = live.clock.theirs(run.deadline_at).as_millisecond();
            Kind::Wake(v1::Wake { look_only, deadline_ms, ..command })
        })
    }

    pub fn send_cancel(&self, host: &HostId, wake: WakeId) -> bool {
        self.send_with(host, |live| Kind::Cancel(v1::Cancel { wake_id: wake.to_string(), epoch: live.epoch }))
    }

    /// The result is on disk: the agent may forget it.
    pub fn send_result_ack(&self, host: &HostId, result: &AttemptResult) -> bool {
        let AttemptResult { wake, epoch, attempt, .. } = result;
        let ack = v1::ResultAck { wake_id: wake.to_string(), epoch: *epoch, attempt: *attempt };
        self.send(host, Kind::ResultAck(ack))
    }

    /// Tells every connected agent the settings in force.
    pub fn send_configure(&self, policy: &Policy, load_interval_ms: u32) {
        self.broadcast(&Kind::Configure(configure(policy, load_interval_ms)));
    }
}
