//! How an instance is woken and how one sees that it serves, as the configuration writes it.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, de};

use super::SecretText;

/// How an instance is woken.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Driver {
    /// Call the endpoint its platform offers.
    Http(Endpoint),
    /// Start a command on this host.
    Process(ProcessDriver),
}

impl Driver {
    /// As the inventory names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Process(_) => "process",
        }
    }
}

/// One wake endpoint. `{instance}`, `{number}`, `{port}` and `{wake_id}` are replaced in `url` and `body`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoint {
    pub method: String,
    pub url: String,
    pub headers: BTreeMap<String, SecretText>,
    pub body: Option<String>,
    /// The answer that means "accepted".
    pub expect: Expect,
    /// Statuses that say the call had no effect, so that another call is safe. Redirects always say so.
    /// By default all of 4xx, 500, 501 and 503; 502 and 504 come from a gateway that may have passed the call on.
    pub no_effect_status: Vec<StatusRange>,
    /// Real seconds until an answer is given up, its body included.
    pub request_timeout_s: u64,
    /// Called only when the first call certainly had no effect.
    pub fallback: Option<Box<Endpoint>>,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            method: "POST".into(),
            url: String::new(),
            headers: BTreeMap::new(),
            body: None,
            expect: Expect::default(),
            no_effect_status: [(400, 499), (500, 501), (503, 503)].map(StatusRange::from).into(),
            request_timeout_s: 30,
            fallback: None,
        }
    }
}

/// What an answer must look like.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    pub status: Vec<StatusRange>,
    /// Text the first 64 KiB of the body must hold.
    pub body_contains: Option<String>,
    /// The body must be JSON: a page is none, whatever its status.
    pub json: bool,
}

impl Default for Expect {
    fn default() -> Self {
        Self { status: vec![StatusRange { low: 200, high: 299 }], body_contains: None, json: false }
    }
}

/// `204` or `"200-299"`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    pub low: u16,
    pub high: u16,
}

impl StatusRange {
    pub fn holds(self, status: u16) -> bool {
        (self.low..=self.high).contains(&status)
    }
}

impl From<(u16, u16)> for StatusRange {
    fn from((low, high): (u16, u16)) -> Self {
        Self { low, high }
    }
}

impl fmt::Debug for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Text {
            One(u16),
            Range(String),
        }
        let bad =
            |text: &str| de::Error::custom(format!("`{text}` is not a status or a range like \"200-299\""));
        let (low, high) = match Text::deserialize(deserializer)? {
            Text::One(status) => (status, status),
            Text::Range(text) => {
                let (low, high) = text.split_once('-').unwrap_or((&text, &text));
                let number = |part: &str| part.trim().parse::<u16>().map_err(|_| bad(&text));
                (number(low)?, number(high)?)
            }
        };
        if low < 100 || high > 599 || low > high {
            return Err(bad(&format!("{low}-{high}")));
        }
        Ok(Self { low, high })
    }
}

/// A command that is the instance. It outlives the agent; placeholders are replaced in every text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessDriver {
    pub command: String,
    pub args: Vec<String>,
    pub env: BTreeMap<String, SecretText>,
    pub working_dir: Option<PathBuf>,
    /// Its standard output and error are appended here; nowhere when not given.
    pub log_file: Option<PathBuf>,
    /// Seconds between the polite and the hard signal when the wake is cancelled.
    pub stop_grace_s: u64,
}

impl Default for ProcessDriver {
    fn default() -> Self {
        Self {
            command: String::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            working_dir: None,
            log_file: None,
            stop_grace_s: 10,
        }
    }
}

/// How one sees that an instance serves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Readiness {
    Http(HttpReadiness),
    Tcp(TcpReadiness),
}

impl Readiness {
    /// Answers in a row that count as serving.
    pub fn successes(&self) -> u32 {
        match self {
            Self::Http(http) => http.successes,
            Self::Tcp(tcp) => tcp.successes,
        }
    }

    /// Real seconds until one look is given up.
    pub fn timeout_s(&self) -> u64 {
        match self {
            Self::Http(http) => http.request_timeout_s,
            Self::Tcp(tcp) => tcp.connect_timeout_s,
        }
    }

    pub fn interval_ms(&self) -> u64 {
        match self {
            Self::Http(http) => http.interval_ms,
            Self::Tcp(tcp) => tcp.interval_ms,
        }
    }
}

/// It answers a GET as itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpReadiness {
    pub url: String,
    #[serde(default)]
    pub headers: BTreeMap<String, SecretText>,
    #[serde(default)]
    pub expect: Expect,
    #[serde(default = "one")]
    pub successes: u32,
    #[serde(default = "second_ms")]
    pub interval_ms: u64,
    /// Real seconds until one look is given up.
    #[serde(default = "five")]
    pub request_timeout_s: u64,
}

/// It accepts a connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpReadiness {
    /// `host:port`
    pub address: String,
    #[serde(default = "one")]
    pub successes: u32,
    #[serde(default = "second_ms")]
    pub interval_ms: u64,
    /// Real seconds until one look is given up.
    #[serde(default = "five")]
    pub connect_timeout_s: u64,
}

fn one() -> u32 {
    1
}

fn five() -> u64 {
    5
}

fn second_ms() -> u64 {
    1000
}
