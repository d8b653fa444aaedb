//! As SARIF 2.1.0, for the lines of a change: a rule for each invariant, a result for each that a seed or a plan broke.

use std::{collections::BTreeMap, path::Path};

use serde_sarif::sarif::{
    ArtifactLocation, Location, Message, MultiformatMessageString, PhysicalLocation, Region,
    ReportingConfiguration, ReportingDescriptor, Result as Finding, ResultLevel, Run, RunAutomationDetails,
    SCHEMA_URL, Sarif, Tool, ToolComponent, Version,
};

use super::{Case, Cases};
use crate::experiment::Verdict;

/// Where a seed becomes a plan: the place of what no judge has said.
const DRAWN: &str = "chaos/src/sim/plan.rs";

/// What went wrong besides an invariant.
const OTHERS: [(&str, &str); 4] = [
    ("not-recovered", "what a fault did is over when the fault is"),
    ("inconclusive", "a run that judged nothing, or is not the same twice, proves nothing"),
    ("deviated", "what was measured stays within its tolerance"),
    ("harness", "the proving ground itself does not fail"),
];

/// Violated invariants are errors, and so is a harness that failed; what proves nothing is a warning.
pub fn sarif(played: &Cases) -> serde_json::Result<String> {
    let invariants = played.rules.iter().map(|(id, rule)| (*id, rule.statement, "error"));
    let others = OTHERS.map(|(id, says)| (id, says, if id == "harness" { "error" } else { "warning" }));
    let rules: Vec<_> = invariants.chain(others).map(|(id, says, level)| rule(id, says, level)).collect();
    let findings: Vec<Finding> = played.cases.iter().flat_map(|case| findings(case, played)).collect();
    let driver = ToolComponent::builder()
        .name("reveille-chaos".to_owned())
        .version(env!("CARGO_PKG_VERSION").to_owned())
        .rules(rules)
        .build();
    // What is before the slash tells findings of one command from those of another.
    let category = RunAutomationDetails::builder().id(format!("{}/", played.suite)).build();
    let run = Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .automation_details(category)
        .results(findings)
        .build();
    let version = serde_json::to_value(Version::V2_1_0)?;
    let log = Sarif::builder().schema(SCHEMA_URL.to_owned()).version(version).runs(vec![run]).build();
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

fn rule(id: &str, says: &str, level: &str) -> ReportingDescriptor {
    let says = MultiformatMessageString::builder().text(says.to_owned()).build();
    let level = ReportingConfiguration::builder().level(level).build();
    ReportingDescriptor::builder()
        .id(id.to_owned())
        .short_description(says)
        .default_configuration(level)
        .build()
}

fn findings(case: &Case, played: &Cases) -> Vec<Finding> {
    if case.verdict == Verdict::Held {
        return Vec::new();
    }
    if case.violated.is_empty() {
        let (id, level) = match case.verdict {
            Verdict::NotRecovered => ("not-recovered", ResultLevel::Warning),
            Verdict::Deviated => ("deviated", ResultLevel::Warning),
            Verdict::Error | Verdict::InvalidFile => ("harness", ResultLevel::Error),
            Verdict::Held | Verdict::Violated | Verdict::Inconclusive | Verdict::Aborted => {
                ("inconclusive", ResultLevel::Warning)
            }
        };
        return vec![finding(case, id, &case.why.join("; "), level, (DRAWN.to_owned(), 1))];
    }
    let broken = case.violated.iter().map(|(id, text)| {
        let judge = played.rules.get(id).map(|rule| rule.judge);
        let place = judge.map_or((DRAWN.to_owned(), 1), |judge| (below_root(judge.file()), judge.line()));
        finding(case, id, &format!("{id} broken: {text}"), ResultLevel::Error, place)
    });
    broken.collect()
}

/// At the plan where that is a file, else at the judge.
fn finding(case: &Case, id: &str, what: &str, level: ResultLevel, judge: (String, u32)) -> Finding {
    let (uri, line) = case.plan.as_deref().map_or(judge, |plan| (uri(plan), 1));
    let text = format!("{}: {what}. Play it again: {}", case.name, case.replay);
    let at = PhysicalLocation::builder()
        .artifact_location(ArtifactLocation::builder().uri(uri).build())
        .region(Region::builder().start_line(i64::from(line)).build())
        .build();
    // What stays the same from one build to the next, so that one finding is not told twice.
    let fingerprint = BTreeMap::from([("case/v1".to_owned(), format!("{}/{id}", case.name))]);
    Finding::builder()
        .rule_id(id.to_owned())
        .level(level)
        .message(Message::builder().text(text).build())
        .locations(vec![Location::builder().physical_location(at).build()])
        .partial_fingerprints(fingerprint)
        .build()
}

/// The compiler may have been started elsewhere.
fn below_root(file: &str) -> String {
    file.find("chaos/src/").map_or(file, |at| &file[at..]).to_owned()
}

fn uri(plan: &Path) -> String {
    let parts = plan.components().map(|part| part.as_os_str().to_string_lossy().replace(' ', "%20"));
    parts.collect::<Vec<_>>().join("/").trim_start_matches("./").replacen("//", "/", 1)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::Value;

    use super::{super::case::sweep_of_two, *};

    fn written(played: &Cases) -> Value {
        serde_json::from_str(&sarif(played).expect("serializable")).expect("JSON")
    }

    /// The one that comes with the crate, which cargo has unpacked.
    fn schema() -> Value {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["metadata", "--format-version", "1", "--offline", "--locked"]);
        // What only other systems need may not be there.
        cargo.arg("--filter-platform").arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH));
        let told = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs").stdout;
        let told: Value = serde_json::from_slice(&told).expect("JSON");
        let mut packages = told["packages"].as_array().expect("packages").iter();
        let manifest = packages.find(|one| one["name"] == "serde-sarif").expect("a package")["manifest_path"]
            .as_str()
            .expect("a path");
        let path = Path::new(manifest).with_file_name("src").join("schema.json");
        let text = std::fs::read_to_string(path).expect("readable");
        let mut schema: Value = serde_json::from_str(&text).expect("JSON");
        // Languages, which are not written here, have a pattern with a bracket too many.
        for of in ["run", "toolComponent"] {
            let language = schema["definitions"][of]["properties"]["language"].as_object_mut();
            language.expect("a property").remove("pattern").expect("a pattern");
        }
        schema
    }

    #[test]
    fn what_is_written_is_valid_by_the_schema_of_sarif() {
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let mut log = written(&Cases::from(&sweep_of_two()));
        let problems: Vec<String> = validator.iter_errors(&log).map(|problem| problem.to_string()).collect();
        assert!(problems.is_empty(), "{problems:#?}");
        log["runs"][0]["results"][0]["level"] = "grave".into();
        assert!(!validator.is_valid(&log), "the schema refuses what is wrong");
    }

    #[test]
    fn a_broken_invariant_is_an_error_at_its_judge_and_says_how_to_see_it() {
        let log = written(&Cases::from(&sweep_of_two()));
        let results = log["runs"][0]["results"].as_array().expect("results");
        assert_eq!(results.len(), 2, "the seed that broke, and that seeds are no histories");
        let (broken, diverged) = (&results[0], &results[1]);
        assert_eq!((&broken["ruleId"], &broken["level"]), (&"S4".into(), &"error".into()));
        let text = broken["message"]["text"].as_str().expect("text");
        let expected = "seed 4: S4 broken: two <effects>. Play it again: reveille-chaos replay --seed 4";
        assert_eq!(text, expected);
        let at = &broken["locations"][0]["physicalLocation"];
        // The rule was made there.
        assert_eq!(at["artifactLocation"]["uri"], "chaos/src/sim/written/case.rs");
        assert!(at["region"]["startLine"].as_i64() > Some(1));
        assert_eq!((&diverged["ruleId"], &diverged["level"]), (&"inconclusive".into(), &"warning".into()));
        assert_eq!(log["runs"][0]["automationDetails"]["id"], "reveille-chaos sim/");
        let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
        assert_eq!(rules[0]["id"], "S4");
        assert_eq!(rules[0]["shortDescription"]["text"], "one <effect>");
    }

    #[test]
    fn the_place_of_a_plan_of_the_corpus_is_its_file() {
        let mut played = Cases::from(&sweep_of_two());
        played.cases[1].plan = Some("./chaos/corpus/a b/plan.json".into());
        let log = written(&played);
        let at = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(at["artifactLocation"]["uri"], "chaos/corpus/a%20b/plan.json");
        assert_eq!(at["region"]["startLine"], 1);
    }

    #[test]
    fn every_judge_of_the_simulation_is_where_its_rule_says() {
        let history = crate::history::History {
            header: crate::history::Header::new("sim", 1, "virtual", "UTC"),
            events: Vec::new(),
        };
        for one in crate::oracle::check_simulated(&history) {
            let file = below_root(one.judge.file());
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
            let text = std::fs::read_to_string(root.join(&file)).expect("readable");
            assert!(file.starts_with("chaos/src/oracle/"), "{file}");
            let line = text.lines().nth(one.judge.line() as usize - 1).expect("a line");
            assert!(line.contains(&format!("Checked::new(\"{}\"", one.id)), "{file}: {line}");
        }
    }
}
