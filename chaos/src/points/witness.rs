//! Inside a process that is watched: writes down every point it passes, and dies at the one it was told to die at.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use reveille_proto::{
    WakeId,
    clock::Clock,
    points::{Point, Points, Witness},
};

use super::{PointKey, files::world_start};

/// What a node is told of its points on its command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PointArgs {
    /// The name of the process in its points.
    #[arg(long, default_value = "node")]
    pub name: String,
    /// File the passed points are appended to, one in a line.
    #[arg(long)]
    pub points: Option<std::path::PathBuf>,
    /// The point to die at.
    #[arg(long)]
    pub die_at: Option<PointKey>,
    /// When the run began, in milliseconds since 1970.
    #[arg(long)]
    pub began_ms: Option<i64>,
}

impl PointArgs {
    /// The clock of the course: as fast as ours, and begun when the course did.
    pub fn clock(&self) -> Clock {
        let real = Clock::system();
        let began = self.began_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        began.map_or(real.clone(), |began| {
            Clock::scaled(world_start() + real.now().duration_since(began), 1.0)
        })
    }

    /// The points as the program is to tell them: to nobody when there is no file.
    pub fn open(&self) -> io::Result<Points> {
        let Some(path) = &self.points else { return Ok(Points::default()) };
        Ok(Points::told_to(Arc::new(Diary::open(&self.name, path, self.die_at.clone())?)))
    }
}

/// Every line is one write, so that a process that dies leaves whole lines.
#[derive(Debug)]
struct Diary {
    node: String,
    die_at: Option<PointKey>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// The instance of each wake that some point named both of.
    roles: BTreeMap<WakeId, String>,
    /// How often each point was passed, without its number.
    passed: BTreeMap<(String, String, String), u32>,
}

impl Diary {
    fn open(node: &str, path: &Path, die_at: Option<PointKey>) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let state = Mutex::new(State { file, roles: BTreeMap::new(), passed: BTreeMap::new() });
        Ok(Self { node: node.to_owned(), die_at, state })
    }

    /// Writes the point down, and says whether it is the last one.
    fn enter(&self, point: &Point<'_>) -> io::Result<bool> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(wake), Some(instance)) = (point.wake, point.instance) {
            state.roles.insert(wake, instance.to_string());
        }
        let role = point.wake.and_then(|wake| state.roles.get(&wake)).map_or("-", String::as_str).to_owned();
        let (step, what) = (point.step.as_str().to_owned(), point.what.to_owned());
        let nth = state.passed.entry((step.clone(), what.clone(), role.clone())).or_default();
        *nth += 1;
        let key = PointKey { node: self.node.clone(), step, what, role, nth: *nth };
        state.file.write_all(format!("{key}\n").as_bytes())?;
        Ok(self.die_at.as_ref() == Some(&key))
    }
}

impl Witness for Diary {
    fn passed(&self, point: &Point<'_>) {
        match self.enter(point) {
            // No destructor, no flush, no farewell to anybody.
            Ok(true) => std::process::abort(),
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "a point could not be written down");
                std::process::abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use reveille_proto::points::Step;

    use super::*;

    #[test]
    fn points_are_numbered_by_what_they_are_and_a_wake_is_known_by_its_role() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("points");
        let die_at = "agent-1/recorded/calling/accepted/1".parse().ok();
        let diary = Diary::open("agent-1", &path, die_at).expect("opened");
        let wake = "0190a1b2-0000-7000-8000-000000000001".parse().ok();
        let instance = "accepted".parse().expect("an id");
        let point = |what, instance| Point { step: Step::Recorded, what, wake, instance };
        let enter = |what, instance| diary.enter(&point(what, instance)).expect("written");
        assert!(!enter("received", Some(&instance)) && !enter("received", None));
        assert!(enter("calling", None), "the point it is to die at");
        assert!(!enter("calling", None), "which is passed once");
        let told = std::fs::read_to_string(&path).expect("readable");
        let names: Vec<&str> = told.lines().collect();
        assert_eq!(
            names,
            [
                "agent-1/recorded/received/accepted/1",
                "agent-1/recorded/received/accepted/2",
                "agent-1/recorded/calling/accepted/1",
                "agent-1/recorded/calling/accepted/2",
            ]
        );
    }
}
