//! The sweep: the course a few times as it is, to learn its points, then once for each point with a death there.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use reveille_controller::{
    postgres::Server,
    store::{DatabaseUrl, FreshDatabases},
};
use reveille_proto::points::Step;
use tempfile::TempDir;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Mutex, Semaphore},
    task::JoinSet,
};

use super::{
    PointKey, RunOutcome, RunSpec,
    plant::Plant,
    report::{PointResult, Sweep},
    run,
};

/// How often the course is walked as it is: a point that is not passed every time proves nothing when it is missed.
const REFERENCES: usize = 3;
/// What the course must pass for a sweep to prove anything: every event of a wake, and every effect.
const MUST_PASS: [(Step, &str); 12] = [
    (Step::RowCommitted, "created"),
    (Step::RowCommitted, "dispatch"),
    (Step::RowCommitted, "progress"),
    (Step::RowCommitted, "result"),
    (Step::RowCommitted, "reconnected"),
    (Step::RowCommitted, "join"),
    (Step::RowCommitted, "cancel"),
    (Step::RowCommitted, "force"),
    (Step::RowCommitted, "tick"),
    (Step::EffectDone, "send_wake"),
    (Step::EffectDone, "send_cancel"),
    (Step::EffectDone, "look_at_queue"),
];
/// How often a point is walked up to before it is given up.
const TRIES_MAX: usize = 3;
/// The same for what must happen again: whether something is told a second time is a matter of timing.
const AGAIN_TRIES_MAX: usize = 8;

/// Where the controllers keep their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CourseDatabase {
    Sqlite,
    /// A private PostgreSQL server.
    Postgres,
    /// SQLite, and PostgreSQL where it is installed.
    Both,
}

/// What is swept.
#[derive(Debug, Clone)]
pub struct SweepSpec {
    /// The `reveille-chaos` binary that is started as every process.
    pub program: PathBuf,
    pub database: CourseDatabase,
    /// Only every n-th point,
    pub every: u32,
    /// beginning with this one, from 0.
    pub from: u32,
    /// Only points whose name holds this; the whole name of one is taken as it is.
    pub only: Option<String>,
    /// Courses at once.
    pub jobs: u16,
    /// Everything stays here; in a temporary directory otherwise.
    pub keep: Option<PathBuf>,
    /// For tests of the sweep itself.
    pub plant: Option<Plant>,
}

/// Sweeps, and tells how many courses of how many are over. Fails when it cannot be carried out.
pub async fn sweep(spec: &SweepSpec, told: &mut (dyn FnMut(u64, u64) + Send)) -> anyhow::Result<Sweep> {
    let temporary = spec.keep.is_none().then(tempfile::tempdir).transpose()?;
    let dir = spec.keep.clone().or_else(|| temporary.as_ref().map(|dir| dir.path().to_owned()));
    let dir = dir.context("neither a directory to keep nor a temporary one")?;
    std::fs::create_dir_all(&dir).with_context(|| format!("failed to make {}", dir.display()))?;
    ensure!(std::fs::read_dir(&dir)?.next().is_none(), "{} is not empty", dir.display());
    let mut found = Sweep::new(spec.every);
    if spec.database != CourseDatabase::Postgres {
        Arena::new(spec, &dir, "sqlite", None)?.sweep(&mut found, told).await?;
    }
    if spec.database != CourseDatabase::Sqlite && !found.aborted {
        // Not durable: what is killed here is processes, not machines.
        match Server::start(false).context("failed to start a PostgreSQL server")? {
            Some(server) => {
                Arena::new(spec, &dir, "postgres", Some(&server))?.sweep(&mut found, told).await?;
            }
            None if spec.database == CourseDatabase::Both => {
                found.skipped.push("PostgreSQL is not installed here".into());
            }
            None => anyhow::bail!("PostgreSQL is not installed here"),
        }
    }
    found.judge();
    drop::<Option<TempDir>>(temporary);
    Ok(found)
}

/// The courses of one database. Cheap to clone.
#[derive(Debug, Clone)]
struct Arena {
    spec: Arc<SweepSpec>,
    dir: PathBuf,
    database: &'static str,
    /// Databases are made one after the other.
    server: Option<(FreshDatabases, Arc<Mutex<()>>)>,
    places: Arc<Semaphore>,
}

impl Arena {
    fn new(
        spec: &SweepSpec,
        dir: &Path,
        database: &'static str,
        server: Option<&Server>,
    ) -> anyhow::Result<Self> {
        let fresh = server.map(|server| FreshDatabases::on(&DatabaseUrl::new(server.url("postgres"))));
        let server = fresh.transpose()?.map(|fresh| (fresh, Arc::default()));
        let places = Arc::new(Semaphore::new(spec.jobs.into()));
        Ok(Self { spec: Arc::new(spec.clone()), dir: dir.join(database), database, server, places })
    }

    async fn sweep(&self, found: &mut Sweep, told: &mut (dyn FnMut(u64, u64) + Send)) -> anyhow::Result<()> {
        let named = self.spec.only.as_ref().and_then(|only| only.parse::<PointKey>().ok());
        let points = match named {
            Some(point) => vec![point],
            None => self.points(found).await?,
        };
        let all = points.len() as u64;
        told(0, all);
        let mut courses = JoinSet::new();
        for (number, point) in points.into_iter().enumerate() {
            let arena = self.clone();
            courses.spawn(async move {
                let place = Arc::clone(&arena.places);
                let _place = place.acquire_owned().await.context("no course may begin any more")?;
                arena.walk_up_to(number, point).await
            });
        }
        let (mut done, mut stop) = (0, signal(SignalKind::terminate())?);
        loop {
            let course = tokio::select! {
                course = courses.join_next() => course,
                // What was found until now is told; processes go with their courses.
                _ = tokio::signal::ctrl_c() => break found.aborted = true,
                _ = stop.recv() => break found.aborted = true,
            };
            let Some(course) = course else { break };
            found.add(&course.context("a course panicked")??);
            done += 1;
            told(done, all);
        }
        Ok(())
    }

    /// The points that are passed every time, and of these those that are wanted.
    async fn points(&self, found: &mut Sweep) -> anyhow::Result<Vec<PointKey>> {
        let mut references = JoinSet::new();
        for number in 0..REFERENCES {
            let arena = self.clone();
            references.spawn(async move { arena.course(&format!("reference-{number}"), None).await });
        }
        let mut passed: Vec<Vec<PointKey>> = Vec::new();
        while let Some(reference) = references.join_next().await {
            let outcome = reference.context("a course panicked")??;
            passed.push(outcome.passed.clone());
            found.add_reference(self.database, &outcome);
        }
        let mut times: BTreeMap<&PointKey, usize> = BTreeMap::new();
        for point in passed.iter().flatten() {
            *times.entry(point).or_default() += 1;
        }
        let steady: BTreeSet<&PointKey> =
            times.iter().filter(|(_, times)| **times == REFERENCES).map(|(point, _)| *point).collect();
        found.unsteady += (times.len() - steady.len()) as u64;
        found.not_passed.extend(not_passed(&steady).map(|what| format!("{} {what}", self.database)));
        let is_wanted =
            |point: &&PointKey| self.spec.only.as_ref().is_none_or(|only| point.to_string().contains(only));
        let wanted = steady.into_iter().filter(is_wanted);
        Ok(wanted.skip(self.spec.from as usize).step_by(self.spec.every as usize).cloned().collect())
    }

    async fn walk_up_to(&self, number: usize, point: PointKey) -> anyhow::Result<PointResult> {
        let mut last = None;
        let tries = if point.nth > 1 { AGAIN_TRIES_MAX } else { TRIES_MAX };
        for attempt in 1..=tries {
            let name = format!("point-{number:04}-{attempt}");
            let outcome = self.course(&name, Some(&point)).await?;
            let reached = outcome.died;
            last = Some(outcome);
            if reached {
                break;
            }
        }
        let outcome = last.context("no course was walked")?;
        Ok(PointResult::new(self.database, point, outcome))
    }

    /// One course in a directory and a database of its own.
    async fn course(&self, name: &str, die_at: Option<&PointKey>) -> anyhow::Result<RunOutcome> {
        let dir = self.dir.join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("failed to make {}", dir.display()))?;
        let database = format!("{}_{}", self.database, name.replace('-', "_"));
        let database_url = match &self.server {
            None => None,
            Some((fresh, turn)) => {
                let _turn = turn.lock().await;
                Some(fresh.create(&database).await?.exposed().to_owned())
            }
        };
        let spec = RunSpec {
            program: self.spec.program.clone(),
            dir: dir.clone(),
            database_url,
            die_at: die_at.cloned(),
            plant: self.spec.plant,
        };
        let outcome = run(&spec).await.with_context(|| format!("the course {name} failed"));
        if self.spec.keep.is_none() {
            std::fs::remove_dir_all(&dir).ok();
        }
        if let Some((fresh, turn)) = &self.server {
            let _turn = turn.lock().await;
            fresh.discard(&database).await?;
        }
        outcome
    }
}

/// What the course did not pass although it must.
fn not_passed<'a>(steady: &'a BTreeSet<&PointKey>) -> impl Iterator<Item = &'static str> + use<'a> {
    let is_of = |point: &PointKey, step: Step, name: &str| {
        point.step == step.as_str() && point.what.split(':').next() == Some(name)
    };
    let missed =
        MUST_PASS.iter().filter(move |(step, name)| !steady.iter().any(|point| is_of(point, *step, name)));
    missed.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_course_does_not_pass_is_said() {
        let points: Vec<PointKey> = MUST_PASS
            .iter()
            .filter(|(_, name)| *name != "force")
            .map(|(step, name)| PointKey {
                node: "controller".into(),
                step: step.as_str().into(),
                what: format!("{name}:a:b"),
                role: "accepted".into(),
                nth: 1,
            })
            .collect();
        assert_eq!(not_passed(&points.iter().collect()).collect::<Vec<_>>(), ["force"]);
    }
}
