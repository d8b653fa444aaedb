//! What a plan is made from.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::{HostId, InstanceId};

use super::HoldOut;
use crate::{
    model::{Abstain, HourProfile, Rule, Scored},
    policy::Policy,
};

/// What is known of an instance at the time of planning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Asleep,
    /// In use, or in the idle time after use that precedes hibernation, until then at least.
    Awake {
        until: Timestamp,
    },
    /// A wake is planned, in flight, or holds it awake until then.
    Covered {
        until: Timestamp,
    },
    /// Planned for like one that sleeps: the agent's preflight looks before anything is called.
    Unknown,
}

/// What the model says of an instance.
#[derive(Debug, Clone, Copy)]
pub enum Outlook<'a> {
    /// The model in service does not know it.
    Unknown,
    /// The hours it was used in, for the rule to judge.
    Hours(&'a HourProfile),
    /// In use, or covered by a wake: nothing was asked about it.
    Awake,
    /// A first look tells that the fitted model would not reach the threshold.
    Unlikely,
    /// What the fitted model says of a wake made at the time of planning.
    Scored(Result<Scored, Abstain>),
}

/// An instance that may be woken.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub instance: &'a InstanceId,
    pub cohort: &'a str,
    /// Where it lives; `None` when no agent lists it.
    pub host: Option<&'a HostId>,
    pub zone: &'a TimeZone,
    pub outlook: Outlook<'a>,
    pub presence: Presence,
    /// How long before it is to serve its wake must start.
    pub lead_time: SignedDuration,
    pub opted_out: bool,
}

/// Everything a plan depends on: the same input makes the same plan.
#[derive(Debug)]
pub struct PlanInput<'a, I> {
    pub now: Timestamp,
    /// Clock hours that begin before `now + horizon` are planned, and the one that is going on. To be planned in
    /// time, it must be longer than the longest lead time.
    pub horizon: SignedDuration,
    pub rule: &'a Rule,
    /// Scores from here on are woken; see [`Outlook::Scored`].
    pub threshold: f32,
    pub policy: &'a Policy,
    pub model_version: u64,
    /// How long an instance stays up after a wake that nobody uses. A plan holds at most one wake for each
    /// instance, which covers it for so long: a longer horizon is cut to this.
    pub hold: SignedDuration,
    /// Forecast wakes of earlier plans, by the clock hour (UTC, since 1970) they are due in. Where the policy has a budget
    /// of a day, all hours of the day are there.
    pub already_due_per_hour: &'a BTreeMap<i64, u32>,
    /// How many forecasts a host starts at once; one that is not in it is taken to start all of them.
    pub starts_at_once: &'a BTreeMap<HostId, u32>,
    /// Whose needed wake is left out on which local day.
    pub hold_out: &'a HoldOut,
    pub candidates: I,
}
