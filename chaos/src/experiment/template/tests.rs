//! The library as a whole: every template is there, valid with its defaults and at the ends of each input, and honest.

use std::collections::BTreeSet;

use super::{expand, extremes, library};
use crate::experiment::{
    catalogue::CATALOGUE,
    file::{Experiment, Quadrant, read_document},
    plan::{Evidence, freeze},
};

/// Ids, layer by layer.
const IDS: &str = "EP-01 EP-02 EP-03 EP-04 EP-05 EP-06 EP-07 EP-08 EP-09 AG-01 AG-02 AG-03 AG-04 AG-05 AG-06 \
                   LK-01 LK-02 LK-03 LK-04 LK-05 LK-06 LK-07 CT-01 CT-02 CT-03 CT-04 CT-05 CT-06 CT-07 \
                   ST-01 ST-02 ST-03 ST-04 ST-05 CK-01 CK-02 CK-03 CK-04 HO-01 HO-02 HO-03 HO-04 HO-05 \
                   DA-01 DA-02 DA-03 DA-04 DA-05 OP-01 OP-02 OP-03 OP-04 OP-05";

/// Those that must hold at every change.
const REGRESSION: &str = "EP-01 EP-02 EP-06 AG-01 LK-01 LK-03 LK-05 LK-07 CT-01 CT-06 ST-01 CK-01 CK-02 HO-05 \
                          DA-02 OP-01 OP-03";

fn all() -> Vec<Experiment> {
    let read = |template: &super::Template| {
        template.read().unwrap_or_else(|invalid| panic!("{}:\n{invalid}", template.file))
    };
    library().iter().map(read).collect()
}

#[test]
fn the_library_is_complete() {
    let ids: BTreeSet<String> = all().iter().map(|one| one.reveille().id.clone()).collect();
    let wanted: BTreeSet<String> = IDS.split_whitespace().map(str::to_owned).collect();
    assert_eq!(ids, wanted);
    assert_eq!(library().len(), 53);
}

#[test]
fn the_regression_pack_is_what_is_known() {
    let known = |one: &&Experiment| one.reveille().quadrant == Quadrant::KnownKnown;
    let pack = |one: &&Experiment| one.tags.contains(&"pack:regression".to_owned());
    let wanted: BTreeSet<&str> = REGRESSION.split_whitespace().collect();
    let all = all();
    let id = |one: &'static str| one;
    let wanted: BTreeSet<String> = wanted.into_iter().map(id).map(str::to_owned).collect();
    let ids = |which: &dyn Fn(&&Experiment) -> bool| -> BTreeSet<String> {
        all.iter().filter(which).map(|one| one.reveille().id.clone()).collect()
    };
    assert_eq!(ids(&known), wanted);
    assert_eq!(ids(&pack), wanted);
}

#[test]
fn every_template_stands_where_its_name_says() {
    for template in library() {
        let experiment = template.read().unwrap();
        let said = experiment.reveille().template.as_ref().map(|template| template.r#ref.clone());
        assert_eq!(said, Some(template.name()), "{}", template.file);
        assert_eq!(super::find(&template.name()), Some(*template));
        assert_eq!(super::find(&experiment.reveille().id), Some(*template));
    }
    assert_eq!(super::find("endpoint.nothing"), None);
}

#[test]
fn every_template_is_valid_with_each_input_at_each_end_of_its_range() {
    let mut expanded = 0;
    for template in library() {
        let document = template.document().unwrap();
        let ends = extremes(&document).unwrap();
        assert!(!ends.is_empty(), "{} leaves nothing open", template.file);
        for settings in ends {
            let read = expand(&document, &settings).and_then(|document| read_document(&document));
            if let Err(invalid) = read {
                panic!("{} with {settings:?}:\n{invalid}", template.file);
            }
            expanded += 1;
        }
    }
    assert!(expanded > 200, "{expanded}");
}

#[test]
fn every_template_can_be_planned() {
    for experiment in all() {
        let plan = freeze(&experiment, 1, &Evidence::default()).unwrap();
        assert!(plan.targets.values().all(|target| !target.resolved.is_empty()), "{}", plan.experiment);
        assert!(plan.hosts <= plan.hosts_max, "{}", plan.experiment);
        assert_eq!(plan.unlocked.rung, 0);
    }
}

#[test]
fn every_template_says_why_what_it_attacks_and_what_must_have_been_seen() {
    for experiment in all() {
        let ours = experiment.reveille();
        assert!(ours.hypothesis.because.len() > 60, "{}", ours.id);
        assert!(ours.hypothesis.predicts.len() >= 2, "{}", ours.id);
        assert!(!ours.coverage.sometimes.is_empty(), "{}", ours.id);
        let always = ["S1", "S2", "S4", "S5", "S10", "L1", "L4"];
        assert!(always.iter().all(|id| ours.invariants.iter().any(|one| one == id)), "{}", ours.id);
    }
}

#[test]
fn most_kinds_of_the_catalogue_are_used() {
    let experiments = all();
    let used: BTreeSet<&str> =
        experiments.iter().flat_map(|one| &one.reveille().faults).map(|fault| fault.kind.as_str()).collect();
    let unused: Vec<&str> =
        CATALOGUE.iter().map(|info| info.name).filter(|name| !used.contains(name)).collect();
    // The toxics of a proxy, and what others stand for: a swarm draws them.
    let spare = [
        "endpoint.refused",
        "endpoint.reset",
        "endpoint.half_open",
        "link.slow_close",
        "link.timeout",
        "link.reset",
        "link.slicer",
        "link.limit",
        "link.stale_command",
        "agent.crash_loop",
        "agent.frozen_load",
        "controller.pause",
    ];
    assert_eq!(unused, spare);
}
