//! What is worth telling: the same name in the configuration, the table, the payload and the figures.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wake::End;

/// Something a receiver may want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Event {
    /// A wake has ended, and its instance serves.
    #[serde(rename = "instance.ready")]
    InstanceReady,
    /// A wake has ended, and nobody knows its instance to serve.
    #[serde(rename = "wake.failed")]
    WakeFailed,
    /// A day's budget of forecast wakes is spent; told once a day.
    #[serde(rename = "budget.spent")]
    BudgetSpent,
}

impl Event {
    pub const ALL: [Self; 3] = [Self::InstanceReady, Self::WakeFailed, Self::BudgetSpent];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::InstanceReady => "instance.ready",
            Self::WakeFailed => "wake.failed",
            Self::BudgetSpent => "budget.spent",
        }
    }

    /// What the end of a wake is to a receiver. One that was called off is no news to whoever did so.
    pub fn of(end: End) -> Option<Self> {
        match end {
            End::Woken | End::AlreadyAwake => Some(Self::InstanceReady),
            End::Refused | End::Failed | End::TimedOut | End::HostLost | End::Expired => {
                Some(Self::WakeFailed)
            }
            End::Cancelled => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_one_in_json() {
        for event in Event::ALL {
            assert_eq!(serde_json::to_value(event).expect("plain"), event.as_str());
        }
    }

    #[test]
    fn a_table_of_events_is_aligned() {
        assert_eq!(format!("{:<15}|", Event::WakeFailed), "wake.failed    |");
    }

    #[test]
    fn every_end_but_a_cancelled_one_is_news() {
        let silent: Vec<_> = End::ALL.iter().filter(|end| Event::of(**end).is_none()).collect();
        assert_eq!(silent, [&End::Cancelled]);
    }
}
