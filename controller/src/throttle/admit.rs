//! One decision: may this host start one more wake now?
//!
//! Reserve first, then measure: a permit counts as load the moment it is granted. Where the start curve of the instance's
//! class is known, what running starts will still cost is their curves' rest ([`Pace`]). Before that a cost is assumed: its
//! reserve decays linearly over `wake_cost_decay_s`, while the instance's real CPU appears in the measurement. Between the
//! two a wake may count twice for a while; that errs on the side of the ceiling.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{WakeId, edge::Load, planted};

use super::{Closed, HostGate, Pace, Room, StartCurve, ThrottleRule, gate::pressures};
use crate::policy::HostLimits;

/// A wake in progress on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    pub since: Timestamp,
}

/// Leave to start one wake.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Permit {
    /// CPU of the host in percent, measured and reserved, with this wake; with known curves at its highest.
    pub cpu_percent_expected: f64,
    /// The limit in force when it was granted.
    pub limit: u32,
}

/// What is known of the starts on a host, and of the one that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Outlook<'a> {
    pub pace: &'a Pace<WakeId>,
    pub curves: &'a [StartCurve],
    /// Place of the asked wake's class among the curves.
    pub class: usize,
}

impl Outlook<'_> {
    fn is_known(&self) -> bool {
        self.curves.get(self.class).is_some_and(StartCurve::is_known)
    }
}

/// What the decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct Admission<'a> {
    pub gate: &'a HostGate,
    pub load: Option<&'a Load>,
    /// Since when the reported load has not changed by a bit.
    pub frozen_since: Option<Timestamp>,
    /// Wakes in progress on the host, those just granted among them.
    pub running: &'a [Running],
    /// Wakes that ended so recently that the measured load may not show their end, or even their start, yet.
    pub settling: &'a [Running],
    /// `None` where nothing was measured of starts.
    pub outlook: Option<Outlook<'a>>,
    /// A person waits for it: the places that are kept for people are theirs.
    pub is_for_person: bool,
    pub fleet_active: u32,
    /// See [`crate::policy::Policy::on_host`].
    pub limits: HostLimits,
    pub rule: &'a ThrottleRule,
    pub now: Timestamp,
}

/// A permit, or why not.
pub fn admit(ask: &Admission<'_>) -> Result<Permit, Closed> {
    let Admission { gate, limits, .. } = *ask;
    if ask.fleet_active >= limits.fleet_wakes_max {
        return Err(Closed::FleetFull { active: ask.fleet_active, max: limits.fleet_wakes_max });
    }
    let idle = Load { measured_at: ask.now, cores: 16.0, ..Load::default() };
    let load = ask.load.or_else(|| planted!("no-load-is-idle").then_some(&idle)).ok_or(Closed::NoLoad)?;
    check_load(load, ask)?;
    let known = ask.outlook.filter(Outlook::is_known);
    let base = gate.limit(&limits, known.is_some());
    let limit = limit_for(base, ask);
    let active = ask.running.len() as u32;
    if active >= limit + u32::from(planted!("limit-off-by-one")) {
        let is_kept = !ask.is_for_person && active < base;
        return Err(if is_kept {
            Closed::KeptForPeople { active, limit: base }
        } else {
            Closed::HostFull { active, limit }
        });
    }
    let cpu_percent_expected = match known {
        Some(outlook) => by_curve(load, &outlook, ask)?,
        // Where what starts is held under the ceiling anyway, 2, 4, 8 is care enough.
        None if load.group_cores.is_some() => load.cpu_percent,
        None => by_assumed_cost(load, ask)?,
    };
    Ok(Permit { cpu_percent_expected, limit })
}

/// People may go beyond the limit by the places that are kept for them; forecasts leave those free below the cap.
fn limit_for(base: u32, ask: &Admission<'_>) -> u32 {
    let HostLimits { wakes_max, places_for_people, .. } = ask.limits;
    if ask.is_for_person {
        let cap = if planted!("kept-place-beyond-the-cap") { u32::MAX } else { wakes_max };
        base.saturating_add(places_for_people).min(cap)
    } else {
        base.min(wakes_max.saturating_sub(places_for_people).max(1))
    }
}

fn by_curve(load: &Load, outlook: &Outlook<'_>, ask: &Admission<'_>) -> Result<f64, Closed> {
    let room = Room {
        cores: load.cores,
        cpu_ceiling_percent: ask.limits.cpu_ceiling_percent,
        is_capped: load.group_cores.is_some(),
    };
    let percent = |cores: f64| 100.0 * cores / load.cores;
    let most_cores = match outlook.pace.admits(outlook.class, &room, outlook.curves) {
        Ok(most_cores) => return Ok(percent(most_cores)),
        Err(most_cores) => most_cores,
    };
    let is_alone = outlook.pace.started().is_empty() && ask.running.is_empty() && ask.settling.is_empty();
    if is_alone && outlook.may_start_alone(&room) {
        return Ok(percent(most_cores));
    }
    // A curve that was learned while a meter lied would never be put right where it lets nothing start. Nobody who asked
    // waits for that: on a host on which nothing has started for a while, what is measured decides as it did before there
    // was a curve.
    let has_been_idle = outlook.pace.idle_s() >= f64::from(ask.rule.wake_cost_decay_s);
    if is_alone && has_been_idle && ask.is_for_person {
        return by_assumed_cost(load, ask);
    }
    Err(Closed::NoHeadroom { cpu_percent_expected: percent(most_cores) })
}

impl Outlook<'_> {
    /// Whether one start may begin where nothing else does. What is left free for what is not known would keep a host from
    /// ever starting anything where that is much, and from learning better.
    fn may_start_alone(&self, room: &Room) -> bool {
        // The group holds it under the ceiling; it only takes longer.
        room.is_capped || self.expects_to_fit(room) || self.is_too_large_for(room)
    }

    fn expects_to_fit(&self, room: &Room) -> bool {
        self.pace.expects_alone(self.class, self.curves) <= room.ceiling_cores()
    }

    /// Whether a start of the class would not fit even on the empty host.
    fn is_too_large_for(&self, room: &Room) -> bool {
        Pace::<WakeId>::default().admits(self.class, room, self.curves).is_err()
    }
}

fn by_assumed_cost(load: &Load, ask: &Admission<'_>) -> Result<f64, Closed> {
    let Admission { running, limits, rule, now, .. } = *ask;
    let cost_percent = 100.0 * rule.wake_cost_cores / load.cores;
    let reserving = running.iter().chain(ask.settling);
    let reserved: f64 = reserving.map(|wake| cost_percent * share_left(wake, rule, now)).sum();
    let cpu_percent_expected = load.cpu_percent + reserved + cost_percent;
    // On a host smaller than one wake none would ever start: there one at a time may, while nothing else does.
    let too_small =
        cost_percent > limits.cpu_ceiling_percent && running.is_empty() && ask.settling.is_empty();
    if cpu_percent_expected > limits.cpu_ceiling_percent && !too_small {
        return Err(Closed::NoHeadroom { cpu_percent_expected });
    }
    Ok(cpu_percent_expected)
}

fn check_load(load: &Load, ask: &Admission<'_>) -> Result<(), Closed> {
    let Admission { limits, rule, now, .. } = *ask;
    let freshness = SignedDuration::from_secs(rule.load_freshness_s.into());
    let age = now.duration_since(load.measured_at);
    if age >= freshness && !planted!("gate-open-on-stale-load") {
        return Err(Closed::StaleLoad { age_s: age.as_secs() });
    }
    if age <= -freshness {
        return Err(Closed::FutureLoad);
    }
    let for_s = ask.frozen_since.map_or(0, |since| load.measured_at.duration_since(since).as_secs());
    if for_s >= i64::from(rule.load_frozen_s) && !planted!("frozen-load-accepted") {
        return Err(Closed::FrozenLoad { for_s });
    }
    // Written so that an absurd load (not a number) closes.
    let is_below = load.cpu_percent < limits.cpu_ceiling_percent;
    if !is_below {
        return Err(Closed::OverCeiling { cpu_percent: load.cpu_percent });
    }
    if let Some((what, percent, ..)) = pressures(load, rule).find(|(_, avg10, _, max)| avg10 >= max) {
        return Err(Closed::Pressure { what, percent });
    }
    Ok(())
}

/// How much of a wake's cost is still reserved: 1 at its start, 0 after `wake_cost_decay_s`.
fn share_left(wake: &Running, rule: &ThrottleRule, now: Timestamp) -> f64 {
    let age_s = now.duration_since(wake.since).as_secs_f64();
    (1.0 - age_s / f64::from(rule.wake_cost_decay_s)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
