//! How loaded the host is: measured by the kernel, smoothed, with its age.

mod cgroup;
mod host;
mod meter;
mod pressure;
mod sampler;
mod smooth;
mod source;

pub use self::{
    host::HostSource,
    meter::CpuMeter,
    pressure::Pressures,
    sampler::{LOAD_AGE_MAX_S, Reading, Sampler},
    smooth::Smooth,
    source::{LoadError, Sample, Source},
};
