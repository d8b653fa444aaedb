//! How fast one host is filled: what its running starts will still cost, beside a background that wanders.
//!
//! In each second the background is what was measured less what the starts were measured to use (or, where only the whole
//! host can be measured, less what they are expected to use). One more start is admitted if, by the learned curves, the sum
//! stays under the ceiling at every step of its course, with a margin for what is not known.
//!
//! Where starts run in a CPU group of their own, the group is given what is left under the ceiling, second by second. Then
//! too many starts cannot break the ceiling, they only take longer; so they are admitted until their highest minute fills
//! the group.

use super::curve::{Course, STEP_S, STEPS, StartCurve};

/// Standard deviations of starts and background that must fit under the ceiling where starts cannot be capped, and what
/// is left free beside for a background that jumps, as a share of the host.
const MARGIN_UNCAPPED: f64 = 1.4;
const JUMP_SHARE: f64 = 0.043;
/// In so many seconds the background comes back to its usual level, about.
const COMES_BACK_S: f64 = 60.0;
/// Standard deviations of the change of the background within a second that are left free where they can.
const MARGIN_CAPPED: f64 = 3.0;
/// What capped starts may want of the cores left for them in their highest minute: a little more than all, so that few
/// are left unused.
const FILL: f64 = 1.1;
/// Steps of that minute.
const SMOOTH_STEPS: usize = 12;
/// The group of the starts is never given less than this share of the host.
const SHARE_MIN: f64 = 0.05;
/// How much one second counts in the usual level of the background, in the variance of its changes, and in how far curves
/// are off.
const LEVEL_RATE: f64 = 0.003;
const CHANGE_RATE: f64 = 0.02;
const OFF_RATE: f64 = 0.03;
/// Curves are taken to be off by no more than this factor.
const OFF_MAX: f64 = 4.0;
/// A measurement is taken to be over no longer time than this.
const SECONDS_MAX: f64 = 30.0;

/// A start in progress.
#[derive(Debug, Clone)]
pub struct Started<K> {
    pub key: K,
    /// Its place among the curves.
    pub class: usize,
    /// Seconds of progress; less than its age where the group was full.
    pub progress_s: f64,
    course: Course,
}

/// What was measured of a host, on average over a time that is not long.
#[derive(Debug, Clone, Copy)]
pub struct Measurement<'a> {
    /// Since the measurement before; a second or a few.
    pub seconds: f64,
    /// Cores in use, all in all.
    pub cores_used: f64,
    /// Cores used by each start, in their order; `None` where only the whole can be measured.
    pub by_start: Option<&'a [f64]>,
    /// What starts got of what they wanted, 0..=1; 1 where they are not capped.
    pub granted: f64,
}

/// The pace of one host.
#[derive(Debug, Clone)]
pub struct Pace<K> {
    started: Vec<Started<K>>,
    /// Cores the background uses: in the last second that could be told, usually, and the variance of its change in a
    /// second.
    last: f64,
    level: f64,
    change: f64,
    is_measured: bool,
    /// What the starts were measured to want, and what was expected of them.
    wanted: f64,
    expected: f64,
    /// Measured since anything started, in seconds.
    idle_s: f64,
}

impl<K: PartialEq> Default for Pace<K> {
    fn default() -> Self {
        Self {
            started: Vec::new(),
            last: 0.0,
            level: 0.0,
            change: 0.0,
            is_measured: false,
            wanted: 0.0,
            expected: 0.0,
            idle_s: 0.0,
        }
    }
}

/// Takes a change within `seconds` into the variance of a change in one. A jump says little of how the background
/// wanders: it counts as three deviations.
fn wander(variance: &mut f64, off: f64, seconds: f64) {
    let square = off * off / seconds;
    let square = if *variance > 0.0 { square.min(9.0 * *variance) } else { square };
    *variance += share_of(CHANGE_RATE, seconds) * (square - *variance);
}

/// How much `seconds` count where one counts `rate`.
fn share_of(rate: f64, seconds: f64) -> f64 {
    1.0 - (1.0 - rate).powf(seconds)
}

/// What admission goes by on a host.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub cores: f64,
    /// In percent of the cores.
    pub cpu_ceiling_percent: f64,
    pub is_capped: bool,
}

impl Room {
    pub fn ceiling_cores(&self) -> f64 {
        self.cores * self.cpu_ceiling_percent / 100.0
    }
}

impl<K: PartialEq> Pace<K> {
    pub fn started(&self) -> &[Started<K>] {
        &self.started
    }

    /// For how long the host was measured without a start in progress, up to now.
    pub fn idle_s(&self) -> f64 {
        self.idle_s
    }

    pub fn start(&mut self, key: K, class: usize) {
        self.idle_s = 0.0;
        self.started.push(Started { key, class, progress_s: 0.0, course: Course::default() });
    }

    /// A start is over; its class learns from it.
    pub fn end(&mut self, key: &K, curves: &mut [StartCurve]) {
        let Some(place) = self.started.iter().position(|started| started.key == *key) else { return };
        let started = self.started.remove(place);
        if let Some(curve) = curves.get_mut(started.class) {
            curve.learn(&started.course);
        }
    }

    /// A start is over, and nothing is learned from it.
    pub fn forget(&mut self, key: &K) {
        self.started.retain(|started| started.key != *key);
    }

    /// Takes in what was measured.
    pub fn measured(&mut self, measurement: &Measurement<'_>, curves: &[StartCurve]) {
        let granted = measurement.granted.clamp(0.0, 1.0);
        // What took longer says no more: nobody looked in between.
        let seconds = measurement.seconds.clamp(0.05, SECONDS_MAX);
        let expected: Vec<f64> = self
            .started
            .iter()
            .map(|started| curves.get(started.class).map_or(0.0, |curve| curve.cores(started.progress_s)))
            .collect();
        let expected_sum: f64 = expected.iter().sum();
        if self.started.is_empty() {
            self.idle_s += seconds;
        }
        let used_by_starts = match measurement.by_start {
            Some(by_start) => by_start.iter().sum(),
            // All of it is the background.
            None if self.started.is_empty() => 0.0,
            // The background was known before they began; what is above it is theirs.
            None if self.is_measured => (measurement.cores_used - self.last).max(0.0),
            None => expected_sum * granted,
        };
        let background = (measurement.cores_used - used_by_starts).max(0.0);
        for (n, started) in self.started.iter_mut().enumerate() {
            let used = match measurement.by_start {
                Some(by_start) => by_start.get(n).copied().unwrap_or(0.0),
                None if expected_sum > 0.0 => used_by_starts * expected[n] / expected_sum,
                None => used_by_starts / expected.len() as f64,
            };
            if granted > 0.0 {
                started.course.saw_for(started.progress_s, granted * seconds, used / granted);
            }
            started.progress_s += granted * seconds;
        }
        if granted > 0.0 {
            let share = share_of(OFF_RATE, seconds);
            self.wanted += share * (used_by_starts / granted - self.wanted);
            self.expected += share * (expected_sum - self.expected);
        }
        if !self.is_measured {
            (self.last, self.level, self.is_measured) = (background, background, true);
            return;
        }
        if measurement.by_start.is_none() && !self.started.is_empty() {
            return;
        }
        wander(&mut self.change, background - self.last, seconds);
        self.level += share_of(LEVEL_RATE, seconds) * (background - self.level);
        self.last = background;
    }

    /// By which factor starts were lately dearer than their curves say; never below 1.
    fn off(&self) -> f64 {
        if self.expected <= 0.05 { 1.0 } else { (self.wanted / self.expected).clamp(1.0, OFF_MAX) }
    }

    /// Cores that may be given to the group of the starts in the next second.
    pub fn group_cores(&self, room: &Room) -> f64 {
        (room.ceiling_cores() - self.last - self.margin_capped()).max(SHARE_MIN * room.cores)
    }

    fn margin_capped(&self) -> f64 {
        MARGIN_CAPPED * self.change.sqrt()
    }

    /// Whether one more start of `class` fits; says in both cases what it would bring the host to, in cores.
    pub fn admits(&self, class: usize, room: &Room, curves: &[StartCurve]) -> Result<f64, f64> {
        let mut mean = [0.0f64; STEPS];
        let mut variance = [0.0f64; STEPS];
        let running = self.started.iter().map(|started| (started.class, started.progress_s));
        for (class, progress_s) in running.chain([(class, 0.0)]) {
            let Some(curve) = curves.get(class) else { continue };
            for (n, step) in curve.from(progress_s).iter().enumerate() {
                mean[n] += f64::from(step.mean);
                variance[n] += f64::from(step.variance);
            }
        }
        let off = self.off();
        if room.is_capped {
            let left = room.ceiling_cores() - self.last - self.margin_capped();
            let most = mean.windows(SMOOTH_STEPS).map(|some| some.iter().sum::<f64>()).fold(0.0, f64::max);
            let most = off * most / SMOOTH_STEPS as f64;
            return if most <= FILL * left {
                Ok((self.last + most).min(room.ceiling_cores()))
            } else {
                Err(self.last + most)
            };
        }
        let most = mean.iter().zip(&variance).enumerate().map(|(n, (mean, variance))| {
            let unsure = (off * off * variance + self.change).sqrt();
            self.background(n) + off * mean + MARGIN_UNCAPPED * unsure
        });
        let most = JUMP_SHARE * room.cores + most.fold(0.0, f64::max);
        if most <= room.ceiling_cores() { Ok(most) } else { Err(most) }
    }

    /// Cores the background usually uses.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// How many starts of `class` fit beside the usual background where nothing else starts, up to `at_most`.
    pub fn fit(&self, class: usize, room: &Room, curves: &[StartCurve], at_most: u32) -> u32 {
        let mut alone =
            Pace::<u32> { last: self.level, level: self.level, change: self.change, ..Pace::default() };
        let mut fit = 0;
        while fit < at_most && alone.admits(class, room, curves).is_ok() {
            alone.start(fit, class);
            fit += 1;
        }
        fit
    }

    /// What a start of `class` is expected to bring the host to where nothing else starts, in cores: as [`Pace::admits`],
    /// without what is left free for what is not known.
    pub fn expects_alone(&self, class: usize, curves: &[StartCurve]) -> f64 {
        let steps = curves.get(class).map_or(&[][..], |curve| curve.from(0.0));
        let most = steps.iter().enumerate().map(|(n, step)| self.background(n) + f64::from(step.mean));
        most.fold(self.last, f64::max)
    }

    /// Cores the background is taken to use so many steps from now.
    fn background(&self, steps_ahead: usize) -> f64 {
        let ahead_s = steps_ahead as f64 * STEP_S;
        self.level + (self.last - self.level) * (-ahead_s / COMES_BACK_S).exp()
    }
}

#[cfg(test)]
mod tests;
