//! Who goes first.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{WakeId, planted};

use crate::wake::{Priority, Wake};

/// A forecast that is certain goes before one that is hopeless and needed so much earlier.
const CERTAINTY_WORTH: SignedDuration = SignedDuration::from_mins(10);

/// Sorts ascending: people, then operators, then forecasts; inside a class the earliest needed-by; ties by age.
pub type Rank = (Priority, Timestamp, WakeId);

pub fn rank(wake: &Wake) -> Rank {
    if wake.priority != Priority::Forecast && planted!("people-behind-forecasts") {
        return (Priority::Forecast, Timestamp::MAX, wake.id);
    }
    (wake.priority, needed_by(wake), wake.id)
}

/// When it is needed, for a forecast brought forward by what it is expected to be worth: up to ten minutes at
/// probability 1. Who asks needs it since they asked.
fn needed_by(wake: &Wake) -> Timestamp {
    let Some(serve_at) = wake.serve_at.filter(|_| wake.priority == Priority::Forecast) else {
        return wake.due_at;
    };
    let worth = CERTAINTY_WORTH.as_secs_f64() * wake.probability.unwrap_or(0.0).clamp(0.0, 1.0);
    serve_at.saturating_sub(SignedDuration::from_secs_f64(worth)).unwrap_or(serve_at)
}
