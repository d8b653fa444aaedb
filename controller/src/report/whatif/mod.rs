//! What another policy would have done: the stored visits once more, through the same planner, queue and throttle.
//!
//! Time is virtual. Plans are made by quarter hours, with profiles that know only what was seen by then. What is
//! planned waits in the real queue order for permits of the real throttle, on hosts whose CPU is worked out. Whoever
//! comes to a sleeping instance asks the platform, which starts it at once: Reveille's throttle has no say in that, and
//! its load is on the host all the same.

mod story;

mod known;

mod spend;

mod host;

mod yard;

mod card;

mod course;

mod replay;

pub use card::{Card, HostCard};
pub use course::Contender;
pub use host::HostSpec;
pub use replay::{WARM_UP_DAYS, WhatIf, whatif};
pub use story::Story;

#[cfg(test)]
mod tests;
