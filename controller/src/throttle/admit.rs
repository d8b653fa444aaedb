//! One decision: may this host start one more wake now?
//!
//! Reserve first, then measure: a permit counts as load the moment it is granted. Its reserve decays linearly over
//! `wake_cost_decay_s`, while the instance's real CPU appears in the measurement. Between the two a wake may count
//! twice for a while; that errs on the side of the ceiling.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::edge::Load;

use super::ThrottleRule;
use crate::policy::Policy;

/// A wake in progress on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    pub since: Timestamp,
}

/// Leave to start one wake.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Permit {
    /// CPU of the host in percent, measured and reserved, with this wake.
    pub cpu_percent_expected: f64,
    /// The limit in force when it was granted.
    pub limit: u32,
}

/// Why nothing may start on the host now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Closed {
    NoLoad,
    StaleLoad { age_s: i64 },
    FutureLoad,
    OverCeiling { cpu_percent: f64 },
    NoHeadroom { cpu_percent_expected: f64 },
    Pressure { percent: f64 },
    HostFull { active: u32, limit: u32 },
    FleetFull { active: u32, max: u32 },
}

impl Closed {
    /// Its name in metrics and tables.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoLoad => "no_load",
            Self::StaleLoad { .. } => "stale_load",
            Self::FutureLoad => "future_load",
            Self::OverCeiling { .. } => "over_ceiling",
            Self::NoHeadroom { .. } => "no_headroom",
            Self::Pressure { .. } => "pressure",
            Self::HostFull { .. } => "host_full",
            Self::FleetFull { .. } => "fleet_full",
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLoad => f.write_str("no load was reported yet"),
            Self::StaleLoad { age_s } => write!(f, "the newest load is {age_s} s old"),
            Self::FutureLoad => f.write_str("the newest load is from the future: check the host's clock"),
            Self::OverCeiling { cpu_percent } => write!(f, "CPU {cpu_percent:.0} % is at the ceiling"),
            Self::NoHeadroom { cpu_percent_expected } => {
                write!(f, "one more would bring CPU to {cpu_percent_expected:.0} %")
            }
            Self::Pressure { percent } => write!(f, "CPU pressure is {percent:.0} %"),
            Self::HostFull { active, limit } => write!(f, "{active} of {limit} wakes are in progress"),
            Self::FleetFull { active, max } => {
                write!(f, "{active} of {max} wakes of the fleet are in progress")
            }
        }
    }
}

/// The limit of one host, which grows 2, 4, 8 while its CPU stays low and falls back when it does not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostGate {
    limit: u32,
    /// Since when the host has been under its ceiling at this limit.
    calm_since: Option<Timestamp>,
}

impl HostGate {
    pub fn new(rule: &ThrottleRule) -> Self {
        Self { limit: rule.limit_start, calm_since: None }
    }

    /// Wakes the host may run at once, under the policy's cap.
    pub fn limit(&self, policy: &Policy) -> u32 {
        self.limit.min(policy.host_wakes_max).max(1)
    }

    /// Takes a new load sample into account. `active` wakes are in progress.
    pub fn observe(
        &mut self,
        load: &Load,
        active: u32,
        policy: &Policy,
        rule: &ThrottleRule,
        now: Timestamp,
    ) {
        if load.cpu_percent >= policy.cpu_ceiling_percent {
            self.limit = (self.limit / 2).max(rule.limit_start);
            self.calm_since = None;
            return;
        }
        // A limit that was not used up has proved nothing.
        if active < self.limit(policy) {
            self.calm_since = None;
            return;
        }
        let since = *self.calm_since.get_or_insert(now);
        let raise_after = SignedDuration::from_secs(rule.limit_raise_after_s.into());
        if now.duration_since(since) >= raise_after && self.limit < policy.host_wakes_max {
            self.limit = self.limit.saturating_mul(2).min(policy.host_wakes_max);
            self.calm_since = None;
        }
    }
}

/// What the decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct Admission<'a> {
    pub gate: &'a HostGate,
    pub load: Option<&'a Load>,
    /// Wakes in progress on the host, those just granted among them.
    pub running: &'a [Running],
    /// Wakes that ended so recently that the measured load may not show their end, or even their start, yet.
    pub settling: &'a [Running],
    pub fleet_active: u32,
    pub policy: &'a Policy,
    pub rule: &'a ThrottleRule,
    pub now: Timestamp,
}

/// A permit, or why not.
pub fn admit(ask: &Admission<'_>) -> Result<Permit, Closed> {
    let Admission { gate, running, policy, rule, now, .. } = *ask;
    if ask.fleet_active >= policy.fleet_wakes_max {
        return Err(Closed::FleetFull { active: ask.fleet_active, max: policy.fleet_wakes_max });
    }
    let load = ask.load.ok_or(Closed::NoLoad)?;
    check_load(load, policy, rule, now)?;
    let limit = gate.limit(policy);
    let active = running.len() as u32;
    if active >= limit {
        return Err(Closed::HostFull { active, limit });
    }
    let cost_percent = 100.0 * rule.wake_cost_cores / load.cores;
    let reserving = running.iter().chain(ask.settling);
    let reserved: f64 = reserving.map(|wake| cost_percent * share_left(wake, rule, now)).sum();
    let cpu_percent_expected = load.cpu_percent + reserved + cost_percent;
    // On a host smaller than one wake none would ever start: there one at a time may, while nothing else does.
    let too_small = cost_percent > policy.cpu_ceiling_percent && active == 0 && ask.settling.is_empty();
    if cpu_percent_expected > policy.cpu_ceiling_percent && !too_small {
        return Err(Closed::NoHeadroom { cpu_percent_expected });
    }
    Ok(Permit { cpu_percent_expected, limit })
}

fn check_load(load: &Load, policy: &Policy, rule: &ThrottleRule, now: Timestamp) -> Result<(), Closed> {
    let age = now.duration_since(load.measured_at);
    if age >= SignedDuration::from_secs(rule.load_freshness_s.into()) {
        return Err(Closed::StaleLoad { age_s: age.as_secs() });
    }
    if age <= -SignedDuration::from_secs(rule.load_freshness_s.into()) {
        return Err(Closed::FutureLoad);
    }
    if load.cpu_percent.is_nan() || load.cpu_percent >= policy.cpu_ceiling_percent {
        return Err(Closed::OverCeiling { cpu_percent: load.cpu_percent });
    }
    if let Some(percent) = load.cpu_pressure_percent.filter(|p| *p >= rule.cpu_pressure_percent_max) {
        return Err(Closed::Pressure { percent });
    }
    Ok(())
}

/// How much of a wake's cost is still reserved: 1 at its start, 0 after `wake_cost_decay_s`.
fn share_left(wake: &Running, rule: &ThrottleRule, now: Timestamp) -> f64 {
    let age_s = now.duration_since(wake.since).as_secs_f64();
    (1.0 - age_s / f64::from(rule.wake_cost_decay_s)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + s).expect("in range")
    }

    fn load(cpu_percent: f64, at: Timestamp) -> Load {
        Load { measured_at: at, cpu_percent, cores: 8.0, ..Load::default() }
    }

    /// The answer for a host of 8 cores at `cpu_percent`, with wakes running since the given seconds.
    fn ask(cpu_percent: f64, running_since: &[i64], limit: u32) -> Result<Permit, Closed> {
        let rule = ThrottleRule { limit_start: limit, ..ThrottleRule::default() };
        let running: Vec<_> = running_since.iter().map(|s| Running { since: t(*s) }).collect();
        admit(&Admission {
            gate: &HostGate::new(&rule),
            load: Some(&load(cpu_percent, t(0))),
            running: &running,
            settling: &[],
            fleet_active: running.len() as u32,
            policy: &Policy::default(),
            rule: &rule,
            now: t(0),
        })
    }

    #[test]
    fn the_gate_is_closed_at_the_ceiling_and_open_below() {
        assert!(ask(57.4, &[], 2).is_ok());
        assert_eq!(ask(70.0, &[], 2), Err(Closed::OverCeiling { cpu_percent: 70.0 }));
        assert!(ask(f64::NAN, &[], 2).is_err());
    }

    #[test]
    fn a_permit_counts_before_it_is_measured() {
        // 12.5 % a wake on 8 cores: two fresh ones and a third make 50 + 37.5.
        assert_eq!(ask(50.0, &[0, 0], 8), Err(Closed::NoHeadroom { cpu_percent_expected: 87.5 }));
        // Long since measured: nothing of them is reserved any more.
        assert_eq!(ask(50.0, &[-120, -500], 8).map(|p| p.cpu_percent_expected), Ok(62.5));
        // Half way through the decay, half is.
        assert_eq!(ask(50.0, &[-60], 8).map(|p| p.cpu_percent_expected), Ok(68.75));
    }

    #[test]
    fn the_first_wake_needs_headroom_too_unless_the_host_is_smaller_than_a_wake() {
        assert_eq!(ask(60.0, &[], 2), Err(Closed::NoHeadroom { cpu_percent_expected: 72.5 }));
        let (policy, gate) = (Policy::default(), HostGate::new(&ThrottleRule::default()));
        let one_core = Load { cores: 1.0, ..load(20.0, t(0)) };
        let asked = |settling: &[Running]| {
            admit(&Admission {
                gate: &gate,
                load: Some(&one_core),
                running: &[],
                settling,
                fleet_active: 0,
                policy: &policy,
                rule: &ThrottleRule::default(),
                now: t(0),
            })
        };
        assert!(asked(&[]).is_ok());
        assert!(asked(&[Running { since: t(-5) }]).is_err(), "the one before has only just ended");
    }

    #[test]
    fn stale_future_and_missing_loads_close_the_gate() {
        let rule = ThrottleRule::default();
        let policy = Policy::default();
        let gate = HostGate::new(&rule);
        let at = |load: Option<&Load>| {
            admit(&Admission {
                gate: &gate,
                load,
                running: &[],
                settling: &[],
                fleet_active: 0,
                policy: &policy,
                rule: &rule,
                now: t(0),
            })
        };
        assert_eq!(at(None), Err(Closed::NoLoad));
        assert_eq!(at(Some(&load(1.0, t(-30)))), Err(Closed::StaleLoad { age_s: 30 }));
        assert!(at(Some(&load(1.0, t(-29)))).is_ok());
        assert_eq!(at(Some(&load(1.0, t(31)))), Err(Closed::FutureLoad));
    }

    #[test]
    fn caps_of_host_and_fleet_hold() {
        assert_eq!(ask(1.0, &[-999, -999], 2), Err(Closed::HostFull { active: 2, limit: 2 }));
        let rule = ThrottleRule::default();
        let policy = Policy { fleet_wakes_max: 5, ..Policy::default() };
        let ask = Admission {
            gate: &HostGate::new(&rule),
            load: Some(&load(1.0, t(0))),
            running: &[],
            settling: &[],
            fleet_active: 5,
            policy: &policy,
            rule: &rule,
            now: t(0),
        };
        assert_eq!(admit(&ask), Err(Closed::FleetFull { active: 5, max: 5 }));
    }

    #[test]
    fn the_limit_doubles_while_calm_and_halves_when_hot() {
        let rule = ThrottleRule::default();
        let policy = Policy { host_wakes_max: 8, ..Policy::default() };
        let mut gate = HostGate::new(&rule);
        let mut limits = Vec::new();
        for s in (0..=300).step_by(10) {
            gate.observe(&load(40.0, t(s)), gate.limit(&policy), &policy, &rule, t(s));
            limits.push(gate.limit(&policy));
        }
        limits.dedup();
        assert_eq!(limits, [2, 4, 8]);
        gate.observe(&load(75.0, t(301)), 8, &policy, &rule, t(301));
        assert_eq!(gate.limit(&policy), 4);
    }

    #[test]
    fn an_unused_limit_does_not_grow() {
        let rule = ThrottleRule::default();
        let policy = Policy::default();
        let mut gate = HostGate::new(&rule);
        for s in 0..1000 {
            gate.observe(&load(5.0, t(s)), 1, &policy, &rule, t(s));
        }
        assert_eq!(gate.limit(&policy), 2);
    }
}
