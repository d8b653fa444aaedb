//! The ready jobs of `chaos/docs/ci` are what GitHub and GitLab take, by the schemas these publish.

use std::fs;

use crate::{harness::Python, root};

/// It comes with the schemas, so that nothing is fetched when it checks.
const PACKAGES: [&str; 1] = ["check-jsonschema==0.39.0"];

/// Each with its schema, and something that makes it wrong.
const JOBS: [(&str, &str, (&str, &str)); 2] = [
    ("github.yml", "vendor.github-workflows", ("runs-on:", "run-on:")),
    ("gitlab.yml", "vendor.gitlab-ci", ("script:", "scripts:")),
];

#[test]
fn the_ready_jobs_are_valid_by_the_schemas_of_their_makers() {
    let what = "the schemas of the CI jobs";
    let Some(python) = Python::install_or_skip(&PACKAGES, what) else { return };
    for (name, schema, (right, wrong)) in JOBS {
        let file = root().join("chaos/docs/ci").join(name);
        let check = |file: &_| python.run("check-jsonschema", &["--builtin-schema", schema], file);
        if let Err(why) = check(&file) {
            panic!("{name}: {why}");
        }
        let text = fs::read_to_string(&file).expect("readable");
        let broken = text.replacen(right, wrong, 1);
        assert_ne!(text, broken);
        let copy = python.dir().join(name);
        fs::write(&copy, broken).expect("writable");
        assert!(check(&copy).is_err(), "{name} with `{wrong}` must be refused");
    }
}
