//! Activities: what the stock toolkit carries out says the same as the extension.

use serde_json::Value;

use super::measures::known;
use crate::experiment::file::{
    Activity, Fault, Provider,
    found::Found,
    parts::{At, Parts},
};

pub(super) fn check(parts: &Parts, found: &mut Found<'_>) {
    for at in parts.probes.iter().chain(&parts.method).chain(&parts.rollbacks) {
        let Some(call) = Call::of(&at.it) else { continue };
        if let Some(metric) = call.path.strip_prefix("/v1/probes/") {
            known(metric, url(at), found);
        }
        if let Some(id) = call.path.strip_prefix("/v1/faults/").and_then(|rest| rest.strip_suffix("/await")) {
            named(parts, id, url(at), found);
        }
        experiment(parts, at, &call, found);
        if call.injects() {
            injection(parts, at, &call, found);
        }
    }
    every_fault(parts, found);
    held_long_enough(parts, found);
    cleared(parts, found);
}

/// A call to the harness.
struct Call<'a> {
    method: &'a str,
    /// Without the harness's own address.
    path: &'a str,
    query: &'a str,
    arguments: Option<&'a Value>,
}

impl<'a> Call<'a> {
    /// `None` for what goes elsewhere.
    fn of(activity: &'a Activity) -> Option<Self> {
        let Provider::Http { url, method, arguments, .. } = &activity.provider else { return None };
        let target = url.strip_prefix("${harness_url}")?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Some(Self { method: method.as_deref().unwrap_or("GET"), path, query, arguments: arguments.as_ref() })
    }

    fn argument(&self, name: &str) -> Option<&'a Value> {
        self.arguments?.get(name)
    }

    fn injects(&self) -> bool {
        self.method == "POST" && self.path == "/v1/faults"
    }

    fn injected(&self) -> Option<&'a str> {
        self.argument("ref")?.as_str().filter(|_| self.injects())
    }
}

fn url(at: &At<Activity>) -> String {
    format!("{}/provider/url", at.path)
}

fn named(parts: &Parts, id: &str, path: String, found: &mut Found<'_>) {
    if !parts.fault_ids.iter().any(|known| known.it == id) {
        found.add("fault_ref_known", path, format!("the extension has no fault `{id}`"));
    }
}

/// A call that says which experiment it is of says this one.
fn experiment(parts: &Parts, at: &At<Activity>, call: &Call<'_>, found: &mut Found<'_>) {
    let Some(id) = &parts.id else { return };
    let message = |said: &str| format!("`{said}` is not the id of this experiment, which is {id}");
    let in_query = call.query.split('&').find_map(|pair| pair.strip_prefix("experiment="));
    if let Some(said) = in_query.filter(|said| said != id) {
        found.add("experiment_named", url(at), message(said));
    }
    let in_body = call.argument("experiment").and_then(Value::as_str);
    if let Some(said) = in_body.filter(|said| said != id) {
        found.add("experiment_named", format!("{}/provider/arguments/experiment", at.path), message(said));
    }
}

fn injection(parts: &Parts, at: &At<Activity>, call: &Call<'_>, found: &mut Found<'_>) {
    let place = |field: &str| format!("{}/provider/arguments/{field}", at.path);
    let Some(id) = call.injected() else {
        found.add("fault_ref_known", place("ref"), "names no fault of the extension");
        return;
    };
    named(parts, id, place("ref"), found);
    let fault = parts.faults.iter().find(|fault| fault.it.id == id);
    let lease_s = fault.map(|fault| fault.it.lease.as_secs_f64());
    let said = call.argument("lease_s").and_then(Value::as_f64);
    if let (Some(lease_s), Some(said)) = (lease_s, said)
        && (lease_s - said).abs() > f64::EPSILON
    {
        let message = format!("the extension gives this fault a lease of {lease_s} s");
        found.add("lease_agrees", place("lease_s"), message);
    }
}

/// A fault that the method never injects or never waits for is one the stock toolkit would run without.
fn every_fault(parts: &Parts, found: &mut Found<'_>) {
    let calls: Vec<Call<'_>> = parts.method.iter().filter_map(|at| Call::of(&at.it)).collect();
    for At { path, it: Fault { id, .. } } in &parts.faults {
        if !calls.iter().any(|call| call.injected() == Some(id)) {
            found.add("fault_injected", format!("{path}/id"), "no action of the method injects this fault");
        }
        let awaited = format!("/v1/faults/{id}/await");
        let waits = |call: &Call<'_>| call.path == awaited;
        if calls.iter().any(|call| waits(call) && call.query.split('&').any(|part| part == "hits=0")) {
            let message = "a probe of the method waits for no hit of this fault";
            found.add("proof_needs_hits", format!("{path}/id"), message);
        }
        if !calls.iter().any(waits) {
            found.add(
                "fault_awaited",
                format!("{path}/id"),
                "no probe of the method waits for this fault's hits",
            );
        }
    }
}

/// The method moves the clock on for at least as long as the longest fault lasts.
fn held_long_enough(parts: &Parts, found: &mut Found<'_>) {
    let calls = parts.method.iter().filter_map(|at| Call::of(&at.it));
    let advances = calls.filter(|call| call.path == "/v1/clock/advance");
    let held_s: f64 = advances.filter_map(|call| call.argument("seconds")?.as_f64()).sum();
    for At { path, it } in &parts.faults {
        let lasts_s = it.schedule.ends().as_secs_f64() - it.schedule.at.as_secs_f64();
        if held_s < lasts_s {
            let message = format!("lasts {lasts_s} s, and the method holds it for {held_s} s only");
            found.add("fault_held", format!("{path}/schedule/for"), message);
        }
    }
}

fn cleared(parts: &Parts, found: &mut Found<'_>) {
    let calls = parts.rollbacks.iter().filter_map(|at| Call::of(&at.it));
    let clears = |call: Call<'_>| call.method == "DELETE" && call.path == "/v1/faults";
    if !parts.faults.is_empty() && !calls.into_iter().any(clears) {
        found.add("rollback_clears", "/rollbacks", "no action takes the faults back (DELETE /v1/faults)");
    }
}
