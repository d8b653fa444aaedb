//! The load: every instance is wanted once, by somebody who asks again until a controller has taken it down.

use std::time::Duration;

use reveille_proto::clock::Clock;

use crate::{play::control::Control, world::instance_id};

/// Between two asks for the same instance, while the controller cannot be reached.
const ASK_AGAIN_MS: u64 = 50;

/// Asks for instance `index` until the controller has taken it down. A controller that died before it answered may have:
/// then the wake is found by looking, not made twice by asking.
pub async fn ask(control: &mut Control, index: usize, clock: &Clock) {
    let instance = instance_id(index).to_string();
    let mut asked = false;
    loop {
        if asked && control.wakes_of(&instance).await.is_ok_and(|wakes| !wakes.is_empty()) {
            return;
        }
        asked = true;
        match control.wake(&instance).await {
            Ok(_) => return,
            Err(status) => tracing::debug!(instance, code = ?status.code(), "asked in vain"),
        }
        clock.sleep(Duration::from_millis(ASK_AGAIN_MS)).await;
    }
}
