//! The wire becomes domain once: checks that name the field, used by both ends of the link.

use jiff::Timestamp;

use crate::{HostId, InstanceId, WakeId, v1};

/// Plain enums of the contract, used as they are on both sides.
pub use crate::v1::{Effect, Observed, Outcome, Phase, Reason};

/// A message that cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` {problem}")]
pub struct FieldError {
    /// Path of the field, as in the `.proto` file: `hello.inventory[3].instance_id`.
    pub field: String,
    pub problem: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl From<FieldError> for tonic::Status {
    fn from(error: FieldError) -> Self {
        tonic::Status::invalid_argument(error.to_string())
    }
}

pub fn instance_id(field: &str, text: &str) -> Result<InstanceId, FieldError> {
    InstanceId::new(text).map_err(|e| FieldError::new(field, e.to_string()))
}

pub fn host_id(field: &str, text: &str) -> Result<HostId, FieldError> {
    HostId::new(text).map_err(|e| FieldError::new(field, e.to_string()))
}

pub fn wake_id(field: &str, text: &str) -> Result<WakeId, FieldError> {
    text.parse().map_err(|e: crate::InvalidId| FieldError::new(field, e.to_string()))
}

/// Milliseconds since 1970 as a time.
pub fn time(field: &str, at_ms: i64) -> Result<Timestamp, FieldError> {
    Timestamp::from_millisecond(at_ms)
        .map_err(|_| FieldError::new(field, format!("is out of range: {at_ms}")))
}

/// A finite number within `[low, high]`.
pub fn number(field: &str, value: f64, low: f64, high: f64) -> Result<f64, FieldError> {
    if value.is_finite() && (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(FieldError::new(field, format!("is {value}, not within {low}..={high}")))
    }
}

/// A known enum value other than UNSPECIFIED (0).
pub fn known<E: TryFrom<i32>>(field: &str, value: i32) -> Result<E, FieldError> {
    if value == 0 {
        return Err(FieldError::new(field, "is not set"));
    }
    E::try_from(value).map_err(|_| FieldError::new(field, format!("has the unknown value {value}")))
}

/// An instance as its agent's configuration lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryItem {
    pub instance: InstanceId,
    pub cohort: String,
    pub driver: String,
}

/// What an agent still has in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedWake {
    pub wake: WakeId,
    pub epoch: u64,
    pub attempt: u32,
    pub instance: InstanceId,
    pub phase: Phase,
}

/// A checked [`v1::Hello`].
#[derive(Debug, Clone, PartialEq)]
pub struct Hello {
    pub protocol_version: u32,
    pub agent_version: String,
    pub host: HostId,
    pub host_class: String,
    pub zone: String,
    pub cores: f64,
    pub journal_id: String,
    pub inventory: Vec<InventoryItem>,
    pub unfinished: Vec<UnfinishedWake>,
    /// The agent's own guard, where it says one.
    pub cpu_ceiling_percent: Option<f64>,
    pub wakes_max: Option<u32>,
    /// The highest epoch the agent has seen.
    pub epoch: u64,
}

impl TryFrom<v1::Hello> for Hello {
    type Error = FieldError;

    fn try_from(hello: v1::Hello) -> Result<Self, FieldError> {
        let host = host_id("hello.host_id", &hello.host_id)?;
        let cores = number("hello.cores", hello.cores, 0.01, 100_000.0)?;
        if hello.journal_id.is_empty() {
            return Err(FieldError::new("hello.journal_id", "is empty"));
        }
        let inventory = hello.inventory.into_iter().enumerate().map(|(i, item)| {
            let instance = instance_id(&format!("hello.inventory[{i}].instance_id"), &item.instance_id)?;
            Ok(InventoryItem { instance, cohort: item.cohort, driver: item.driver })
        });
        let inventory = inventory.collect::<Result<_, _>>()?;
        let unfinished = hello.unfinished.into_iter().enumerate().map(|(i, wake)| {
            let at = |name: &str| format!("hello.unfinished[{i}].{name}");
            Ok(UnfinishedWake {
                wake: wake_id(&at("wake_id"), &wake.wake_id)?,
                epoch: wake.epoch,
                attempt: wake.attempt,
                instance: instance_id(&at("instance_id"), &wake.instance_id)?,
                phase: known(&at("phase"), wake.phase)?,
            })
        });
        let unfinished = unfinished.collect::<Result<_, _>>()?;
        let ceiling = number("hello.cpu_ceiling_percent", hello.cpu_ceiling_percent, 0.0, 100.0)?;
        Ok(Self {
            protocol_version: hello.protocol_version,
            agent_version: hello.agent_version,
            host,
            host_class: hello.host_class,
            zone: hello.zone,
            cores,
            journal_id: hello.journal_id,
            inventory,
            unfinished,
            cpu_ceiling_percent: (ceiling > 0.0).then_some(ceiling),
            wakes_max: (hello.wakes_max > 0).then_some(hello.wakes_max),
            epoch: hello.epoch,
        })
    }
}

/// The host's part of a checked [`v1::Load`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    pub measured_at: Timestamp,
    /// 0-100, share of all the host's cores, smoothed.
    pub cpu_percent: f64,
    /// The same since the previous measurement only.
    pub cpu_percent_now: Option<f64>,
    pub cores: f64,
    /// PSI "some", avg10.
    pub cpu_pressure_percent: Option<f64>,
    pub memory_pressure_percent: Option<f64>,
    pub io_pressure_percent: Option<f64>,
    /// PSI "some", avg60.
    pub cpu_pressure60_percent: Option<f64>,
    pub memory_pressure60_percent: Option<f64>,
    pub io_pressure60_percent: Option<f64>,
    pub active_wakes: u32,
    /// Cores the CPU group of the starting instances may use; `None` where they are in none.
    pub group_cores: Option<f64>,
    /// 0-1, share of the time in which that group wanted more.
    pub group_throttled_share: Option<f64>,
}

/// What one starting instance used since the previous report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WakeLoad {
    pub wake: WakeId,
    pub cores: f64,
}

/// What is known of one instance of the inventory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InstanceLoad {
    /// Its place in the hello's inventory.
    pub index: u32,
    pub observed: Observed,
    pub cores: Option<f32>,
}

/// A checked [`v1::Load`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadReport {
    pub load: Load,
    pub wakes: Vec<WakeLoad>,
    pub instances: Vec<InstanceLoad>,
}

/// Most cores anything may be said to use.
const CORES_MAX: f64 = 100_000.0;

impl TryFrom<&v1::Load> for Load {
    type Error = FieldError;

    fn try_from(load: &v1::Load) -> Result<Self, FieldError> {
        let percent =
            |field: &str, value: Option<f64>| value.map(|v| number(field, v, 0.0, 100.0)).transpose();
        let within =
            |field: &str, value: Option<f64>, high| value.map(|v| number(field, v, 0.0, high)).transpose();
        Ok(Self {
            measured_at: time("load.measured_at_ms", load.measured_at_ms)?,
            cpu_percent: number("load.cpu_percent", load.cpu_percent, 0.0, 100.0)?,
            cpu_percent_now: percent("load.cpu_percent_now", load.cpu_percent_now)?,
            cores: number("load.cores", load.cores, 0.01, CORES_MAX)?,
            cpu_pressure_percent: percent("load.cpu_pressure_percent", load.cpu_pressure_percent)?,
            memory_pressure_percent: percent("load.memory_pressure_percent", load.memory_pressure_percent)?,
            io_pressure_percent: percent("load.io_pressure_percent", load.io_pressure_percent)?,
            cpu_pressure60_percent: percent("load.cpu_pressure60_percent", load.cpu_pressure60_percent)?,
            memory_pressure60_percent: percent(
                "load.memory_pressure60_percent",
                load.memory_pressure60_percent,
            )?,
            io_pressure60_percent: percent("load.io_pressure60_percent", load.io_pressure60_percent)?,
            active_wakes: load.active_wakes,
            group_cores: within("load.group_cores", load.group_cores, CORES_MAX)?,
            group_throttled_share: within("load.group_throttled_share", load.group_throttled_share, 1.0)?,
        })
    }
}

impl TryFrom<v1::Load> for LoadReport {
    type Error = FieldError;

    fn try_from(report: v1::Load) -> Result<Self, FieldError> {
        let load = Load::try_from(&report)?;
        // Names of fields are made up for the bad ones only: there are reports every second from everywhere.
        let wakes = report.wakes.iter().enumerate().map(|(i, wake)| {
            let at = |name: &str| format!("load.wakes[{i}].{name}");
            let parsed = wake.wake_id.parse();
            let wake_id =
                parsed.map_err(|e: crate::InvalidId| FieldError::new(at("wake_id"), e.to_string()))?;
            if !(0.0..=CORES_MAX).contains(&wake.cores) {
                return Err(FieldError::new(at("cores"), format!("is {}, no number of cores", wake.cores)));
            }
            Ok(WakeLoad { wake: wake_id, cores: wake.cores })
        });
        let instances = report.instances.iter().enumerate().map(|(i, instance)| {
            let at = |name: &str| format!("load.instances[{i}].{name}");
            let observed = Observed::try_from(instance.observed).ok();
            let Some(observed) = observed.filter(|observed| *observed != Observed::Unspecified) else {
                return Err(FieldError::new(
                    at("observed"),
                    format!("has the unknown value {}", instance.observed),
                ));
            };
            if instance.cores.is_some_and(|cores| !(cores.is_finite() && cores >= 0.0)) {
                return Err(FieldError::new(at("cores"), "is no number of cores"));
            }
            Ok(InstanceLoad { index: instance.index, observed, cores: instance.cores })
        });
        Ok(Self {
            load,
            wakes: wakes.collect::<Result<_, _>>()?,
            instances: instances.collect::<Result<_, _>>()?,
        })
    }
}

/// A checked [`v1::Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub wake: WakeId,
    pub epoch: u64,
    pub attempt: u32,
    pub phase: Phase,
    pub at: Timestamp,
}

impl TryFrom<v1::Progress> for Progress {
    type Error = FieldError;

    fn try_from(progress: v1::Progress) -> Result<Self, FieldError> {
        Ok(Self {
            wake: wake_id("progress.wake_id", &progress.wake_id)?,
            epoch: progress.epoch,
            attempt: progress.attempt,
            phase: known("progress.phase", progress.phase)?,
            at: time("progress.at_ms", progress.at_ms)?,
        })
    }
}

/// A checked [`v1::Result`]: the end of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptResult {
    pub wake: WakeId,
    pub epoch: u64,
    pub attempt: u32,
    pub outcome: Outcome,
    pub effect: Effect,
    pub detail: String,
    pub at: Timestamp,
    pub called_at: Option<Timestamp>,
    pub serving_at: Option<Timestamp>,
    pub retry_after_s: Option<u32>,
    pub retryable: bool,
    /// One word for programs; may be empty.
    pub code: String,
}

/// [`AttemptResult::code`] when the endpoint said no for a reason that is not the host's: too many requests, a redirect, a
/// request it does not like.
pub const ENDPOINT_REFUSED: &str = "endpoint_refused";

impl TryFrom<v1::Result> for AttemptResult {
    type Error = FieldError;

    fn try_from(result: v1::Result) -> Result<Self, FieldError> {
        Ok(Self {
            wake: wake_id("result.wake_id", &result.wake_id)?,
            epoch: result.epoch,
            attempt: result.attempt,
            outcome: known("result.outcome", result.outcome)?,
            effect: known("result.effect", result.effect)?,
            detail: result.detail,
            at: time("result.at_ms", result.at_ms)?,
            called_at: result.called_at_ms.map(|ms| time("result.called_at_ms", ms)).transpose()?,
            serving_at: result.serving_at_ms.map(|ms| time("result.serving_at_ms", ms)).transpose()?,
            retry_after_s: result.retry_after_s,
            retryable: result.retryable,
            code: result.code,
        })
    }
}

/// A checked [`v1::Wake`]: the command to bring one instance up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WakeCommand {
    pub wake: WakeId,
    pub epoch: u64,
    pub attempt: u32,
    pub instance: InstanceId,
    pub reason: Reason,
    pub deadline: Timestamp,
    pub idempotency_key: String,
    pub look_only: bool,
}

impl TryFrom<v1::Wake> for WakeCommand {
    type Error = FieldError;

    fn try_from(wake: v1::Wake) -> Result<Self, FieldError> {
        Ok(Self {
            wake: wake_id("wake.wake_id", &wake.wake_id)?,
            epoch: wake.epoch,
            attempt: wake.attempt,
            instance: instance_id("wake.instance_id", &wake.instance_id)?,
            reason: known("wake.reason", wake.reason)?,
            deadline: time("wake.deadline_ms", wake.deadline_ms)?,
            idempotency_key: wake.idempotency_key,
            look_only: wake.look_only,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> v1::Hello {
        v1::Hello {
            protocol_version: crate::PROTOCOL_VERSION,
            host_id: "host-1".into(),
            cores: 8.0,
            journal_id: "j1".into(),
            inventory: vec![v1::InventoryItem { instance_id: "dev1".into(), ..Default::default() }],
            ..Default::default()
        }
    }

    #[test]
    fn a_bad_field_is_named_with_its_place() {
        let mut bad = hello();
        bad.inventory.push(v1::InventoryItem { instance_id: "a b".into(), ..Default::default() });
        let error = Hello::try_from(bad).expect_err("must be refused");
        assert_eq!(error.field, "hello.inventory[1].instance_id");
        assert!(Hello::try_from(hello()).is_ok());
    }

    #[test]
    fn absurd_load_is_refused() {
        for cpu_percent in [f64::NAN, -1.0, 100.1, f64::INFINITY] {
            let load = v1::Load { cpu_percent, cores: 4.0, ..Default::default() };
            assert_eq!(LoadReport::try_from(load).expect_err("must be refused").field, "load.cpu_percent");
        }
    }

    #[test]
    fn unknown_enum_values_are_refused_by_name() {
        let error = known::<Phase>("progress.phase", 99).expect_err("must be refused");
        assert_eq!(error.to_string(), "field `progress.phase` has the unknown value 99");
    }

    #[test]
    fn unknown_fields_of_a_newer_end_are_skipped() {
        use prost::Message;
        let mut bytes = hello().encode_to_vec();
        bytes.extend_from_slice(&[0xFA, 0x3F, 0x03, b'n', b'e', b'w']); // field 1023, three bytes
        let read = v1::Hello::decode(bytes.as_slice()).expect("still a hello");
        assert_eq!(Hello::try_from(read), Hello::try_from(hello()));
    }
}
