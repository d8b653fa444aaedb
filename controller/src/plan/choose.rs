//! What is to be done with one instance, whatever the others need.

use jiff::{SignedDuration, Timestamp};

use super::{
    Candidate, OmissionReason, Outlook, PlanInput, Presence,
    by_score::by_score,
    choice::{Choice, Grounds},
};
use crate::model::{
    Forecast, HourProfile,
    calendar::{hour_start, next_hour_start},
    forecast,
};

/// A wake that would serve later than this into the hour it is for is not made: what is left of the hour is worth
/// less than the idle time, and the next hour is planned for itself.
pub const LATE_START_MAX_S: i64 = 30 * 60;

/// Whether the instance is woken, and when; or why not.
pub(super) fn choose<'a, I>(
    input: &PlanInput<'a, I>,
    candidate: &Candidate<'a>,
) -> Result<Choice<'a>, OmissionReason> {
    if candidate.opted_out || input.policy.opted_out.contains(candidate.instance) {
        return Err(OmissionReason::OptedOut);
    }
    let cohorts = &input.policy.cohorts;
    if !(cohorts.is_empty() || cohorts.contains(candidate.cohort)) {
        return Err(OmissionReason::CohortNotSelected);
    }
    let profile = match candidate.outlook {
        Outlook::Unknown => return Err(OmissionReason::NoProfile),
        Outlook::Awake => return Err(up(candidate.presence)),
        Outlook::Unlikely => return Err(OmissionReason::Unlikely),
        Outlook::Scored(Err(abstain)) => return Err(OmissionReason::Abstained(abstain)),
        Outlook::Scored(Ok(scored)) => return by_score(input, candidate, &scored),
        Outlook::Hours(profile) => profile,
    };
    by_rule(input, candidate, profile)
}

/// Why an instance that nobody was asked about needs no wake.
fn up(presence: Presence) -> OmissionReason {
    match presence {
        Presence::Covered { .. } => OmissionReason::Covered,
        _ => OmissionReason::AlreadyAwake,
    }
}

/// The first clock hour of the horizon that is likely enough and finds the instance asleep becomes a wake.
///
/// An hour whose start finds it awake or covered is left alone, even if it falls asleep within the hour: this is
/// the decision on whole hours that the backtest scores.
fn by_rule<'a, I>(
    input: &PlanInput<'_, I>,
    candidate: &Candidate<'a>,
    profile: &HourProfile,
) -> Result<Choice<'a>, OmissionReason> {
    let end = later(input.now, input.horizon);
    let mut hour = hour_start(candidate.zone, input.now);
    // The best hour below the threshold, or what stood in the way of the first hour above it.
    let mut best = 0.0_f64;
    let mut obstacle = None;
    loop {
        match forecast(profile, input.rule, hour) {
            Ok(forecast) if forecast.probability >= input.rule.min_share => {
                match aim(input, candidate, hour, &forecast) {
                    Ok(aim) => return allow(input, candidate, aim),
                    Err(reason) => drop(obstacle.get_or_insert(reason)),
                }
            }
            Ok(forecast) => best = best.max(forecast.probability),
            Err(abstain) => drop(obstacle.get_or_insert(OmissionReason::Abstained(abstain))),
        }
        hour = next_hour_start(candidate.zone, hour);
        if hour >= end {
            return Err(obstacle.unwrap_or(OmissionReason::BelowThreshold { best }));
        }
    }
}

/// A wake that the instance needs, before policy and capacity have had their say.
#[derive(Clone, Copy)]
struct Aim {
    hour_at: Timestamp,
    earliest: Timestamp,
    due_at: Timestamp,
    serve_at: Timestamp,
    expires_at: Timestamp,
    forecast: Forecast,
}

/// Aims at serving when `hour` begins.
fn aim<I>(
    input: &PlanInput<'_, I>,
    candidate: &Candidate<'_>,
    hour: Timestamp,
    forecast: &Forecast,
) -> Result<Aim, OmissionReason> {
    let lead_time = candidate.lead_time.max(SignedDuration::ZERO);
    let (asleep_from, taken) = match candidate.presence {
        Presence::Awake { until } => (until, Some(OmissionReason::AlreadyAwake)),
        Presence::Covered { until } => (until, Some(OmissionReason::Covered)),
        Presence::Asleep | Presence::Unknown => (input.now, None),
    };
    // Its user may come any time from here on.
    let wanted_at = hour.max(input.now);
    if let Some(reason) = taken.filter(|_| wanted_at < asleep_from) {
        return Err(reason);
    }
    let earliest = input.now.max(asleep_from);
    let due_at = later(hour, -lead_time).max(earliest);
    let serve_at = later(due_at, lead_time).max(hour);
    if serve_at > later(hour, SignedDuration::from_secs(LATE_START_MAX_S)) {
        return Err(OmissionReason::TooLate { serve_at });
    }
    let on = candidate.zone.to_datetime(wanted_at).date();
    if input.policy.quiet_dates.contains(&on) {
        return Err(OmissionReason::QuietDate);
    }
    let forecast_end = later(hour, SignedDuration::from_hours(i64::from(input.rule.lookahead_h)));
    let expires_at = later(forecast_end, -lead_time).max(due_at);
    Ok(Aim { hour_at: hour, earliest, due_at, serve_at, expires_at, forecast: *forecast })
}

/// What keeps a needed wake from being made, whichever hour it is for.
fn allow<'a, I>(
    input: &PlanInput<'_, I>,
    candidate: &Candidate<'a>,
    aim: Aim,
) -> Result<Choice<'a>, OmissionReason> {
    let Aim { hour_at, earliest, due_at, serve_at, expires_at, forecast } = aim;
    let host = candidate.host.ok_or(OmissionReason::NoHost)?;
    if input.policy.paused {
        return Err(OmissionReason::Paused);
    }
    let Candidate { instance, cohort, zone, .. } = *candidate;
    let grounds = Grounds::Hours(forecast);
    Ok(Choice { instance, cohort, host, zone, earliest, due_at, serve_at, hour_at, expires_at, grounds })
}

pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
