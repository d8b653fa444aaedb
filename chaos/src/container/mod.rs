//! Containers the proving ground makes for itself: an image of the machine's own packages, private networks, and members
//! that can be killed, stopped, cut off and started again.
//!
//! Everything is labelled with the run and with the process it belongs to. It is removed when the run ends, however that
//! is: by [`Ground::clear`], by its drop, or by the next run, which removes what belongs to no living process.

mod engine;
mod ground;
mod image;
mod member;
mod network;
pub(crate) mod owner;

pub use engine::{Engine, Made, NoEngine};
pub use ground::Ground;
pub use image::ensure_image;
pub use member::{Member, MemberSpec};
pub use network::Network;
