//! An association rule and what makes it good enough to be used.

use serde::{Deserialize, Serialize};

/// How co-visits are mined, and which rules are used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CovisitRule {
    /// B follows A when it arrives within so many seconds after it.
    pub within_s: u32,
    /// Partners that are counted for each instance.
    pub partners_max: u16,
    /// Most instances of a group whose arrivals are waited upon at once. Where more arrive within `within_s`, the
    /// oldest are given up unjudged.
    pub waiting_max: u16,
    /// Times B must have followed A.
    pub support_min: u32,
    /// Least share of A's arrivals that B followed.
    pub confidence_min: f64,
    /// Least lift.
    pub lift_min: f64,
    /// Standard deviations of the lift's lower bound. As many pairs are tried as there are partners, so that two
    /// would let chance through.
    pub deviations: f64,
}

impl Default for CovisitRule {
    fn default() -> Self {
        Self {
            within_s: 40 * 60,
            partners_max: 8,
            waiting_max: 64,
            support_min: 5,
            confidence_min: 0.3,
            lift_min: 2.0,
            deviations: 3.0,
        }
    }
}

/// What was counted of B following A.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// Support: times B followed A, of those counted. Older ones count for less.
    pub followed: f64,
    /// Arrivals of A since B is counted.
    pub arrivals: f64,
    /// Times B would have come in those spans by its own weekly rhythm.
    pub expected: f64,
}

impl Association {
    /// Share of A's arrivals that B followed.
    pub fn confidence(&self) -> f64 {
        if self.arrivals > 0.0 { self.followed / self.arrivals } else { 0.0 }
    }

    /// Times B followed over times it would have come anyway.
    pub fn lift(&self) -> f64 {
        self.lift_of(self.confidence())
    }

    /// The lift with the lower end of Wilson's interval for the confidence, `deviations` wide.
    pub fn lift_lower(&self, deviations: f64) -> f64 {
        if self.arrivals <= 0.0 {
            return 0.0;
        }
        let (n, share, z2) = (self.arrivals, self.confidence(), deviations * deviations);
        let middle = share + z2 / (2.0 * n);
        let half = deviations * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).max(0.0).sqrt();
        self.lift_of(((middle - half) / (1.0 + z2 / n)).max(0.0))
    }

    /// Probability that B follows the next arrival of A, drawn towards its rhythm as if by two more arrivals.
    pub fn probability(&self) -> f64 {
        if self.arrivals <= 0.0 {
            return 0.0;
        }
        (self.followed + 2.0 * self.expected / self.arrivals) / (self.arrivals + 2.0)
    }

    /// Whether the rule is good enough: often enough seen, and better than B's rhythm beyond doubt.
    pub fn is_used(&self, rule: &CovisitRule) -> bool {
        self.followed >= f64::from(rule.support_min)
            && self.confidence() >= rule.confidence_min
            && self.lift() >= rule.lift_min
            && self.lift_lower(rule.deviations) > 1.0
    }

    fn lift_of(&self, share: f64) -> f64 {
        // No rhythm is without a floor, so that `expected` is above zero wherever there were arrivals.
        if self.expected > 0.0 { share * self.arrivals / self.expected } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn association(followed: f64, arrivals: f64, expected: f64) -> Association {
        Association { followed, arrivals, expected }
    }

    #[test]
    fn support_confidence_and_lift_are_what_they_are_called() {
        let often = association(18.0, 20.0, 4.0);
        assert!((often.confidence() - 0.9).abs() < 1e-12);
        assert!((often.lift() - 4.5).abs() < 1e-12);
        assert!(often.lift_lower(3.0) > 1.0 && often.lift_lower(3.0) < often.lift());
        assert!((often.probability() - 18.4 / 22.0).abs() < 1e-12);
        assert!(often.is_used(&CovisitRule::default()));
    }

    #[test]
    fn each_bound_can_refuse() {
        let rule = CovisitRule::default();
        assert!(!association(4.0, 4.0, 0.1).is_used(&rule), "seen too rarely");
        assert!(!association(20.0, 100.0, 2.0).is_used(&rule), "rarely follows");
        assert!(!association(80.0, 100.0, 60.0).is_used(&rule), "comes anyway");
        let doubtful = association(5.0, 8.0, 2.0);
        assert!(
            doubtful.lift() > 2.0 && !doubtful.is_used(&rule),
            "may be chance: {}",
            doubtful.lift_lower(3.0)
        );
        assert!(!association(0.0, 0.0, 0.0).is_used(&rule), "never seen");
    }

    #[test]
    fn the_lower_lift_is_the_lower_end_of_wilsons_interval_over_what_was_expected() {
        // 18 of 20, three deviations wide: from 0.567676 on. A fifth was expected.
        let often = association(18.0, 20.0, 4.0);
        assert!((often.lift_lower(3.0) - 2.838_382).abs() < 1e-5, "{}", often.lift_lower(3.0));
        assert!((often.lift_lower(0.0) - often.lift()).abs() < 1e-12, "without a deviation it is the lift");
    }

    #[test]
    fn what_never_arrived_or_was_never_expected_has_no_lift() {
        let never = association(0.0, 0.0, 0.0);
        assert_eq!((never.confidence(), never.lift(), never.probability()), (0.0, 0.0, 0.0));
        assert_eq!((never.lift_lower(3.0), association(1.0, 1.0, 0.0).lift()), (0.0, 0.0));
    }
}
