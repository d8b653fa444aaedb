//! Makes a plan: each candidate is judged for itself, then the fleet's cap has its say.

use jiff::{Timestamp, tz::TimeZone};
use rayon::{iter::Either, prelude::*};

use super::{
    Candidate, Omission, OmissionReason, Passed, PlanInput, WakePlan,
    cap::{over_day, over_hour},
    choice::Choice,
    choose::choose,
    level::level,
};
use crate::model::calendar::local_hour;

/// Fewer choices than this are not worth a thread of their own.
const SHARE: usize = 512;

/// Plans the coming horizon. The same input makes the same plan; the cost is linear in the candidates.
///
/// Who is held out is asked last: its wake takes its place under the cap like any other. So the wakes that were
/// made and those that were held out differ in the draw alone, which is what makes their comparison fair.
pub fn plan<'a, I: Iterator<Item = Candidate<'a>>>(input: PlanInput<'a, I>) -> WakePlan {
    plan_telling(input, |_, _| {})
}

/// As [`plan`], and tells why each was left alone for whom the plan only counts.
pub(super) fn plan_telling<'a, I: Iterator<Item = Candidate<'a>>>(
    input: PlanInput<'a, I>,
    mut passed_by: impl FnMut(&Candidate<'a>, OmissionReason),
) -> WakePlan {
    let PlanInput {
        now,
        horizon,
        rule,
        threshold,
        policy,
        model_version,
        hold,
        already_due_per_hour,
        starts_at_once,
        hold_out,
        candidates,
    } = input;
    let horizon = horizon.min(hold);
    let input = PlanInput {
        now,
        horizon,
        rule,
        threshold,
        policy,
        model_version,
        hold,
        already_due_per_hour,
        starts_at_once,
        hold_out,
        candidates: (),
    };
    let mut choices = Vec::new();
    let mut omissions = Vec::new();
    let mut passed = Passed::default();
    for candidate in candidates {
        match choose(&input, &candidate) {
            Ok(choice) => choices.push(choice),
            Err(reason) if passed.count(&reason) => passed_by(&candidate, reason),
            Err(reason) => omissions.push(Omission { instance: candidate.instance.clone(), reason }),
        }
    }
    level(&mut choices, starts_at_once);
    let wakes_max = policy.fleet_wakes_per_hour_max;
    let over = over_hour(&choices, wakes_max, already_due_per_hour);
    omissions.extend(leave(&mut choices, over, |_| OmissionReason::FleetHourFull { wakes_max }));
    let wakes_max = policy.wakes_per_day_max;
    let over = over_day(&choices, wakes_max, already_due_per_hour);
    let spent = |choice: &Choice<'_>| OmissionReason::BudgetSpent {
        day: TimeZone::UTC.to_datetime(choice.due_at).date(),
        wakes_max,
    };
    omissions.extend(leave(&mut choices, over, spent));
    // The draw and the words take longer than the choice did: many are shared by all cores, to the same end.
    let (wakes, held_out): (Vec<_>, Vec<_>) =
        choices.into_par_iter().with_min_len(SHARE).partition_map(|choice| {
            let day = local_hour(choice.zone, choice.hour_at).day;
            if hold_out.holds(choice.cohort, choice.instance, day) {
                Either::Right(choice.held_out())
            } else {
                Either::Left(choice.wake())
            }
        });
    omissions.extend(held_out);
    WakePlan {
        made_at: now,
        horizon_end: now.saturating_add(horizon).unwrap_or(Timestamp::MAX),
        mode: policy.mode,
        model_version,
        hold_out_share: hold_out.share,
        wakes,
        omissions,
        passed,
    }
}

/// Takes those that are over a cap out of the choices.
fn leave<'a>(
    choices: &mut Vec<Choice<'a>>,
    over: Vec<bool>,
    reason: impl Fn(&Choice<'a>) -> OmissionReason,
) -> Vec<Omission> {
    let (mut over, mut left) = (over.into_iter(), Vec::new());
    choices.retain(|choice| {
        let over = over.next().unwrap_or(false);
        if over {
            left.push(Omission { instance: choice.instance.clone(), reason: reason(choice) });
        }
        !over
    });
    left
}

#[cfg(test)]
mod tests;
