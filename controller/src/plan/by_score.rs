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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::tz::TimeZone;
    use reveille_proto::{HostId, InstanceId};

    use super::*;
    use crate::{
        model::Rule,
        plan::{HoldOut, Outlook, PlannedWake},
        policy::Policy,
    };

    const NOW: &str = "2026-04-01T08:20:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn scored(score: f32) -> Scored {
        Scored { score, probability: 0.5, idle_h: 1.25, waits: false }
    }

    /// What is decided at [`NOW`] with a threshold of 0.25, five minutes before it could serve.
    fn decided(scored: &Scored, presence: Presence, policy: &Policy) -> Result<PlannedWake, OmissionReason> {
        let (instance, host) = (InstanceId::new("dev1").expect("an id"), HostId::new("h1").expect("an id"));
        let zone = TimeZone::get("Asia/Kolkata").expect("a known zone");
        let input = PlanInput {
            now: at(NOW),
            horizon: SignedDuration::from_secs(SLOT_S),
            rule: &Rule::default(),
            threshold: 0.25,
            policy,
            model_version: 1,
            hold: SignedDuration::from_hours(3),
            already_due_per_hour: &BTreeMap::new(),
            starts_at_once: &BTreeMap::new(),
            hold_out: &HoldOut::default(),
            candidates: (),
        };
        let candidate = Candidate {
            instance: &instance,
            cohort: "dev",
            host: Some(&host),
            zone: &zone,
            outlook: Outlook::Scored(Ok(*scored)),
            presence,
            lead_time: SignedDuration::from_mins(5),
            opted_out: false,
        };
        by_score(&input, &candidate, scored).map(|choice| choice.wake())
    }

    fn asleep(scored: &Scored) -> Result<PlannedWake, OmissionReason> {
        decided(scored, Presence::Asleep, &Policy::default())
    }

    #[test]
    fn it_is_woken_at_once_and_may_start_within_half_an_hour() {
        let wake = asleep(&scored(0.5)).expect("woken");
        assert_eq!((wake.due_at, wake.serve_at), (at(NOW), at("2026-04-01T08:25:00Z")));
        assert_eq!(wake.hour_at, at("2026-04-01T08:15:00Z"), "the quarter hour it serves in");
        assert_eq!(wake.expires_at, at("2026-04-01T08:50:00Z"));
        assert_eq!((wake.probability, wake.idle_h, wake.saved_s), (0.5, Some(1.25), Some(150.0)));
        assert_eq!(wake.why, "50 % within 180 min, worth 2.5 min of waiting for 1.2 idle h");
    }

    #[test]
    fn scores_are_worth_a_wake_from_the_threshold_on() {
        assert!(asleep(&scored(0.25)).is_ok());
        for score in [0.249, f32::NEG_INFINITY, f32::NAN] {
            assert_eq!(asleep(&scored(score)), Err(OmissionReason::BelowThreshold { best: 0.5 }), "{score}");
        }
        let later = Scored { waits: true, ..scored(0.5) };
        assert_eq!(asleep(&later), Err(OmissionReason::Waits));
    }

    #[test]
    fn who_is_up_or_covered_is_left_alone_until_that_is_over() {
        let presence = |presence| decided(&scored(0.5), presence, &Policy::default()).map(drop);
        let (before, after) = (at("2026-04-01T08:19:59Z"), at("2026-04-01T08:20:01Z"));
        assert_eq!(presence(Presence::Awake { until: after }), Err(OmissionReason::AlreadyAwake));
        assert_eq!(presence(Presence::Covered { until: after }), Err(OmissionReason::Covered));
        for until in [before, at(NOW)] {
            assert_eq!(presence(Presence::Awake { until }), Ok(()));
            assert_eq!(presence(Presence::Covered { until }), Ok(()));
        }
        assert_eq!(presence(Presence::Unknown), Ok(()));
    }

    #[test]
    fn nobody_is_woken_on_a_quiet_date() {
        let on = |quiet: &str| {
            let quiet_dates = [quiet.parse().expect("a date")].into();
            let policy = Policy { quiet_dates, ..Policy::default() };
            decided(&scored(0.5), Presence::Asleep, &policy).map(drop)
        };
        assert_eq!(on("2026-04-01"), Err(OmissionReason::QuietDate));
        assert_eq!(on("2026-04-02"), Ok(()));
    }

    #[test]
    fn a_quarter_hour_begins_where_it_does_on_the_clock() {
        for (moment, start) in [
            ("2026-04-01T08:15:00Z", "2026-04-01T08:15:00Z"),
            ("2026-04-01T08:14:59Z", "2026-04-01T08:00:00Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:45:00Z"),
        ] {
            assert_eq!(slot_start(at(moment)), at(start));
        }
    }
}
