//! The throttle's settings, apart from the operator's policy.

use serde::{Deserialize, Serialize};

/// What a wake is taken to cost, and how fast a host may be filled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleRule {
    /// A load older than this closes the gate.
    pub load_freshness_s: u32,
    /// Cores a starting instance is taken to need until its CPU is measured.
    pub wake_cost_cores: f64,
    /// How long a started wake's cost is reserved; it decays over this span as it shows in the measured CPU.
    pub wake_cost_decay_s: u32,
    /// How long the measured load takes to show what happens; a wake that ended is reserved for so long still.
    pub load_lag_s: u32,
    /// Wakes a host may run at once at first; the limit doubles from here: 2, 4, 8, up to the policy's cap.
    pub limit_start: u32,
    /// How long a host must have stayed under its ceiling at the present limit before the limit doubles.
    pub limit_raise_after_s: u32,
    /// A load that is the same to the last bit for so long was not measured; it closes the gate. 0 % and 100 % may be.
    pub load_frozen_s: u32,
    /// PSI "some" avg10 in percent, from which on nothing is started and the limit of the host is halved.
    pub cpu_pressure_percent_max: f64,
    pub memory_pressure_percent_max: f64,
    pub io_pressure_percent_max: f64,
}

impl Default for ThrottleRule {
    fn default() -> Self {
        Self {
            load_freshness_s: 30,
            wake_cost_cores: 1.0,
            wake_cost_decay_s: 120,
            load_lag_s: 10,
            limit_start: 2,
            limit_raise_after_s: 60,
            load_frozen_s: 120,
            cpu_pressure_percent_max: 80.0,
            memory_pressure_percent_max: 20.0,
            io_pressure_percent_max: 60.0,
        }
    }
}

impl ThrottleRule {
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let cost = self.wake_cost_cores;
        if !(cost.is_finite() && (0.0..=1000.0).contains(&cost)) {
            return Err(("wake_cost_cores", format!("must be within 0..=1000, not {cost}")));
        }
        for (key, percent) in [
            ("cpu_pressure_percent_max", self.cpu_pressure_percent_max),
            ("memory_pressure_percent_max", self.memory_pressure_percent_max),
            ("io_pressure_percent_max", self.io_pressure_percent_max),
        ] {
            if !(percent > 0.0 && percent <= 1000.0) {
                return Err((key, format!("must be above 0, not {percent}; above 100 it says nothing")));
            }
        }
        if self.load_freshness_s == 0 {
            return Err(("load_freshness_s", "must be at least 1".into()));
        }
        if self.limit_start == 0 {
            return Err(("limit_start", "must be at least 1".into()));
        }
        if self.wake_cost_decay_s == 0 {
            return Err(("wake_cost_decay_s", "must be at least 1".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key that is complained of, if one is.
    fn wrong(change: impl Fn(&mut ThrottleRule)) -> Option<&'static str> {
        let mut rule = ThrottleRule::default();
        change(&mut rule);
        rule.check().err().map(|(key, _)| key)
    }

    #[test]
    fn a_cost_is_a_number_of_cores_from_none_to_a_thousand() {
        for cost in [0.0, 0.5, 1_000.0] {
            assert_eq!(wrong(|rule| rule.wake_cost_cores = cost), None, "{cost}");
        }
        for cost in [-0.1, 1_000.1, f64::NAN, f64::INFINITY] {
            assert_eq!(wrong(|rule| rule.wake_cost_cores = cost), Some("wake_cost_cores"), "{cost}");
        }
    }

    #[test]
    fn a_pressure_may_be_one_that_is_never_reached_but_not_one_that_always_is() {
        for percent in [0.1, 100.0, 1_000.0] {
            assert_eq!(wrong(|rule| rule.io_pressure_percent_max = percent), None, "{percent}");
        }
        for percent in [0.0, -1.0, 1_000.1, f64::NAN] {
            let of = [
                wrong(|rule| rule.cpu_pressure_percent_max = percent),
                wrong(|rule| rule.memory_pressure_percent_max = percent),
                wrong(|rule| rule.io_pressure_percent_max = percent),
            ];
            let keys = ["cpu_pressure_percent_max", "memory_pressure_percent_max", "io_pressure_percent_max"];
            assert_eq!(of, keys.map(Some), "{percent}");
        }
    }

    #[test]
    fn what_must_be_at_least_one_is() {
        assert_eq!(wrong(|rule| rule.load_freshness_s = 0), Some("load_freshness_s"));
        assert_eq!(wrong(|rule| rule.limit_start = 0), Some("limit_start"));
        assert_eq!(wrong(|rule| rule.wake_cost_decay_s = 0), Some("wake_cost_decay_s"));
        let least = |rule: &mut ThrottleRule| {
            (rule.load_freshness_s, rule.limit_start, rule.wake_cost_decay_s) = (1, 1, 1);
        };
        assert_eq!(wrong(least), None);
    }
}
