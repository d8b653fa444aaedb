//! What is known of a wake that is over.

use jiff::Timestamp;
use reveille_proto::{InstanceId, WakeId};
use serde::{Deserialize, Serialize};

use crate::wake::{End, Reason, State, Wake};

/// A wake that is over, as far as its verdict depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WakeFacts {
    pub wake: WakeId,
    pub instance: InstanceId,
    pub reason: Reason,
    pub due_at: Timestamp,
    /// When an endpoint was first called; absent when none was.
    pub called_at: Option<Timestamp>,
    /// When the instance was first seen serving.
    pub serving_at: Option<Timestamp>,
    pub ended_at: Timestamp,
    pub end: End,
}

impl WakeFacts {
    /// Of a wake that is over; `None` of one that goes on.
    pub fn of(wake: &Wake) -> Option<Self> {
        let State::Ended { end, at } = wake.state else { return None };
        Some(Self {
            wake: wake.id,
            instance: wake.instance.clone(),
            reason: wake.reason,
            due_at: wake.due_at,
            called_at: wake.called_at,
            serving_at: wake.serving_at,
            ended_at: at,
            end,
        })
    }

    /// When the wake began to have an effect: the call, or when it was due where the call is not known.
    pub fn started_at(&self) -> Timestamp {
        self.called_at.unwrap_or(self.due_at)
    }

    /// When the instance served; the end of the wake where that was not seen.
    pub fn served_at(&self) -> Timestamp {
        self.serving_at.unwrap_or(self.ended_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::Priority;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + s).expect("in range")
    }

    fn wake(state: State) -> Wake {
        Wake {
            id: "0195554f-7a00-7000-8000-000000000001".parse().expect("an id"),
            instance: InstanceId::new("dev1").expect("an id"),
            reason: Reason::Forecast,
            priority: Priority::Person,
            requested_by: "forecast".into(),
            plan_id: None,
            probability: None,
            created_at: t(0),
            due_at: t(10),
            serve_at: Some(t(300)),
            expires_at: t(900),
            state,
            called_at: None,
            serving_at: None,
            detail: String::new(),
            last_host: None,
            last_attempt: 1,
            dispatched_at: Some(t(11)),
            moves: 2,
        }
    }

    #[test]
    fn a_verdict_rests_on_what_was_seen_and_else_on_when_it_was_due_and_over() {
        let ended = State::Ended { end: End::Woken, at: t(250) };
        let unseen = WakeFacts::of(&wake(ended.clone())).expect("it is over");
        assert_eq!((unseen.reason, unseen.end), (Reason::Forecast, End::Woken));
        assert_eq!((unseen.started_at(), unseen.served_at()), (t(10), t(250)));
        let seen = Wake { called_at: Some(t(12)), serving_at: Some(t(240)), ..wake(ended) };
        let seen = WakeFacts::of(&seen).expect("it is over");
        assert_eq!((seen.started_at(), seen.served_at()), (t(12), t(240)));
    }

    #[test]
    fn a_wake_that_goes_on_has_no_verdict_yet() {
        let queued = State::Queued { attempt: 1, failures: 0, not_before: t(10) };
        assert_eq!(WakeFacts::of(&wake(queued)), None);
    }
}
