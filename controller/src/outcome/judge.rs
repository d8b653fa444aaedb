//! Judges a wake by the visits to its instance.

use jiff::{SignedDuration, Timestamp};

use super::{Outcome, Verdict, WakeFacts};
use crate::{
    visits::Visit,
    wake::{End, Reason},
};

/// Whether wakes with this end are judged at all.
///
/// Not judged are wakes that started nothing (it was awake already, the agent refused, the time was over) and those
/// somebody cancelled: they say nothing about the forecast, and cost no idle time.
pub fn gets_verdict(end: End) -> bool {
    match end {
        End::Woken | End::Failed | End::TimedOut | End::HostLost => true,
        End::AlreadyAwake | End::Refused | End::Cancelled | End::Expired => false,
    }
}

/// When the verdict is certain even if nobody comes.
pub fn settles_at(facts: &WakeFacts, window: SignedDuration) -> Timestamp {
    match facts.end {
        End::Woken => facts.started_at().saturating_add(window).unwrap_or(Timestamp::MAX),
        _ => facts.ended_at,
    }
}

/// The outcome of a wake, or `None` while the window is open and nobody came, and for wakes that get no verdict.
///
/// `visits` are those of its instance, by arrival. The window opens with the call. `now` should be the time up to
/// which logs have been read, or a visit may be judged absent that is only late in the log.
pub fn judge(facts: &WakeFacts, visits: &[Visit], window: SignedDuration, now: Timestamp) -> Option<Outcome> {
    if !gets_verdict(facts.end) {
        return None;
    }
    let outcome = |verdict, idle_s, waited_s, saved_s| {
        Some(Outcome { wake: facts.wake, verdict, idle_s, waited_s, saved_s })
    };
    if facts.end != End::Woken {
        return outcome(Verdict::Failed, 0.0, 0.0, 0.0);
    }
    let closes_at = settles_at(facts, window);
    let served_at = facts.served_at();
    match user(facts, visits, closes_at) {
        Some(visit) => {
            let arrived_at = visit.arrived_at;
            let asked_for = is_asked_for(facts.reason);
            // One who came and only later asked waited from then on.
            let waits_from = visit.asked_at.filter(|_| asked_for).unwrap_or(arrived_at).max(arrived_at);
            let waited_s = seconds(waits_from, served_at);
            let took_s = seconds(facts.started_at(), served_at);
            let saved_s = if asked_for { 0.0 } else { (took_s - waited_s).max(0.0) };
            let missed = arrived_at < served_at && !asked_for;
            let verdict = if missed { Verdict::Missed { arrived_at } } else { Verdict::Used { arrived_at } };
            outcome(verdict, seconds(served_at, arrived_at), waited_s, saved_s)
        }
        None if now < closes_at => None,
        None => outcome(Verdict::Unused, seconds(served_at, closes_at), 0.0, 0.0),
    }
}

/// The first visit that can be the wake's: one that arrives from when it was due until the window closes. A person
/// who asked is there before the wake is.
fn user<'a>(facts: &WakeFacts, visits: &'a [Visit], closes_at: Timestamp) -> Option<&'a Visit> {
    let first = if is_asked_for(facts.reason) {
        visits.partition_point(|visit| visit.departed_at < facts.due_at)
    } else {
        visits.partition_point(|visit| visit.arrived_at < facts.due_at)
    };
    visits.get(first).filter(|visit| visit.arrived_at <= closes_at)
}

fn is_asked_for(reason: Reason) -> bool {
    match reason {
        Reason::Demand | Reason::Operator => true,
        Reason::Forecast | Reason::Experiment => false,
    }
}

/// From `from` to `to` in seconds; zero where `to` is earlier.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use reveille_proto::InstanceId;

    use super::*;

    const WINDOW: SignedDuration = SignedDuration::from_hours(3);

    fn at(text: &str) -> Timestamp {
        format!("2026-03-02T{text}:00Z").parse().expect("a timestamp")
    }

    /// Due and called at 08:55, serving at 09:00.
    fn facts(reason: Reason, end: End) -> WakeFacts {
        WakeFacts {
            wake: "0195554f-7a00-7000-8000-000000000001".parse().expect("an id"),
            instance: InstanceId::new("dev1").expect("an id"),
            reason,
            due_at: at("08:55"),
            called_at: Some(at("08:55")),
            serving_at: Some(at("09:00")),
            ended_at: at("09:00"),
            end,
        }
    }

    fn visit(arrived: &str, departed: &str, asked: Option<&str>) -> Visit {
        Visit {
            instance: InstanceId::new("dev1").expect("an id"),
            arrived_at: at(arrived),
            departed_at: at(departed),
            asked_at: asked.map(at),
        }
    }

    fn judged(visits: &[Visit], now: &str) -> Option<(Verdict, f64, f64, f64)> {
        let outcome = judge(&facts(Reason::Forecast, End::Woken), visits, WINDOW, at(now))?;
        Some((outcome.verdict, outcome.idle_s, outcome.waited_s, outcome.saved_s))
    }

    #[test]
    fn a_user_who_finds_it_awake_saves_the_whole_start() {
        let visits =
            [visit("07:00", "08:54", None), visit("09:20", "09:40", None), visit("10:00", "10:40", None)];
        let used = Verdict::Used { arrived_at: at("09:20") };
        assert_eq!(judged(&visits, "09:21"), Some((used, 1_200.0, 0.0, 300.0)));
        let at_once = [visit("09:00", "09:40", None)];
        assert_eq!(judged(&at_once, "09:21").map(|j| j.0.code()), Some("used"));
    }

    #[test]
    fn a_user_who_comes_too_early_waits_for_the_rest() {
        let missed = Verdict::Missed { arrived_at: at("08:58") };
        assert_eq!(judged(&[visit("08:58", "09:40", None)], "09:00"), Some((missed, 0.0, 120.0, 180.0)));
        let due = Verdict::Missed { arrived_at: at("08:55") };
        assert_eq!(judged(&[visit("08:55", "09:40", None)], "09:00"), Some((due, 0.0, 300.0, 0.0)));
        assert_eq!(judged(&[visit("08:54", "08:56", None)], "09:00"), None, "came before it was due");
    }

    #[test]
    fn the_window_closes_three_hours_after_the_call() {
        assert_eq!(judged(&[], "11:54"), None);
        assert_eq!(judged(&[], "11:55"), Some((Verdict::Unused, 10_500.0, 0.0, 0.0)));
        let last = [visit("11:55", "12:00", None)];
        assert_eq!(judged(&last, "12:30").map(|j| (j.0.code(), j.1)), Some(("used", 10_500.0)));
        let late = [visit("11:56", "12:00", None)];
        assert_eq!(judged(&late, "12:30").map(|j| j.0), Some(Verdict::Unused));
    }

    #[test]
    fn a_delayed_call_opens_the_window_later_but_its_user_may_come_from_when_it_was_due() {
        let mut late = facts(Reason::Forecast, End::Woken);
        (late.called_at, late.serving_at) = (Some(at("09:25")), Some(at("09:30")));
        let judged = |visits: &[Visit], now| judge(&late, visits, WINDOW, at(now));
        let outcome = judged(&[visit("09:10", "09:50", None)], "09:40").expect("judged");
        assert_eq!((outcome.verdict.code(), outcome.waited_s, outcome.saved_s), ("missed", 1_200.0, 0.0));
        assert_eq!(judged(&[], "12:24"), None);
        assert_eq!(judged(&[], "12:25").map(|o| o.verdict), Some(Verdict::Unused));
    }

    #[test]
    fn a_person_who_asked_is_the_user_and_saves_nothing() {
        let wake = facts(Reason::Demand, End::Woken);
        let asked = [visit("08:50", "08:56", Some("08:55"))];
        let outcome = judge(&wake, &asked, WINDOW, at("09:00")).expect("judged");
        assert_eq!(outcome.verdict, Verdict::Used { arrived_at: at("08:50") });
        assert_eq!((outcome.idle_s, outcome.waited_s, outcome.saved_s), (0.0, 300.0, 0.0));
        let gone = [visit("08:00", "08:54", None)];
        assert_eq!(judge(&wake, &gone, WINDOW, at("09:00")), None);
        let only_asked = [visit("08:55", "08:55", Some("08:55"))];
        let outcome = judge(&wake, &only_asked, WINDOW, at("09:00")).expect("judged");
        assert_eq!(
            outcome.verdict,
            Verdict::Used { arrived_at: at("08:55") },
            "asking was all they did so far"
        );
    }

    #[test]
    fn ends_without_service_fail_at_once_and_ends_without_effect_get_no_verdict() {
        let here = [visit("09:20", "09:40", None)];
        for end in End::ALL {
            let outcome = judge(&facts(Reason::Forecast, *end), &here, WINDOW, at("23:00"));
            let code = outcome.map(|o| o.verdict.code());
            let expected = match end {
                End::Woken => Some("used"),
                End::Failed | End::TimedOut | End::HostLost => Some("failed"),
                End::AlreadyAwake | End::Refused | End::Cancelled | End::Expired => None,
            };
            assert_eq!(code, expected, "{end}");
            assert_eq!(gets_verdict(*end), expected.is_some());
        }
        let failed = facts(Reason::Forecast, End::TimedOut);
        assert!(judge(&failed, &[], WINDOW, at("09:00")).is_some(), "no need to wait for the window");
        assert_eq!(settles_at(&failed, WINDOW), at("09:00"));
    }

    #[test]
    fn an_outcome_is_flat_in_json() {
        let outcome = judge(&facts(Reason::Forecast, End::Woken), &[], WINDOW, at("23:00")).expect("judged");
        let json = serde_json::to_value(outcome).expect("serializes");
        assert_eq!(json["verdict"], "unused");
        assert_eq!(json["idle_s"], 10_500.0);
        assert_eq!(serde_json::from_value::<Outcome>(json).expect("comes back"), outcome);
    }
}
