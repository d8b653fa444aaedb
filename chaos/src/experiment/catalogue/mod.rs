//! The catalogue of faults: each kind with its typed parameters, whom it can hit, where it can run and what a hit is.
//!
//! Not how it is done: that is the business of the injection points, which read these types.

mod param;
#[macro_use]
mod declare;
mod kind;

pub mod agent;
pub mod clock;
pub mod controller;
pub mod data;
pub mod endpoint;
pub mod host;
pub mod link;
pub mod operator;
pub mod store;

pub use kind::{CATALOGUE, FaultKind, KindInfo, Refused, info};
pub use param::{Between, Param, ParamInfo, ParamProblem, Zone};
