//! The rule forecasts are made with: active in this clock hour on at least a share of the last days.

use serde::{Deserialize, Serialize};

/// Longest history a profile keeps, in days: three bytes each, so that a profile stays within 512 bytes.
pub const HISTORY_DAYS_MAX: u16 = 120;

/// Most clock hours a forecast may look ahead.
pub const LOOKAHEAD_H_MAX: u8 = 24;

/// Which days are compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Every day with every day.
    None,
    /// Monday to Friday with each other, Saturday and Sunday with each other.
    #[default]
    WeekdayWeekend,
}

/// How a forecast is made from a profile, and from what share on an instance is woken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Complete local days looked back upon.
    pub history_days: u16,
    pub split: Split,
    /// Least share of the days compared, 0..=1, on which the instance was active for it to be woken.
    pub min_share: f64,
    /// Clock hours, counted from the one forecast, in which activity counts. 1 is that hour alone.
    pub lookahead_h: u8,
    /// The first sighting must be at least so many days back.
    pub min_history_days: u16,
    /// Days with activity there must be among the last `history_days`.
    pub min_active_days: u16,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            history_days: 30,
            split: Split::WeekdayWeekend,
            min_share: 4.0 / 30.0,
            lookahead_h: 1,
            min_history_days: 30,
            min_active_days: 5,
        }
    }
}

/// A field of the rule that is out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct BadRule {
    pub field: &'static str,
    pub problem: String,
}

impl Rule {
    /// Says which field is out of its bounds, if one is.
    pub fn check(&self) -> Result<(), BadRule> {
        let bad = |field, problem: String| Err(BadRule { field, problem });
        if !(1..=HISTORY_DAYS_MAX).contains(&self.history_days) {
            let problem = format!("is {} days, not within 1..={HISTORY_DAYS_MAX}", self.history_days);
            return bad("history_days", problem);
        }
        // Written so that NaN is refused too.
        if !(self.min_share > 0.0 && self.min_share <= 1.0) {
            return bad("min_share", format!("is {}, not above 0 and at most 1", self.min_share));
        }
        if !(1..=LOOKAHEAD_H_MAX).contains(&self.lookahead_h) {
            let problem = format!("is {} hours, not within 1..={LOOKAHEAD_H_MAX}", self.lookahead_h);
            return bad("lookahead_h", problem);
        }
        if self.min_active_days > self.history_days {
            let problem = format!(
                "is {}, more than the {} days looked back upon",
                self.min_active_days, self.history_days
            );
            return bad("min_active_days", problem);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_within_its_bounds() {
        assert_eq!(Rule::default().check(), Ok(()));
    }

    #[test]
    fn each_bound_names_its_field() {
        let field = |change: fn(&mut Rule)| {
            let mut rule = Rule::default();
            change(&mut rule);
            rule.check().expect_err("out of bounds").field
        };
        assert_eq!(field(|r| r.history_days = 0), "history_days");
        assert_eq!(field(|r| r.history_days = HISTORY_DAYS_MAX + 1), "history_days");
        assert_eq!(field(|r| r.min_share = 0.0), "min_share");
        assert_eq!(field(|r| r.min_share = 1.01), "min_share");
        assert_eq!(field(|r| r.min_share = f64::NAN), "min_share");
        assert_eq!(field(|r| r.lookahead_h = 0), "lookahead_h");
        assert_eq!(field(|r| r.lookahead_h = 25), "lookahead_h");
        assert_eq!(field(|r| r.min_active_days = 31), "min_active_days");
    }

    #[test]
    fn a_misspelt_field_is_refused_and_missing_ones_are_default() {
        assert!(toml::from_str::<Rule>("min_shares = 0.5").is_err());
        let rule: Rule = toml::from_str("min_share = 0.5\nsplit = \"none\"").expect("two fields");
        assert_eq!(rule, Rule { min_share: 0.5, split: Split::None, ..Rule::default() });
    }
}
