//! The layout of the house is a test, not a wish: who may know whom, and what a pure room may not do.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

/// The Rust files below `dir`, with their text without the test modules at their end.
fn sources(dir: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("failed to read {}: {e}", dir.display())) {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&root().join(dir), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "no sources below {dir}");
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a readable source");
        let shown = path.strip_prefix(root()).expect("below the root").display().to_string();
        (shown, production_part(&text))
    };
    // `tests.rs`, and the files of its own in a directory beside it.
    let is_test = |path: &PathBuf| {
        let inside = path.strip_prefix(root()).expect("below the root");
        inside
            .components()
            .skip(1)
            .any(|part| matches!(part.as_os_str().to_str(), Some("tests.rs" | "tests")))
    };
    paths.iter().filter(|path| !is_test(path)).map(read).collect()
}

/// Code without comments and without what stands behind `#[cfg(test)]`.
fn production_part(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every place in `dir` that holds one of `words`, apart from files below `except`.
fn offences(dir: &str, words: &[&str], except: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(dir) {
        if except.iter().any(|prefix| path.starts_with(prefix)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let hit = words.iter().find(|word| line.contains(**word));
            found.extend(hit.map(|word| format!("{path}:{}: {word}", number + 1)));
        }
    }
    found
}

fn assert_none(offences: &[String], rule: &str) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

/// Names in a manifest's `[dependencies]` that are ours.
fn our_dependencies(member: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(member).join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = text.parse().expect("a valid manifest");
    let section = manifest.get("dependencies").and_then(toml::Value::as_table);
    let names = section.into_iter().flat_map(|table| table.keys().cloned());
    names.filter(|name| name.starts_with("reveille-")).collect()
}

#[test]
fn the_crates_know_only_whom_they_may() {
    assert_eq!(our_dependencies("proto"), [""; 0]);
    assert_eq!(our_dependencies("agent"), ["reveille-proto"]);
    assert_eq!(our_dependencies("controller"), ["reveille-proto"]);
    assert_eq!(our_dependencies("chaos"), ["reveille-agent", "reveille-controller", "reveille-proto"]);
}

#[test]
fn the_top_level_is_what_the_readme_says() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "LICENSE",
        "agent",
        "controller",
        "chaos",
        "proto",
        "tests",
        "target",
    ];
    let names = fs::read_dir(root()).expect("readable").map(|e| e.expect("readable").file_name());
    let more: Vec<_> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| !name.starts_with('.') && !allowed.contains(&name.as_str()))
        .collect();
    assert!(more.is_empty(), "the top level holds more than the layout names: {more:?}");
}

const PURE_ROOMS: [&str; 9] =
    ["visits", "model", "plan", "wake", "queue", "throttle", "outcome", "notify", "report"];

#[test]
fn pure_rooms_do_no_io_read_no_clock_and_draw_no_numbers() {
    let forbidden = [
        "tokio",
        "sqlx",
        "axum",
        "tonic",
        "reqwest",
        "std::fs",
        "std::net",
        "std::io",
        "std::thread",
        "std::env",
        "std::process",
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "Zoned::now",
        "clock::Clock",
        "rand::",
        "async ",
        ".await",
        "spawn(",
        "crate::store",
        "crate::tasks",
        "crate::fleet",
        "crate::api",
        "crate::app",
        "crate::cli",
        "crate::config",
        "crate::logs",
        "crate::calendars",
        "v1::",
        "tracing",
    ];
    for room in PURE_ROOMS {
        let dir = format!("controller/src/{room}");
        assert_none(&offences(&dir, &forbidden, &[]), "a pure room reaches where it must not");
    }
}

#[test]
fn each_library_stays_in_its_room() {
    let sql = offences("controller/src", &["sqlx"], &["controller/src/store/"]);
    assert_none(&sql, "SQL belongs in store/");
    let calendars = offences("controller/src", &["calcard"], &["controller/src/calendars/"]);
    assert_none(&calendars, "iCalendar belongs in calendars/");
    let web = offences("controller/src", &["axum"], &["controller/src/api/", "controller/src/app/build.rs"]);
    assert_none(&web, "axum belongs in api/");
    let wire = ["controller/src/fleet/", "controller/src/api/", "controller/src/app/build.rs"];
    assert_none(&offences("controller/src", &["v1::"], &wire), "messages belong at the ends of the link");
    let mail = ["controller/src/deliver/", "controller/src/config/notify"];
    assert_none(&offences("controller/src", &["lettre"], &mail), "e-mail belongs in deliver/");
    let drawing = offences("controller/src", &["plotters", "resvg"], &["controller/src/report/plot/"]);
    assert_none(&drawing, "plots belong in report/plot/");
    // The executor hears commands and answers them: it is the agent's end of the link.
    let wire = ["agent/src/link/", "agent/src/app", "agent/src/execute/"];
    assert_none(&offences("agent/src", &["v1::"], &wire), "messages belong at the ends of the link");
    let calls = ["agent/src/driver/", "agent/src/cli"];
    assert_none(
        &offences("agent/src", &["reqwest::Client", "reqwest::Request", "reqwest::get"], &calls),
        "only a driver calls an instance",
    );
}

#[test]
fn ends_of_the_house_do_not_know_each_other() {
    assert_none(&offences("agent/src", &["reveille_controller", "reveille_chaos"], &[]), "the agent");
    assert_none(&offences("controller/src", &["reveille_agent", "reveille_chaos"], &[]), "the controller");
    assert_none(
        &offences("proto/src", &["reveille_agent", "reveille_controller", "reveille_chaos"], &[]),
        "proto",
    );
}

#[test]
fn every_file_says_its_idea_first() {
    for member in ["proto/src", "agent/src", "controller/src", "chaos/src"] {
        for (path, _) in sources(member) {
            if path.contains("/gen/") {
                continue;
            }
            let text = fs::read_to_string(root().join(&path)).expect("readable");
            assert!(text.starts_with("//! "), "{path} does not open with its idea");
        }
    }
}

#[test]
fn no_room_is_a_lumber_room() {
    for member in ["proto/src", "agent/src", "controller/src", "chaos/src"] {
        for (path, _) in sources(member) {
            let name = Path::new(&path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let lumber = ["utils", "util", "common", "helpers", "helper", "manager", "misc"];
            assert!(!lumber.contains(&name), "{path}: name it for its idea");
        }
    }
}
