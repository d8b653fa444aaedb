//! A struct per section of the file. Units stand in the names.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use reveille_proto::{HostId, InstanceId};
use serde::{Deserialize, Serialize};

use crate::{
    model::{AbstainRule, ModelKind, Rule},
    plan::HoldOut,
    store::DatabaseUrl,
    throttle::ThrottleRule,
    wake::RetryRule,
};

/// `[listen]`: addresses; anything but loopback needs tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenConfig {
    /// HTTP API, `/metrics`, `/livez`, `/readyz`.
    pub http: SocketAddr,
    /// Agents' sessions and the gRPC API.
    pub grpc: SocketAddr,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self { http: ([127, 0, 0, 1], 7411).into(), grpc: ([127, 0, 0, 1], 7412).into() }
    }
}

/// `[tls]`: of both listeners. All are PEM files, and are read again when they change.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The controller's certificate, and those between it and an authority its clients know.
    pub certificate_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
    /// Authority of the agents' certificates. With it, an agent must show one that names its host.
    pub client_ca_file: Option<PathBuf>,
}

impl TlsConfig {
    /// Certificate and key, where there is to be TLS.
    pub fn own(&self) -> Option<(&Path, &Path)> {
        self.certificate_file.as_deref().zip(self.key_file.as_deref())
    }
}

/// `[auth]`: bearer tokens, one per file. Without a path, a token is made in the data directory at the first start.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Who may use the API. Default: `operator.token` in the data directory.
    pub operator_token_file: Option<PathBuf>,
    /// Who may open an agent's session. Default: `agent.token` in the data directory.
    pub agent_token_file: Option<PathBuf>,
}

/// `[store]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Directory of the database and the tokens. Default: `reveille` in the user's data directory.
    pub data_dir: Option<PathBuf>,
    /// A PostgreSQL database, `postgres://user@host/database`, instead of the one in the data directory.
    pub database_url: Option<DatabaseUrl>,
    /// File with the same, so that a password need not stand in the configuration.
    pub database_url_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    Human,
    Json,
}

/// `[log]`: the controller's own log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    pub format: LogFormat,
    /// As in `RUST_LOG`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".into() }
    }
}

/// `[visits]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VisitsConfig {
    /// Sightings closer than this are one visit; the platform's idle time before it hibernates an instance.
    pub idle_gap_s: u32,
    /// How often followed logs are looked at.
    pub poll_interval_ms: u32,
    /// How late a line may come into a log; verdicts wait so long.
    pub log_lag_s: u32,
}

impl Default for VisitsConfig {
    fn default() -> Self {
        Self { idle_gap_s: 7200, poll_interval_ms: 1000, log_lag_s: 120 }
    }
}

/// Where the weights of a fitted model come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FitSource {
    /// Fitted to what this controller has seen, once that is enough and better than the weights in service.
    #[default]
    Auto,
    /// Those Reveille comes with, whatever was seen.
    Embedded,
}

/// `[model]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// `fitted` weighs what is known of an instance by what happened; `rule` goes by `model.rule` alone.
    pub kind: ModelKind,
    pub fit: FitSource,
    /// How much must be known of an instance before a fitted model says anything.
    pub abstain: AbstainRule,
    /// When a forecast is a wake, for kind `rule`.
    pub rule: Rule,
    /// How often profiles are fitted anew.
    pub train_interval_s: u32,
    /// IANA zone of instances that name no other, and whose cohort names none.
    pub time_zone: String,
    /// Learns the offset from UTC of instances that would take the default zone, from the hours they arrive in; those
    /// for which it is not clear take the default all the same. What is learned knows no clock changes.
    pub learn_phase: bool,
    /// Lead time until one is learned, from the command to serving.
    pub lead_time_default_s: u32,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            kind: ModelKind::default(),
            fit: FitSource::default(),
            abstain: AbstainRule::default(),
            rule: Rule::default(),
            train_interval_s: 6 * 3600,
            time_zone: "UTC".into(),
            learn_phase: false,
            lead_time_default_s: crate::model::LEAD_TIME_DEFAULT_S,
        }
    }
}

/// `[plan]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanConfig {
    pub interval_s: u32,
    /// How far ahead wakes are planned; at least the longest lead time and one interval.
    pub horizon_s: u32,
    /// A wake is used when a visit begins within this; the platform keeps a woken instance up about as long.
    pub window_s: u32,
    /// Of the instance-days with a forecast wake, those that are not woken, so that `reveille report` can tell the
    /// effect: 0, or within 0.001..=0.5. Demand wakes are never held out.
    pub hold_out_share: f64,
    /// Another salt draws anew who is held out when.
    pub hold_out_salt: String,
}

impl Default for PlanConfig {
    fn default() -> Self {
        Self {
            interval_s: 300,
            horizon_s: 7200,
            window_s: 10_800,
            hold_out_share: 0.05,
            hold_out_salt: String::new(),
        }
    }
}

impl PlanConfig {
    /// The draw these keys describe.
    pub fn hold_out(&self) -> HoldOut {
        HoldOut { share: self.hold_out_share, salt: self.hold_out_salt.clone() }
    }
}

/// `[wake]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WakeConfig {
    /// From the command until the instance must serve.
    pub timeout_s: u32,
    /// How long a wake a person asked for may wait in the queue.
    pub demand_expiry_s: u32,
    pub attempts_max: u32,
    pub backoff_base_s: u32,
    pub backoff_max_s: u32,
    /// How long after the deadline the agent's result is still waited for.
    pub deadline_grace_s: u32,
    /// How often the queue is looked at without a signal.
    pub dispatch_interval_ms: u32,
    /// Open wakes in the whole fleet above which a new demand is answered with 503.
    pub queue_depth_max: u32,
}

impl Default for WakeConfig {
    fn default() -> Self {
        let rule = RetryRule::default();
        Self {
            timeout_s: 900,
            demand_expiry_s: 900,
            attempts_max: rule.attempts_max,
            backoff_base_s: rule.backoff_base_s,
            backoff_max_s: rule.backoff_max_s,
            deadline_grace_s: rule.deadline_grace_s,
            dispatch_interval_ms: 1000,
            queue_depth_max: 100_000,
        }
    }
}

impl WakeConfig {
    pub fn retry_rule(&self) -> RetryRule {
        RetryRule {
            attempts_max: self.attempts_max,
            backoff_base_s: self.backoff_base_s,
            backoff_max_s: self.backoff_max_s,
            deadline_grace_s: self.deadline_grace_s,
        }
    }
}

/// `[throttle]`: what the policy does not say.
pub type ThrottleConfig = ThrottleRule;

/// `[fleet]`: the agents' sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetConfig {
    /// How often agents report their load.
    pub load_interval_ms: u32,
    pub sessions_max: u32,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self { load_interval_ms: 1000, sessions_max: 20_000 }
    }
}

/// `[report]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportConfig {
    /// Days before the first forecast wake that are the baseline.
    pub baseline_days: u16,
    /// How long visits, wakes and plans are kept.
    pub keep_days: u16,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self { baseline_days: 30, keep_days: 400 }
    }
}

/// `[[cohorts]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CohortConfig {
    pub name: String,
    /// IANA zone of its instances that name none of their own.
    pub time_zone: String,
}

/// `[[instances]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceConfig {
    pub id: InstanceId,
    #[serde(default)]
    pub cohort: String,
    #[serde(default)]
    pub time_zone: String,
    /// Must serve before it is started; they are woken with it.
    #[serde(default)]
    pub needs: Vec<InstanceId>,
}

/// `[[shared_resources]]`: a database server, a storage array, a licence server. Wakes of these hosts and of these instances
/// need it while they start.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedResource {
    pub name: String,
    /// Most wakes in progress that need it.
    pub wakes_max: u32,
    #[serde(default)]
    pub hosts: BTreeSet<HostId>,
    #[serde(default)]
    pub instances: BTreeSet<InstanceId>,
}

impl SharedResource {
    /// Whether a wake of `instance` on `host` needs it.
    pub fn is_needed(&self, host: &HostId, instance: &InstanceId) -> bool {
        self.hosts.contains(host) || self.instances.contains(instance)
    }
}
