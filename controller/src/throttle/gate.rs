//! The limit of one host: it grows while all is calm, and pressure and failures are its brakes.
//!
//! While nothing is known of what starts cost, the limit doubles from 2 to 4 to 8, each step proved by a calm while at the
//! one before. Once the start curves are known they say how many fit, and the limit is the policy's cap. A brake halves
//! what ran when it was pulled, and is let go one place at a time (multiplicative decrease, additive increase: Chiu and
//! Jain 1989).

use jiff::{SignedDuration, Timestamp};
use reveille_proto::edge::Load;

use super::ThrottleRule;
use crate::policy::HostLimits;

/// Pressure is over when the average of ten seconds is below this share of the maximum, and that of a minute below it.
const PRESSURE_OVER_SHARE: f64 = 0.7;
/// Failures within so long pull the brake together, and each pull is given so long to show.
const FAILURES_SPAN_S: i64 = 300;
const BRAKE_REST_S: i64 = 30;

/// The limit of one host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostGate {
    limit: u32,
    /// Since when the host has been under its ceiling at this limit.
    calm_since: Option<Timestamp>,
    brake: Option<Brake>,
    is_pressed: bool,
    failures: u32,
    failed_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Brake {
    limit: u32,
    /// When it was pulled or let go by one place.
    moved_at: Timestamp,
}

impl HostGate {
    pub fn new(rule: &ThrottleRule) -> Self {
        Self {
            limit: rule.limit_start,
            calm_since: None,
            brake: None,
            is_pressed: false,
            failures: 0,
            failed_at: None,
        }
    }

    /// Wakes the host may run at once under the policy's cap: `is_known` where the start curves say how many fit.
    pub fn limit(&self, limits: &HostLimits, is_known: bool) -> u32 {
        let cap = limits.wakes_max;
        let limit = if is_known { cap } else { self.limit.min(cap) };
        self.brake.map_or(limit, |brake| brake.limit.min(limit)).max(1)
    }

    /// Takes a new load sample into account. `active` wakes are in progress.
    pub fn observe(
        &mut self,
        load: &Load,
        active: u32,
        limits: &HostLimits,
        rule: &ThrottleRule,
        now: Timestamp,
    ) {
        self.look_at_pressure(load, active, rule, now);
        self.let_go(limits, rule, now);
        // What runs in a CPU group of its own cannot break the ceiling: there the group is full, and that is well.
        if load.cpu_percent >= limits.cpu_ceiling_percent && load.group_cores.is_none() {
            self.limit = (self.limit / 2).max(rule.limit_start);
            self.calm_since = None;
            return;
        }
        // A limit that was not used up has proved nothing.
        if active < self.limit(limits, false) {
            self.calm_since = None;
            return;
        }
        let since = *self.calm_since.get_or_insert(now);
        let raise_after = SignedDuration::from_secs(rule.limit_raise_after_s.into());
        if now.duration_since(since) >= raise_after && self.limit < limits.wakes_max {
            self.limit = self.limit.saturating_mul(2).min(limits.wakes_max);
            self.calm_since = None;
        }
    }

    /// A wake on the host failed or ran out of its time. One may be the instance's own fault; two in a short while are
    /// the host's.
    pub fn failed(&mut self, active: u32, now: Timestamp) {
        let span = SignedDuration::from_secs(FAILURES_SPAN_S);
        let is_near = self.failed_at.is_some_and(|at| now.duration_since(at) <= span);
        self.failures = if is_near { self.failures.saturating_add(1) } else { 1 };
        self.failed_at = Some(now);
        if self.failures >= 2 {
            self.pull(active + 1, now);
        }
    }

    /// Whether pressure or failures hold the limit down.
    pub fn is_braked(&self) -> bool {
        self.brake.is_some()
    }

    fn look_at_pressure(&mut self, load: &Load, active: u32, rule: &ThrottleRule, now: Timestamp) {
        let pressed = pressures(load, rule).any(|(_, avg10, _, max)| avg10 >= max);
        let over = pressures(load, rule).all(|(_, avg10, avg60, max)| {
            avg10 < PRESSURE_OVER_SHARE * max && avg60.is_none_or(|avg| avg < max)
        });
        if pressed {
            self.pull(active, now);
        }
        self.is_pressed = pressed || (self.is_pressed && !over);
    }

    fn pull(&mut self, active: u32, now: Timestamp) {
        let rest = SignedDuration::from_secs(BRAKE_REST_S);
        if self.brake.is_some_and(|brake| now.duration_since(brake.moved_at) < rest) {
            return;
        }
        let ran = self.brake.map_or(active, |brake| brake.limit.min(active));
        self.brake = Some(Brake { limit: (ran / 2).max(1), moved_at: now });
    }

    fn let_go(&mut self, limits: &HostLimits, rule: &ThrottleRule, now: Timestamp) {
        let Some(brake) = self.brake else { return };
        let step = SignedDuration::from_secs(rule.limit_raise_after_s.into());
        if self.is_pressed || now.duration_since(brake.moved_at) < step {
            return;
        }
        let limit = brake.limit + 1;
        self.brake = (limit < limits.wakes_max).then_some(Brake { limit, moved_at: now });
    }
}

/// Name, averages over 10 s and over 60 s, and the maximum, of each pressure that counts.
///
/// Where starts are held back by their CPU group, tasks wait for CPU because they are meant to: there it says nothing.
pub(super) fn pressures<'a>(
    load: &'a Load,
    rule: &'a ThrottleRule,
) -> impl Iterator<Item = (&'static str, f64, Option<f64>, f64)> + 'a {
    let cpu = load.cpu_pressure_percent.filter(|_| load.group_cores.is_none());
    [
        ("cpu", cpu, load.cpu_pressure60_percent, rule.cpu_pressure_percent_max),
        (
            "memory",
            load.memory_pressure_percent,
            load.memory_pressure60_percent,
            rule.memory_pressure_percent_max,
        ),
        ("io", load.io_pressure_percent, load.io_pressure60_percent, rule.io_pressure_percent_max),
    ]
    .into_iter()
    .filter_map(|(what, avg10, avg60, max)| Some((what, avg10?, avg60, max)))
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

    fn limits() -> HostLimits {
        HostLimits { cpu_ceiling_percent: 70.0, wakes_max: 8, places_for_people: 0, fleet_wakes_max: 64 }
    }

    #[test]
    fn the_limit_doubles_after_a_calm_minute_and_halves_at_the_ceiling() {
        let (rule, limits) = (ThrottleRule::default(), limits());
        let mut gate = HostGate::new(&rule);
        let mut seen = vec![];
        for second in 0..400 {
            // Full all the time; hot from second 300 on.
            let cpu = if second < 300 { 40.0 } else { 90.0 };
            let active = gate.limit(&limits, false);
            gate.observe(&load(cpu, t(second)), active, &limits, &rule, t(second));
            seen.push(gate.limit(&limits, false));
        }
        assert_eq!((seen[59], seen[60], seen[122], seen[299]), (2, 4, 8, 8));
        assert_eq!((seen[300], seen[301], seen[399]), (4, 2, 2));
    }

    #[test]
    fn a_limit_that_is_not_used_up_does_not_grow() {
        let (rule, limits) = (ThrottleRule::default(), limits());
        let mut gate = HostGate::new(&rule);
        for second in 0..200 {
            gate.observe(&load(10.0, t(second)), 1, &limits, &rule, t(second));
        }
        assert_eq!(gate.limit(&limits, false), 2);
    }

    #[test]
    fn known_curves_leave_only_the_cap() {
        let (rule, limits) = (ThrottleRule::default(), limits());
        assert_eq!(HostGate::new(&rule).limit(&limits, true), 8);
    }

    #[test]
    fn pressure_halves_what_runs_and_is_let_go_one_by_one_when_it_is_over() {
        let (rule, limits) = (ThrottleRule::default(), limits());
        let mut gate = HostGate::new(&rule);
        let pressed = |avg10: f64, avg60: f64, s: i64| Load {
            memory_pressure_percent: Some(avg10),
            memory_pressure60_percent: Some(avg60),
            ..load(10.0, t(s))
        };
        let max = rule.memory_pressure_percent_max;
        gate.observe(&pressed(max, max, 0), 8, &limits, &rule, t(0));
        assert_eq!(gate.limit(&limits, true), 4);
        gate.observe(&pressed(max, max, 5), 8, &limits, &rule, t(5));
        assert_eq!(gate.limit(&limits, true), 4, "a pull is given time to show");
        gate.observe(&pressed(max, max, 40), 4, &limits, &rule, t(40));
        assert_eq!(gate.limit(&limits, true), 2);
        // Lower, but not low: hysteresis keeps the brake.
        gate.observe(&pressed(0.9 * max, max, 200), 2, &limits, &rule, t(200));
        assert_eq!(gate.limit(&limits, true), 2);
        let mut seen = vec![];
        for minute in 0..8 {
            let now = 300 + 60 * minute;
            gate.observe(&pressed(0.0, 0.0, now), 2, &limits, &rule, t(now));
            seen.push(gate.limit(&limits, true));
            assert_eq!(gate.is_braked(), seen.last() != Some(&8), "at the cap nothing is held down");
        }
        assert_eq!(seen, [3, 4, 5, 6, 7, 8, 8, 8]);
        assert!(!gate.is_braked());
    }

    #[test]
    fn cpu_pressure_of_a_capped_group_is_no_brake() {
        let (rule, limits) = (ThrottleRule::default(), limits());
        let mut gate = HostGate::new(&rule);
        let capped = Load { cpu_pressure_percent: Some(100.0), group_cores: Some(2.0), ..load(69.0, t(0)) };
        gate.observe(&capped, 8, &limits, &rule, t(0));
        assert!(!gate.is_braked());
    }

    #[test]
    fn two_failures_in_a_short_while_pull_the_brake() {
        let (rule, limits) = (ThrottleRule::default(), limits());
        let mut gate = HostGate::new(&rule);
        gate.failed(7, t(0));
        gate.failed(7, t(1000));
        assert!(!gate.is_braked(), "each alone is an instance's own");
        gate.failed(5, t(1100));
        assert_eq!((gate.limit(&limits, true), gate.is_braked()), (3, true));
    }

    #[test]
    fn a_host_that_was_calm_at_the_cap_may_do_more_as_soon_as_the_cap_is_raised() {
        let (rule, low) = (ThrottleRule::default(), HostLimits { wakes_max: 2, ..limits() });
        let mut gate = HostGate::new(&rule);
        for second in 0..90 {
            gate.observe(&load(40.0, t(second)), 2, &low, &rule, t(second));
        }
        assert_eq!(gate.limit(&limits(), false), 2);
        gate.observe(&load(40.0, t(90)), 2, &limits(), &rule, t(90));
        assert_eq!(gate.limit(&limits(), false), 4);
    }

    #[test]
    fn a_brake_that_was_pulled_is_given_half_a_minute_to_show() {
        let limits = limits();
        let mut gate = HostGate::new(&ThrottleRule::default());
        gate.failed(7, t(0));
        let after = [0, 29, 30].map(|s| {
            gate.failed(7, t(s));
            gate.limit(&limits, true)
        });
        assert_eq!(after, [4, 4, 2]);
    }

    #[test]
    fn pressure_is_over_only_when_both_its_averages_are_low() {
        let (rule, limits) = (ThrottleRule::default(), limits());
        let max = rule.io_pressure_percent_max;
        let limit_after = |avg10: f64, avg60: Option<f64>| {
            let mut gate = HostGate::new(&rule);
            for (minute, (avg10, avg60)) in [(max, Some(max)), (avg10, avg60)].into_iter().enumerate() {
                let now = t(60 * minute as i64);
                let io = Load {
                    io_pressure_percent: Some(avg10),
                    io_pressure60_percent: avg60,
                    ..load(10.0, now)
                };
                gate.observe(&io, 4, &limits, &rule, now);
            }
            gate.limit(&limits, true)
        };
        assert_eq!(limit_after(0.69 * max, Some(0.99 * max)), 3, "let go by one place");
        assert_eq!(limit_after(0.69 * max, None), 3, "one average will do where the other is not known");
        assert_eq!(limit_after(0.69 * max, Some(max)), 2);
        assert_eq!(limit_after(0.7 * max, Some(0.0)), 2);
    }
}
