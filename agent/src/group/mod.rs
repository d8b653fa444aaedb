//! CPU groups: instances run capped while they start, and free when they serve.
//!
//! ```text
//! <base>/reveille-<host>/starting/instance-<id>   the quota stands on `starting`; a child per start, so that each is measured
//! <base>/reveille-<host>/serving/instance-<id>    no quota
//! ```
//! A start that is not foreseen, or too many at once, then cannot push the host over its ceiling: it only takes longer.
//! Several times a second the [`Governor`] measures the background (the host less the starting instances) and gives
//! `starting` what is left ([`Headroom`]). The kernel's groups of version 2 and of version 1 are understood.

mod cgroup;
mod door;
mod error;
mod governor;
mod groups;
mod headroom;
mod leak;
mod meters;
mod setup;
mod site;
mod starts;
mod steps;
mod tally;
#[cfg(test)]
mod tests;

pub use self::{
    door::Door,
    error::GroupError,
    governor::{Governor, GovernorParts},
    groups::Groups,
    headroom::{Headroom, Measured, Room},
    meters::GroupStarts,
    starts::{Starts, StartsSample, Unmeasured},
    tally::{Since, Tally},
};
