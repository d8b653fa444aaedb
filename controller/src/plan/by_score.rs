//! The decision on a quarter hour by the fitted model: wake now, or leave it asleep until the next.

use jiff::{SignedDuration, Timestamp};

use super::{
    Candidate, OmissionReason, PlanInput, Presence,
    choice::{Choice, Grounds},
    choose::later,
};
use crate::model::Scored;

/// How long one decision lasts. What was not woken is decided anew after it.
pub const SLOT_S: i64 = 900;

/// A planned wake that could not be started within this is not started: the score is one of the moment, and later
/// plans decide anew.
pub const STARTS_WITHIN_S: i64 = 2 * SLOT_S;

/// Wakes from the threshold on, if the instance sleeps and nothing forbids it.
pub(super) fn by_score<'a, I>(
    input: &PlanInput<'_, I>,
    candidate: &Candidate<'a>,
    scored: &Scored,
) -> Result<Choice<'a>, OmissionReason> {
    match candidate.presence {
        Presence::Awake { until } if until > input.now => return Err(OmissionReason::AlreadyAwake),
        Presence::Covered { until } if until > input.now => return Err(OmissionReason::Covered),
        _ => {}
    }
    // NaN wakes nobody.
    if scored.score.is_nan() || scored.score < input.threshold {
        return Err(OmissionReason::BelowThreshold { best: scored.probability });
    }
    if scored.waits {
        return Err(OmissionReason::Waits);
    }
    let lead_time = candidate.lead_time.max(SignedDuration::ZERO);
    let serve_at = later(input.now, lead_time);
    let quiet_dates = &input.policy.quiet_dates;
    if !quiet_dates.is_empty() && quiet_dates.contains(&candidate.zone.to_datetime(serve_at).date()) {
        return Err(OmissionReason::QuietDate);
    }
    let host = candidate.host.ok_or(OmissionReason::NoHost)?;
    if input.policy.paused {
        return Err(OmissionReason::Paused);
    }
    let Candidate { instance, cohort, zone, .. } = *candidate;
    Ok(Choice {
        instance,
        cohort,
        host,
        zone,
        earliest: input.now,
        due_at: input.now,
        serve_at,
        hour_at: slot_start(serve_at),
        expires_at: later(input.now, SignedDuration::from_secs(STARTS_WITHIN_S)),
        grounds: Grounds::Score { scored: *scored, lead_time, hold: input.hold },
    })
}

/// When the quarter hour of `at` began. All zones of our time are whole quarters off UTC.
pub fn slot_start(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(SLOT_S) * SLOT_S).unwrap_or(at)
}
