//! The stock Chaos Toolkit takes every template and the example as they are, unexpanded, and what `expand` writes too.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    harness::{Python, end_well, programs},
    root,
};

/// The versions the format was made for.
pub(crate) const PACKAGES: [&str; 2] = ["chaostoolkit==1.19.0", "chaostoolkit-lib==1.44.0"];

fn validate(toolkit: &Python, file: &Path) -> Result<(), String> {
    toolkit.run("chaos", &["--no-version-check", "validate"], file)
}

fn templates() -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        fs::read_dir(dir).expect("readable").map(|entry| entry.expect("readable").path()).collect()
    };
    let mut files: Vec<PathBuf> =
        list(&root().join("chaos/templates")).iter().flat_map(|layer| list(layer)).collect();
    files.sort();
    files
}

#[test]
fn the_stock_toolkit_takes_every_template() {
    let files = templates();
    assert!(!files.is_empty());
    let what = &format!("{} templates with the stock Chaos Toolkit", files.len());
    let Some(toolkit) = Python::install_or_skip(&PACKAGES, what) else { return };
    let mut refused: Vec<String> = Vec::new();
    let example = root().join("chaos/schema/example.yaml");
    for file in files.iter().chain([&example]) {
        refused.extend(validate(&toolkit, file).err());
    }
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
    expanded(&toolkit);
    eprintln!("the stock Chaos Toolkit accepts {} of {} templates", files.len(), files.len());
}

/// What `expand` writes is an experiment of the toolkit as well.
fn expanded(toolkit: &Python) {
    let out = toolkit.dir().join("expanded.yaml");
    let mut chaos = Command::new(&programs().chaos);
    chaos.args(["expand", "EP-03", "--set", "factor=2.5", "--out"]).arg(&out);
    end_well(&mut chaos).expect("the template expands");
    validate(toolkit, &out).expect("the toolkit takes what was expanded");
}

#[test]
fn validate_ends_with_64_and_tells_every_problem() {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let good = fs::read_to_string(root().join("chaos/schema/example.yaml")).expect("the example is there");
    let broken =
        good.replace("host_cpu_max > 0.85", "host_heat > 0.85").replace("- {rung: 1,", "- {rung: 7,");
    assert_ne!(good, broken);
    fs::write(dir.path().join("good.yaml"), &good).expect("writable");
    fs::write(dir.path().join("broken.yaml"), broken).expect("writable");
    let validate = |file: &str| {
        let mut chaos = Command::new(&programs().chaos);
        chaos.args(["validate", "--output", "json"]).arg(dir.path().join(file));
        let output = chaos.output().expect("the program runs");
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it tells JSON");
        (output.status.code(), told)
    };
    assert_eq!(validate("good.yaml").0, Some(0));
    let (code, told) = validate("");
    assert_eq!(code, Some(64));
    let problems = told[0]["problems"].as_array().expect("problems are a list");
    let mut rules: Vec<&str> = problems.iter().filter_map(|one| one["rule"].as_str()).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["ladder_order", "metric_known"]);
    assert!(problems.iter().all(|one| one["line"].is_u64() && one["path"].is_string()), "{told}");
}
