//! What an operator may change while Reveille runs. Every change is recorded with who and when.

use std::collections::BTreeSet;

use jiff::civil::Date;
use reveille_proto::{HostId, InstanceId};
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
    /// Stops everything: nothing is called any more, whoever asks, until it is `false` again.
    pub stopped: bool,
    /// Hosts on which nothing more is started.
    pub drained_hosts: BTreeSet<HostId>,
    /// Most wakes a host may have in progress at once, whatever its CPU says; 0 is two for each of its cores.
    pub host_wakes_max: u32,
    /// Of these, how many forecasts leave free for people; at least one is always left for forecasts.
    pub host_places_for_people: u32,
    /// Most wakes in progress in one zone; 0 is no limit.
    pub zone_wakes_max: u32,
    /// CPU of a host, in percent of its cores, above which nothing more is started there.
    pub cpu_ceiling_percent: f64,
    /// Most wakes in progress in the whole fleet.
    pub fleet_wakes_max: u32,
    /// Most forecast wakes that may be due in one clock hour (UTC) in the whole fleet.
    pub fleet_wakes_per_hour_max: u32,
    /// Most forecast wakes of one day (UTC) in the whole fleet; 0 is no limit. Who asks is always woken.
    pub wakes_per_day_max: u32,
    /// Hours that instances may be awake without a user because of forecast wakes, per instance and day, on average.
    /// The more, the more people find their instance awake.
    pub idle_budget_h: f64,
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
            stopped: false,
            drained_hosts: BTreeSet::new(),
            host_wakes_max: 0,
            host_places_for_people: 1,
            zone_wakes_max: 0,
            cpu_ceiling_percent: 70.0,
            fleet_wakes_max: 64,
            fleet_wakes_per_hour_max: 600,
            wakes_per_day_max: 0,
            idle_budget_h: 2.0,
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

/// What the policy allows on one host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostLimits {
    pub cpu_ceiling_percent: f64,
    pub wakes_max: u32,
    /// Of these, how many forecasts leave free.
    pub places_for_people: u32,
    /// In the whole fleet.
    pub fleet_wakes_max: u32,
}

/// No host starts more at once: a larger number is a slip of the finger.
const HOST_WAKES_MAX: u32 = 256;
/// What the cap of a host is where the policy names none.
const WAKES_PER_CORE: f64 = 2.0;

impl Policy {
    /// What it allows on a host of so many cores, whose agent has a guard of its own: the stricter of both.
    pub fn on_host(
        &self,
        cores: f64,
        guard_cpu_percent: Option<f64>,
        guard_wakes_max: Option<u32>,
    ) -> HostLimits {
        let ceiling = self.cpu_ceiling_percent;
        let by_cores = ((WAKES_PER_CORE * cores).ceil() as u32).max(2);
        let cap = if self.host_wakes_max == 0 { by_cores } else { self.host_wakes_max };
        HostLimits {
            cpu_ceiling_percent: guard_cpu_percent.map_or(ceiling, |guard| guard.min(ceiling)),
            wakes_max: guard_wakes_max.unwrap_or(u32::MAX).min(cap).max(1),
            places_for_people: self.host_places_for_people,
            fleet_wakes_max: self.fleet_wakes_max,
        }
    }

    /// The keys with their values as JSON, in the order of the struct.
    pub fn entries(&self) -> Vec<(String, serde_json::Value)> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(map)) => map.into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// A copy with `key` changed to `value`, written as in TOML; a bare word is taken as text, and for a list as its
    /// only element.
    pub fn set(&self, key: &str, value: &str) -> Result<Self, PolicyError> {
        let bad = |problem| PolicyError::BadValue { key: key.into(), value: value.into(), problem };
        let mut entries: serde_json::Map<_, _> = self.entries().into_iter().collect();
        if !entries.contains_key(key) {
            let known = entries.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(PolicyError::UnknownKey { key: key.into(), known });
        }
        let is_list = entries[key].is_array();
        let json = if is_list { listed(value) } else { plain(parsed(value)) }.map_err(bad)?;
        entries.insert(key.to_owned(), json);
        let changed: Self = serde_json::from_value(entries.into()).map_err(|e| bad(e.to_string()))?;
        changed.check().map_err(|(_, problem)| bad(problem))?;
        Ok(changed)
    }

    /// A copy with `key` as in `other`.
    pub fn reset(&self, key: &str, other: &Self) -> Result<Self, PolicyError> {
        let value = other.entries().into_iter().find(|(name, _)| name == key).map(|(_, value)| value);
        let mut entries: serde_json::Map<_, _> = self.entries().into_iter().collect();
        let Some(value) = value else {
            let known = entries.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(PolicyError::UnknownKey { key: key.into(), known });
        };
        let text = value.to_string();
        entries.insert(key.to_owned(), value);
        let bad = |problem| PolicyError::BadValue { key: key.into(), value: text, problem };
        serde_json::from_value(entries.into()).map_err(|error| bad(error.to_string()))
    }

    /// Says which key is out of its bounds, if one is.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if !(1.0..=95.0).contains(&self.cpu_ceiling_percent) {
            return Err(("cpu_ceiling_percent", "must be within 1..=95 percent".into()));
        }
        if !(0.01..=12.0).contains(&self.idle_budget_h) {
            return Err(("idle_budget_h", "must be within 0.01..=12 hours per instance and day".into()));
        }
        if self.host_wakes_max > HOST_WAKES_MAX {
            let problem = format!("must be within 0..={HOST_WAKES_MAX} wakes at once; 0 is two per core");
            return Err(("host_wakes_max", problem));
        }
        for (key, value) in [
            ("fleet_wakes_max", self.fleet_wakes_max),
            ("fleet_wakes_per_hour_max", self.fleet_wakes_per_hour_max),
        ] {
            if value == 0 {
                return Err((key, "must be at least 1; set `paused = true` to stop forecast wakes".into()));
            }
        }
        Ok(())
    }
}

/// What `text` says as TOML; what is no TOML is itself.
fn parsed(text: &str) -> toml::Value {
    let table = toml::from_str::<toml::Table>(&format!("v = {text}"));
    table.ok().and_then(|mut table| table.remove("v")).unwrap_or_else(|| text.into())
}

/// A list, or one element written without brackets, which is taken as text whatever it looks like.
fn listed(text: &str) -> Result<serde_json::Value, String> {
    match parsed(text) {
        list @ toml::Value::Array(_) => plain(list),
        toml::Value::String(one) if one.is_empty() || one.contains(['[', ']', ',', '"']) => {
            Err(r#"write a list as ["one", "two"], and the empty one as []"#.into())
        }
        toml::Value::String(one) => Ok(vec![one].into()),
        _ => Ok(vec![text.trim()].into()),
    }
}

/// As JSON, where a date is text and every number is finite.
fn plain(value: toml::Value) -> Result<serde_json::Value, String> {
    Ok(match value {
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Float(number) if !number.is_finite() => return Err("must be a finite number".into()),
        toml::Value::Array(list) => {
            list.into_iter().map(plain).collect::<Result<Vec<serde_json::Value>, _>>()?.into()
        }
        other => serde_json::to_value(other).map_err(|e| e.to_string())?,
    })
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
    fn the_cap_of_a_host_comes_from_its_cores_where_none_is_set_and_its_guard_is_stricter() {
        let policy = Policy::default();
        assert_eq!(policy.on_host(16.0, None, None).wakes_max, 32);
        assert_eq!(policy.on_host(0.5, None, None).wakes_max, 2);
        assert_eq!(policy.on_host(16.0, None, Some(5)).wakes_max, 5);
        let set = Policy { host_wakes_max: 4, ..policy };
        let on_host = set.on_host(16.0, Some(50.0), Some(5));
        assert_eq!((on_host.wakes_max, on_host.cpu_ceiling_percent), (4, 50.0));
    }

    #[test]
    fn a_key_is_taken_back_to_what_another_policy_says() {
        let configured = Policy { host_wakes_max: 7, ..Policy::default() };
        let set = configured.set("host_wakes_max", "4").and_then(|p| p.set("mode", "act")).expect("set");
        let reset = set.reset("host_wakes_max", &configured).expect("a key");
        assert_eq!((reset.host_wakes_max, reset.mode), (7, Mode::Act));
        assert!(matches!(set.reset("cpu", &configured), Err(PolicyError::UnknownKey { .. })));
    }

    #[test]
    fn one_element_of_a_list_needs_no_brackets() {
        let set = |key: &str, value: &str| Policy::default().set(key, value);
        let date: Date = "2026-11-21".parse().expect("a date");
        for value in ["2026-11-21", "\"2026-11-21\"", "[2026-11-21]", "[\"2026-11-21\"]"] {
            let policy = set("quiet_dates", value).unwrap_or_else(|e| panic!("{value}: {e}"));
            assert_eq!(policy.quiet_dates, [date].into(), "{value}");
        }
        for id in ["dev3", "17", "true"] {
            let policy = set("opted_out", id).unwrap_or_else(|e| panic!("{id}: {e}"));
            assert_eq!(policy.opted_out, [id.parse().expect("an id")].into(), "{id}");
        }
        assert_eq!(set("cohorts", "x").expect("a word").cohorts, ["x".to_owned()].into());
        let some = set("cohorts", "[\"x\", \"y\"]").expect("a list");
        assert_eq!(some.cohorts.len(), 2);
        assert!(some.set("cohorts", "[]").expect("the empty list").cohorts.is_empty());
    }

    #[test]
    fn what_is_half_a_list_is_told_the_form() {
        for value in ["", "dev3, dev4", "[dev3]", "[\"dev3\""] {
            let error = Policy::default().set("opted_out", value).expect_err(value).to_string();
            assert!(error.contains(r#"["one", "two"]"#), "{error}");
        }
    }

    #[test]
    fn numbers_out_of_bounds_are_told_so() {
        for value in ["inf", "nan", "-inf"] {
            let error = Policy::default().set("cpu_ceiling_percent", value).expect_err(value).to_string();
            assert!(error.contains("must be a finite number"), "{error}");
        }
        for key in ["fleet_wakes_max", "fleet_wakes_per_hour_max"] {
            let error = Policy::default().set(key, "0").expect_err(key).to_string();
            assert!(error.contains("must be at least 1"), "{error}");
        }
    }

    #[test]
    fn a_bad_change_says_what_would_do() {
        let error = Policy::default().set("cpu", "1").expect_err("no such key");
        assert!(error.to_string().contains("cpu_ceiling_percent"), "{error}");
        assert!(Policy::default().set("cpu_ceiling_percent", "150").is_err());
        assert!(Policy::default().set("host_wakes_max", "-1").is_err());
        let error = Policy::default().set("host_wakes_max", "400").expect_err("too many").to_string();
        assert!(error.contains("within 0..=256"), "{error}");
        assert!(Policy::default().set("mode", "attack").is_err());
    }
}
