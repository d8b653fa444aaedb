//! The loop that gives starting instances what is left of the host, a few times a second.

use std::{fmt, time::Duration};

use reveille_proto::clock::Clock;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    GroupError, Groups, Headroom, Measured, Room,
    leak::Leak,
    steps::{Seen, Steps},
};
use crate::{chain::Chain, load::CpuMeter};

/// Groups that are empty are removed this often, in looks.
const SWEEP_LOOKS: u32 = 40;

/// What a governor is made of.
pub struct GovernorParts {
    pub clock: Clock,
    pub groups: Groups,
    /// Its own: what others measure is not disturbed.
    pub host: CpuMeter,
    /// The ceiling that holds now, in percent of the host.
    pub cpu_ceiling_percent: Box<dyn Fn() -> f64 + Send>,
    pub interval_ms: u64,
}

impl fmt::Debug for GovernorParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GovernorParts").field("groups", &self.groups).finish_non_exhaustive()
    }
}

/// Sets the quota of the starting instances.
#[derive(Debug)]
pub struct Governor {
    parts: GovernorParts,
    headroom: Headroom,
    looked_at: Instant,
    used_s: f64,
    periods: (f64, f64),
    leak: Leak,
    steps: Steps,
    has_written: bool,
}

impl Governor {
    pub fn new(parts: GovernorParts) -> Self {
        let used_s = parts.groups.used_s().unwrap_or(0.0);
        let periods = parts.groups.periods().unwrap_or_default();
        let headroom = Headroom::new(parts.host.cores());
        let (leak, looked_at) = (Leak::default(), Instant::now());
        Self {
            parts,
            headroom,
            looked_at,
            used_s,
            periods,
            leak,
            steps: Steps::default(),
            has_written: false,
        }
    }

    /// Runs until it is dropped. What it gave last then stands.
    pub async fn run(mut self) {
        let (mut failing, mut looks) = (false, 0);
        // Before the first look, as little as may be.
        let mut looked =
            self.give(&self.room(self.parts.host.cores()), Seen { elapsed_s: 0.0, throttled_share: 0.0 });
        loop {
            match looked {
                Ok(()) if failing => {
                    info!("the CPU group of starting instances is looked after again");
                    failing = false;
                }
                Ok(()) | Err(GroupError::Load(crate::load::LoadError::TooSoon)) => {}
                Err(error) if !failing => {
                    warn!(error = %Chain(&error), "the CPU group of starting instances cannot be looked after; it gets as little as may be");
                    failing = true;
                    self.give_least();
                }
                Err(_) => {}
            }
            looks += 1;
            if looks % SWEEP_LOOKS == 0 {
                self.parts.groups.sweep();
            }
            self.parts.clock.sleep(Duration::from_millis(self.parts.interval_ms)).await;
            looked = self.look();
        }
    }

    fn look(&mut self) -> Result<(), GroupError> {
        let (cpu_percent, cores) = self.parts.host.since_last()?;
        let (used_s, now) = (self.parts.groups.used_s()?, Instant::now());
        let elapsed_s = now.duration_since(self.looked_at).as_secs_f64();
        let group_cores_used = (used_s - self.used_s).max(0.0) / elapsed_s.max(1e-3);
        let host_cores_used = cpu_percent / 100.0 * cores;
        self.headroom.measured(Measured { elapsed_s, host_cores_used, group_cores_used });
        let throttled_share = self.throttled_share();
        // What a write gives on top is no rule.
        if !self.has_written {
            self.leak.saw(self.steps.stands(), group_cores_used, throttled_share, elapsed_s);
        }
        (self.looked_at, self.used_s) = (now, used_s);
        self.give(&self.room(cores), Seen { elapsed_s, throttled_share })
    }

    fn room(&self, cores: f64) -> Room {
        Room { cores, cpu_ceiling_percent: (self.parts.cpu_ceiling_percent)() }
    }

    fn throttled_share(&mut self) -> f64 {
        let Ok(now) = self.parts.groups.periods() else { return 0.0 };
        let (periods, throttled) = (now.0 - self.periods.0, now.1 - self.periods.1);
        self.periods = now;
        if periods > 0.0 { throttled / periods } else { 0.0 }
    }

    /// Load that is not known may be any.
    fn give_least(&mut self) {
        self.headroom = Headroom::new(self.parts.host.cores());
        let least = self.room(self.parts.host.cores()).least_cores();
        // If this fails too, it was the group that could not be written, and that has been said.
        if self.parts.groups.set_cores(least, least).is_ok() {
            self.steps.written(least);
        }
    }

    fn give(&mut self, room: &Room, seen: Seen) -> Result<(), GroupError> {
        let cores = self.headroom.group_cores(room);
        let next = self.steps.next(self.leak.quota(cores), room.least_cores(), seen);
        self.has_written = next.is_some();
        if let Some(quota) = next {
            self.parts.groups.set_cores(cores, quota)?;
            self.steps.written(quota);
        }
        Ok(())
    }
}
