//! Who decides when a wake may start: ours, and those it is compared with.

use reveille_controller::throttle::{Measurement, Pace, Room, StartCurve};

use super::spec::CEILING;

/// What a policy is told before it decides.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub second: usize,
    pub cores: f64,
    /// In the last second.
    pub cores_used: f64,
    /// Starts in progress.
    pub running: usize,
    /// Of the wake that would start.
    pub class: usize,
}

impl Seen {
    fn share(&self) -> f64 {
        self.cores_used / self.cores
    }
}

/// Decides who may start.
pub trait Policy {
    fn admits(&mut self, seen: &Seen) -> bool;

    fn started(&mut self, _key: usize, _class: usize) {}

    fn ended(&mut self, _key: usize) {}

    fn measured(&mut self, _cores_used: f64, _by_start: &[f64], _granted: f64) {}

    /// Cores for the group of the starts, where they have one.
    fn group_cores(&self, cores: f64) -> f64 {
        cores
    }
}

/// So many at once, whatever is measured.
#[derive(Debug)]
pub struct Fixed(pub usize);

impl Policy for Fixed {
    fn admits(&mut self, seen: &Seen) -> bool {
        seen.running < self.0
    }
}

/// So many at once while the measured CPU is below the ceiling.
#[derive(Debug)]
pub struct FixedBelow {
    most: usize,
    smooth: Smooth,
}

impl FixedBelow {
    pub fn new(most: usize) -> Self {
        Self { most, smooth: Smooth::default() }
    }
}

impl Policy for FixedBelow {
    fn admits(&mut self, seen: &Seen) -> bool {
        self.smooth.at(seen) < CEILING && seen.running < self.most
    }
}

/// The measured share of the cores, smoothed: 0.3 of it is of the last second.
#[derive(Debug, Default)]
struct Smooth {
    second: Option<usize>,
    share: f64,
}

impl Smooth {
    /// Takes in each second once.
    fn at(&mut self, seen: &Seen) -> f64 {
        if self.second != Some(seen.second) {
            self.second = Some(seen.second);
            self.share = 0.7 * self.share + 0.3 * seen.share();
        }
        self.share
    }
}

/// One more each five seconds while the CPU is low and the limit used up, half as many when it is above the ceiling (additive
/// increase, multiplicative decrease: Chiu and Jain 1989).
#[derive(Debug)]
pub struct Aimd {
    limit: f64,
    smooth: Smooth,
    decided: Option<usize>,
}

impl Default for Aimd {
    fn default() -> Self {
        Self { limit: 2.0, smooth: Smooth::default(), decided: None }
    }
}

/// Seconds between two decisions of [`Aimd`] and [`Gradient`].
const DECIDES_EVERY_S: usize = 5;

fn is_due(decided: &mut Option<usize>, seen: &Seen) -> bool {
    let is_due = seen.second.is_multiple_of(DECIDES_EVERY_S) && *decided != Some(seen.second);
    if is_due {
        *decided = Some(seen.second);
    }
    is_due
}

impl Policy for Aimd {
    fn admits(&mut self, seen: &Seen) -> bool {
        let share = self.smooth.at(seen);
        if is_due(&mut self.decided, seen) {
            if share > CEILING {
                self.limit = (self.limit * 0.5).max(1.0);
            } else if share < 0.60 && seen.running + 1 >= self.limit as usize {
                self.limit += 1.0;
            }
        }
        share < CEILING && seen.running < self.limit as usize
    }
}

/// The limit follows the distance from a target in proportion.
#[derive(Debug)]
pub struct Gradient {
    limit: f64,
    smooth: Smooth,
    decided: Option<usize>,
}

impl Default for Gradient {
    fn default() -> Self {
        Self { limit: 2.0, smooth: Smooth::default(), decided: None }
    }
}

impl Policy for Gradient {
    fn admits(&mut self, seen: &Seen) -> bool {
        const TARGET: f64 = 0.62;
        let share = self.smooth.at(seen);
        if is_due(&mut self.decided, seen) {
            let factor = 1.0 + 0.15 * (TARGET - share) / TARGET;
            if !(factor > 1.0 && seen.running + 1 < self.limit as usize) {
                let more = if factor > 1.0 { 0.1 } else { 0.0 };
                self.limit = (self.limit * factor + more).clamp(1.0, 400.0);
            }
        }
        share < CEILING && seen.running < self.limit as usize
    }
}

/// The product's throttle.
#[derive(Debug)]
pub struct Reveille {
    pace: Pace<usize>,
    /// By class of instances; learned on.
    pub curves: Vec<StartCurve>,
    is_capped: bool,
}

impl Reveille {
    pub fn new(curves: Vec<StartCurve>, is_capped: bool) -> Self {
        Self { pace: Pace::default(), curves, is_capped }
    }

    fn room(&self, cores: f64) -> Room {
        Room { cores, cpu_ceiling_percent: 100.0 * CEILING, is_capped: self.is_capped }
    }
}

impl Policy for Reveille {
    fn admits(&mut self, seen: &Seen) -> bool {
        self.pace.admits(seen.class, &self.room(seen.cores), &self.curves).is_ok()
    }

    fn started(&mut self, key: usize, class: usize) {
        self.pace.start(key, class);
    }

    fn ended(&mut self, key: usize) {
        self.pace.end(&key, &mut self.curves);
    }

    fn measured(&mut self, cores_used: f64, by_start: &[f64], granted: f64) {
        let measurement = Measurement { seconds: 1.0, cores_used, by_start: Some(by_start), granted };
        self.pace.measured(&measurement, &self.curves);
    }

    fn group_cores(&self, cores: f64) -> f64 {
        self.pace.group_cores(&self.room(cores))
    }
}

/// So many at once, in a CPU group sized as the product's: what the group alone is worth.
#[derive(Debug)]
pub struct FixedCapped {
    most: usize,
    group: Reveille,
}

impl FixedCapped {
    /// `curves` only tell how the group is sized; who starts does not depend on them.
    pub fn new(most: usize, curves: Vec<StartCurve>) -> Self {
        Self { most, group: Reveille::new(curves, true) }
    }
}

impl Policy for FixedCapped {
    fn admits(&mut self, seen: &Seen) -> bool {
        seen.running < self.most
    }

    fn started(&mut self, key: usize, class: usize) {
        self.group.started(key, class);
    }

    fn ended(&mut self, key: usize) {
        self.group.ended(key);
    }

    fn measured(&mut self, cores_used: f64, by_start: &[f64], granted: f64) {
        self.group.measured(cores_used, by_start, granted);
    }

    fn group_cores(&self, cores: f64) -> f64 {
        self.group.group_cores(cores)
    }
}
