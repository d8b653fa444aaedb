//! What is configured about logs: the sources, how an instance is found, and what is not a person.

use serde::{Deserialize, Serialize};

use super::f5;

/// The section `[logs]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogsConfig {
    pub sources: Vec<SourceConfig>,
    pub extract: ExtractConfig,
    /// Regular expressions on `METHOD path?query`; a match is a request to wake the instance.
    pub wake_request: Vec<String>,
    /// Regular expressions on `METHOD path?query`; a match is a log-in.
    pub login: Vec<String>,
    /// Regular expressions on the user agent, case-insensitive: bots and monitors, which are not people.
    pub ignore_agents: Vec<String>,
    /// Regular expressions on `path?query`.
    pub ignore_paths: Vec<String>,
    /// Client addresses and networks such as `10.0.0.0/8`.
    pub ignore_clients: Vec<String>,
    /// How many bad lines are shown for each read of a source.
    pub reject_samples_max: usize,
}

impl Default for LogsConfig {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            extract: ExtractConfig::default(),
            wake_request: texts(&[r"^(?:GET|POST) /wake_my_instance\.do\b", r"^POST /wake(?:[/?]|$)"]),
            login: texts(&[r"^POST /(?:[^?]*/)?login(?:\.do)?(?:\?|$)"]),
            ignore_agents: texts(&AGENTS_NOT_PEOPLE),
            ignore_paths: texts(&[r"^/(?:healthz|livez|readyz)(?:\?|$)"]),
            ignore_clients: Vec::new(),
            reject_samples_max: 5,
        }
    }
}

/// Health checks, monitors and crawlers that name themselves. `curl` is not here: people use it.
const AGENTS_NOT_PEOPLE: [&str; 16] = [
    "kube-probe",
    "ELB-HealthChecker",
    "GoogleHC",
    "Googlebot",
    "bingbot",
    "YandexBot",
    "Baiduspider",
    "DuckDuckBot",
    "AhrefsBot",
    "SemrushBot",
    "Applebot",
    "Pingdom",
    "UptimeRobot",
    "StatusCake",
    "Site24x7",
    "Zabbix",
];

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// One `[[logs.sources]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// A file, a glob such as `/var/log/nginx/access.log*`, or `-` for standard input.
    pub path: String,
    #[serde(default)]
    pub format: LogFormat,
    /// For `format = "f5"`: the template of the Request Logging profile.
    #[serde(default = "f5::template_default")]
    pub template: String,
    /// For `format = "json"`: which key holds what.
    #[serde(default)]
    pub fields: JsonFields,
    /// Keep reading as the file grows and is rotated. Not for globs and compressed files.
    #[serde(default)]
    pub follow: bool,
}

impl SourceConfig {
    /// A source read once.
    pub fn new(path: impl Into<String>, format: LogFormat) -> Self {
        Self {
            path: path.into(),
            format,
            template: f5::template_default(),
            fields: JsonFields::default(),
            follow: false,
        }
    }
}

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Apache and nginx Common or Combined, with the virtual host first, last, or absent.
    #[default]
    Combined,
    /// F5 BIG-IP Request Logging profile, by its template.
    F5,
    /// One JSON object per line, by a field mapping.
    Json,
}

/// Which key of a JSON line holds what: names, or dotted paths such as `request.headers.host`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JsonFields {
    /// RFC 3339, `dd/Mon/yyyy:HH:MM:SS +zzzz`, or seconds, milli- or microseconds since 1970 (told apart by size).
    pub time: String,
    pub client: String,
    pub vhost: String,
    pub method: String,
    /// `path?query`, or a whole request line `METHOD path?query HTTP/1.1`.
    pub target: String,
    pub status: String,
    pub agent: String,
}

impl Default for JsonFields {
    fn default() -> Self {
        let name = str::to_owned;
        Self {
            time: name("time"),
            client: name("client"),
            vhost: name("vhost"),
            method: name("method"),
            target: name("target"),
            status: name("status"),
            agent: name("agent"),
        }
    }
}

/// How an instance is found in a record: `[logs.extract]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExtractConfig {
    pub from: InstanceFrom,
    /// For `path-segment`: which one, the first is 1.
    pub segment: usize,
    /// For `query-key`: its name.
    pub key: String,
    /// For `regex`: on `path?query`; the group named `instance`, or else the first, is the instance.
    pub pattern: String,
    /// Taken off the end of what was found, such as `.dev.example.com`; what does not end so is no instance.
    pub strip_suffix: String,
    pub lower_case: bool,
    /// Most different instances remembered for each source; records of further ones are counted and skipped.
    pub instances_max: usize,
}

impl Default for ExtractConfig {
    fn default() -> Self {
        Self {
            from: InstanceFrom::Vhost,
            segment: 1,
            key: String::new(),
            pattern: String::new(),
            strip_suffix: String::new(),
            lower_case: true,
            instances_max: 1_000_000,
        }
    }
}

/// Where in a record the instance is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceFrom {
    #[default]
    Vhost,
    PathSegment,
    QueryKey,
    Client,
    Regex,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = toml::from_str::<LogsConfig>("[extract]\nfrom = \"vhost\"\nsegmnt = 2\n").unwrap_err();
        assert!(error.to_string().contains("segmnt"), "{error}");
    }

    #[test]
    fn a_source_needs_only_a_path() {
        let config: LogsConfig = toml::from_str("[[sources]]\npath = \"a.log\"\n").unwrap();
        assert_eq!(config.sources, [SourceConfig::new("a.log", LogFormat::Combined)]);
        assert_eq!(config.login, LogsConfig::default().login);
    }
}
