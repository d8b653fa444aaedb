//! The contract between agent and controller: messages, ids, the clock both ends take their time from, and the points
//! both ends pass.
//!
//! Knows nothing of either end. Messages become domain values once, at the edge, through [`edge`].

pub mod clock;
pub mod codec;
pub mod edge;
pub mod ids;
pub mod planted;
pub mod points;
pub mod waits;

/// Generated from `proto/reveille/v1/*.proto`; `tests/bootstrap.rs` fails when it is out of date.
#[expect(
    clippy::allow_attributes,
    clippy::pedantic,
    unused_qualifications,
    reason = "generated code"
)]
#[rustfmt::skip]
pub mod v1 {
    include!("gen/reveille.v1.rs");
}

pub use ids::{HostId, InstanceId, InvalidId, WakeId};

/// Version of the contract this build speaks. Raised when an older end could misread a newer one.
pub const PROTOCOL_VERSION: u32 = 1;

/// Oldest version this build still understands.
pub const PROTOCOL_VERSION_MIN: u32 = 1;

/// Whether an end that says `version` can be talked to.
pub fn protocol_compatible(version: u32) -> bool {
    (PROTOCOL_VERSION_MIN..=PROTOCOL_VERSION).contains(&version)
}
