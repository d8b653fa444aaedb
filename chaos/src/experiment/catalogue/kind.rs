//! All kinds of faults as one type, read from a name and parameters.

use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    agent, clock, controller, data, endpoint, host, link, operator,
    param::{ParamInfo, ParamProblem},
    store,
};
use crate::experiment::file::{RunMode, TargetKind};

/// What is known of a kind without its parameters.
#[derive(Debug, Clone, Copy)]
pub struct KindInfo {
    /// `layer.kind`.
    pub name: &'static str,
    pub idea: &'static str,
    /// Where an injection point for it can exist at all.
    pub modes: &'static [RunMode],
    pub targets: &'static [TargetKind],
    /// What is counted as one hit, at the injection point.
    pub hit: &'static str,
    pub params: fn() -> Vec<ParamInfo>,
}

impl KindInfo {
    pub fn layer(&self) -> &'static str {
        self.name.split('.').next().unwrap_or_default()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("there is no fault `{0}`")]
    Unknown(String),
    #[error("{}", .0.iter().map(|one| format!("{}: {}", one.name, one.message)).collect::<Vec<_>>().join("; "))]
    Params(Vec<ParamProblem>),
}

/// In simulation and in real processes.
pub(super) const EVERYWHERE: &[RunMode] = &[RunMode::Sim, RunMode::Local, RunMode::Container];
/// Needs a real process, socket or file.
pub(super) const REAL: &[RunMode] = &[RunMode::Local, RunMode::Container];
/// Needs a clock that can be moved.
pub(super) const SIMULATED: &[RunMode] = &[RunMode::Sim];
/// Needs a kernel's own limits, which a container has.
pub(super) const CONTAINED: &[RunMode] = &[RunMode::Container];
/// Simulated, or with a kernel's own limits.
pub(super) const NOT_LOCAL: &[RunMode] = &[RunMode::Sim, RunMode::Container];

macro_rules! kinds {
    ($( $module:ident { $( $variant:ident($kind:ident) ),+ $(,)? } )+) => {
        /// A fault with its parameters.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum FaultKind {
            $($( #[doc = concat!("See [`", stringify!($module), "::", stringify!($kind), "`].")]
                 $variant($module::$kind), )+)+
        }

        /// Every kind, layer by layer.
        pub const CATALOGUE: &[KindInfo] = &[ $($( $module::$kind::INFO ),+),+ ];

        impl FaultKind {
            /// Reads a kind by its name; what is not given has its default.
            pub fn read(name: &str, params: &Map<String, Value>) -> Result<Self, Refused> {
                $($( if name == $module::$kind::INFO.name {
                    return $module::$kind::read(params).map(Self::$variant).map_err(Refused::Params);
                } )+)+
                Err(Refused::Unknown(name.to_owned()))
            }

            pub fn info(&self) -> &'static KindInfo {
                match self { $($( Self::$variant(_) => &const { $module::$kind::INFO } ),+),+ }
            }
        }
    };
}

kinds! {
    endpoint {
        EndpointHttpError(HttpError), EndpointThrottled429(Throttled429), EndpointNeverUp(NeverUp),
        EndpointSlowWake(SlowWake), EndpointLateUp(LateUp), EndpointLostResponse(LostResponse),
        EndpointRefused(Refused), EndpointReset(Reset), EndpointHalfOpen(HalfOpen), EndpointSlowDrip(SlowDrip),
        EndpointGarbage(Garbage), EndpointAuthExpired(AuthExpired), EndpointDisagreement(Disagreement),
    }
    link {
        LinkLatency(Latency), LinkBandwidth(Bandwidth), LinkSlowClose(SlowClose), LinkTimeout(Timeout),
        LinkReset(Reset), LinkSlicer(Slicer), LinkLimit(Limit), LinkLoss(Loss), LinkPartition(Partition),
        LinkOneWay(OneWay), LinkHalfOpen(HalfOpen), LinkDuplicate(Duplicate), LinkReorder(Reorder),
        LinkStaleCommand(StaleCommand), LinkTls(Tls),
    }
    agent {
        AgentCrashRestart(CrashRestart), AgentCrashLoop(CrashLoop), AgentPause(Pause), AgentTwin(Twin),
        AgentVersionSkew(VersionSkew), AgentLyingLoad(LyingLoad), AgentFrozenLoad(FrozenLoad),
        AgentFlapping(Flapping), AgentStarved(Starved),
    }
    controller {
        ControllerCrash(Crash), ControllerCrashLoop(CrashLoop), ControllerPause(Pause),
        ControllerTwoLeaders(TwoLeaders), ControllerOverload(Overload),
        ControllerConfigChange(ConfigChange), ControllerSlowSink(SlowSink), ControllerDeploy(Deploy),
    }
    store {
        StoreRefuse(Refuse), StoreHang(Hang), StoreSlow(Slow), StoreBusy(Busy),
        StoreCommitUnknown(CommitUnknown), StoreDiskFull(DiskFull), StoreTornFile(TornFile),
        StoreRestoreYesterday(RestoreYesterday),
    }
    clock {
        ClockJump(Jump), ClockDrift(Drift), ClockDst(Dst), ClockSuspend(Suspend),
    }
    host {
        HostCpuNoise(CpuNoise), HostStress(Stress), HostBootCost(BootCost), HostMemIo(MemIo), HostLoss(Loss),
    }
    data {
        DataGap(Gap), DataDuplicate(Duplicate), DataLate(Late), DataPoison(Poison),
        DataRegimeShift(RegimeShift), DataBadModelPush(BadModelPush),
    }
    operator {
        OperatorFatFinger(FatFinger), OperatorKillSwitch(KillSwitch), OperatorDoubleRun(DoubleRun),
        OperatorBlind(Blind), OperatorMeasurementLie(MeasurementLie),
    }
}

/// The kind of this name.
pub fn info(name: &str) -> Option<&'static KindInfo> {
    CATALOGUE.iter().find(|info| info.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    fn read(name: &str, params: &Value) -> Result<FaultKind, Refused> {
        FaultKind::read(name, params.as_object().unwrap())
    }

    #[test]
    fn every_kind_is_read_by_its_name_with_defaults_within_their_own_ranges() {
        let mut names = BTreeSet::new();
        for info in CATALOGUE {
            assert!(names.insert(info.name), "{} is there twice", info.name);
            let defaults: Map<String, Value> =
                (info.params)().into_iter().map(|param| (param.name.to_owned(), param.default)).collect();
            let read = FaultKind::read(info.name, &defaults);
            assert_eq!(read, FaultKind::read(info.name, &Map::new()), "{}", info.name);
            assert_eq!(read.unwrap().info().name, info.name);
            assert!(!info.modes.is_empty() && !info.targets.is_empty() && !info.hit.is_empty());
        }
    }

    #[test]
    fn every_problem_of_the_parameters_is_told() {
        let refused =
            read("endpoint.slow_wake", &json!({"factor": 0.5, "ack": "yes", "speed": 1})).unwrap_err();
        let Refused::Params(problems) = refused else { panic!("{refused}") };
        let names: BTreeSet<&str> = problems.iter().map(|problem| problem.name.as_str()).collect();
        assert_eq!(names, BTreeSet::from(["ack", "factor", "speed"]));
        assert_eq!(read("endpoint.nothing", &json!({})), Err(Refused::Unknown("endpoint.nothing".into())));
    }

    #[test]
    fn parameters_arrive_typed() {
        let kind = read("endpoint.slow_wake", &json!({"factor": 2.5, "endpoints": ["portal_api"]})).unwrap();
        let FaultKind::EndpointSlowWake(slow) = kind else { panic!("{kind:?}") };
        assert!((slow.factor - 2.5).abs() < f64::EPSILON);
        assert_eq!(slow.endpoints, [endpoint::Endpoint::PortalApi]);
    }
}
