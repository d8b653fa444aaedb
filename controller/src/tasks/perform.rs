//! Carries out what a committed move asks for. Doing it twice is harmless.

use reveille_proto::v1::{self, controller_message::Kind};

use crate::{
    app::Shared,
    wake::{Effect, Wake},
};

/// A command that cannot be sent now is sent again when the host's agent is back.
pub async fn perform(shared: &Shared, wake: &Wake, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::LookAtQueue => shared.signals.dispatch.notify_one(),
            Effect::SendWake { look_only } => send_wake(shared, wake, *look_only),
            Effect::SendCancel => send_cancel(shared, wake),
        }
    }
    if wake.state.ended().is_some() && !effects.is_empty() {
        shared.signals.settle.notify_one();
    }
}

fn send_wake(shared: &Shared, wake: &Wake, look_only: bool) {
    let Some(run) = wake.state.run() else { return };
    let command = v1::Wake {
        wake_id: wake.id.to_string(),
        epoch: run.epoch,
        attempt: run.attempt,
        instance_id: wake.instance.to_string(),
        reason: wake.reason.to_wire().into(),
        deadline_ms: run.deadline_at.as_millisecond(),
        idempotency_key: wake.id.to_string(),
        look_only,
    };
    shared.fleet.send(&run.host, Kind::Wake(command));
}

fn send_cancel(shared: &Shared, wake: &Wake) {
    let host = wake.state.run().map(|run| &run.host).or(wake.last_host.as_ref());
    if let Some(host) = host {
        let epoch = wake.state.run().map_or(shared.epoch, |run| run.epoch);
        shared.fleet.send(host, Kind::Cancel(v1::Cancel { wake_id: wake.id.to_string(), epoch }));
    }
}
