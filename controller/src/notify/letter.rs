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
    use crate::notify::Notice;

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
