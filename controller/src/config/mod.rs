//! The configuration: one TOML file, every key also by environment, defaults for all of it.
//!
//! `REVEILLE_LISTEN__HTTP=127.0.0.1:8080` sets `listen.http`: two underscores stand between section and key.

mod check;
mod load;
mod notify;
mod sections;

pub use load::{ConfigError, ENV_PREFIX};
pub use notify::{NotifyConfig, SMTP_RECEIVER, SmtpConfig, SmtpTls, WebhookConfig};
pub use sections::{
    AuthConfig, CohortConfig, FitSource, FleetConfig, InstanceConfig, ListenConfig, LogConfig, LogFormat,
    ModelConfig, PlanConfig, ReportConfig, SharedResource, StoreConfig, ThrottleConfig, TlsConfig,
    VisitsConfig, WakeConfig,
};

use serde::{Deserialize, Serialize};

use crate::{calendars::CalendarConfig, logs::LogsConfig, policy::Policy};

/// All of it. `Config::default()` runs on loopback with a database in the user's data directory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub listen: ListenConfig,
    pub tls: TlsConfig,
    pub auth: AuthConfig,
    pub store: StoreConfig,
    pub log: LogConfig,
    pub logs: LogsConfig,
    pub visits: VisitsConfig,
    pub model: ModelConfig,
    pub plan: PlanConfig,
    /// Where the policy starts; what was set at run time stands above it.
    pub policy: Policy,
    pub wake: WakeConfig,
    pub throttle: ThrottleConfig,
    pub fleet: FleetConfig,
    pub report: ReportConfig,
    /// Who is told of instances that are ready, wakes that failed and budgets that are spent.
    pub notify: NotifyConfig,
    /// Files with holidays and quiet periods.
    pub calendars: Vec<CalendarConfig>,
    /// Time zone of cohorts that live in another than the default.
    pub cohorts: Vec<CohortConfig>,
    /// Cohort and time zone of instances that need another than the default.
    pub instances: Vec<InstanceConfig>,
    /// What several instances lean on while they start, and how many may do so at once.
    pub shared_resources: Vec<SharedResource>,
}
