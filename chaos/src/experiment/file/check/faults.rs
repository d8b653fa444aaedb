//! Faults: of a known kind with good parameters, on a target it can hit, in modes it can run in, under a lease, with a proof.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::experiment::{
    catalogue::{FaultKind, KindInfo, Refused, info},
    file::{
        Fault, Length, TargetKind,
        found::Found,
        node::escaped,
        parts::{At, Parts},
    },
};

/// What a target is called that is one of its kind, drawn from the seed.
const ANY: &str = "any-";

pub(super) fn check(parts: &Parts, found: &mut Found<'_>) {
    let mut seen = BTreeSet::new();
    for id in &parts.fault_ids {
        if !seen.insert(&id.it) {
            found.add("fault_id_unique", &id.path, format!("a second fault is called `{}`", id.it));
        }
    }
    for At { path, it } in &parts.faults {
        if let Some(info) = kind(path, &it.kind, &it.params, found) {
            target(parts, path, info, &it.target, found);
            modes(parts, path, info, found);
        }
        schedule(parts, path, it, found);
        proof(path, it, found);
    }
    for At { path, it } in &parts.noise {
        if let Some(info) = kind(path, &it.kind, &it.params, found) {
            target(parts, path, info, &it.target, found);
        }
    }
}

/// The kind, if there is one of that name.
fn kind(
    path: &str,
    name: &str,
    params: &Map<String, Value>,
    found: &mut Found<'_>,
) -> Option<&'static KindInfo> {
    match FaultKind::read(name, params) {
        Err(Refused::Unknown(_)) => {
            found.add("fault_kind_known", format!("{path}/kind"), format!("there is no fault `{name}`"));
        }
        Err(Refused::Params(problems)) => {
            for problem in problems {
                let path = format!("{path}/params/{}", escaped(&problem.name));
                found.add("fault_params", path, problem.message);
            }
        }
        Ok(_) => {}
    }
    info(name)
}

fn target(parts: &Parts, path: &str, info: &KindInfo, name: &str, found: &mut Found<'_>) {
    let path = format!("{path}/target");
    let kind = if let Some(kind) = name.strip_prefix(ANY) {
        serde_json::from_value::<TargetKind>(kind.into()).ok()
    } else {
        match parts.targets.get(name) {
            Some(At { it: Some(target), .. }) => Some(target.kind),
            Some(At { it: None, .. }) => return,
            None => None,
        }
    };
    match kind {
        None => found.add("fault_target_exists", path, format!("there is no target `{name}`")),
        Some(kind) if !info.targets.contains(&kind) => {
            let kinds: Vec<String> = info.targets.iter().map(|kind| word(*kind)).collect();
            let message = format!("{} hits {}, not {}", info.name, kinds.join(" or "), word(kind));
            found.add("fault_target_kind", path, message);
        }
        Some(_) => {}
    }
}

fn word(kind: TargetKind) -> String {
    format!("{kind:?}").to_lowercase()
}

fn modes(parts: &Parts, path: &str, info: &KindInfo, found: &mut Found<'_>) {
    let missing = parts.modes.iter().filter(|mode| !info.modes.contains(&mode.it));
    let missing: Vec<&str> = missing.map(|mode| mode.it.name()).filter(|mode| *mode != "live").collect();
    if !missing.is_empty() {
        let message = format!("{} cannot be injected in {}", info.name, missing.join(" and "));
        found.add("fault_mode", format!("{path}/kind"), message);
    }
}

fn schedule(parts: &Parts, path: &str, fault: &Fault, found: &mut Found<'_>) {
    let schedule = &fault.schedule;
    let place = |field: &str| format!("{path}/schedule/{field}");
    if schedule.r#for == Length::ZERO {
        found.add("schedule_for", place("for"), "a fault that lasts no time hits nobody");
    }
    if schedule.ramp > schedule.r#for {
        found.add("schedule_ramp", place("ramp"), "the ramp is longer than the fault");
    }
    match schedule.every {
        None if schedule.repeat > 1 => {
            found.add("schedule_every", place("every"), "what repeats says how long from start to start");
        }
        Some(every) if schedule.repeat > 1 && every < schedule.r#for => {
            found.add("schedule_every", place("every"), "the next turn begins before the last one is over");
        }
        _ => {}
    }
    let known = |event: &str| serde_json::from_value::<crate::history::Function>(event.into()).is_ok();
    if let Some(event) = schedule.on_event.as_deref().filter(|event| !known(event)) {
        found.add("event_known", place("on_event"), format!("no history has an event `{event}`"));
    }
    if let Some(sim) = parts.sim.as_ref().filter(|sim| schedule.ends() >= sim.horizon) {
        let message = format!("is over at {} and the simulation ends at {}", schedule.ends(), sim.horizon);
        found.add("schedule_horizon", place("for"), message);
    }
}

fn proof(path: &str, fault: &Fault, found: &mut Found<'_>) {
    let lease = format!("{path}/lease");
    if fault.lease == Length::ZERO {
        found.add("lease_within_for", lease, "a lease of no time can never be renewed");
    } else if fault.lease > fault.schedule.r#for {
        let message = format!(
            "the lease ({}) is longer than the fault ({}): it would end nothing early",
            fault.lease, fault.schedule.r#for
        );
        found.add("lease_within_for", lease, message);
    }
    if fault.proof.proven(0) {
        let message = "holds without a single hit: a fault nobody met proves nothing";
        found.add("proof_needs_hits", format!("{path}/proof/hits"), message);
    }
    if fault.proof.within == Some(Length::ZERO) {
        found.add("proof_within", format!("{path}/proof/within"), "nothing is hit in no time");
    }
    if fault.probability <= 0.0 {
        found.add(
            "fault_probability",
            format!("{path}/probability"),
            "a fault that never bites proves nothing",
        );
    }
}
