//! A death after each row and each effect, in a sample of the points: nothing is lost, doubled or left on either database,
//! and a disk that lies is found out.

use std::collections::BTreeSet;

use reveille_chaos::{
    experiment::Verdict,
    points::{CourseDatabase, Plant, Sweep, SweepSpec, sweep},
};

use crate::harness::{Stage, programs};

/// One in so many of the several hundred points of the course, and the first of them.
const SQLITE: (u32, u32) = (40, 7);
const POSTGRES: (u32, u32) = (100, 60);

fn spec(stage: &Stage, database: CourseDatabase) -> SweepSpec {
    SweepSpec {
        program: programs().chaos.clone(),
        database,
        every: 1,
        from: 0,
        only: None,
        jobs: 8,
        // Its logs are shown with the stage's when the test fails.
        keep: Some(stage.path(format!("{database:?}"))),
        plant: None,
    }
}

/// The invariants that are broken when somebody dies at a point and the disk has lied.
async fn broken(stage: &Stage, plant: Plant, only: &str) -> BTreeSet<&'static str> {
    let keep = Some(stage.path(format!("{plant:?}")));
    let (only, plant) = (Some(only.to_owned()), Some(plant));
    let spec = SweepSpec { only, plant, keep, ..spec(stage, CourseDatabase::Sqlite) };
    let found = sweep(&spec, &mut |_, _| {}).await.expect("the sweep can be carried out");
    assert_eq!(found.verdict, Verdict::Violated, "{}", found.render());
    found.violations.iter().map(|broken| broken.invariant).collect()
}

async fn sample(stage: &Stage, database: CourseDatabase, (every, from): (u32, u32)) -> Option<Sweep> {
    let spec = SweepSpec { every, from, ..spec(stage, database) };
    match sweep(&spec, &mut |_, _| {}).await {
        Err(error) if error.to_string().contains("not installed") => {
            eprintln!("SKIPPED: a death at any point on {database:?} ({error})");
            None
        }
        found => Some(found.expect("the sweep can be carried out")),
    }
}

#[tokio::test]
async fn a_death_at_any_point_loses_nothing_on_either_database() {
    let stage = Stage::enter().await;
    // Side by side: courses mostly wait.
    let (sqlite, postgres) = tokio::join!(
        sample(&stage, CourseDatabase::Sqlite, SQLITE),
        sample(&stage, CourseDatabase::Postgres, POSTGRES),
    );
    for found in sqlite.iter().chain(&postgres) {
        let text = found.render();
        assert_eq!(found.verdict, Verdict::Held, "{text}");
        assert!(found.judged.values().all(|judged| judged.checked > 0), "{text}");
    }
    let found = sqlite.expect("SQLite is always there");
    for process in ["controller", "agent"] {
        let died = found.by_kind.iter().filter(|(kind, _)| kind.contains(process));
        assert!(died.map(|(_, tally)| tally.held).sum::<u64>() >= 3, "{}", found.render());
    }
}

#[tokio::test]
async fn a_disk_that_lies_is_found_out() {
    let stage = Stage::enter().await;
    let (calls, answers) = tokio::join!(
        broken(&stage, Plant::CallsBeforeJournal, "agent-1/call-acted/portal/accepted/1"),
        broken(&stage, Plant::AnswersBeforeCommit, "controller/told/result_ack/refused/2"),
    );
    assert!(calls.contains("S4"), "a second call: {calls:?}");
    assert!(answers.contains("S8") && answers.contains("S12"), "promises that are gone: {answers:?}");
}
