//! What may happen to a simulated installation, and when.

use serde::{Deserialize, Serialize};

use crate::fault::kind;

/// One fault of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Seconds from the start of the run.
    pub at_s: u32,
    /// Seconds until it is over.
    pub for_s: u32,
    /// Whom it can hit, counted from 0, where it hits instances; all, where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<usize>,
    #[serde(flatten)]
    pub fault: Fault,
}

/// Hosts are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum Fault {
    /// Share of the calls, 0-1.
    #[serde(rename = "endpoint.http_error")]
    HttpError { share: f64 },
    /// Share of the calls, 0-1.
    #[serde(rename = "endpoint.throttled_429")]
    Throttled { share: f64 },
    /// Share of the calls, 0-1.
    #[serde(rename = "endpoint.refused")]
    Refused { share: f64 },
    /// Share of the calls, 0-1.
    #[serde(rename = "endpoint.lost_response")]
    LostResponse { share: f64 },
    /// Share of the calls, 0-1.
    #[serde(rename = "endpoint.half_open")]
    HalfOpen { share: f64 },
    /// Share of the boots, 0-1.
    #[serde(rename = "endpoint.never_up")]
    NeverUp { share: f64 },
    /// How much longer boots take.
    #[serde(rename = "endpoint.slow_wake")]
    SlowWake { factor: f64 },
    /// What the agent measures instead, 0-100.
    #[serde(rename = "agent.lying_load")]
    LyingLoad { host: usize, cpu_percent: f64 },
    /// Share of the cores in use besides, 0-1.
    #[serde(rename = "host.cpu_noise")]
    CpuNoise { host: usize, share: f64 },
    /// It is down for as long as the fault is on.
    #[serde(rename = "agent.crash_restart")]
    AgentCrash { host: usize },
    /// It is down for as long as the fault is on.
    #[serde(rename = "controller.crash")]
    ControllerCrash {},
    #[serde(rename = "link.partition")]
    Partition { host: usize },
    /// Whether the agent is not heard; the controller is not heard otherwise.
    #[serde(rename = "link.one_way")]
    OneWay { host: usize, up: bool },
    #[serde(rename = "link.latency")]
    Latency { host: usize, delay_ms: u64, jitter_ms: u64 },
    /// Cut once, when the fault begins.
    #[serde(rename = "link.reset")]
    Reset { host: usize },
    /// Once, when the fault begins.
    #[serde(rename = "link.stale_command")]
    StaleCommand { host: usize },
}

impl Fault {
    pub fn kind(self) -> &'static str {
        match self {
            Self::HttpError { .. } => kind::HTTP_ERROR,
            Self::Throttled { .. } => kind::THROTTLED,
            Self::Refused { .. } => kind::REFUSED,
            Self::LostResponse { .. } => kind::LOST_RESPONSE,
            Self::HalfOpen { .. } => kind::HALF_OPEN,
            Self::NeverUp { .. } => kind::NEVER_UP,
            Self::SlowWake { .. } => kind::SLOW_WAKE,
            Self::LyingLoad { .. } => kind::LYING_LOAD,
            Self::CpuNoise { .. } => kind::CPU_NOISE,
            Self::AgentCrash { .. } => kind::AGENT_CRASH,
            Self::ControllerCrash {} => kind::CONTROLLER_CRASH,
            Self::Partition { .. } => kind::PARTITION,
            Self::OneWay { .. } => kind::ONE_WAY,
            Self::Latency { .. } => kind::LATENCY,
            Self::Reset { .. } => kind::RESET,
            Self::StaleCommand { .. } => kind::STALE_COMMAND,
        }
    }

    /// The host it is about, where it is about one.
    pub fn host(self) -> Option<usize> {
        match self {
            Self::LyingLoad { host, .. }
            | Self::CpuNoise { host, .. }
            | Self::AgentCrash { host }
            | Self::Partition { host }
            | Self::OneWay { host, .. }
            | Self::Latency { host, .. }
            | Self::Reset { host }
            | Self::StaleCommand { host } => Some(host),
            _ => None,
        }
    }

    /// Whether it is met at the world's endpoints, boots or hosts, by the world's clock.
    pub fn is_of_world(self) -> bool {
        !matches!(
            self,
            Self::AgentCrash { .. }
                | Self::ControllerCrash {}
                | Self::Partition { .. }
                | Self::OneWay { .. }
                | Self::Latency { .. }
                | Self::Reset { .. }
                | Self::StaleCommand { .. }
        )
    }

    /// Whether nothing can be expected of the link of its host while it is on.
    pub fn cuts_off(self) -> bool {
        matches!(self, Self::AgentCrash { .. } | Self::Partition { .. } | Self::OneWay { .. })
    }
}

impl Planned {
    pub fn until_s(&self) -> u32 {
        self.at_s + self.for_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planned_fault_is_one_flat_object() {
        let planned = Planned {
            at_s: 600,
            for_s: 60,
            instances: Vec::new(),
            fault: Fault::Latency { host: 1, delay_ms: 300, jitter_ms: 200 },
        };
        let text = serde_json::to_string(&planned).expect("serializable");
        assert_eq!(
            text,
            r#"{"at_s":600,"for_s":60,"kind":"link.latency","host":1,"delay_ms":300,"jitter_ms":200}"#
        );
        assert_eq!(serde_json::from_str::<Planned>(&text).expect("readable"), planned);
        let crash = Planned { at_s: 1, for_s: 2, instances: vec![3], fault: Fault::ControllerCrash {} };
        let text = serde_json::to_string(&crash).expect("serializable");
        assert_eq!(serde_json::from_str::<Planned>(&text).expect("readable"), crash);
    }
}
