//! What a play came to: what the world saw, what the controller says of itself, and what the judges say.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
};
use serde::Serialize;

use super::spec::{ABOVE_CEILING_PERCENT_MAX, PlaySpec};
use crate::{
    experiment::{Judgement, Verdict},
    fault::FaultProof,
    oracle::Checked,
    world::{HostRecord, UserRecord, World, host_id},
};

/// One host over the whole play.
#[derive(Debug, Clone, Serialize)]
pub struct HostOutcome {
    pub host: String,
    #[serde(flatten)]
    pub record: HostRecord,
    pub above_ceiling_percent: f64,
}

/// The wakes, counted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct WakeCounts {
    pub total: u64,
    pub by_reason: BTreeMap<String, u64>,
    pub by_end: BTreeMap<String, u64>,
    pub by_verdict: BTreeMap<String, u64>,
}

/// The report of a play.
#[derive(Debug, Clone, Serialize)]
pub struct Played {
    pub experiment: String,
    pub seed: u64,
    pub from: Timestamp,
    pub to: Timestamp,
    pub speed: f64,
    /// Real seconds it took, with the back-fill.
    pub wall_s: f64,
    /// The longest a task had to wait for its turn on this machine, in real milliseconds.
    pub late_ms_max: u64,
    /// How exact the judges are away from such moments, in seconds of the world.
    pub transit_s: f64,
    pub instances: usize,
    pub before: Before,
    pub asked_per_day: f64,
    pub users: UserRecord,
    pub hosts: Vec<HostOutcome>,
    pub cpu_ceiling_percent: f64,
    pub wakes: WakeCounts,
    pub faults: Vec<FaultProof>,
    pub invariants: Vec<Checked>,
    pub deviations: Vec<String>,
    pub not_recovered: Vec<String>,
    pub verdict: Verdict,
    pub exit_code: u8,
    /// The controller's own scorecard of the span.
    pub report: serde_json::Value,
    pub kept: Option<PathBuf>,
}

/// The same users in the thirty days before Reveille.
#[derive(Debug, Clone, Serialize)]
pub struct Before {
    pub found_awake_percent: f64,
    pub asked_per_day: f64,
    /// Only over days of the week that were played too: what `asked_per_day` of the play is to be set beside.
    pub asked_per_day_same_weekdays: f64,
}

impl Before {
    pub fn new(spec: &PlaySpec, users: &UserRecord) -> Self {
        let played = (spec.played.as_secs() + DAY_S - 1).div_euclid(DAY_S).max(1) as usize;
        let weekdays: Vec<Weekday> =
            spec.world.start.series(1.day()).take(played).map(Date::weekday).collect();
        let days = || spec.world.history_days();
        Self {
            found_awake_percent: users.found_awake_percent(),
            asked_per_day: users.asked_per_day(days()),
            asked_per_day_same_weekdays: users
                .asked_per_day(days().filter(|day| weekdays.contains(&day.weekday()))),
        }
    }
}

const DAY_S: i64 = 86_400;

/// Invariants that must have had something to judge.
const REQUIRED: [&str; 5] = ["S1", "S2", "S3", "S4", "S5"];

impl Played {
    /// Weighs everything and sets the verdict.
    pub fn judge(&mut self, aborted: bool) {
        self.deviations = self.hosts.iter().filter_map(too_hot).collect();
        let judgement = Judgement {
            checked: &self.invariants,
            faults: &self.faults,
            required: &REQUIRED,
            deviations: &self.deviations,
            not_recovered: &self.not_recovered,
            aborted,
        };
        self.verdict = judgement.verdict();
        self.exit_code = self.verdict.code();
    }
}

fn too_hot(host: &HostOutcome) -> Option<String> {
    (host.above_ceiling_percent > ABOVE_CEILING_PERCENT_MAX).then(|| {
        format!(
            "{} was above its ceiling for {:.2} % of the seconds, at most {ABOVE_CEILING_PERCENT_MAX} % are allowed",
            host.host, host.above_ceiling_percent
        )
    })
}

/// The hosts of a world as they were.
pub fn hosts(spec: &PlaySpec, world: &World) -> Vec<HostOutcome> {
    let records = world.hosts().iter().map(|host| host.record().clone());
    let outcome = |(i, record): (usize, HostRecord)| HostOutcome {
        host: host_id(i).to_string(),
        above_ceiling_percent: record.above_ceiling_percent(),
        record,
    };
    records.take(spec.world.hosts).enumerate().map(outcome).collect()
}
