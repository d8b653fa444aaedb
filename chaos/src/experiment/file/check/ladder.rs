//! The ladder: rungs in order, each unlocked by an earlier one, and the real installation by a person.

use crate::experiment::file::{
    RunMode, Rung,
    found::Found,
    parts::{At, Parts},
};

pub(super) fn check(parts: &Parts, found: &mut Found<'_>) {
    for (index, At { path, it }) in parts.ladder.iter().enumerate() {
        if it.rung != index as u64 {
            found.add(
                "ladder_order",
                format!("{path}/rung"),
                format!("rungs are numbered from 0: {index} is next"),
            );
        }
        requires(path, index as u64, it, found);
        mode(parts, path, it, found);
        scope(parts, path, it, found);
    }
    let live = parts.modes.iter().find(|mode| mode.it == RunMode::Live);
    let climbed = parts.ladder.iter().any(|rung| rung.it.mode == RunMode::Live);
    if let Some(At { path, .. }) = live.filter(|_| !climbed) {
        found.add("live_needs_rung", path, "no rung of the ladder leads to `live`");
    }
}

fn requires(path: &str, index: u64, rung: &Rung, found: &mut Found<'_>) {
    let place = format!("{path}/requires");
    match &rung.requires {
        None if index > 0 => {
            found.add("ladder_requires", place, "only the first rung is open without evidence");
        }
        Some(_) if index == 0 => {
            found.add("ladder_requires", place, "nothing comes before the first rung");
        }
        Some(requires) if requires.rung >= rung.rung => {
            let message = format!("rung {} does not come before rung {}", requires.rung, rung.rung);
            found.add("ladder_requires", format!("{place}/rung"), message);
        }
        _ => {}
    }
    let approved = rung.requires.as_ref().is_some_and(|requires| requires.approval.is_some());
    if rung.mode == RunMode::Live && !approved {
        let message = "a rung in the real installation needs `approval: human`";
        found.add("ladder_live_approval", format!("{path}/requires/approval"), message);
    }
}

/// `live` may stand on the ladder before it stands in `modes`: it is what the ladder leads to.
fn mode(parts: &Parts, path: &str, rung: &Rung, found: &mut Found<'_>) {
    let open = rung.mode == RunMode::Live || parts.modes.iter().any(|mode| mode.it == rung.mode);
    if !open && !parts.modes.is_empty() {
        let message = format!("`{}` is not in `modes`", rung.mode.name());
        found.add("ladder_mode", format!("{path}/mode"), message);
    }
}

fn scope(parts: &Parts, path: &str, rung: &Rung, found: &mut Found<'_>) {
    let Some(max) = &parts.max else { return };
    if rung.scope.hosts.is_some_and(|hosts| hosts > max.hosts) {
        let message = format!("is more than the blast radius allows ({})", max.hosts);
        found.add("ladder_scope", format!("{path}/scope/hosts"), message);
    }
    let wider = |instances: u64| max.instances.is_some_and(|cap| instances > cap);
    if rung.scope.instances.is_some_and(wider) {
        found.add("ladder_scope", format!("{path}/scope/instances"), "is more than the blast radius allows");
    }
}
