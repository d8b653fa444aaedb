//! How many cores starting instances may use: what the background leaves under the ceiling, less a margin.
//!
//! The law has the form of the controller's own for a capped host (`Pace::group_cores`, which leaves three deviations and
//! nothing besides): `ceiling - background - 2.5 deviations of the background's change within a second`, and never less than a twentieth of the host; a fiftieth of the host is left free besides.
//! It is asked at each look, about four times a second (what of it is written is the matter of `steps`):
//!
//! - A share of a quarter second is read from some 50 ticks. Changes are therefore taken between whole seconds, once a
//!   second, however often one looks; taken between samples, the noise of the ticks would pass for wandering.
//! - The background is the mean of the last second; the last sample, or the mean of the last two, counts if it is more by a
//!   tenth or a twentieth of the host: a jump upward counts at once, a fall after a second, and noise not at all.
//! - What a jump used above the ceiling before it was noticed is taken back within the same second, so that whoever looks
//!   once a second seldom sees it. A jump therefore counts less in the variance than it does where it is only waited out.

use std::collections::VecDeque;

/// What was used above the ceiling less this share of the host is taken back.
const REPAID_SHARE: f64 = 0.005;
/// Standard deviations of the background's change within a second that are left free.
const MARGIN: f64 = 2.5;
/// Left free besides, as a share of the host: over one second the kernel's count is off by about a tick of each core, for
/// whoever looks from outside too.
const TICK_SHARE: f64 = 0.02;
/// How much one second counts in the variance of these changes.
const CHANGE_RATE: f64 = 0.02;
/// No change counts as more deviations than this.
const JUMP_DEVIATIONS: f64 = 2.5;
/// Starting instances are never given less than this share of the host.
pub(super) const SHARE_MIN: f64 = 0.05;
/// Before anything is known of it, the background is taken to change by this share of the host within a second.
const CHANGE_SHARE_ASSUMED: f64 = 0.01;
/// By how much of the host a single look may be off, and the mean of two, without being answered: what lasts for one look
/// is over before the answer counts, and the answer, which is a write, costs as much again.
const NOISE_SHARE: f64 = 0.10;
const NOISE_SHARE_OF_TWO: f64 = 0.05;
/// The ceiling is kept, and changes are taken, over this span.
const SPAN_S: f64 = 1.0;

/// What was used between two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    pub elapsed_s: f64,
    /// Cores in use, all in all.
    pub host_cores_used: f64,
    /// Cores used by the starting instances together.
    pub group_cores_used: f64,
}

impl Measured {
    fn background(&self) -> f64 {
        (self.host_cores_used - self.group_cores_used).max(0.0)
    }
}

/// The host and its ceiling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    pub cores: f64,
    /// In percent of the cores.
    pub cpu_ceiling_percent: f64,
}

impl Room {
    fn ceiling_cores(&self) -> f64 {
        self.cores * self.cpu_ceiling_percent / 100.0
    }

    /// What is given whatever else is measured.
    pub fn least_cores(&self) -> f64 {
        SHARE_MIN * self.cores
    }
}

/// What is known of a host's background.
#[derive(Debug, Clone)]
pub struct Headroom {
    /// The latest first, two spans at most.
    recent: VecDeque<Measured>,
    /// Variance of the background's change within a second, in cores squared.
    change: f64,
    /// Since a change was last taken into it.
    unchanged_s: f64,
}

impl Headroom {
    /// Of a host with so many cores.
    pub fn new(cores: f64) -> Self {
        let assumed = CHANGE_SHARE_ASSUMED * cores;
        Self { recent: VecDeque::new(), change: assumed * assumed, unchanged_s: 0.0 }
    }

    /// Takes in one look.
    pub fn measured(&mut self, measured: Measured) {
        if measured.elapsed_s <= 0.0 {
            return;
        }
        self.recent.push_front(measured);
        let mut kept_s = 0.0;
        self.recent.retain(|measured| {
            kept_s += measured.elapsed_s;
            kept_s - measured.elapsed_s < 2.0 * SPAN_S
        });
        self.unchanged_s += measured.elapsed_s;
        // The middle of a look decides which second it belongs to.
        if self.unchanged_s + measured.elapsed_s / 2.0 < SPAN_S {
            return;
        }
        if let (Some(now), Some(before)) = (self.background(0.0), self.background(SPAN_S)) {
            self.wander(now - before);
            self.unchanged_s = 0.0;
        }
    }

    /// A jump says little of how the background wanders, and one downward nothing of what room it needs.
    fn wander(&mut self, off: f64) {
        let jump = JUMP_DEVIATIONS * self.change.sqrt();
        if off >= -jump {
            let off = off.min(jump);
            self.change += CHANGE_RATE * (off * off - self.change);
        }
    }

    /// Mean of the span that ended `ago_s` ago; `None` when it has not all been measured.
    fn background(&self, ago_s: f64) -> Option<f64> {
        let measured_s: f64 = self.recent.iter().map(|measured| measured.elapsed_s).sum();
        (measured_s > ago_s + 0.9 * SPAN_S).then(|| self.mean(ago_s))
    }

    /// Of what was measured of that span; 0 when nothing was.
    fn mean(&self, ago_s: f64) -> f64 {
        let (mut at_s, mut sum, mut weight) = (0.0, 0.0, 0.0);
        for measured in &self.recent {
            let middle_s = at_s + measured.elapsed_s / 2.0;
            if middle_s >= ago_s && middle_s < ago_s + SPAN_S {
                sum += measured.background() * measured.elapsed_s;
                weight += measured.elapsed_s;
            }
            at_s += measured.elapsed_s;
        }
        if weight > 0.0 { sum / weight } else { 0.0 }
    }

    /// Cores that may be given to the starting instances until the next look; as few as may be before the first.
    pub fn group_cores(&self, room: &Room) -> f64 {
        let Some(last) = self.recent.front() else { return room.least_cores() };
        let last_two = f64::midpoint(
            last.background(),
            self.recent.get(1).map_or(last.background(), Measured::background),
        );
        let background = self
            .mean(0.0)
            .max(last.background() - NOISE_SHARE * room.cores)
            .max(last_two - NOISE_SHARE_OF_TWO * room.cores);
        let ceiling_cores = room.ceiling_cores() - TICK_SHARE * room.cores;
        let by_law = ceiling_cores - background - MARGIN * self.change.sqrt();
        // What was used already is no noise: here the last look counts as it is.
        let by_use = self.repaid(room.ceiling_cores() - REPAID_SHARE * room.cores, last.elapsed_s)
            - background.max(last.background());
        by_law.min(by_use).max(room.least_cores())
    }

    /// Cores with which the span that ends in `ahead_s` stays under so many, given what was used in it so far.
    fn repaid(&self, ceiling_cores: f64, ahead_s: f64) -> f64 {
        let (mut span_s, mut used_s) = (0.0, 0.0);
        for measured in &self.recent {
            let within_s = measured.elapsed_s.min(SPAN_S - ahead_s - span_s);
            if within_s <= 0.0 {
                break;
            }
            span_s += within_s;
            used_s += within_s * measured.host_cores_used;
        }
        (ceiling_cores * (span_s + ahead_s) - used_s) / ahead_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { cores: 2.0, cpu_ceiling_percent: 70.0 };
    const STEP_S: f64 = 0.25;

    /// `seconds` in which the background uses so much, and the group all it is given but no more than the host has.
    fn pass(headroom: &mut Headroom, seconds: f64, background: f64) -> Vec<f64> {
        let steps = (seconds / STEP_S).round() as usize;
        let step = |_| {
            let group = headroom.group_cores(&ROOM).min(ROOM.cores - background);
            let host = background + group;
            headroom.measured(Measured { elapsed_s: STEP_S, host_cores_used: host, group_cores_used: group });
            host
        };
        (0..steps).map(step).collect()
    }

    #[test]
    fn a_calm_background_leaves_all_the_rest() {
        let mut headroom = Headroom::new(ROOM.cores);
        assert!((headroom.group_cores(&ROOM) - 0.1).abs() < 1e-9, "nothing is known yet");
        pass(&mut headroom, 5.0, 0.5);
        let free = 0.86 - headroom.group_cores(&ROOM);
        assert!(
            (0.04..0.07).contains(&free),
            "two and a half percent of the host while it is hardly known: {free}"
        );
        pass(&mut headroom, 600.0, 0.5);
        assert!((headroom.group_cores(&ROOM) - 0.86).abs() < 1e-3, "{}", headroom.group_cores(&ROOM));
    }

    #[test]
    fn a_jump_counts_at_once_a_fall_soon_and_the_group_never_starves() {
        let mut headroom = Headroom::new(ROOM.cores);
        pass(&mut headroom, 60.0, 0.2);
        pass(&mut headroom, STEP_S, 1.0);
        assert!(headroom.group_cores(&ROOM) <= 0.4 + 1e-6);
        pass(&mut headroom, STEP_S, 1.9);
        assert!((headroom.group_cores(&ROOM) - 0.1).abs() < 1e-9, "a twentieth of the host");
        pass(&mut headroom, 30.0, 1.0);
        let before = headroom.group_cores(&ROOM);
        pass(&mut headroom, SPAN_S, 0.2);
        assert!(headroom.group_cores(&ROOM) - before > 0.7, "{before} to {}", headroom.group_cores(&ROOM));
    }

    #[test]
    fn what_a_jump_used_above_the_ceiling_is_taken_back_within_the_second() {
        let mut headroom = Headroom::new(ROOM.cores);
        pass(&mut headroom, 30.0, 0.2);
        let second = pass(&mut headroom, 1.0, 0.85);
        assert!(second[0] > 1.9, "not yet noticed: {second:?}");
        assert!(second.iter().sum::<f64>() / 4.0 <= 1.4 + 1e-6, "{second:?}");
    }

    #[test]
    fn a_background_that_wanders_is_given_room() {
        let mut headroom = Headroom::new(ROOM.cores);
        for second in 0..300 {
            pass(&mut headroom, 1.0, if second % 2 == 0 { 0.5 } else { 0.52 });
        }
        let free = 1.36 - 0.52 - headroom.group_cores(&ROOM);
        assert!((0.03..0.08).contains(&free), "two and a half times a change of 0.02, about: {free}");
    }

    #[test]
    fn noise_of_single_looks_is_no_wandering() {
        let mut headroom = Headroom::new(ROOM.cores);
        for n in 0..2000 {
            pass(&mut headroom, STEP_S, if n % 2 == 0 { 0.45 } else { 0.55 });
        }
        assert!(headroom.change.sqrt() < 0.005, "{}", headroom.change.sqrt());
    }
}
