//! The agent's own no: above its ceiling or its count, whatever the controller says.

use jiff::Timestamp;
use reveille_proto::{WakeId, v1};

use crate::{config::StatusWord, load::Reading};

/// What the host bears.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    pub cpu_ceiling_percent: f64,
    pub wakes_max: u32,
    /// Everything is stopped: nothing is called, whoever asks.
    pub stopped: bool,
}

impl Limits {
    /// With the controller's settings where they are stricter; 0 is "not set".
    #[must_use]
    pub fn stricter(self, configure: &v1::Configure) -> Self {
        let ceiling = configure.cpu_ceiling_percent;
        Self {
            cpu_ceiling_percent: if ceiling > 0.0 {
                ceiling.min(self.cpu_ceiling_percent)
            } else {
                self.cpu_ceiling_percent
            },
            wakes_max: if configure.wakes_max > 0 {
                configure.wakes_max.min(self.wakes_max)
            } else {
                self.wakes_max
            },
            stopped: self.stopped || configure.stopped,
        }
    }

    /// Whether one more wake may start beside `active` others.
    pub(super) fn admit(
        &self,
        reading: Option<Reading>,
        now: Timestamp,
        active: usize,
    ) -> Result<(), Refusal> {
        if self.stopped {
            return Err(Refusal::Stopped);
        }
        if active >= self.wakes_max as usize {
            return Err(Refusal::TooMany { active, wakes_max: self.wakes_max });
        }
        let reading = reading.filter(|reading| reading.is_fresh(now)).ok_or(Refusal::LoadUnknown)?;
        let cpu_percent = reading.sample.cpu_percent;
        // Written so that an absurd load (not a number) refuses.
        if cpu_percent < self.cpu_ceiling_percent {
            return Ok(());
        }
        Err(Refusal::TooHot { cpu_percent, cpu_ceiling_percent: self.cpu_ceiling_percent })
    }
}

/// Why a wake was not begun.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("the instance is not listed in this agent's configuration")]
    NotListed,
    #[error("everything is stopped by the operator")]
    Stopped,
    #[error("the load of the host is not known")]
    LoadUnknown,
    #[error("the host is at {cpu_percent:.0} % CPU, its ceiling is {cpu_ceiling_percent:.0} %")]
    TooHot { cpu_percent: f64, cpu_ceiling_percent: f64 },
    #[error("{active} wakes are being carried out, at most {wakes_max} may be")]
    TooMany { active: usize, wakes_max: u32 },
    #[error("wake {other} of the same instance is being carried out")]
    Busy { other: WakeId },
    #[error("the journal cannot be written")]
    Journal,
    #[error("its endpoints failed too often lately to be asked now")]
    BreakerOpen,
    #[error("its platform says: {}", word.as_str())]
    Platform { word: StatusWord },
    #[error("its platform does not say how it is: {problem}")]
    StatusUnknown { problem: String },
}

impl Refusal {
    /// In a word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotListed => "not_listed",
            Self::Stopped => "stopped",
            Self::LoadUnknown => "no_load",
            Self::TooHot { .. } => "hot",
            Self::TooMany { .. } => "full",
            Self::Busy { .. } => "busy",
            Self::Journal => "journal",
            Self::BreakerOpen => "breaker_open",
            Self::Platform { word } => word.as_str(),
            Self::StatusUnknown { .. } => "status_unknown",
        }
    }

    /// Whether another attempt may not meet it.
    pub fn retryable(&self) -> bool {
        match self {
            Self::NotListed => false,
            Self::Platform { word } => *word == StatusWord::Upgrading,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{execute::harness::at, load::Sample};

    const OWN: Limits = Limits { cpu_ceiling_percent: 80.0, wakes_max: 2, stopped: false };

    fn reading(cpu_percent: f64) -> Reading {
        Reading { measured_at: at(0), sample: Sample { cpu_percent, cores: 4.0, ..Sample::default() } }
    }

    #[test]
    fn it_opens_only_below_the_ceiling_with_a_fresh_load_and_a_free_place() {
        assert_eq!(OWN.admit(Some(reading(79.9)), at(30), 1), Ok(()));
        assert!(matches!(OWN.admit(Some(reading(80.0)), at(0), 0), Err(Refusal::TooHot { .. })));
        assert!(matches!(OWN.admit(Some(reading(f64::NAN)), at(0), 0), Err(Refusal::TooHot { .. })));
        assert!(matches!(OWN.admit(Some(reading(10.0)), at(0), 2), Err(Refusal::TooMany { .. })));
        assert_eq!(OWN.admit(Some(reading(10.0)), at(31), 0), Err(Refusal::LoadUnknown));
        assert_eq!(OWN.admit(None, at(0), 0), Err(Refusal::LoadUnknown));
        let stopped = Limits { stopped: true, ..OWN };
        assert_eq!(stopped.admit(Some(reading(10.0)), at(0), 0), Err(Refusal::Stopped));
    }

    #[test]
    fn the_controller_may_only_be_stricter() {
        let with = |cpu_ceiling_percent, wakes_max| {
            OWN.stricter(&v1::Configure {
                load_interval_ms: 0,
                cpu_ceiling_percent,
                wakes_max,
                stopped: false,
            })
        };
        assert_eq!(with(90.0, 10), OWN);
        assert_eq!(with(0.0, 0), OWN);
        assert_eq!(with(50.0, 1), Limits { cpu_ceiling_percent: 50.0, wakes_max: 1, stopped: false });
    }
}
