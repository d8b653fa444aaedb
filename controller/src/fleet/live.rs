//! A host as it is known right now.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{
    edge::{Hello, Load},
    planted,
};

use super::HostClock;
use crate::{
    policy::{HostLimits, Policy},
    throttle::{HostGate, ThrottleRule},
};

/// A host as it is known right now. Survives the session, so that a gate keeps its limit over a reconnect.
#[derive(Debug, Clone)]
pub struct LiveHost {
    pub connected: bool,
    pub class: String,
    pub zone: String,
    pub cores: f64,
    pub journal_id: String,
    /// Of the session; the agent obeys none that is lower than one it knows.
    pub epoch: u64,
    pub load: Option<Load>,
    /// The CPU that was reported last and when it was measured, even where it says nothing about now any more.
    last_cpu: Option<(f64, Timestamp)>,
    /// Why the newest report was refused, if it was; then there is no load.
    pub bad_load: Option<Box<str>>,
    /// The newest load was measured later than it arrived, by more than a load may be old.
    pub is_of_future: bool,
    /// Since when the reported CPU has been the same to the bit.
    pub frozen_since: Option<Timestamp>,
    pub gate: HostGate,
    pub clock: HostClock,
    /// The agent's own guard: what it would refuse is not sent.
    pub guard_cpu_percent: Option<f64>,
    pub guard_wakes_max: Option<u32>,
}

impl LiveHost {
    /// As the agent says hello; `gate` and `clock` are those it had before, if it had any.
    pub(super) fn new(hello: &Hello, epoch: u64, gate: HostGate, clock: HostClock) -> Self {
        Self {
            connected: true,
            class: hello.host_class.clone(),
            zone: hello.zone.clone(),
            cores: hello.cores,
            journal_id: hello.journal_id.clone(),
            epoch,
            // A load from before the reconnect says nothing about now.
            load: None,
            last_cpu: None,
            bad_load: None,
            is_of_future: false,
            frozen_since: None,
            gate,
            clock,
            guard_cpu_percent: hello.cpu_ceiling_percent,
            guard_wakes_max: hello.wakes_max,
        }
    }

    /// What the policy allows on this host, or the agent's guard where that is stricter.
    pub fn limits(&self, policy: &Policy) -> HostLimits {
        let limits = policy.on_host(self.cores, self.guard_cpu_percent, self.guard_wakes_max);
        if planted!("gate-open-at-ceiling") {
            return HostLimits { cpu_ceiling_percent: 100.0, ..limits };
        }
        limits
    }

    /// What is known of its times was reckoned by another correction of its clock.
    fn correct(&mut self, by: SignedDuration) {
        let corrected = |at: Timestamp| at.saturating_add(by).unwrap_or(at);
        self.frozen_since = self.frozen_since.map(corrected);
        self.last_cpu = self.last_cpu.map(|(cpu_percent, at)| (cpu_percent, corrected(at)));
        self.load = self.load.map(|load| Load { measured_at: corrected(load.measured_at), ..load });
    }

    /// Takes in a new load, with its time by the host's clock. Returns the seconds since the one before, where there was one not long ago.
    pub(super) fn loaded(
        &mut self,
        load: Load,
        active: u32,
        limits: &HostLimits,
        rule: &ThrottleRule,
        now: Timestamp,
    ) -> Option<f64> {
        self.bad_load = None;
        let behind = self.clock.behind();
        let measured_at = self.clock.heard(load.measured_at, now);
        let freshness = SignedDuration::from_secs(rule.load_freshness_s.into());
        self.is_of_future = measured_at.duration_since(now) >= freshness;
        // Of a clock that is ahead. Were it taken as it is, it would be fresh for so much longer.
        let load = Load { measured_at: measured_at.min(now), ..load };
        self.correct(self.clock.behind() - behind);
        let before = self.load.replace(load);
        let last_cpu = self.last_cpu.replace((load.cpu_percent, load.measured_at));
        let same = last_cpu.filter(|(cpu_percent, _)| is_same_measurement(*cpu_percent, load.cpu_percent));
        self.frozen_since = same.map(|(_, at)| self.frozen_since.unwrap_or(at));
        self.gate.observe(&load, active, limits, rule, now);
        let since = load.measured_at.duration_since(before?.measured_at);
        let is_near = since > SignedDuration::ZERO && since <= freshness;
        is_near.then(|| since.as_secs_f64())
    }
}

/// Real measurements differ somewhere behind the point, but for a host that idles or is full.
fn is_same_measurement(before_percent: f64, percent: f64) -> bool {
    let is_between = percent > 0.0 && percent < 100.0;
    is_between && before_percent.to_bits() == percent.to_bits()
}
