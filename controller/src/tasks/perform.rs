//! Carries out what a committed move asks for. Doing it twice is harmless.

use crate::{
    app::Shared,
    wake::{Effect, Wake},
};

/// A command that cannot be sent now is sent again when the host's agent is back.
pub async fn perform(shared: &Shared, wake: &Wake, effects: &[Effect]) {
    for effect in effects {
        match effect {
            Effect::LookAtQueue => shared.signals.dispatch.notify_one(),
            Effect::SendWake { look_only } => {
                shared.fleet.send_wake(wake, *look_only);
            }
            Effect::SendCancel => send_cancel(shared, wake),
        }
    }
    if wake.state.ended().is_some() && !effects.is_empty() {
        shared.signals.settle.notify_one();
    }
}

fn send_cancel(shared: &Shared, wake: &Wake) {
    let host = wake.state.run().map(|run| &run.host).or(wake.last_host.as_ref());
    if let Some(host) = host {
        let epoch = wake.state.run().map_or(shared.epoch, |run| run.epoch);
        shared.fleet.send_cancel(host, wake.id, epoch);
    }
}
