//! How much more or less a group uses than its quota says, and the quota that takes this into account.
//!
//! A process is stopped only at a tick: that is some percent more. What of a slice a core does not use before the period is
//! over is lost: some percent less. What is measured while the group wants more than it gets is taken as the rule.

/// How much one second counts.
const RATE: f64 = 0.2;
/// A quota is not lowered by more than this factor, nor raised by more than the other.
const LEAK_MAX: f64 = 1.3;
const LOSS_MAX: f64 = 1.15;
/// From this share of throttled periods on the group is taken to have used all it could.
const THROTTLED_SHARE_MIN: f64 = 0.9;

/// Used by granted, smoothed.
#[derive(Debug, Clone)]
pub(super) struct Leak(f64);

impl Default for Leak {
    fn default() -> Self {
        Self(1.0)
    }
}

impl Leak {
    /// For `elapsed_s`, `used` cores where the quota said `granted`.
    pub(super) fn saw(&mut self, granted: f64, used: f64, throttled_share: f64, elapsed_s: f64) {
        if granted > 0.0 && throttled_share >= THROTTLED_SHARE_MIN {
            let leak = (used / granted).clamp(1.0 / LOSS_MAX, LEAK_MAX);
            self.0 += (1.0 - (-RATE * elapsed_s).exp()) * (leak - self.0);
        }
    }

    /// The quota with which so many cores are used.
    pub(super) fn quota(&self, cores: f64) -> f64 {
        cores / self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaks_is_held_back_and_an_idle_group_says_nothing() {
        let mut leak = Leak::default();
        for _ in 0..400 {
            leak.saw(0.5, 0.54, 1.0, 0.25);
        }
        assert!((leak.quota(0.54) - 0.5).abs() < 1e-6);
        for _ in 0..400 {
            leak.saw(0.5, 0.1, 0.3, 0.25);
        }
        assert!((leak.quota(0.54) - 0.5).abs() < 1e-6);
        for _ in 0..400 {
            leak.saw(0.5, 0.475, 1.0, 0.25);
        }
        assert!((leak.quota(0.475) - 0.5).abs() < 1e-6, "what is lost is given on top");
        for _ in 0..400 {
            leak.saw(0.5, 0.1, 1.0, 0.25);
        }
        assert!((leak.quota(0.5) - 0.575).abs() < 1e-6, "but no more than that");
    }
}
