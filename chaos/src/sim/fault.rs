//! What may happen to a simulated installation, when and to whom.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::experiment::{
    catalogue::{
        FaultKind, Refused,
        agent::Version,
        controller::Sink,
        data::{Poisoned, Shift},
        operator::{Slip, Twice},
    },
    file::{Length, RunMode},
};
use crate::local;

/// One fault of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Planned {
    /// Seconds from the start of the run.
    pub at_s: u32,
    /// Seconds until it is over.
    pub for_s: u32,
    /// Whom it can hit, counted from 0; none named is all.
    pub hosts: Vec<usize>,
    pub instances: Vec<usize>,
    pub what: FaultKind,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    at_s: u32,
    for_s: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    instances: Vec<usize>,
    /// A name of the catalogue.
    kind: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    params: Map<String, Value>,
}

impl TryFrom<Text> for Planned {
    type Error = Refused;

    fn try_from(text: Text) -> Result<Self, Refused> {
        let Text { at_s, for_s, hosts, instances, kind, params } = text;
        Ok(Self { at_s, for_s, hosts, instances, what: FaultKind::read(&kind, &params)? })
    }
}

impl From<Planned> for Text {
    fn from(planned: Planned) -> Self {
        let kind = planned.kind().to_owned();
        // A struct of plain parameters is an object.
        let params = serde_json::to_value(&planned.what).ok().and_then(|value| value.as_object().cloned());
        let Planned { at_s, for_s, hosts, instances, what: _ } = planned;
        Self { at_s, for_s, hosts, instances, kind, params: params.unwrap_or_default() }
    }
}

impl Planned {
    pub fn kind(&self) -> &'static str {
        self.what.info().name
    }

    pub fn until_s(&self) -> u32 {
        self.at_s + self.for_s
    }

    /// Whether it is about this host.
    pub fn hits_host(&self, host: usize) -> bool {
        self.hosts.is_empty() || self.hosts.contains(&host)
    }

    /// Whether it is met at the world's endpoints, boots or hosts, by the world's clock.
    pub fn is_of_world(&self) -> bool {
        matches!(
            self.what,
            FaultKind::EndpointHttpError(_)
                | FaultKind::EndpointThrottled429(_)
                | FaultKind::EndpointRefused(_)
                | FaultKind::EndpointReset(_)
                | FaultKind::EndpointLostResponse(_)
                | FaultKind::EndpointHalfOpen(_)
                | FaultKind::EndpointNeverUp(_)
                | FaultKind::EndpointSlowWake(_)
                | FaultKind::EndpointLateUp(_)
                | FaultKind::EndpointSlowDrip(_)
                | FaultKind::EndpointGarbage(_)
                | FaultKind::EndpointAuthExpired(_)
                | FaultKind::EndpointDisagreement(_)
                | FaultKind::AgentLyingLoad(_)
                | FaultKind::AgentFrozenLoad(_)
                | FaultKind::HostCpuNoise(_)
                | FaultKind::HostStress(_)
                | FaultKind::HostBootCost(_)
                | FaultKind::HostMemIo(_)
                | FaultKind::DataDuplicate(_)
                | FaultKind::DataLate(_)
                | FaultKind::DataPoison(_)
                | FaultKind::DataRegimeShift(_)
                | FaultKind::OperatorMeasurementLie(_)
        )
    }

    /// Whether nothing can be expected of the links of its hosts while it is on.
    pub fn cuts_off(&self) -> bool {
        matches!(
            self.what,
            FaultKind::AgentCrashRestart(_)
                | FaultKind::AgentCrashLoop(_)
                | FaultKind::AgentFlapping(_)
                | FaultKind::AgentTwin(_)
                | FaultKind::HostLoss(_)
                | FaultKind::LinkPartition(_)
                | FaultKind::LinkOneWay(_)
                | FaultKind::LinkHalfOpen(_)
                | FaultKind::LinkTimeout(_)
                | FaultKind::LinkLimit(_)
                // Who comes back while it is on is not welcomed before it is over: a session is kept in the store.
                | FaultKind::StoreHang(_)
                | FaultKind::StoreSlow(_)
                | FaultKind::StoreBusy(_)
                | FaultKind::StoreRefuse(_)
                | FaultKind::StoreCommitUnknown(_)
                | FaultKind::AgentPause(_)
                | FaultKind::ControllerPause(_)
                | FaultKind::ClockSuspend(_)
                | FaultKind::AgentVersionSkew(_)
        )
    }

    /// Whether it changes what everything that passes on the lines of its hosts meets.
    pub fn is_weather(&self) -> bool {
        matches!(
            self.what,
            FaultKind::LinkPartition(_)
                | FaultKind::LinkOneWay(_)
                | FaultKind::LinkLatency(_)
                | FaultKind::LinkBandwidth(_)
                | FaultKind::LinkLoss(_)
                | FaultKind::LinkHalfOpen(_)
        )
    }

    /// Whether messages of the links of its hosts come twice, or in another order.
    pub fn is_muddle(&self) -> bool {
        matches!(self.what, FaultKind::LinkDuplicate(_) | FaultKind::LinkReorder(_))
    }

    /// Whether it moves a clock: of its hosts, or the controller's where it names none.
    pub fn is_of_clock(&self) -> bool {
        matches!(self.what, FaultKind::ClockJump(_) | FaultKind::ClockDrift(_))
    }

    /// Whether it has to be known before anything begins.
    pub fn is_of_before(&self) -> bool {
        matches!(self.what, FaultKind::DataGap(_) | FaultKind::ClockDst(_))
    }

    /// Whether an installation of processes, on loopback or in containers, knows how to do it.
    pub fn is_playable_by(&self, mode: RunMode) -> bool {
        // A port takes connections before anybody knows for which instance: there it is a reset.
        // And nobody is told of wakes by a controller that is a process of its own.
        let is_left_out = matches!(
            self.what,
            FaultKind::EndpointRefused(_) | FaultKind::ControllerSlowSink(_) | FaultKind::OperatorBlind(_)
        );
        let is_named = self.what.info().modes.contains(&mode);
        is_named && !is_left_out && (self.is_playable() || local::is_of_proxies(&self.what))
    }

    /// Whether a simulation knows how to do it.
    pub fn is_playable(&self) -> bool {
        match &self.what {
            // Neither stands among the keys of the policy.
            FaultKind::OperatorFatFinger(fault) => matches!(fault.what, Slip::Limit400 | Slip::Cpu700),
            // The policy is kept in the store.
            FaultKind::OperatorKillSwitch(fault) => !fault.unreachable,
            FaultKind::OperatorDoubleRun(fault) => fault.what == Twice::ManualAtOnce,
            // Nobody writes the time of a line anew.
            FaultKind::DataLate(fault) => fault.skew == Length::ZERO,
            // What a message has that nobody knows is gone once it was read.
            FaultKind::AgentVersionSkew(fault) => fault.version != Version::UnknownFields,
            // Whose days of before are two is not a matter of now.
            FaultKind::DataRegimeShift(fault) => fault.what != Shift::NewInstances,
            // What boots on a host would have to stand still as well.
            FaultKind::ClockSuspend(_) => self.hosts.is_empty(),
            // The rows of moves are the database's, and nobody reads figures but whoever looks.
            FaultKind::ControllerSlowSink(fault) => fault.sink == Sink::Notifications,
            FaultKind::DataPoison(fault) => fault.what != Poisoned::FakeWakeUrl,
            FaultKind::AgentCrashRestart(_)
            | FaultKind::AgentCrashLoop(_)
            | FaultKind::AgentFlapping(_)
            | FaultKind::AgentTwin(_)
            | FaultKind::ControllerCrash(_)
            | FaultKind::ControllerCrashLoop(_)
            | FaultKind::ControllerConfigChange(_)
            | FaultKind::ControllerOverload(_)
            | FaultKind::LinkReset(_)
            | FaultKind::LinkStaleCommand(_)
            | FaultKind::HostLoss(_)
            | FaultKind::StoreHang(_)
            | FaultKind::StoreSlow(_)
            | FaultKind::StoreBusy(_)
            | FaultKind::StoreRefuse(_)
            | FaultKind::StoreCommitUnknown(_)
            | FaultKind::OperatorBlind(_)
            | FaultKind::AgentPause(_)
            | FaultKind::ControllerPause(_)
            | FaultKind::ClockDst(_)
            | FaultKind::DataGap(_) => true,
            _ => self.is_of_world() || self.is_weather() || self.is_muddle() || self.is_of_clock(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::catalogue::{controller, link};

    #[test]
    fn a_planned_fault_is_written_as_an_experiment_has_it() {
        let latency = link::Latency { mean: Length::ms(300), ..link::Latency::default() };
        let planned = Planned {
            at_s: 600,
            for_s: 60,
            hosts: vec![1],
            instances: Vec::new(),
            what: FaultKind::LinkLatency(latency),
        };
        let text = serde_json::to_string(&planned).expect("serializable");
        assert_eq!(
            text,
            r#"{"at_s":600,"for_s":60,"hosts":[1],"kind":"link.latency","params":{"jitter":"0s","mean":"300ms","ways":"both"}}"#
        );
        assert_eq!(serde_json::from_str::<Planned>(&text).expect("readable"), planned);
        let crash: Planned =
            serde_json::from_str(r#"{"at_s":1,"for_s":2,"kind":"controller.crash"}"#).expect("readable");
        assert_eq!(crash.what, FaultKind::ControllerCrash(controller::Crash::default()));
        let error = serde_json::from_str::<Planned>(r#"{"at_s":1,"for_s":2,"kind":"controller.flood"}"#);
        assert!(error.is_err_and(|error| error.to_string().contains("there is no fault `controller.flood`")));
    }
}
