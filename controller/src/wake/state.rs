//! What a wake is: states carry their data, ends carry their reason.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId, WakeId, edge};
use serde::{Deserialize, Serialize};

/// Gives an enum its one name on the wire, in tables, metrics and pages.
macro_rules! named {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(format!("{other:?} is none of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

/// Why an instance is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Forecast,
    Demand,
    Operator,
    Experiment,
}

named!(Reason { Forecast = "forecast", Demand = "demand", Operator = "operator", Experiment = "experiment" });

impl Reason {
    pub fn to_wire(self) -> edge::Reason {
        match self {
            Self::Forecast => edge::Reason::Forecast,
            Self::Demand => edge::Reason::Demand,
            Self::Operator => edge::Reason::Operator,
            Self::Experiment => edge::Reason::Experiment,
        }
    }

    /// Where it starts in the queue.
    pub fn priority(self) -> Priority {
        match self {
            Self::Demand => Priority::Person,
            Self::Operator | Self::Experiment => Priority::Operator,
            Self::Forecast => Priority::Forecast,
        }
    }
}

/// Who goes first. People before forecasts; a forecast wake a person asks for too becomes a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Priority {
    Person = 0,
    Operator = 1,
    Forecast = 2,
}

impl Priority {
    pub fn from_rank(rank: i64) -> Option<Self> {
        [Self::Person, Self::Operator, Self::Forecast].into_iter().find(|p| *p as i64 == rank)
    }
}

/// How a wake ended. Every wake ends once, with one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// An endpoint was called and the instance serves.
    Woken,
    /// It served before anything was called.
    AlreadyAwake,
    /// The agent may not wake it.
    Refused,
    /// The endpoints said no, as often as the retries allow.
    Failed,
    /// It did not serve before the deadline.
    TimedOut,
    /// The host's agent was gone at the deadline: what became of the wake is not known.
    HostLost,
    Cancelled,
    /// Its time was over before it could be started.
    Expired,
}

named!(End {
    Woken = "woken",
    AlreadyAwake = "already_awake",
    Refused = "refused",
    Failed = "failed",
    TimedOut = "timed_out",
    HostLost = "host_lost",
    Cancelled = "cancelled",
    Expired = "expired",
});

/// A dispatched attempt: it holds a permit of `host` until the state is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub host: HostId,
    /// Of the controller that sent the command last.
    pub epoch: u64,
    pub attempt: u32,
    pub dispatched_at: Timestamp,
    pub deadline_at: Timestamp,
    /// The agent's journal the command was written to; another one cannot know what was called.
    pub journal_id: String,
    /// Failed attempts before this one.
    pub failures: u32,
    pub cancel_requested: bool,
}

/// What is known of the call to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// It said yes.
    Accepted,
    /// Its answer was lost. The next step is to look, never to call again.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Waits for a permit; not before `not_before`.
    Queued {
        attempt: u32,
        failures: u32,
        not_before: Timestamp,
    },
    /// The command is on its way or with the agent; nothing has been called as far as is known.
    Dispatched {
        run: Run,
    },
    /// The agent has written down that it is about to call.
    Calling {
        run: Run,
    },
    /// Called; waiting until it serves.
    Starting {
        run: Run,
        endpoint: Endpoint,
    },
    Ended {
        end: End,
        at: Timestamp,
    },
}

impl State {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Dispatched { .. } => "dispatched",
            Self::Calling { .. } => "calling",
            Self::Starting { .. } => "starting",
            Self::Ended { .. } => "ended",
        }
    }

    /// The attempt that holds a permit, if one does.
    pub fn run(&self) -> Option<&Run> {
        match self {
            Self::Dispatched { run } | Self::Calling { run } | Self::Starting { run, .. } => Some(run),
            Self::Queued { .. } | Self::Ended { .. } => None,
        }
    }

    pub fn run_mut(&mut self) -> Option<&mut Run> {
        match self {
            Self::Dispatched { run } | Self::Calling { run } | Self::Starting { run, .. } => Some(run),
            Self::Queued { .. } | Self::Ended { .. } => None,
        }
    }

    pub fn ended(&self) -> Option<End> {
        match self {
            Self::Ended { end, .. } => Some(*end),
            _ => None,
        }
    }
}

/// One durable attempt to bring one instance up for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Wake {
    pub id: WakeId,
    pub instance: InstanceId,
    pub reason: Reason,
    pub priority: Priority,
    pub requested_by: String,
    pub plan_id: Option<i64>,
    pub probability: Option<f64>,
    pub created_at: Timestamp,
    /// When it is to be started.
    pub due_at: Timestamp,
    /// When it is to serve, for a forecast.
    pub serve_at: Option<Timestamp>,
    /// Not to be started after this.
    pub expires_at: Timestamp,
    pub state: State,
    /// The first call of an endpoint.
    pub called_at: Option<Timestamp>,
    /// First seen serving.
    pub serving_at: Option<Timestamp>,
    /// One line for a person: why it stands where it stands.
    pub detail: String,
    /// The host that ran it last; stays after the end.
    pub last_host: Option<HostId>,
    pub last_attempt: u32,
    pub dispatched_at: Option<Timestamp>,
    /// How often it has moved, as far as it is kept: the store counts, and refuses a move made from an older count.
    pub moves: u64,
}

impl Wake {
    /// Whether somebody waits for its first attempt: they are due, whatever a clock said when they asked.
    pub fn is_due_at_once(&self) -> bool {
        self.priority == Priority::Person
            && matches!(self.state, State::Queued { attempt: 1, failures: 0, .. })
    }
}
