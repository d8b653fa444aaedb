//! The seam through which comes what starting instances use: the kernel's groups, or the world of the proving ground.

use std::collections::BTreeMap;

use reveille_proto::InstanceId;

/// What was measured since the previous sample.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StartsSample {
    /// Cores used on average by each instance that can be measured, starting or serving.
    pub cores: BTreeMap<InstanceId, f64>,
    /// Cores all starting instances together may use now; `None` where they are not capped.
    pub group_cores: Option<f64>,
    /// Share of the time in which they wanted more than that, 0-1.
    pub throttled_share: Option<f64>,
}

/// Where samples of starting instances come from. Asked together with each measurement of the host's load.
pub trait Starts: Send {
    /// Since the previous call.
    fn sample(&mut self) -> StartsSample;
}

/// Only the whole host can be measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unmeasured;

impl Starts for Unmeasured {
    fn sample(&mut self) -> StartsSample {
        StartsSample::default()
    }
}
