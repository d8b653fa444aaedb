//! What an operator may change while Reveille runs. Every change is recorded with who and when.

use std::collections::BTreeSet;

use jiff::civil::Date;
use reveille_proto::InstanceId;
use serde::{Deserialize, Serialize};

/// Whether plans are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Plans are made, kept and scored; nothing is woken by forecast. Demand wakes are carried out.
    #[default]
    ForecastOnly,
    /// Plans become wakes.
    Act,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForecastOnly => "forecast-only",
            Self::Act => "act",
        }
    }
}

/// The operator's policy. Keys are changed one at a time with [`Policy::set`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    pub mode: Mode,
    /// Stops forecast wakes, planned and queued; demand wakes go on.
    pub paused: bool,
    /// Most wakes a host may have in progress at once, whatever its CPU says.
    pub host_wakes_max: u32,
    /// CPU of a host, in percent of its cores, above which nothing more is started there.
    pub cpu_ceiling_percent: f64,
    /// Most wakes in progress in the whole fleet.
    pub fleet_wakes_max: u32,
    /// Most forecast wakes that may be due in one clock hour (UTC) in the whole fleet.
    pub fleet_wakes_per_hour_max: u32,
    /// Days (in each instance's own time zone) without forecast wakes.
    pub quiet_dates: BTreeSet<Date>,
    /// Instances never woken by forecast.
    pub opted_out: BTreeSet<InstanceId>,
    /// Only these cohorts are woken by forecast; empty is all.
    pub cohorts: BTreeSet<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::ForecastOnly,
            paused: false,
            host_wakes_max: 8,
            cpu_ceiling_percent: 70.0,
            fleet_wakes_max: 64,
            fleet_wakes_per_hour_max: 600,
            quiet_dates: BTreeSet::new(),
            opted_out: BTreeSet::new(),
            cohorts: BTreeSet::new(),
        }
    }
}

/// A change that was not made, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("there is no policy key `{key}`; the keys are {known}")]
    UnknownKey { key: String, known: String },
    #[error("`{key}` cannot be {value}: {problem}")]
    BadValue { key: String, value: String, problem: String },
}

impl Policy {
    /// The keys with their values as JSON, in the order of the struct.
    pub fn entries(&self) -> Vec<(String, serde_json::Value)> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(map)) => map.into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// A copy with `key` changed to `value`, written as in TOML (a bare word is taken as text).
    pub fn set(&self, key: &str, value: &str) -> Result<Self, PolicyError> {
        let bad = |problem: String| PolicyError::BadValue { key: key.into(), value: value.into(), problem };
        let mut entries: serde_json::Map<_, _> = self.entries().into_iter().collect();
        if !entries.contains_key(key) {
            let known = entries.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(PolicyError::UnknownKey { key: key.into(), known });
        }
        let parsed = toml::from_str::<toml::Table>(&format!("v = {value}"))
            .ok()
            .and_then(|mut table| table.remove("v"))
            .unwrap_or_else(|| toml::Value::String(value.to_owned()));
        let json = serde_json::to_value(parsed).map_err(|e| bad(e.to_string()))?;
        entries.insert(key.to_owned(), json);
        let changed: Self = serde_json::from_value(entries.into()).map_err(|e| bad(e.to_string()))?;
        changed.check().map_err(|(_, problem)| bad(problem))?;
        Ok(changed)
    }

    /// Says which key is out of its bounds, if one is.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if !(1.0..=95.0).contains(&self.cpu_ceiling_percent) {
            return Err(("cpu_ceiling_percent", "must be within 1..=95 percent".into()));
        }
        for (key, value) in
            [("host_wakes_max", self.host_wakes_max), ("fleet_wakes_max", self.fleet_wakes_max)]
        {
            if value == 0 {
                return Err((key, "must be at least 1; set `paused = true` to stop forecast wakes".into()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_changed_with_toml_values_or_bare_words() {
        let policy = Policy::default().set("mode", "act").expect("a bare word");
        assert_eq!(policy.mode, Mode::Act);
        let policy = policy.set("host_wakes_max", "4").expect("a number");
        assert_eq!(policy.host_wakes_max, 4);
        let policy = policy.set("quiet_dates", "[\"2026-12-25\"]").expect("a list");
        assert_eq!(policy.quiet_dates.len(), 1);
    }

    #[test]
    fn a_bad_change_says_what_would_do() {
        let error = Policy::default().set("cpu", "1").expect_err("no such key");
        assert!(error.to_string().contains("cpu_ceiling_percent"), "{error}");
        assert!(Policy::default().set("cpu_ceiling_percent", "150").is_err());
        assert!(Policy::default().set("host_wakes_max", "0").is_err());
        assert!(Policy::default().set("mode", "attack").is_err());
    }
}
