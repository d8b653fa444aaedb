//! The smallest plan that still fails in the same way: fewer faults, then shorter and weaker ones, then a smaller world.

use serde::Serialize;

use super::{Plan, Planned, SimOutcome};
use crate::experiment::{Verdict, catalogue::FaultKind, file::Length};

/// No fault is made shorter than this, in seconds.
const SHORTEST_S: u32 = 5;
/// No run is made shorter than this, in seconds.
const PLAYED_S_MIN: u32 = 1_800;

/// How a run failed: what a smaller one must show as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub verdict: Verdict,
    /// The invariants that were violated.
    pub invariants: Vec<&'static str>,
}

impl Failure {
    /// None for a run that held.
    pub fn of(outcome: &SimOutcome) -> Option<Self> {
        (outcome.verdict != Verdict::Held).then(|| Self {
            verdict: outcome.verdict,
            invariants: outcome.violations().map(|(id, _)| id).collect(),
        })
    }

    /// Whether `other` shows the same: at least one of the same invariants where one was violated.
    fn is_shown_by(&self, other: Option<&Self>) -> bool {
        other.is_some_and(|other| {
            let is_same =
                self.invariants.is_empty() || self.invariants.iter().any(|id| other.invariants.contains(id));
            self.verdict == other.verdict && is_same
        })
    }
}

/// A plan made smaller.
#[derive(Debug, Clone, Serialize)]
pub struct Shrunk {
    pub failure: Failure,
    pub from: Plan,
    pub to: Plan,
    /// Plans that were played.
    pub runs: u64,
    /// Whether nothing smaller is left to try, or time was up before.
    pub is_done: bool,
}

/// Makes `plan`, which fails as `failure`, smaller until nothing smaller fails in the same way or `go_on` says no. `fails`
/// plays a plan.
pub fn shrink(
    plan: &Plan,
    failure: &Failure,
    fails: &mut dyn FnMut(&Plan) -> Option<Failure>,
    go_on: &dyn Fn() -> bool,
) -> Shrunk {
    let mut shrunk =
        Shrunk { failure: failure.clone(), from: plan.clone(), to: plan.clone(), runs: 0, is_done: false };
    loop {
        let smaller = candidates(&shrunk.to).into_iter().find_map(|candidate| {
            if !go_on() {
                return Some(None);
            }
            shrunk.runs += 1;
            failure.is_shown_by(fails(&candidate).as_ref()).then_some(Some(candidate))
        });
        match smaller {
            Some(Some(candidate)) => shrunk.to = candidate,
            Some(None) => return shrunk,
            None => {
                shrunk.is_done = true;
                return shrunk;
            }
        }
    }
}

/// Plans a step smaller, the largest steps first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut smaller = fewer_faults(plan);
    smaller.extend(gentler_faults(plan));
    smaller.extend(smaller_worlds(plan));
    smaller
}

fn with_faults(plan: &Plan, faults: Vec<Planned>) -> Plan {
    Plan { faults, ..plan.clone() }
}

/// Without each half, each quarter and so on, down to without each one.
fn fewer_faults(plan: &Plan) -> Vec<Plan> {
    let count = plan.faults.len();
    let mut smaller = Vec::new();
    let mut length = count.div_ceil(2);
    while length > 0 {
        for begin in (0..count).step_by(length) {
            let end = (begin + length).min(count);
            let left = [&plan.faults[..begin], &plan.faults[end..]].concat();
            smaller.push(with_faults(plan, left));
        }
        length = if length == 1 { 0 } else { length.div_ceil(2) };
    }
    smaller
}

fn gentler_faults(plan: &Plan) -> Vec<Plan> {
    let mut smaller = Vec::new();
    for (place, planned) in plan.faults.iter().enumerate() {
        let mut change = |changed: Planned| {
            let mut faults = plan.faults.clone();
            faults[place] = changed;
            smaller.push(with_faults(plan, faults));
        };
        if planned.for_s / 2 >= SHORTEST_S {
            let for_s = planned.for_s / 2;
            change(Planned { for_s, ..planned.clone() });
            change(Planned { at_s: planned.at_s + for_s, for_s, ..planned.clone() });
        }
        if let Some(what) = weaker(&planned.what) {
            change(Planned { what, ..planned.clone() });
        }
    }
    smaller
}

/// Half as strong, where that is a strength worth trying.
fn weaker(what: &FaultKind) -> Option<FaultKind> {
    let mut weaker = what.clone();
    let strength = match &mut weaker {
        FaultKind::EndpointHttpError(fault) => &mut fault.share,
        FaultKind::EndpointThrottled429(fault) => &mut fault.share,
        FaultKind::EndpointRefused(fault) => &mut fault.share,
        FaultKind::EndpointReset(fault) => &mut fault.share,
        FaultKind::EndpointLostResponse(fault) => &mut fault.share,
        FaultKind::EndpointHalfOpen(fault) => &mut fault.share,
        FaultKind::EndpointNeverUp(fault) => &mut fault.share,
        FaultKind::EndpointGarbage(fault) => &mut fault.share,
        FaultKind::EndpointSlowDrip(fault) => &mut fault.share,
        FaultKind::DataDuplicate(fault) => &mut fault.share,
        FaultKind::DataLate(fault) => &mut fault.share,
        FaultKind::DataPoison(fault) => &mut fault.share,
        FaultKind::LinkLoss(fault) => &mut fault.share,
        FaultKind::LinkDuplicate(fault) => &mut fault.share,
        FaultKind::LinkReorder(fault) => &mut fault.share,
        FaultKind::HostStress(fault) => &mut fault.cpu,
        FaultKind::HostCpuNoise(fault) => {
            fault.high = fault.low + (fault.high - fault.low) / 2.0;
            let is_worth_it = fault.high - fault.low > 0.05;
            return is_worth_it.then_some(weaker);
        }
        FaultKind::EndpointSlowWake(fault) => return nearer(&mut fault.factor).then_some(weaker),
        FaultKind::HostBootCost(fault) => return nearer(&mut fault.factor).then_some(weaker),
        FaultKind::HostMemIo(fault) => return nearer(&mut fault.boot_factor).then_some(weaker),
        FaultKind::ControllerOverload(fault) => return nearer(&mut fault.factor).then_some(weaker),
        FaultKind::StoreSlow(fault) => {
            fault.delay = Length::ms(fault.delay.as_ms() / 2);
            let is_worth_it = fault.delay >= Length::ms(10);
            return is_worth_it.then_some(weaker);
        }
        FaultKind::StoreBusy(fault) => {
            fault.held = Length::ms(fault.held.as_ms() / 2);
            let is_worth_it = fault.held >= Length::s(1);
            return is_worth_it.then_some(weaker);
        }
        FaultKind::LinkBandwidth(fault) => {
            fault.rate_bytes_per_s *= 2;
            let is_worth_it = fault.rate_bytes_per_s <= 1_000_000;
            return is_worth_it.then_some(weaker);
        }
        FaultKind::EndpointLateUp(fault) => {
            fault.after_deadline = Length::ms(fault.after_deadline.as_ms() / 2);
            let is_worth_it = fault.after_deadline >= Length::s(1);
            return is_worth_it.then_some(weaker);
        }
        FaultKind::DataGap(fault) => {
            fault.missing = Length::ms(fault.missing.as_ms() / 2);
            let is_worth_it = fault.missing >= Length::h(1);
            return is_worth_it.then_some(weaker);
        }
        FaultKind::LinkLatency(fault) => {
            let half = |length: Length| Length::ms(length.as_ms() / 2);
            (fault.mean, fault.jitter) = (half(fault.mean), half(fault.jitter));
            let is_worth_it = fault.mean >= Length::ms(10);
            return is_worth_it.then_some(weaker);
        }
        _ => return None,
    };
    *strength /= 2.0;
    let is_worth_it = *strength > 0.05;
    is_worth_it.then_some(weaker)
}

/// Half as far from one time as much; whether that is worth trying.
fn nearer(factor: &mut f64) -> bool {
    *factor = 1.0 + (*factor - 1.0) / 2.0;
    *factor > 1.25
}

fn smaller_worlds(plan: &Plan) -> Vec<Plan> {
    let mut smaller = Vec::new();
    let busiest = plan.faults.iter().flat_map(|planned| &planned.hosts).max().map_or(1, |host| host + 1);
    if plan.hosts > busiest {
        smaller.push(Plan { hosts: plan.hosts - 1, ..plan.clone() });
    }
    for instances in [plan.instances / 2, plan.instances.saturating_sub(1)] {
        if instances >= plan.hosts.max(1) && instances < plan.instances {
            let asks = plan.asks.iter().filter(|ask| ask.instance < instances).cloned().collect();
            smaller.push(Plan { instances, asks, ..plan.clone() });
        }
    }
    for begin in [0, plan.asks.len().div_ceil(2)] {
        let end = (begin + plan.asks.len().div_ceil(2)).min(plan.asks.len());
        if begin < end {
            let asks = [&plan.asks[..begin], &plan.asks[end..]].concat();
            smaller.push(Plan { asks, ..plan.clone() });
        }
    }
    let last_s = plan.faults.iter().map(Planned::until_s).max().unwrap_or(0);
    let played_s = (plan.played_s / 2).max(last_s).max(PLAYED_S_MIN);
    if played_s < plan.played_s {
        let asks = plan.asks.iter().filter(|ask| ask.at_s < played_s).cloned().collect();
        smaller.push(Plan { played_s, asks, ..plan.clone() });
    }
    smaller
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failure() -> Failure {
        Failure { verdict: Verdict::Violated, invariants: vec!["S4"] }
    }

    fn busy() -> Plan {
        let at = |at_s, hosts: &[usize], kind: &str, params: serde_json::Value| {
            let params = params.as_object().cloned().unwrap_or_default();
            let what = FaultKind::read(kind, &params).expect("a kind");
            Planned { at_s, for_s: 1_000, hosts: hosts.to_vec(), instances: Vec::new(), what }
        };
        Plan {
            hosts: 3,
            instances: 20,
            faults: vec![
                at(700, &[], "endpoint.http_error", json!({"share": 0.9})),
                at(900, &[2], "link.partition", json!({})),
                at(1_000, &[], "endpoint.lost_response", json!({"share": 0.8})),
                at(1_500, &[1], "link.reset", json!({})),
                at(2_000, &[], "controller.crash", json!({})),
            ],
            ..Plan::calm(1)
        }
    }

    #[test]
    fn what_does_not_matter_is_left_out_and_what_does_stays() {
        let mut fails = |plan: &Plan| {
            let has = |test: fn(&FaultKind) -> bool| plan.faults.iter().any(|planned| test(&planned.what));
            let both =
                has(|what| matches!(what, FaultKind::EndpointLostResponse(fault) if fault.share > 0.15))
                    && has(|what| matches!(what, FaultKind::ControllerCrash(_)));
            (both && plan.instances >= 4).then(failure)
        };
        let shrunk = shrink(&busy(), &failure(), &mut fails, &|| true);
        assert!(shrunk.is_done);
        let kinds: Vec<&str> = shrunk.to.faults.iter().map(Planned::kind).collect();
        assert_eq!(kinds, ["endpoint.lost_response", "controller.crash"]);
        assert_eq!((shrunk.to.hosts, shrunk.to.instances), (1, 4));
        assert!(shrunk.to.faults.iter().all(|planned| planned.for_s < 2 * SHORTEST_S));
        assert!(
            matches!(&shrunk.to.faults[0].what, FaultKind::EndpointLostResponse(fault) if fault.share <= 0.3)
        );
        assert!(shrunk.runs < 200, "{}", shrunk.runs);
    }

    #[test]
    fn another_failure_is_not_the_same() {
        let mut fails = |plan: &Plan| {
            let invariants = if plan.faults.len() < 5 { vec!["S1"] } else { vec!["S4"] };
            Some(Failure { verdict: Verdict::Violated, invariants })
        };
        let shrunk = shrink(&busy(), &failure(), &mut fails, &|| true);
        assert_eq!(shrunk.to.faults.len(), 5);
    }

    #[test]
    fn time_that_is_up_ends_it_with_what_was_found() {
        let shrunk = shrink(&busy(), &failure(), &mut |_| Some(failure()), &|| false);
        assert_eq!((shrunk.to, shrunk.runs, shrunk.is_done), (busy(), 0, false));
    }
}
