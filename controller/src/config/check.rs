//! What no type can say about a configuration: what is refused, and what is only told.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;

use super::{Config, ConfigError};
use crate::{
    calendars::{self, Reach},
    logs::{SourceConfig, source_files},
    wake::Needs,
};

impl Config {
    /// What no type can say.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.policy.check().map_err(|(key, problem)| ConfigError::value(format!("policy.{key}"), problem))?;
        self.model
            .rule
            .check()
            .map_err(|e| ConfigError::value(format!("model.rule.{}", e.field), e.problem))?;
        self.throttle
            .check()
            .map_err(|(key, problem)| ConfigError::value(format!("throttle.{key}"), problem))?;
        check_zone("model.time_zone", &self.model.time_zone)?;
        if self.model.abstain.min_active_days > 30 {
            let problem = "must be at most 30: active days are counted among the last 30";
            return Err(ConfigError::value("model.abstain.min_active_days", problem));
        }
        self.check_tls()?;
        self.check_instances()?;
        self.check_cohorts()?;
        self.check_places()?;
        self.check_shared_resources()?;
        self.notify.check()?;
        self.needs()?;
        let positive = [
            ("visits.idle_gap_s", self.visits.idle_gap_s),
            ("visits.poll_interval_ms", self.visits.poll_interval_ms),
            ("model.train_interval_s", self.model.train_interval_s),
            ("model.lead_time_default_s", self.model.lead_time_default_s),
            ("plan.interval_s", self.plan.interval_s),
            ("plan.horizon_s", self.plan.horizon_s),
            ("plan.window_s", self.plan.window_s),
            ("wake.timeout_s", self.wake.timeout_s),
            ("wake.demand_expiry_s", self.wake.demand_expiry_s),
            ("wake.attempts_max", self.wake.attempts_max),
            ("wake.dispatch_interval_ms", self.wake.dispatch_interval_ms),
            ("wake.queue_depth_max", self.wake.queue_depth_max),
            ("fleet.load_interval_ms", self.fleet.load_interval_ms),
            ("fleet.sessions_max", self.fleet.sessions_max),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::value(key, "must be at least 1"));
        }
        if self.plan.horizon_s < self.plan.interval_s {
            return Err(ConfigError::value("plan.horizon_s", "must be at least plan.interval_s"));
        }
        let hold_out = self.plan.hold_out().check();
        hold_out.map_err(|problem| ConfigError::value("plan.hold_out_share", problem))?;
        crate::logs::Miner::new(&self.logs).map_err(|e| ConfigError::value("logs", e.to_string()))?;
        Ok(())
    }

    /// Half of it would mean none of it.
    fn check_tls(&self) -> Result<(), ConfigError> {
        let tls = &self.tls;
        match (&tls.certificate_file, &tls.key_file, &tls.client_ca_file) {
            (Some(_), None, _) => {
                Err(ConfigError::value("tls.key_file", "is missing beside tls.certificate_file"))
            }
            (None, Some(_), _) => {
                Err(ConfigError::value("tls.certificate_file", "is missing beside tls.key_file"))
            }
            (None, None, Some(_)) => {
                Err(ConfigError::value("tls.certificate_file", "is missing beside tls.client_ca_file"))
            }
            _ => Ok(()),
        }
    }

    /// Who needs whom.
    pub fn needs(&self) -> Result<Needs, ConfigError> {
        let needs = self.instances.iter().map(|instance| (instance.id.clone(), instance.needs.clone()));
        Needs::new(needs).map_err(|cycle| ConfigError::value("instances", cycle.to_string()))
    }

    fn check_shared_resources(&self) -> Result<(), ConfigError> {
        for (i, resource) in self.shared_resources.iter().enumerate() {
            if resource.wakes_max == 0 {
                return Err(ConfigError::value(
                    format!("shared_resources[{i}].wakes_max"),
                    "must be at least 1",
                ));
            }
            if resource.hosts.is_empty() && resource.instances.is_empty() {
                let problem = "names neither hosts nor instances: nobody would need it";
                return Err(ConfigError::value(format!("shared_resources[{i}]"), problem));
            }
        }
        Ok(())
    }

    fn check_instances(&self) -> Result<(), ConfigError> {
        let mut first = BTreeMap::new();
        for (i, instance) in self.instances.iter().enumerate() {
            if let Some(earlier) = first.insert(&instance.id, i) {
                let problem = format!("is {}, which instances[{earlier}] is already", instance.id);
                return Err(ConfigError::value(format!("instances[{i}].id"), problem));
            }
            if !instance.time_zone.is_empty() {
                check_zone(&format!("instances[{i}].time_zone"), &instance.time_zone)?;
            }
        }
        Ok(())
    }

    fn check_cohorts(&self) -> Result<(), ConfigError> {
        let mut first = BTreeMap::new();
        for (i, cohort) in self.cohorts.iter().enumerate() {
            if cohort.name.is_empty() {
                return Err(ConfigError::value(format!("cohorts[{i}].name"), "is empty"));
            }
            if let Some(earlier) = first.insert(&cohort.name, i) {
                let problem = format!("is {:?}, which cohorts[{earlier}] is already", cohort.name);
                return Err(ConfigError::value(format!("cohorts[{i}].name"), problem));
            }
            check_zone(&format!("cohorts[{i}].time_zone"), &cohort.time_zone)?;
        }
        Ok(())
    }

    /// Addresses, directories and files.
    fn check_places(&self) -> Result<(), ConfigError> {
        let (http, grpc) = (self.listen.http, self.listen.grpc);
        if collide(http, grpc) {
            let problem = format!("is {grpc}, which listen.http ({http}) takes; they need a port each");
            return Err(ConfigError::value("listen.grpc", problem));
        }
        if self.store.data_dir.as_ref().is_some_and(|dir| dir.as_os_str().is_empty()) {
            let problem = "is empty; name a directory, or leave it out for the user's data directory";
            return Err(ConfigError::value("store.data_dir", problem));
        }
        if self.store.database_url.is_some() || self.store.database_url_file.is_some() {
            self.database()?;
        }
        for (i, source) in self.logs.sources.iter().enumerate() {
            if Path::new(&source.path).is_dir() {
                let problem =
                    format!("is the directory {:?}; name a file or a pattern of files", source.path);
                return Err(ConfigError::value(format!("logs.sources[{i}].path"), problem));
            }
        }
        for (i, calendar) in self.calendars.iter().enumerate() {
            calendars::check_file(&calendar.file)
                .map_err(|error| ConfigError::value(format!("calendars[{i}].file"), error.told()))?;
        }
        Ok(())
    }

    /// What may be a mistake and may come right by itself: logs that are not there, or not there yet, and events of
    /// calendars that are left out.
    pub fn warnings(&self) -> Vec<String> {
        let sources = self.logs.sources.iter().enumerate();
        let missing = sources.filter_map(|(i, source)| {
            let problem = match source_files(source) {
                // The name of one file is given back unseen.
                Ok(files) if is_there(source, &files) => return None,
                Ok(_) => format!("there is no {:?} yet", source.path),
                Err(error) => error.to_string(),
            };
            Some(format!("`logs.sources[{i}].path`: {problem}; nothing is learned from it until it is there"))
        });
        missing.chain(self.left_out()).collect()
    }

    fn left_out(&self) -> Vec<String> {
        let zone = TimeZone::get(&self.model.time_zone).unwrap_or(TimeZone::UTC);
        match calendars::read_calendars(&self.calendars, &zone, Reach::wide()) {
            Ok((_, bad)) => bad.iter().map(|event| format!("{event}; the event is left out")).collect(),
            Err(error) => vec![format!("`calendars`: {}", error.told())],
        }
    }
}

/// Whether both cannot be listened on. Port 0 is a free one each time.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let same_family = one.is_ipv4() == other.is_ipv4();
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (one.ip() == other.ip() || (same_family && any))
}

fn is_there(source: &SourceConfig, files: &[PathBuf]) -> bool {
    source.path == "-" || files.iter().all(|file| file.exists())
}

fn check_zone(key: &str, name: &str) -> Result<(), ConfigError> {
    TimeZone::get(name)
        .map(|_| ())
        .map_err(|_| ConfigError::value(key, format!("is no IANA time zone: {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        calendars::{CalendarConfig, CalendarKind},
        config::{CohortConfig, InstanceConfig},
        logs::LogFormat,
    };

    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config.check().expect_err("refused").to_string()
    }

    #[test]
    fn two_listeners_need_two_addresses() {
        let listens = |http: &str, grpc: &str| {
            let mut config = Config::default();
            config.listen.http = http.parse().unwrap();
            config.listen.grpc = grpc.parse().unwrap();
            config.check().map_err(|error| error.to_string())
        };
        let error = listens("127.0.0.1:7411", "127.0.0.1:7411").unwrap_err();
        assert!(error.contains("`listen.grpc` is 127.0.0.1:7411"), "{error}");
        assert!(listens("0.0.0.0:7411", "127.0.0.1:7411").is_err());
        assert_eq!(listens("127.0.0.1:0", "127.0.0.1:0"), Ok(()));
        assert_eq!(listens("127.0.0.2:7411", "127.0.0.1:7411"), Ok(()));
        assert_eq!(listens("0.0.0.0:7411", "[::1]:7411"), Ok(()));
    }

    #[test]
    fn an_instance_is_configured_once() {
        let instance = |id: &str| InstanceConfig {
            id: id.parse().unwrap(),
            cohort: String::new(),
            time_zone: String::new(),
            needs: Vec::new(),
        };
        let error = refused(|config| config.instances = ["a", "b", "a"].map(instance).into());
        assert!(error.contains("`instances[2].id` is a, which instances[0] is already"), "{error}");
    }

    #[test]
    fn instances_that_need_each_other_are_refused_with_the_whole_round() {
        let needing = |id: &str, needed: &str| InstanceConfig {
            id: id.parse().unwrap(),
            cohort: String::new(),
            time_zone: String::new(),
            needs: vec![needed.parse().unwrap()],
        };
        let error = refused(|config| config.instances = vec![needing("app", "db"), needing("db", "app")]);
        assert!(error.contains("app -> db -> app wait for each other"), "{error}");
    }

    #[test]
    fn nobody_is_active_on_more_days_than_there_are() {
        let error = refused(|config| config.model.abstain.min_active_days = 31);
        assert!(error.contains("`model.abstain.min_active_days` must be at most 30"), "{error}");
    }

    #[test]
    fn at_most_half_is_held_out() {
        let error = refused(|config| config.plan.hold_out_share = 0.6);
        assert!(error.contains("`plan.hold_out_share` is 0.6; it must be 0"), "{error}");
    }

    #[test]
    fn a_cohort_is_named_once_and_lives_somewhere() {
        let cohort = |name: &str, zone: &str| CohortConfig { name: name.into(), time_zone: zone.into() };
        let error =
            refused(|config| config.cohorts = vec![cohort("dev", "Europe/Berlin"), cohort("dev", "UTC")]);
        assert!(error.contains("`cohorts[1].name` is \"dev\", which cohorts[0] is already"), "{error}");
        let error = refused(|config| config.cohorts = vec![cohort("dev", "Mars/Olympus")]);
        assert!(error.contains("`cohorts[0].time_zone` is no IANA time zone"), "{error}");
        assert!(
            refused(|config| config.cohorts = vec![cohort("", "UTC")]).contains("`cohorts[0].name` is empty")
        );
    }

    #[test]
    fn a_missing_calendar_is_refused_and_a_bad_event_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("holidays.ics");
        let calendar = CalendarConfig { file: file.clone(), kind: CalendarKind::Holiday, cohorts: vec![] };
        let error = refused(|config| config.calendars = vec![calendar.clone()]);
        assert!(error.contains("`calendars[0].file` ") && error.contains("holidays.ics"), "{error}");
        std::fs::write(&file, "dear diary").unwrap();
        let error = refused(|config| config.calendars = vec![calendar.clone()]);
        assert!(error.contains("is no iCalendar file"), "{error}");

        std::fs::write(&file, "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT\nEND:VCALENDAR\n")
            .unwrap();
        let config = Config { calendars: vec![calendar], ..Config::default() };
        config.check().unwrap();
        let warnings = config.warnings();
        assert!(warnings[0].contains("holidays.ics:3: DTSTART is no day and no time"), "{warnings:?}");
    }

    #[test]
    fn an_empty_data_dir_is_no_place() {
        let error = refused(|config| config.store.data_dir = Some(PathBuf::new()));
        assert!(error.contains("`store.data_dir` is empty"), "{error}");
    }

    #[test]
    fn a_directory_is_refused_and_a_missing_log_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let source = |path: &Path| SourceConfig::new(path.to_str().unwrap(), LogFormat::Combined);
        let error = refused(|config| config.logs.sources = vec![source(dir.path())]);
        assert!(error.contains("`logs.sources[0].path` is the directory"), "{error}");

        let there = dir.path().join("there.log");
        std::fs::write(&there, "").unwrap();
        let mut config = Config::default();
        let missing = [dir.path().join("missing.log"), dir.path().join("*.gz")];
        config.logs.sources = [there, missing[0].clone(), missing[1].clone(), "-".into()]
            .iter()
            .map(|path| source(path))
            .collect();
        config.check().unwrap();
        let warnings = config.warnings();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        for (warning, (i, path)) in warnings.iter().zip([(1, &missing[0]), (2, &missing[1])]) {
            assert!(warning.starts_with(&format!("`logs.sources[{i}].path`: ")), "{warning}");
            assert!(warning.contains(path.to_str().unwrap()), "{warning}");
        }
    }
}
