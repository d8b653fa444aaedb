//! The verdict on a wake, and what it cost and saved.

use jiff::Timestamp;
use reveille_proto::WakeId;
use serde::{Deserialize, Serialize};

/// Whether a wake was worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Its user came inside the window. For a wake that a person asked for, that person is its user.
    Used { arrived_at: Timestamp },
    /// Nobody came inside the window.
    Unused,
    /// Its user came inside the window, but before it served, and had to wait.
    Missed { arrived_at: Timestamp },
    /// It never served.
    Failed,
}

impl Verdict {
    pub fn code(self) -> &'static str {
        match self {
            Self::Used { .. } => "used",
            Self::Unused => "unused",
            Self::Missed { .. } => "missed",
            Self::Failed => "failed",
        }
    }

    /// When its user came, where one did.
    pub fn arrived_at(self) -> Option<Timestamp> {
        match self {
            Self::Used { arrived_at } | Self::Missed { arrived_at } => Some(arrived_at),
            Self::Unused | Self::Failed => None,
        }
    }
}

/// A verdict with its figures, all in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub wake: WakeId,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Time it served without a user: until the arrival, or until the window closed.
    pub idle_s: f64,
    /// Time its user waited until it served.
    pub waited_s: f64,
    /// Time its user did not wait: what this very wake took, less what of it was waited. Nothing for a wake that a
    /// person asked for, because that is what would have happened anyway.
    pub saved_s: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_has_a_time_whether_they_waited_or_not() {
        let arrived_at: Timestamp = "2026-03-02T09:00:00Z".parse().expect("a time");
        let [used, missed] = [Verdict::Used { arrived_at }, Verdict::Missed { arrived_at }];
        assert_eq!([used, missed].map(Verdict::arrived_at), [Some(arrived_at); 2]);
        assert_eq!([Verdict::Unused, Verdict::Failed].map(Verdict::arrived_at), [None; 2]);
        for verdict in [used, missed, Verdict::Unused, Verdict::Failed] {
            assert_eq!(serde_json::to_value(verdict).expect("plain")["verdict"], verdict.code());
        }
    }
}
