//! What the records say about people: sightings, folded into visits and into activity.

mod sighting;
mod visit;

mod fold;

mod activity;

pub use activity::{Activity, QUARTER_S, QUARTERS_PER_DAY};
pub use fold::{GAP_DEFAULT, VisitChange, fold, reach};
pub use sighting::{Sighting, SightingKind};
pub use visit::{ASKED_WITHIN_S, Visit};
