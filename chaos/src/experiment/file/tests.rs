//! Every rule: the example is good, and broken in one way it has exactly that problem, with its place.

use serde_json::{Value, json};

use super::{Expected, Length, Problem, RunMode, TargetKind, read_text};

const EXAMPLE: &str = include_str!("../../../schema/example.yaml");

/// Pointer of the extension in the example.
const OURS: &str = "/extensions/0";

fn example() -> Value {
    super::Document::parse("example.yaml", EXAMPLE).unwrap().value
}

fn problems(value: &Value) -> Vec<Problem> {
    read_text("broken.json", &value.to_string()).map_or_else(|invalid| invalid.problems, |_| Vec::new())
}

/// Sets the value at a pointer of the extension; a last step of `-` adds to a list.
fn set(path: &str, new: Value) -> Value {
    set_in_file(&format!("{OURS}{path}"), new)
}

fn set_in_file(path: &str, new: Value) -> Value {
    let mut value = example();
    let (parent, last) = path.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap_or_else(|| panic!("there is no {parent}")) {
        Value::Object(map) => {
            map.insert(last.to_owned(), new);
        }
        Value::Array(list) if last == "-" => list.push(new),
        Value::Array(list) => list[last.parse::<usize>().unwrap()] = new,
        other => panic!("{parent} is {other}"),
    }
    value
}

fn without(path: &str) -> Value {
    let mut value = example();
    let (parent, last) = path.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(map) => drop(map.remove(last).unwrap()),
        Value::Array(list) => drop(list.remove(last.parse().unwrap())),
        other => panic!("{parent} is {other}"),
    }
    value
}

/// Exactly this one problem, at this pointer of the extension.
#[track_caller]
fn only(rule: &str, path: &str, broken: &Value) {
    only_in_file(rule, &format!("{OURS}{path}"), broken);
}

#[track_caller]
fn only_in_file(rule: &str, path: &str, broken: &Value) {
    let found = problems(broken);
    let found: Vec<(&str, &str)> = found.iter().map(|one| (one.rule, one.path.as_str())).collect();
    assert_eq!(found, [(rule, path)]);
}

#[test]
fn the_example_is_read_into_types() {
    let experiment = read_text("example.yaml", EXAMPLE).unwrap();
    let ours = experiment.reveille();
    assert_eq!(ours.id, "EP-03");
    assert_eq!(ours.modes, [RunMode::Sim, RunMode::Local, RunMode::Container]);
    assert_eq!(ours.faults[0].schedule.ends(), Length::m(30));
    assert_eq!(ours.faults[0].lease, Length::s(15));
    assert_eq!(ours.faults[0].what().unwrap().info().name, "endpoint.slow_wake");
    assert_eq!(ours.targets["victims"].kind, TargetKind::Instance);
    assert_eq!(ours.sim.seeds.each().count(), 200);
    assert_eq!(ours.world.fleet.boot.p95, Length::s(340));
    let ratio = ours.hypothesis.predicts.iter().find_map(|one| match one.value {
        Expected::Ratio(ratio) => Some(ratio.ratio_of_control),
        Expected::Number(_) => None,
    });
    assert_eq!(ratio, Some(0.55));
}

#[test]
fn what_was_read_is_written_and_read_again() {
    let experiment = read_text("example.yaml", EXAMPLE).unwrap();
    let json = serde_json::to_string(&experiment).unwrap();
    assert_eq!(read_text("again.json", &json).unwrap(), experiment);
}

#[test]
fn every_problem_is_told_with_its_line_and_field() {
    let text = EXAMPLE
        .replace("lease: 15s", "lease: 15")
        .replace("host_cpu_max > 0.85", "host_heat > 0.85")
        .replace("invariants: [S1,", "invariants: [S99,")
        .replace("title: Boots", "titel: Boots");
    let problems = read_text("wrong.yaml", &text).unwrap_err().problems;
    let line = |needle: &str| {
        let at = text.lines().position(|line| line.contains(needle)).unwrap();
        u64::try_from(at).unwrap() + 1
    };
    let mut found: Vec<(&str, Option<u64>)> =
        problems.iter().map(|one| (one.rule, one.mark.map(|mark| mark.line))).collect();
    found.sort_unstable();
    let mut wanted = [
        ("unknown_field", Some(line("titel"))),
        ("required", Some(line("titel"))),
        ("schema", Some(line("lease: 15"))),
        ("metric_known", Some(line("host_heat"))),
        ("invariant_known", Some(line("S99"))),
    ];
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    let lease = problems.iter().find(|one| one.rule == "schema").unwrap();
    assert!(lease.to_string().starts_with("wrong.yaml:"), "{lease}");
    assert_eq!(lease.path, "/extensions/0/faults/0/lease");
}

#[test]
fn shapes_are_those_of_the_schema() {
    only("unknown_field", "/colour", &set("/colour", json!("red")));
    only("required", "/faults/0/proof", &without("/extensions/0/faults/0/proof"));
    only("schema", "/hypothesis/confidence", &set("/hypothesis/confidence", json!(1.5)));
    only("schema", "/modes/0", &set("/modes/0", json!("dream")));
    only_in_file("not_supported", "/secrets", &set_in_file("/secrets", json!({})));
    only_in_file("not_supported", "/controls", &set_in_file("/controls", json!([])));
    only_in_file("required", "/description", &without("/description"));
    let python = json!({"type": "python", "module": "os", "func": "getcwd"});
    let found = problems(&set_in_file("/method/2/provider", python));
    assert!(found.iter().any(|one| one.path == "/method/2/provider/type"), "{found:?}");
}

#[test]
fn one_extension_is_ours() {
    let broken = set_in_file("/extensions/0/name", json!("somebody.else/v1"));
    only_in_file("one_extension", "/extensions", &broken);
    let twice = set_in_file("/extensions/-", example()["extensions"][0].clone());
    only_in_file("one_extension", "/extensions/1", &twice);
    let other = set_in_file("/extensions/-", json!({"name": "somebody.else/v1", "x": 1}));
    assert_eq!(problems(&other), [], "others pass through");
}

#[test]
fn id_layer_and_template_agree() {
    only("template_of_layer", "/template/ref", &set("/template/ref", json!("store.slow_wake")));
    let mut broken = set("/layer", json!("store"));
    broken["extensions"][0]["template"]["ref"] = json!("store.slow_wake");
    only("id_of_layer", "/id", &broken);
}

#[test]
fn a_fault_is_of_a_known_kind_with_good_parameters() {
    let mut broken = set("/faults/0/kind", json!("endpoint.melts"));
    only("fault_kind_known", "/faults/0/kind", &broken);
    broken = set("/faults/0/params/factor", json!(0.5));
    only("fault_params", "/faults/0/params/factor", &broken);
    only("fault_params", "/faults/0/params/speed", &set("/faults/0/params/speed", json!(1)));
    only("fault_params", "/noise/0/params/mean", &set("/noise/0/params/mean", json!("2h")));
    only("fault_kind_known", "/noise/1/kind", &set("/noise/1/kind", json!("agent.sings")));
}

#[test]
fn a_fault_hits_a_target_it_can_hit() {
    only("fault_target_exists", "/noise/0/target", &set("/noise/0/target", json!("any-planet")));
    only("fault_target_kind", "/noise/0/target", &set("/noise/0/target", json!("any-store")));
    let mut broken = set("/targets/others", json!({"kind": "instance", "select": {}}));
    only("target_unused", "/targets/others", &broken);
    broken = set("/faults/0/target", json!("nobody"));
    let rules: Vec<&str> = problems(&broken).iter().map(|one| one.rule).collect();
    assert!(rules.contains(&"fault_target_exists") && rules.contains(&"target_unused"), "{rules:?}");
}

#[test]
fn a_fault_runs_only_where_it_can() {
    let mut broken = set("/faults/0/kind", json!("host.mem_io"));
    broken["extensions"][0]["faults"][0]["params"] = json!({});
    broken["extensions"][0]["targets"]["victims"] =
        json!({"kind": "host", "select": {"host": {"mode": "one"}}});
    broken["extensions"][0]["blast_radius"]["max"]["instances"] = json!(60);
    only("fault_mode", "/faults/0/kind", &broken);
}

#[test]
fn schedule_and_lease_make_sense() {
    only("schedule_ramp", "/faults/0/schedule/ramp", &set("/faults/0/schedule/ramp", json!("21m")));
    only("schedule_every", "/faults/0/schedule/every", &{
        let mut broken = set("/faults/0/schedule/repeat", json!(2));
        broken["extensions"][0]["blast_radius"]["max"]["duration"] = json!("3h");
        broken
    });
    only("event_known", "/faults/0/schedule/on_event", &set("/faults/0/schedule/on_event", json!("tea")));
    only("schedule_horizon", "/faults/0/schedule/for", &set("/sim/horizon", json!("30m")));
    only("lease_within_for", "/faults/0/lease", &{
        let mut broken = set("/faults/0/lease", json!("21m"));
        broken["method"][1]["provider"]["arguments"]["lease_s"] = json!(1260);
        broken
    });
    let rules: Vec<&str> =
        problems(&set("/faults/0/schedule/for", json!("0s"))).iter().map(|one| one.rule).collect();
    assert!(rules.contains(&"schedule_for"), "{rules:?}");
}

#[test]
fn a_proof_needs_hits() {
    only("proof_needs_hits", "/faults/0/proof/hits", &set("/faults/0/proof/hits/value", json!(0)));
    only("proof_within", "/faults/0/proof/within", &set("/faults/0/proof/within", json!("0s")));
    only("fault_probability", "/faults/0/probability", &set("/faults/0/probability", json!(0)));
}

#[test]
fn ids_are_unique() {
    let first = example()["extensions"][0]["guards"][0].clone();
    only("guard_id_unique", "/guards/4/id", &set("/guards/-", first));
    let fault = example()["extensions"][0]["faults"][0].clone();
    only("fault_id_unique", "/faults/1/id", &set("/faults/-", fault));
}

#[test]
fn whatever_is_measured_is_known() {
    only(
        "metric_known",
        "/hypothesis/predicts/0/metric",
        &set("/hypothesis/predicts/0/metric", json!("luck")),
    );
    only("metric_known", "/guards/0/expr", &set("/guards/0/expr", json!("luck > 1")));
    only("shape", "/guards/0/expr", &set("/guards/0/expr", json!("host_cpu_max is high")));
    only("metric_known", "/control/min_effect/luck", &set("/control/min_effect/luck", json!(1)));
    only("invariant_known", "/invariants/0", &set("/invariants/0", json!("S16")));
    only("coverage_known", "/coverage/sometimes/0", &set("/coverage/sometimes/0", json!("luck_ran_out")));
    only("budget_known", "/blast_radius/budget/tears", &set("/blast_radius/budget/tears", json!(1)));
    let probe = "/steady-state-hypothesis/probes/0/provider/url";
    let broken = set_in_file(probe, json!("${harness_url}/v1/probes/luck?as=text"));
    only_in_file("metric_known", probe, &broken);
}

#[test]
fn the_method_says_the_same_as_the_extension() {
    let call = "/method/1/provider/arguments";
    let broken = set_in_file(&format!("{call}/lease_s"), json!(30));
    only_in_file("lease_agrees", &format!("{call}/lease_s"), &broken);
    let broken = set_in_file(&format!("{call}/experiment"), json!("EP-04"));
    only_in_file("experiment_named", &format!("{call}/experiment"), &broken);
    let found = problems(&set_in_file(&format!("{call}/ref"), json!("fast-wake")));
    let rules: Vec<&str> = found.iter().map(|one| one.rule).collect();
    assert_eq!(rules.len(), 2);
    assert!(rules.contains(&"fault_ref_known") && rules.contains(&"fault_injected"), "{rules:?}");
    only("fault_injected", "/faults/0/id", &without("/method/1"));
    only("fault_awaited", "/faults/0/id", &without("/method/2"));
    only(
        "fault_held",
        "/faults/0/schedule/for",
        &set_in_file("/method/3/provider/arguments/seconds", json!(600)),
    );
    only_in_file("rollback_clears", "/rollbacks", &without("/rollbacks/0"));
    let url = "/rollbacks/0/provider/url";
    let broken = set_in_file(url, json!("${harness_url}/v1/faults?experiment=EP-99"));
    only_in_file("experiment_named", url, &broken);
}

#[test]
fn a_target_is_a_choice_that_makes_sense() {
    let select = "/targets/victims/select";
    only("choice", &format!("{select}/host"), &set(&format!("{select}/host/value"), json!(3)));
    only("choice", &format!("{select}/host"), &set(&format!("{select}/host"), json!({"mode": "fixed"})));
    let percent = json!({"mode": "percent", "value": 0});
    only("choice", &format!("{select}/instances"), &set(&format!("{select}/instances"), percent));
    let broken = set(&format!("{select}/controller"), json!({"mode": "one"}));
    only("noun_of_kind", &format!("{select}/controller"), &broken);
}

#[test]
fn the_blast_radius_holds_what_is_declared() {
    let max = "/blast_radius/max";
    only("radius_instances", &format!("{max}/instances"), &set(&format!("{max}/instances"), json!(14)));
    only("radius_hosts", &format!("{max}/hosts"), &{
        let mut broken = set("/targets/victims/select/host/mode", json!("all"));
        broken["extensions"][0]["blast_radius"]["max"]["instances"] = json!(60);
        broken
    });
    only("radius_duration", &format!("{max}/duration"), &set(&format!("{max}/duration"), json!("19m")));
    let mut second = example()["extensions"][0]["faults"][0].clone();
    second["id"] = json!("slow-again");
    let mut broken = set("/faults/-", second);
    broken["extensions"][0]["blast_radius"]["max"]["concurrent_faults"] = json!(1);
    for (place, from) in [(3, 1), (4, 2)] {
        let copy = broken["method"][from].to_string().replace("slow-wake", "slow-again");
        broken["method"].as_array_mut().unwrap().insert(place, serde_json::from_str(&copy).unwrap());
    }
    only("radius_concurrent", &format!("{max}/concurrent_faults"), &broken);
}

#[test]
fn windows_are_days_hours_and_a_zone() {
    let windows = "/blast_radius/windows";
    only("windows_tz", &format!("{windows}/tz"), &set(&format!("{windows}/tz"), json!("Europe/Zuerich")));
    only(
        "windows_allow",
        &format!("{windows}/allow/0"),
        &set(&format!("{windows}/allow/0"), json!("Mon 15-9")),
    );
    only(
        "windows_date",
        &format!("{windows}/deny_dates/0"),
        &set(&format!("{windows}/deny_dates/-"), json!("soon")),
    );
}

#[test]
fn rungs_are_climbed_one_by_one() {
    let ladder = "/blast_radius/ladder";
    only("ladder_order", &format!("{ladder}/1/rung"), &set(&format!("{ladder}/1/rung"), json!(7)));
    only("ladder_requires", &format!("{ladder}/1/requires"), &without(&format!("{OURS}{ladder}/1/requires")));
    only(
        "ladder_requires",
        &format!("{ladder}/2/requires/rung"),
        &set(&format!("{ladder}/2/requires/rung"), json!(2)),
    );
    only("ladder_requires", &format!("{ladder}/0/requires"), &{
        let mut broken = example();
        broken["extensions"][0]["blast_radius"]["ladder"] =
            json!([{"rung": 0, "mode": "sim", "scope": {"share": 1.0}, "requires": {"rung": 0, "held": 1}}]);
        broken
    });
    only(
        "ladder_live_approval",
        &format!("{ladder}/4/requires/approval"),
        &without(&format!("{OURS}{ladder}/4/requires/approval")),
    );
    only("ladder_mode", &format!("{ladder}/3/mode"), &without(&format!("{OURS}/modes/2")));
    only(
        "ladder_scope",
        &format!("{ladder}/4/scope/instances"),
        &set(&format!("{ladder}/4/scope/instances"), json!(16)),
    );
    let mut broken = set("/modes/-", json!("live"));
    broken["extensions"][0]["blast_radius"]["ladder"].as_array_mut().unwrap().pop();
    only("live_needs_rung", "/modes/3", &broken);
}

#[test]
fn control_tier_and_start_fit_the_modes() {
    only("sim_start", "/sim/start", &set("/sim/start", json!("yesterday")));
    let mut broken = set("/control/kind", json!("none"));
    only("ratio_needs_control", "/hypothesis/predicts/1/value", &broken);
    broken = set("/modes", json!(["local", "container"]));
    broken["extensions"][0]["blast_radius"]["ladder"] = json!([]);
    only("control_mode", "/control/kind", &broken);
    only("tier_of_modes", "/sim/tier", &set("/tier", json!("T2")));
    only("tier_of_modes", "/tier", &set("/tier", json!("T5")));
}
