//! What is said: the JSON that every receiver is sent, and the id by which it knows it again.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use reveille_proto::{HostId, InstanceId, WakeId};
use serde::{Deserialize, Serialize};

use super::Event;
use crate::{
    plan::{OmissionReason, WakePlan},
    policy::Mode,
    wake::{End, Reason, State, Wake},
};

/// Characters of a wake's detail that are passed on: what an endpoint answered has no bound of its own.
const DETAIL_CHARACTERS_MAX: usize = 500;

/// The key of the policy that a day's budget stands under.
const DAY_BUDGET: &str = "wakes_per_day_max";

/// One thing to be told, whoever wants to hear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same for the same thing, however often it is written down or sent: a wake ends once, and the budget of a day
    /// is spent once.
    pub message_id: String,
    pub event: Event,
    /// Notifications of one instance reach a receiver in order.
    pub instance: Option<InstanceId>,
    pub at: Timestamp,
    /// A [`Payload`] as JSON.
    pub body: String,
}

/// The body of a webhook: `type`, `timestamp` and `data`, as Standard Webhooks has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    #[serde(flatten)]
    pub said: Said,
    /// When it happened; a delivery may come much later.
    pub timestamp: Timestamp,
}

/// The event's name under `type`, what belongs to it under `data`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Said {
    #[serde(rename = "instance.ready")]
    InstanceReady(WakeSaid),
    #[serde(rename = "wake.failed")]
    WakeFailed(WakeSaid),
    #[serde(rename = "budget.spent")]
    BudgetSpent(BudgetSpent),
}

/// A wake that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WakeSaid {
    pub wake_id: WakeId,
    pub instance_id: InstanceId,
    /// That ran it last; `null` when it was never sent.
    pub host_id: Option<HostId>,
    pub reason: Reason,
    pub requested_by: String,
    pub end: End,
    /// One line for a person.
    pub detail: String,
    pub attempts: u32,
    pub created_at: Timestamp,
    pub serving_at: Option<Timestamp>,
    pub ended_at: Timestamp,
}

/// A day's budget of forecast wakes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetSpent {
    /// The key of the policy that holds it.
    pub budget: String,
    /// In UTC.
    pub day: Date,
    pub wakes_max: u32,
    /// Instances that were expected and left out by the plan that found it spent.
    pub left_out: u64,
}

impl Notice {
    /// What the end of a wake has to say; nothing while it goes on, nor when it was called off.
    pub fn of_wake(wake: &Wake) -> Option<Self> {
        let State::Ended { end, at } = wake.state else { return None };
        let event = Event::of(end)?;
        let said = WakeSaid {
            wake_id: wake.id,
            instance_id: wake.instance.clone(),
            host_id: wake.last_host.clone(),
            reason: wake.reason,
            requested_by: wake.requested_by.clone(),
            end,
            detail: wake.detail.chars().take(DETAIL_CHARACTERS_MAX).collect(),
            attempts: wake.last_attempt,
            created_at: wake.created_at,
            serving_at: wake.serving_at,
            ended_at: at,
        };
        let said =
            if event == Event::InstanceReady { Said::InstanceReady(said) } else { Said::WakeFailed(said) };
        Some(Self::new(format!("msg_{}", wake.id), event, Some(wake.instance.clone()), at, said))
    }

    /// That a budget was found spent at `at`.
    pub fn of_budget(spent: BudgetSpent, at: Timestamp) -> Self {
        let message_id = format!("msg_{}_{}", spent.budget, spent.day);
        Self::new(message_id, Event::BudgetSpent, None, at, Said::BudgetSpent(spent))
    }

    /// The budgets a plan found spent, one for each day; nothing where plans are not carried out.
    pub fn of_plan(plan: &WakePlan) -> Vec<Self> {
        if plan.mode != Mode::Act {
            return Vec::new();
        }
        let mut spent: BTreeMap<Date, BudgetSpent> = BTreeMap::new();
        for omission in &plan.omissions {
            let OmissionReason::BudgetSpent { day, wakes_max } = omission.reason else { continue };
            let budget = || BudgetSpent { budget: DAY_BUDGET.into(), day, wakes_max, left_out: 0 };
            spent.entry(day).or_insert_with(budget).left_out += 1;
        }
        spent.into_values().map(|spent| Self::of_budget(spent, plan.made_at)).collect()
    }

    fn new(
        message_id: String,
        event: Event,
        instance: Option<InstanceId>,
        at: Timestamp,
        said: Said,
    ) -> Self {
        let body = serde_json::to_string(&Payload { said, timestamp: at }).expect("plain data");
        Self { message_id, event, instance, at, body }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        plan::{Omission, Passed},
        wake::Priority,
    };

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_772_000_000 + s).expect("in range")
    }

    fn ended(end: End) -> Wake {
        Wake {
            id: "01890000-0000-7000-8000-000000000001".parse().expect("valid"),
            instance: InstanceId::new("dev1").expect("valid"),
            reason: Reason::Demand,
            priority: Priority::Person,
            requested_by: "ann".into(),
            plan_id: None,
            probability: None,
            created_at: t(0),
            due_at: t(0),
            serve_at: None,
            expires_at: t(900),
            state: State::Ended { end, at: t(200) },
            called_at: Some(t(2)),
            serving_at: Some(t(199)),
            detail: "serves".repeat(1000),
            last_host: Some(HostId::new("h1").expect("valid")),
            last_attempt: 2,
            dispatched_at: Some(t(1)),
            moves: 3,
        }
    }

    #[test]
    fn the_end_of_a_wake_is_a_standard_payload_with_a_bound() {
        let notice = Notice::of_wake(&ended(End::Woken)).expect("news");
        assert_eq!(notice.message_id, "msg_01890000-0000-7000-8000-000000000001");
        let body: Value = serde_json::from_str(&notice.body).expect("JSON");
        assert_eq!(body["type"], "instance.ready");
        assert_eq!(body["timestamp"], json!(t(200)));
        let data = &body["data"];
        assert_eq!((&data["instance_id"], &data["end"]), (&json!("dev1"), &json!("woken")));
        assert_eq!((&data["reason"], &data["requested_by"]), (&json!("demand"), &json!("ann")));
        assert_eq!(data["detail"].as_str().expect("text").len(), DETAIL_CHARACTERS_MAX);
        let payload: Payload = serde_json::from_str(&notice.body).expect("comes back");
        assert!(matches!(payload.said, Said::InstanceReady(said) if said.attempts == 2));
    }

    #[test]
    fn what_goes_on_or_was_called_off_is_no_news() {
        assert_eq!(Notice::of_wake(&ended(End::Cancelled)), None);
        let queued = State::Queued { attempt: 1, failures: 0, not_before: t(0) };
        assert_eq!(Notice::of_wake(&Wake { state: queued, ..ended(End::Woken) }), None);
        let failed = Notice::of_wake(&ended(End::TimedOut)).expect("news");
        assert_eq!(failed.event, Event::WakeFailed);
    }

    #[test]
    fn a_plan_tells_of_each_day_whose_budget_is_spent_and_how_many_it_left_out() {
        let spent =
            |day: &str| OmissionReason::BudgetSpent { day: day.parse().expect("a date"), wakes_max: 20 };
        let reasons = [spent("2026-03-03"), OmissionReason::Paused, spent("2026-03-02"), spent("2026-03-03")];
        let omission = |reason| Omission { instance: InstanceId::new("dev1").expect("valid"), reason };
        let plan = WakePlan {
            made_at: t(0),
            horizon_end: t(86_400),
            mode: Mode::Act,
            model_version: 1,
            hold_out_share: 0.0,
            wakes: Vec::new(),
            omissions: reasons.map(omission).into(),
            passed: Passed::default(),
        };
        let told = Notice::of_plan(&plan);
        let data = |notice: &Notice| {
            let Payload { said: Said::BudgetSpent(spent), timestamp } =
                serde_json::from_str(&notice.body).expect("a payload")
            else {
                panic!("{} is of no budget", notice.body)
            };
            (spent.day.to_string(), spent.wakes_max, spent.left_out, timestamp)
        };
        let days = [("2026-03-02".to_owned(), 20, 1, t(0)), ("2026-03-03".to_owned(), 20, 2, t(0))];
        assert_eq!(told.iter().map(data).collect::<Vec<_>>(), days);
        let only_forecast = WakePlan { mode: Mode::ForecastOnly, ..plan };
        assert_eq!(Notice::of_plan(&only_forecast), [], "nobody is left asleep by it");
    }

    #[test]
    fn a_budget_has_one_id_a_day() {
        let spent = |day: &str, left_out| BudgetSpent {
            budget: "wakes_per_day_max".into(),
            day: day.parse().expect("a date"),
            wakes_max: 20,
            left_out,
        };
        let first = Notice::of_budget(spent("2026-03-02", 1), t(0));
        let later = Notice::of_budget(spent("2026-03-02", 9), t(300));
        assert_eq!(first.message_id, later.message_id);
        assert_ne!(first.message_id, Notice::of_budget(spent("2026-03-03", 1), t(0)).message_id);
        let body: Value = serde_json::from_str(&first.body).expect("JSON");
        assert_eq!((&body["type"], &body["data"]["day"]), (&json!("budget.spent"), &json!("2026-03-02")));
    }
}
