//! Carries out what a committed move asks for. Doing it twice is harmless.

use reveille_proto::{
    edge::{AttemptResult, ENDPOINT_REFUSED},
    planted,
    points::Step,
};

use crate::{
    app::Shared,
    fleet::Over,
    wake::{Effect, End, State, Wake},
};

/// A command that cannot be sent now is sent again when the host's agent is back.
pub async fn perform(shared: &Shared, wake: &Wake, effects: &[Effect]) {
    perform_after(shared, wake, effects, over(wake));
}

/// The same after an agent's result: what an endpoint refuses for reasons of its own says nothing of the host.
pub(super) fn perform_result(shared: &Shared, wake: &Wake, effects: &[Effect], result: &AttemptResult) {
    let over = if result.code == ENDPOINT_REFUSED { Over::Other } else { over(wake) };
    perform_after(shared, wake, effects, over);
}

fn perform_after(shared: &Shared, wake: &Wake, effects: &[Effect], over: Over) {
    let now = shared.clock.now();
    shared.board.saw(wake, now);
    let is_starting = matches!(wake.state, State::Starting { .. });
    let run = wake.state.run().filter(|_| !(is_starting && planted!("permit-given-back-at-accepted")));
    if let (None, Some(host)) = (run, &wake.last_host) {
        shared.fleet.ended(host, wake.id, over, now);
    }
    for effect in effects {
        match effect {
            Effect::LookAtQueue => shared.signals.dispatch.notify_one(),
            Effect::SendWake { look_only } => {
                shared.fleet.send_wake(wake, *look_only);
            }
            Effect::SendCancel => send_cancel(shared, wake),
        }
        shared.points.pass(Step::EffectDone, effect.name(), Some(wake.id), Some(&wake.instance));
    }
    if wake.state.ended().is_some() && !effects.is_empty() {
        shared.signals.settle.notify_one();
        shared.signals.notify.notify_one();
    }
}

/// What the throttle makes of a wake that gave its permit back.
fn over(wake: &Wake) -> Over {
    match wake.state.ended() {
        Some(End::Woken) => Over::Served,
        Some(End::Failed | End::TimedOut | End::HostLost) => Over::Failed,
        // Queued again: the attempt failed, or a hot host refused it.
        None if matches!(wake.state, State::Queued { failures, .. } if failures > 0) => Over::Failed,
        None | Some(End::AlreadyAwake | End::Refused | End::Cancelled | End::Expired) => Over::Other,
    }
}

fn send_cancel(shared: &Shared, wake: &Wake) {
    let host = wake.state.run().map(|run| &run.host).or(wake.last_host.as_ref());
    if let Some(host) = host {
        shared.fleet.send_cancel(host, wake.id);
    }
}
