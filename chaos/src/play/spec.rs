//! What is played: how long, how fast, with which fault, in which directory.

use std::path::PathBuf;

use jiff::SignedDuration;

use crate::{
    experiment::catalogue::FaultKind,
    fault::{Bite, Span},
    oracle::Settings,
    world::{World, WorldSpec, stream},
};

/// Real milliseconds a message may take in passing while the machine is not late.
const TRANSIT_REAL_MS: f64 = 20.0;
/// Share of a host's seconds that may be above its ceiling, in percent.
pub const ABOVE_CEILING_PERCENT_MAX: f64 = 1.0;

#[derive(Debug, Clone)]
pub struct PlaySpec {
    pub name: &'static str,
    pub world: WorldSpec,
    /// Users come and wakes are counted in this span from the world's start.
    pub played: SignedDuration,
    /// Played on afterwards, so that the last windows close and verdicts fall.
    pub settle: SignedDuration,
    /// Seconds of the world in one real second.
    pub speed: f64,
    pub host_wakes_max: u32,
    /// What the controller assumes of a start before it has learned, in cores and seconds.
    pub wake_cost: (f64, u32),
    pub fault: Option<FaultSpec>,
    /// Database, logs and history stay here; a temporary directory otherwise.
    pub keep: Option<PathBuf>,
}

impl PlaySpec {
    pub fn new(name: &'static str, world: WorldSpec) -> Self {
        Self {
            name,
            world,
            played: SignedDuration::from_hours(48),
            settle: SignedDuration::from_hours(3),
            speed: 1440.0,
            host_wakes_max: 4,
            wake_cost: (2.5, 240),
            fault: None,
            keep: None,
        }
    }

    /// What the judges go by.
    pub fn settings(&self) -> Settings {
        Settings {
            host_wakes_max: self.host_wakes_max,
            cpu_ceiling_percent: self.world.cpu_ceiling_percent,
            load_freshness_s: f64::from(super::controller::LOAD_FRESHNESS_S),
            transit_s: self.speed * TRANSIT_REAL_MS / 1000.0,
            ..Settings::default()
        }
    }
}

/// A fault and the seconds after the start in which it is on.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultSpec {
    pub what: FaultKind,
    pub from_s: i64,
    pub for_s: i64,
}

/// Stream of the seed that the fault draws from.
const STREAM: u64 = 50;

impl FaultSpec {
    /// Puts the fault into the world; it goes on and off by itself.
    pub fn put_into(self, world: &mut World, start_s: i64) {
        let from_s = start_s + self.from_s;
        let rng = stream(world.spec().seed, STREAM);
        world.faults.put(0, Bite::new(Span::new(from_s, from_s + self.for_s), self.what, rng));
    }
}
