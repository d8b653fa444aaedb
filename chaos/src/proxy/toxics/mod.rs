//! The toxics, one small file each: what it does to a stream, its proof, and what is left when it is removed.

#[cfg(test)]
mod bench;

mod bandwidth;
mod half_open;
mod latency;
mod limit_data;
mod partition;
mod reset_peer;
mod slicer;
mod slow_close;
mod timeout;
mod toxic;

pub use self::{
    bandwidth::Bandwidth,
    half_open::HalfOpen,
    latency::Latency,
    limit_data::LimitData,
    partition::{Held, Partition},
    reset_peer::ResetPeer,
    slicer::Slicer,
    slow_close::SlowClose,
    timeout::Timeout,
    toxic::{Toxic, ToxicError},
};
