//! A death after each row and each effect, in a sample of the points: nothing is lost, doubled or left on either database,
//! and a disk that lies is found out.

use reveille_chaos::{
    experiment::Verdict,
    points::{CourseDatabase, Plant, Sweep, SweepSpec, sweep},
};

use crate::harness::{Stage, programs};

fn spec(stage: &Stage, database: CourseDatabase) -> SweepSpec {
    SweepSpec {
        program: programs().chaos.clone(),
        database,
        every: 1,
        from: 0,
        only: None,
        jobs: 8,
        // Its logs are shown with the stage's when the test fails.
        keep: Some(stage.path("sweep")),
        plant: None,
    }
}

async fn swept(spec: &SweepSpec) -> Sweep {
    sweep(spec, &mut |_, _| {}).await.expect("the sweep can be carried out")
}

#[tokio::test]
async fn a_death_at_any_point_loses_nothing_on_sqlite() {
    let stage = Stage::enter().await;
    let found = swept(&SweepSpec { every: 40, from: 7, ..spec(&stage, CourseDatabase::Sqlite) }).await;
    let text = found.render();
    assert_eq!(found.verdict, Verdict::Held, "{text}");
    let points: u64 = found.by_kind.values().map(|tally| tally.points).sum();
    assert!(points >= 10, "the course has hundreds of points\n{text}");
    for process in ["controller", "agent"] {
        assert!(found.by_kind.keys().any(|kind| kind.contains(process)), "no {process} died\n{text}");
    }
    assert!(found.judged.values().all(|judged| judged.checked > 0), "{text}");
}

#[tokio::test]
async fn a_death_at_any_point_loses_nothing_on_postgres() {
    let stage = Stage::enter().await;
    let both = SweepSpec { every: 100, from: 60, ..spec(&stage, CourseDatabase::Postgres) };
    let found = match sweep(&both, &mut |_, _| {}).await {
        Err(error) if error.to_string().contains("not installed") => {
            eprintln!("SKIPPED: a death at any point on PostgreSQL ({error})");
            return;
        }
        found => found.expect("the sweep can be carried out"),
    };
    let text = found.render();
    assert_eq!(found.verdict, Verdict::Held, "{text}");
    assert!(found.by_kind.values().any(|tally| tally.held > 0), "{text}");
}

#[tokio::test]
async fn calls_that_are_made_before_they_are_written_down_are_found() {
    let stage = Stage::enter().await;
    let only = Some("agent-1/call-acted/portal/accepted/1".to_owned());
    let plant = Some(Plant::CallsBeforeJournal);
    let found = swept(&SweepSpec { only, plant, ..spec(&stage, CourseDatabase::Sqlite) }).await;
    let text = found.render();
    assert_eq!(found.verdict, Verdict::Violated, "{text}");
    assert!(found.violations.iter().any(|broken| broken.invariant == "S4"), "{text}");
}

#[tokio::test]
async fn answers_that_are_given_before_they_are_committed_are_found() {
    let stage = Stage::enter().await;
    let only = Some("controller/told/result_ack/levered/1".to_owned());
    let plant = Some(Plant::AnswersBeforeCommit);
    let found = swept(&SweepSpec { only, plant, ..spec(&stage, CourseDatabase::Sqlite) }).await;
    let text = found.render();
    assert_eq!(found.verdict, Verdict::Violated, "{text}");
    for invariant in ["S8", "S12"] {
        assert!(found.violations.iter().any(|broken| broken.invariant == invariant), "{invariant}\n{text}");
    }
}
