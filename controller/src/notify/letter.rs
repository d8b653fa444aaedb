//! A notification in words, for e-mail.

use std::fmt::Write as _;

use super::{BudgetSpent, Payload, Said, WakeSaid};

/// Subject and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub text: String,
}

/// What a person reads of it; the payload stands below, for filters.
pub fn letter(payload: &Payload) -> Letter {
    let (subject, mut text) = match &payload.said {
        Said::InstanceReady(wake) => (format!("{} is ready", wake.instance_id), of_wake(wake)),
        Said::WakeFailed(wake) => {
            (format!("waking {} did not work: {}", wake.instance_id, wake.end), of_wake(wake))
        }
        Said::BudgetSpent(spent) => of_budget(spent),
    };
    let json = serde_json::to_string_pretty(payload).expect("plain data");
    write!(text, "\n{json}\n").expect("text can be written to");
    Letter { subject: format!("Reveille: {subject}"), text }
}

fn of_wake(wake: &WakeSaid) -> String {
    let host = wake.host_id.as_ref().map_or_else(|| "no host".to_owned(), ToString::to_string);
    format!(
        "Instance {} on {host}: {} ({}).\nAsked for by {} ({}) at {}, over at {}.\n",
        wake.instance_id,
        wake.detail,
        wake.end,
        wake.requested_by,
        wake.reason,
        wake.created_at,
        wake.ended_at
    )
}

fn of_budget(spent: &BudgetSpent) -> (String, String) {
    let BudgetSpent { budget, day, wakes_max, left_out } = spent;
    let text = format!(
        "The {wakes_max} forecast wakes of {day} (UTC) that `{budget}` allows are planned; {left_out} more instances were \
         expected and are left asleep.\nWho asks is woken all the same.\n"
    );
    (format!("the forecast wakes of {day} are spent"), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        notify::Notice,
        wake::{End, Reason},
    };

    #[test]
    fn a_letter_about_a_wake_says_whose_it_was_where_and_how_it_ended() {
        let at = |text: &str| text.parse().expect("a time");
        let wake = WakeSaid {
            wake_id: "01890000-0000-7000-8000-000000000001".parse().expect("an id"),
            instance_id: "dev1".parse().expect("an id"),
            host_id: Some("h1".parse().expect("an id")),
            reason: Reason::Demand,
            requested_by: "ann".into(),
            end: End::Woken,
            detail: "serves".into(),
            attempts: 1,
            created_at: at("2026-03-02T09:00:00Z"),
            serving_at: None,
            ended_at: at("2026-03-02T09:03:00Z"),
        };
        let timestamp = wake.ended_at;
        let ready = letter(&Payload { said: Said::InstanceReady(wake.clone()), timestamp });
        assert_eq!(ready.subject, "Reveille: dev1 is ready");
        assert!(
            ready.text.starts_with("Instance dev1 on h1: serves (woken).\nAsked for by ann (demand) at ")
        );
        let lost = WakeSaid { host_id: None, end: End::Expired, detail: "too late".into(), ..wake };
        let failed = letter(&Payload { said: Said::WakeFailed(lost), timestamp });
        assert_eq!(failed.subject, "Reveille: waking dev1 did not work: expired");
        assert!(failed.text.starts_with("Instance dev1 on no host: too late (expired).\n"));
    }

    #[test]
    fn a_letter_says_it_in_words_and_holds_the_payload() {
        let spent = BudgetSpent {
            budget: "wakes_per_day_max".into(),
            day: "2026-03-02".parse().expect("a date"),
            wakes_max: 20,
            left_out: 3,
        };
        let notice = Notice::of_budget(spent, "2026-03-02T09:00:00Z".parse().expect("a time"));
        let letter = letter(&serde_json::from_str(&notice.body).expect("a payload"));
        assert_eq!(letter.subject, "Reveille: the forecast wakes of 2026-03-02 are spent");
        assert!(letter.text.contains("3 more instances") && letter.text.contains("\"budget.spent\""));
    }
}
