//! The ready jobs of `chaos/docs/ci`, and the run of this repository: they say what the command line understands.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use serde_json::Value;

use super::args::{Args, Command};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn job(name: &str) -> Value {
    serde_saphyr::from_str(&read(name)).unwrap_or_else(|error| panic!("{name} is no YAML: {error}"))
}

/// What is called in a line of a shell, without what stands around it.
fn called(line: &str) -> Option<Args> {
    let (_, rest) = line.split_once("reveille-chaos ").or_else(|| line.split_once("\"$chaos\" "))?;
    let rest = rest.split("||").next().unwrap_or_default();
    let words = rest.split_whitespace().map(|word| word.trim_matches('"'));
    let args = std::iter::once("reveille-chaos").chain(words);
    Some(Args::try_parse_from(args).unwrap_or_else(|error| panic!("{line}: {error}")))
}

/// A corpus and a sweep within a time, of which both leave what CI shows.
fn plays(lines: &[String]) {
    let commands: Vec<Command> = lines.iter().filter_map(|line| Some(called(line)?.command)).collect();
    let [Command::Corpus(corpus), Command::Sim(sim)] = &commands[..] else {
        panic!("not a corpus and a sweep: {lines:?}")
    };
    assert!(root().join(&corpus.dir).is_dir() && corpus.junit.is_some() && corpus.sarif.is_some());
    assert!(sim.budget_s.is_some_and(|budget_s| (30..=90).contains(&budget_s)));
    assert!(sim.junit.is_some() && sim.html.is_some() && sim.sarif.is_some() && sim.markdown.is_some());
}

fn texts(list: &Value) -> Vec<String> {
    let all = list.as_array().expect("a list").iter();
    all.filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

#[test]
fn the_job_for_github_plays_both_and_uploads_everything() {
    let job = &job("chaos/docs/ci/github.yml")["jobs"]["simulation"];
    let steps = job["steps"].as_array().expect("steps");
    plays(&steps.iter().filter_map(|step| step["run"].as_str().map(str::to_owned)).collect::<Vec<_>>());
    let uses = |action: &str| {
        let step = steps.iter().find(|step| step["uses"].as_str().is_some_and(|uses| uses.contains(action)));
        step.unwrap_or_else(|| panic!("no step uses {action}"))
    };
    for (action, input) in [("upload-sarif", "sarif_file"), ("upload-artifact", "path")] {
        let step = uses(action);
        assert_eq!(step["with"][input], "reports", "{action}");
        assert_eq!(step["if"], "${{ !cancelled() }}", "{action} is for jobs that fail, too");
    }
}

#[test]
fn the_job_for_gitlab_plays_both_keeps_everything_and_ends_with_the_code() {
    let job = &job("chaos/docs/ci/gitlab.yml")["simulation"];
    let script = texts(&job["script"]);
    plays(&script);
    assert_eq!(script.last().map(String::as_str), Some("exit \"$code\""));
    let artifacts = &job["artifacts"];
    assert_eq!((&artifacts["when"], &artifacts["paths"][0]), (&"always".into(), &"reports/".into()));
    assert_eq!(artifacts["reports"]["junit"], "reports/*.xml");
}

#[test]
fn this_repositorys_own_run_plays_both() {
    let joined = read(".ci/run").replace("\\\n", " ");
    let lines = joined.lines().filter(|line| line.contains("\"$chaos\" ")).map(str::to_owned);
    let (packs, others): (Vec<String>, Vec<String>) = lines.partition(|line| line.contains(" run "));
    let (reports, others): (Vec<String>, Vec<String>) =
        others.into_iter().partition(|line| line.contains(" report "));
    plays(&others);
    let report = reports.first().and_then(|line| called(line)).map(|args| args.command);
    let Some(Command::Report(report)) = report else { panic!("no report: {reports:?}") };
    assert!(report.html.is_some() && report.markdown.is_some());
    let [pack] = &packs[..] else { panic!("not one pack: {packs:?}") };
    let Some(Command::Run(pack)) = called(pack).map(|args| args.command) else { panic!("{pack}") };
    assert_eq!(
        (pack.experiments, pack.tag),
        (vec!["library".to_owned()], vec!["pack:regression".to_owned()])
    );
    assert_eq!((pack.budget_s, pack.junit.is_some()), (Some(90), true));
    assert_eq!(pack.journals, Some(report.dir), "what it says is of this pack");
}
