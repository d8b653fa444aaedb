//! The scorecard of a period: what was done, what it cost, what it saved.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use reveille_proto::{HostId, InstanceId};
use serde::{Deserialize, Serialize};

use super::{
    baseline::{CohortBaseline, baselines},
    before_after::{BeforeAfter, before_after},
    effect::{Trial, Unit, trial},
    notes::notes,
};
use crate::{
    outcome::{Outcome, Verdict, WakeFacts},
    visits::Visit,
    wake::{End, Reason},
};

/// A wake that is over, and its outcome where it has one yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WakeRecord {
    pub facts: WakeFacts,
    pub outcome: Option<Outcome>,
}

/// The busiest a host was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostPeak {
    pub host: HostId,
    /// Highest measured CPU, in percent of its cores.
    pub cpu_max_percent: f64,
    pub cpu_ceiling_percent: f64,
    /// Share of the time it was above its ceiling, in percent.
    pub above_ceiling_percent: f64,
}

/// What a scorecard is made from.
#[derive(Debug, Clone)]
pub struct ReportInput<'a> {
    /// The period is `[from, to)`.
    pub from: Timestamp,
    pub to: Timestamp,
    /// Visits of the period and of the 30 days before `first_act_wake_at`, in any order.
    pub visits: &'a [Visit],
    /// Wakes that are over; those due outside the period are left out.
    pub wakes: &'a [WakeRecord],
    pub cohorts: &'a BTreeMap<InstanceId, String>,
    /// Instances Reveille looks after.
    pub instances: u64,
    /// When Reveille first woke an instance by forecast; `None` when it never did.
    pub first_act_wake_at: Option<Timestamp>,
    pub hosts: &'a [HostPeak],
    /// Wakes of the period that a closed gate or a full host kept waiting after they were due.
    pub wakes_delayed: u64,
    /// Complete units from the beginning of the hold-out, which the period does not cut.
    pub units: &'a [Unit],
    /// Of the instance-days, as configured now.
    pub hold_out_share: f64,
    /// Of the policy.
    pub quiet_dates: &'a BTreeSet<Date>,
    /// When versions of the model were put in service.
    pub models: &'a [Timestamp],
}

/// What Reveille did in a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    pub from: Timestamp,
    pub to: Timestamp,
    pub instances: u64,
    pub arrivals: u64,
    /// Arrivals that did not ask to be woken.
    pub found_awake: u64,
    /// Arrivals that still had to ask.
    pub asked: u64,
    /// Wakes by forecast. The counts, precision, idle hours and minutes below are of these.
    pub wakes: u64,
    pub wakes_by_end: BTreeMap<End, u64>,
    /// By `used`, `unused`, `missed`, `failed`; the rest is open or gets none.
    pub wakes_by_verdict: BTreeMap<String, u64>,
    /// Wakes somebody asked for, of whatever end.
    pub wakes_asked_for: u64,
    pub wakes_delayed: u64,
    /// Share of the judged wakes that served and whose user came: (used + missed) / (used + missed + unused).
    pub precision: Option<f64>,
    /// Share of the arrivals that found the instance awake because of a wake: used / arrivals. None before the first
    /// wake by forecast: nothing was tried, so nothing was missed.
    pub recall: Option<f64>,
    pub minutes_saved: f64,
    /// Waited by users whose wake was too late.
    pub minutes_waited: f64,
    pub idle_hours: f64,
    pub idle_hours_per_instance_day: Option<f64>,
    /// What the hold-out tells of the effect, from its beginning until the end of the period.
    pub trial: Trial,
    pub baseline: Vec<CohortBaseline>,
    pub before_after: BeforeAfter,
    pub hosts: Vec<HostPeak>,
    /// What to mind when reading this, in words.
    pub notes: Vec<String>,
}

/// Arrivals for which a forecast wake had the instance serving.
fn served_arrivals(wakes: &[WakeRecord]) -> BTreeSet<(&InstanceId, Timestamp)> {
    let forecast = wakes.iter().filter(|wake| wake.facts.reason == Reason::Forecast);
    let used = forecast.filter_map(|wake| match wake.outcome.as_ref()?.verdict {
        Verdict::Used { arrived_at } => Some((&wake.facts.instance, arrived_at)),
        _ => None,
    });
    used.collect()
}

/// Draws up the scorecard.
pub fn scorecard(input: &ReportInput<'_>) -> Scorecard {
    let ReportInput { from, to, .. } = *input;
    let within = |at: Timestamp| from <= at && at < to;
    let arrivals = input.visits.iter().filter(|visit| within(visit.arrived_at));
    let served = served_arrivals(input.wakes);
    // Some press the button out of habit, although the instance was woken for them and serves.
    let had_to_ask = |visit: &&Visit| visit.asked() && !served.contains(&(&visit.instance, visit.arrived_at));
    let (asked, found_awake): (Vec<&Visit>, Vec<&Visit>) = arrivals.partition(had_to_ask);
    let due = || input.wakes.iter().filter(|wake| within(wake.facts.due_at));
    let forecast = due().filter(|wake| wake.facts.reason == Reason::Forecast);
    let sums = forecast.fold(Sums::default(), Sums::add);
    let arrivals = (asked.len() + found_awake.len()) as u64;
    let [used, unused, missed] = ["used", "unused", "missed"].map(|verdict| sums.verdict(verdict));
    let instance_days = input.instances as f64 * to.duration_since(from).as_secs_f64() / 86_400.0;
    let acted = input.first_act_wake_at.is_some_and(|at| at < to);
    let idle_hours = sums.idle_s / 3_600.0;
    let mut card = Scorecard {
        from,
        to,
        instances: input.instances,
        arrivals,
        found_awake: found_awake.len() as u64,
        asked: asked.len() as u64,
        wakes: sums.wakes,
        wakes_by_end: sums.by_end,
        wakes_by_verdict: sums.by_verdict,
        wakes_asked_for: due().filter(|wake| is_asked_for(wake.facts.reason)).count() as u64,
        wakes_delayed: input.wakes_delayed,
        precision: share(used + missed, used + missed + unused),
        recall: share(used, arrivals).filter(|_| acted),
        minutes_saved: sums.saved_s / 60.0,
        minutes_waited: sums.waited_s / 60.0,
        idle_hours,
        idle_hours_per_instance_day: (instance_days > 0.0).then(|| idle_hours / instance_days),
        trial: trial(input.units.to_vec(), input.hold_out_share),
        baseline: baselines(input.visits, input.cohorts, (from, to), input.first_act_wake_at),
        before_after: before_after(
            input.visits,
            (from, to),
            input.first_act_wake_at,
            input.quiet_dates,
            input.models,
        ),
        hosts: input.hosts.to_vec(),
        notes: Vec::new(),
    };
    card.notes = notes(&card, input.first_act_wake_at);
    card
}

#[derive(Default)]
struct Sums {
    wakes: u64,
    by_end: BTreeMap<End, u64>,
    by_verdict: BTreeMap<String, u64>,
    idle_s: f64,
    waited_s: f64,
    saved_s: f64,
}

impl Sums {
    fn add(mut self, wake: &WakeRecord) -> Self {
        self.wakes += 1;
        *self.by_end.entry(wake.facts.end).or_default() += 1;
        if let Some(outcome) = &wake.outcome {
            *self.by_verdict.entry(outcome.verdict.code().to_owned()).or_default() += 1;
            self.idle_s += outcome.idle_s;
            self.saved_s += outcome.saved_s;
            if matches!(outcome.verdict, Verdict::Missed { .. }) {
                self.waited_s += outcome.waited_s;
            }
        }
        self
    }

    fn verdict(&self, code: &str) -> u64 {
        self.by_verdict.get(code).copied().unwrap_or(0)
    }
}

fn is_asked_for(reason: Reason) -> bool {
    matches!(reason, Reason::Demand | Reason::Operator)
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{outcome::judge, report::effect::Arm};

    pub(in crate::report) fn at(text: &str) -> Timestamp {
        format!("2026-03-{text}:00Z").parse().expect("a timestamp")
    }

    fn instance() -> InstanceId {
        InstanceId::new("dev1").expect("an id")
    }

    fn visit(arrived: &str, asked: bool) -> Visit {
        let arrived_at = at(arrived);
        Visit {
            instance: instance(),
            arrived_at,
            departed_at: arrived_at,
            asked_at: asked.then_some(arrived_at),
        }
    }

    /// Called when due, serving five minutes later, judged by what `visits` say.
    fn wake(due: &str, reason: Reason, end: End, visits: &[Visit]) -> WakeRecord {
        let due_at = at(due);
        let facts = WakeFacts {
            wake: "0195554f-7a00-7000-8000-000000000001".parse().expect("an id"),
            instance: instance(),
            reason,
            due_at,
            called_at: Some(due_at),
            serving_at: Some(due_at + SignedDuration::from_mins(5)),
            ended_at: due_at + SignedDuration::from_mins(5),
            end,
        };
        let outcome = judge(&facts, visits, SignedDuration::from_hours(3), at("30T00:00"));
        WakeRecord { facts, outcome }
    }

    /// Two days: one used wake (20 min early), one unused, one missed by 2 min, one failed, one that found it awake.
    pub(in crate::report) fn card() -> Scorecard {
        card_of(&[], 0.0)
    }

    /// The same, with three weeks of forty instance-days, one in ten of them held out: of those everybody had to ask, of the
    /// others every fourth.
    pub(in crate::report) fn held_out_card() -> Scorecard {
        let unit = |n: u32| {
            let arm = if n.is_multiple_of(10) { Arm::HeldOut } else { Arm::Woken };
            let asked = u32::from(arm == Arm::HeldOut || n.is_multiple_of(4));
            let from = at("02T08:55") + SignedDuration::from_hours(24 * i64::from(n / 40));
            Unit {
                instance: instance(),
                cohort: "blue".into(),
                arm,
                hold_out_share: 0.1,
                from,
                until: from + SignedDuration::from_hours(15),
                arrivals: 1,
                asked,
                waited_s: 150.0 * f64::from(asked),
                waits_known: asked,
            }
        };
        let units: Vec<Unit> = (0..840).map(unit).collect();
        card_of(&units, 0.1)
    }

    /// So long, of nobody.
    fn period(from: &str, to: &str) -> ReportInput<'static> {
        static COHORTS: BTreeMap<InstanceId, String> = BTreeMap::new();
        static QUIET_DATES: BTreeSet<Date> = BTreeSet::new();
        ReportInput {
            from: at(from),
            to: at(to),
            visits: &[],
            wakes: &[],
            cohorts: &COHORTS,
            instances: 0,
            first_act_wake_at: None,
            hosts: &[],
            wakes_delayed: 0,
            units: &[],
            hold_out_share: 0.0,
            quiet_dates: &QUIET_DATES,
            models: &[],
        }
    }

    fn card_of(units: &[Unit], hold_out_share: f64) -> Scorecard {
        let visits = [
            visit("01T08:00", true),
            visit("02T09:20", false),
            visit("02T14:00", true),
            visit("03T08:58", false),
            visit("04T00:00", false),
        ];
        let wakes = [
            wake("01T08:55", Reason::Forecast, End::Woken, &visits),
            wake("02T08:55", Reason::Forecast, End::Woken, &visits),
            wake("02T18:55", Reason::Forecast, End::Woken, &visits),
            wake("02T22:55", Reason::Forecast, End::AlreadyAwake, &visits),
            wake("02T13:00", Reason::Forecast, End::Failed, &visits),
            wake("02T14:00", Reason::Demand, End::Woken, &visits),
            wake("03T08:55", Reason::Forecast, End::Woken, &visits),
        ];
        let host = HostPeak {
            host: HostId::new("host-1").expect("an id"),
            cpu_max_percent: 71.5,
            cpu_ceiling_percent: 70.0,
            above_ceiling_percent: 0.25,
        };
        scorecard(&ReportInput {
            visits: &visits,
            wakes: &wakes,
            cohorts: &[(instance(), "blue".to_owned())].into(),
            instances: 2,
            first_act_wake_at: Some(at("02T08:55")),
            hosts: &[host],
            wakes_delayed: 1,
            units,
            hold_out_share,
            ..period("02T00:00", "04T00:00")
        })
    }

    #[test]
    fn the_period_is_counted_and_nothing_else() {
        let card = card();
        assert_eq!((card.arrivals, card.found_awake, card.asked), (3, 2, 1));
        assert_eq!((card.wakes, card.wakes_asked_for, card.wakes_delayed), (5, 1, 1));
        let verdicts: Vec<_> = card.wakes_by_verdict.iter().map(|(v, n)| (v.as_str(), *n)).collect();
        assert_eq!(verdicts, [("failed", 1), ("missed", 1), ("unused", 1), ("used", 1)]);
        assert_eq!(card.wakes_by_end[&End::Woken], 3);
        assert_eq!(card.wakes_by_end[&End::AlreadyAwake], 1);
    }

    #[test]
    fn costs_and_savings_are_summed_in_their_units() {
        let card = card();
        let near = |is: f64, expected: f64| assert!((is - expected).abs() < 1e-9, "{is} {expected}");
        near(card.precision.expect("judged"), 2.0 / 3.0);
        near(card.recall.expect("arrivals"), 1.0 / 3.0);
        near(card.minutes_saved, 5.0 + 3.0);
        near(card.minutes_waited, 2.0);
        near(card.idle_hours, (20.0 + 175.0) / 60.0);
        near(card.idle_hours_per_instance_day.expect("two days"), (20.0 + 175.0) / 60.0 / 4.0);
    }

    /// Three instances for two days, one of them woken in vain for three hours less the five minutes it took to serve.
    #[test]
    fn idle_hours_are_spread_over_all_instances_and_days() {
        let wakes = [wake("02T18:55", Reason::Forecast, End::Woken, &[])];
        let card = scorecard(&ReportInput { wakes: &wakes, instances: 3, ..period("02T00:00", "04T00:00") });
        let hours = card.idle_hours_per_instance_day.expect("six instance-days");
        assert!((hours - 175.0 / 60.0 / 6.0).abs() < 1e-9, "{hours}");
    }

    #[test]
    fn who_asks_for_an_instance_that_was_woken_for_them_did_not_have_to() {
        let visits = [visit("02T09:20", true), visit("03T09:20", true)];
        let wakes = [wake("02T08:55", Reason::Forecast, End::Woken, &visits)];
        let card = scorecard(&ReportInput {
            visits: &visits,
            wakes: &wakes,
            instances: 1,
            ..period("02T00:00", "04T00:00")
        });
        assert_eq!((card.found_awake, card.asked), (1, 1));
    }

    #[test]
    fn before_the_first_wake_by_forecast_there_is_no_recall() {
        let visits = [visit("02T08:00", true)];
        let recall = |first_act_wake_at| {
            let card = scorecard(&ReportInput {
                visits: &visits,
                instances: 1,
                first_act_wake_at,
                ..period("02T00:00", "03T00:00")
            });
            assert_eq!(card.arrivals, 1);
            card.recall
        };
        assert_eq!(recall(None), None);
        assert_eq!(recall(Some(at("03T00:00"))), None);
        assert_eq!(recall(Some(at("02T23:59"))), Some(0.0));
    }

    #[test]
    fn an_empty_period_has_no_shares() {
        let card = scorecard(&period("02T00:00", "02T00:00"));
        assert_eq!((card.precision, card.recall, card.idle_hours_per_instance_day), (None, None, None));
        let json = serde_json::to_string(&card).expect("serializes");
        assert_eq!(serde_json::from_str::<Scorecard>(&json).expect("comes back"), card);
    }
}
