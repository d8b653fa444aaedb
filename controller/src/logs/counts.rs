//! What became of every line that was read.

use std::{collections::BTreeMap, ops::AddAssign};

use serde::Serialize;

use super::reject::RejectReason;
use crate::visits::SightingKind;

/// What became of every line. `lines` = `records` + all `rejects`, and `records` = `sightings` + ignored + without instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub lines: u64,
    /// Lines that could be read as a request.
    pub records: u64,
    pub rejects: BTreeMap<RejectReason, u64>,
    pub ignored_agent: u64,
    pub ignored_path: u64,
    pub ignored_client: u64,
    /// Records in which no instance is named.
    pub no_instance: u64,
    /// Records whose instance cannot be an id (length, characters).
    pub bad_instance: u64,
    /// Records of instances beyond `instances_max`.
    pub too_many_instances: u64,
    pub sightings: SightingCounts,
    /// Sources that could not be read to their end.
    pub unreadable: u64,
}

/// Why a record is not a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ignored {
    Agent,
    Path,
    Client,
}

/// Records that show a person, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SightingCounts {
    pub visit: u64,
    pub login: u64,
    pub wake_request: u64,
}

impl SightingCounts {
    pub fn add(&mut self, kind: SightingKind) {
        match kind {
            SightingKind::Visit => self.visit += 1,
            SightingKind::Login => self.login += 1,
            SightingKind::WakeRequest => self.wake_request += 1,
        }
    }

    pub fn total(&self) -> u64 {
        self.visit + self.login + self.wake_request
    }
}

impl Counts {
    pub fn reject(&mut self, reason: RejectReason) {
        *self.rejects.entry(reason).or_default() += 1;
    }

    pub(super) fn ignore(&mut self, why: Ignored) {
        match why {
            Ignored::Agent => self.ignored_agent += 1,
            Ignored::Path => self.ignored_path += 1,
            Ignored::Client => self.ignored_client += 1,
        }
    }

    pub fn rejected(&self) -> u64 {
        self.rejects.values().sum()
    }

    pub fn ignored(&self) -> u64 {
        self.ignored_agent + self.ignored_path + self.ignored_client
    }

    pub fn without_instance(&self) -> u64 {
        self.no_instance + self.bad_instance + self.too_many_instances
    }

    /// Every count that is not zero, under the name it has in tables and metrics.
    pub fn entries(&self) -> Vec<(String, u64)> {
        let rejects = self.rejects.iter().map(|(reason, n)| (format!("reject:{}", reason.as_str()), *n));
        let fixed = [
            ("lines", self.lines),
            ("records", self.records),
            ("ignored_agent", self.ignored_agent),
            ("ignored_path", self.ignored_path),
            ("ignored_client", self.ignored_client),
            ("no_instance", self.no_instance),
            ("bad_instance", self.bad_instance),
            ("too_many_instances", self.too_many_instances),
            ("visit", self.sightings.visit),
            ("login", self.sightings.login),
            ("wake_request", self.sightings.wake_request),
            ("unreadable", self.unreadable),
        ];
        let fixed = fixed.into_iter().map(|(name, n)| (name.to_owned(), n));
        fixed.chain(rejects).filter(|(_, n)| *n > 0).collect()
    }

    pub fn merge(&mut self, other: &Self) {
        self.lines += other.lines;
        self.records += other.records;
        for (reason, n) in &other.rejects {
            *self.rejects.entry(*reason).or_default() += n;
        }
        self.ignored_agent += other.ignored_agent;
        self.ignored_path += other.ignored_path;
        self.ignored_client += other.ignored_client;
        self.no_instance += other.no_instance;
        self.bad_instance += other.bad_instance;
        self.too_many_instances += other.too_many_instances;
        self.sightings += other.sightings;
        self.unreadable += other.unreadable;
    }
}

impl AddAssign for SightingCounts {
    fn add_assign(&mut self, other: Self) {
        self.visit += other.visit;
        self.login += other.login;
        self.wake_request += other.wake_request;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_adds_every_number() {
        let mut one = Counts { lines: 1, records: 2, ignored_agent: 3, ignored_path: 4, ..Counts::default() };
        one.ignored_client = 5;
        one.no_instance = 6;
        one.bad_instance = 7;
        one.too_many_instances = 8;
        one.sightings = SightingCounts { visit: 9, login: 10, wake_request: 11 };
        one.unreadable = 12;
        one.reject(RejectReason::Orphan);
        let mut sum = one.clone();
        sum.merge(&one);
        let json = |counts: &Counts| serde_json::to_value(counts).expect("plain data");
        let mut doubled = json(&one);
        double(&mut doubled);
        assert_eq!(json(&sum), doubled);
        assert_eq!((one.ignored(), one.without_instance(), one.rejected()), (12, 21, 1));
        assert_eq!(one.sightings.total(), 30);
    }

    fn double(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Number(n) => *value = (n.as_u64().expect("a count") * 2).into(),
            serde_json::Value::Object(map) => map.values_mut().for_each(double),
            other => panic!("{other} is no count"),
        }
    }
}
