//! Whatever is measured has a known name: in predictions, guards, the control and the invariants.

use std::collections::BTreeSet;

use crate::experiment::file::{
    coverage,
    found::Found,
    invariant, metric,
    parts::{At, Parts},
    radius::HARMS,
};

pub(super) fn check(parts: &Parts, found: &mut Found<'_>) {
    for At { path, it } in &parts.predictions {
        known(&it.metric, format!("{path}/metric"), found);
    }
    let mut seen = BTreeSet::new();
    for At { path, it } in &parts.guards {
        known(&it.expr.metric, format!("{path}/expr"), found);
        if !seen.insert(&it.id) {
            found.add(
                "guard_id_unique",
                format!("{path}/id"),
                format!("a second guard is called `{}`", it.id),
            );
        }
    }
    for name in parts.control.iter().flat_map(|control| control.min_effect.keys()) {
        known(name, parts.path(&format!("/control/min_effect/{name}")), found);
    }
    for At { path, it } in &parts.invariants {
        if !invariant::known(it) {
            found.add("invariant_known", path, format!("there is no invariant `{it}`: S1 to S15, L1 to L6"));
        }
    }
    let sights = parts.coverage.iter().flat_map(|coverage| &coverage.sometimes).enumerate();
    for (index, name) in sights.filter(|(_, name)| !coverage::known(name)) {
        let path = parts.path(&format!("/coverage/sometimes/{index}"));
        found.add("coverage_known", path, format!("no history shows `{name}`"));
    }
    for At { path, it } in &parts.budget {
        if !HARMS.contains(&it.as_str()) {
            let message = format!("there is no such harm: a budget has {}", HARMS.join(", "));
            found.add("budget_known", path, message);
        }
    }
}

pub(super) fn known(name: &str, path: String, found: &mut Found<'_>) {
    if metric::known(name).is_none() {
        found.add("metric_known", path, format!("there is no metric `{name}`"));
    }
}
