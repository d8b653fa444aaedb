//! The bounds in force, as `config_set` events tell them.

use reveille_controller::tasks::LEASE_TTL;
use serde_json::{Value, json};

use crate::history::{Entry, Event, Function, Key, Kind};

/// What the system under test was told, and how exact the observation is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub host_wakes_max: u32,
    pub cpu_ceiling_percent: f64,
    /// A load sample older than this opens no gate.
    pub load_freshness_s: f64,
    /// A load that has been the same to the last bit for so long opens no gate.
    pub load_frozen_s: f64,
    /// A preflight older than this allows no call.
    pub preflight_age_max_s: f64,
    /// Seconds of the run's clock that a message may be on its way between what is observed and where it is decided:
    /// some real milliseconds, times the speed of the clock.
    pub transit_s: f64,
    /// Seconds between two looks at the gates; 0 where every change is told as it happens.
    pub gates_every_s: f64,
    /// How long a lease to lead is valid without being renewed.
    pub lease_ttl_s: f64,
    /// Failed attempts after which a wake is given up.
    pub attempts_max: u32,
    /// For so long somebody who asks is waited for; then the wake is over, told or not.
    pub demand_expiry_s: f64,
    /// An agent's longest wait before it connects again, in seconds.
    pub reconnect_s_max: f64,
    /// When the run began on its own clock, in milliseconds since 1970; for what is told as a time of day.
    pub began_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host_wakes_max: 8,
            cpu_ceiling_percent: 70.0,
            load_freshness_s: 30.0,
            load_frozen_s: f64::INFINITY,
            preflight_age_max_s: 30.0,
            transit_s: 0.0,
            gates_every_s: 0.0,
            lease_ttl_s: LEASE_TTL.as_secs_f64(),
            attempts_max: 3,
            demand_expiry_s: f64::INFINITY,
            reconnect_s_max: 30.0,
            began_ms: 0,
        }
    }
}

impl Settings {
    /// The event that puts these into force.
    pub fn entry(&self) -> Entry {
        let value = json!({
            "host_wakes_max": self.host_wakes_max,
            "cpu_ceiling_percent": self.cpu_ceiling_percent,
            "load_freshness_s": self.load_freshness_s,
            "load_frozen_s": self.load_frozen_s,
            "preflight_age_max_s": self.preflight_age_max_s,
            "transit_s": self.transit_s,
            "gates_every_s": self.gates_every_s,
            "lease_ttl_s": self.lease_ttl_s,
            "attempts_max": self.attempts_max,
            "demand_expiry_s": self.demand_expiry_s,
            "reconnect_s_max": self.reconnect_s_max,
            "began_ms": self.began_ms,
        });
        Entry::new("operator", Kind::Ok, Function::ConfigSet, Key::default()).value(value)
    }

    /// Follows a history: takes over what a `config_set` sets, leaves the rest.
    pub fn follow(&mut self, event: &Event) {
        if event.f != Function::ConfigSet {
            return;
        }
        if let Some(max) = event.v.get("host_wakes_max").and_then(Value::as_u64) {
            self.host_wakes_max = max as u32;
        }
        if let Some(max) = event.v.get("attempts_max").and_then(Value::as_u64) {
            self.attempts_max = max as u32;
        }
        if let Some(began_ms) = event.v.get("began_ms").and_then(Value::as_i64) {
            self.began_ms = began_ms;
        }
        let fields = [
            ("cpu_ceiling_percent", &mut self.cpu_ceiling_percent),
            ("load_freshness_s", &mut self.load_freshness_s),
            ("load_frozen_s", &mut self.load_frozen_s),
            ("preflight_age_max_s", &mut self.preflight_age_max_s),
            ("transit_s", &mut self.transit_s),
            ("gates_every_s", &mut self.gates_every_s),
            ("lease_ttl_s", &mut self.lease_ttl_s),
            ("demand_expiry_s", &mut self.demand_expiry_s),
            ("reconnect_s_max", &mut self.reconnect_s_max),
        ];
        for (name, field) in fields {
            if let Some(value) = event.number(name) {
                *field = value;
            }
        }
    }
}
