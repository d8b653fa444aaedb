//! The proxy seen from both of its sides, through real sockets.

mod api;
mod cut;
mod delay;
mod leases;
mod live;
mod many;
mod partition;
mod stage;
