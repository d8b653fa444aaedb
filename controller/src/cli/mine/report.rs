//! What `reveille mine` found, as numbers: the table and the JSON show the same.

use jiff::Timestamp;
use reveille_proto::InstanceId;
use serde::Serialize;

use super::history::{Histories, History};
use crate::logs::{Counts, RejectSample};

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MineReport {
    pub files: Vec<FileReport>,
    pub total: Totals,
}

/// One file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The file, the pattern that matched none, or `-`.
    pub file: String,
    #[serde(flatten)]
    pub counts: Counts,
    /// The first few bad lines.
    pub samples: Vec<RejectSample>,
    /// Why nothing (more) could be read.
    pub error: Option<String>,
}

/// All files together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    #[serde(flatten)]
    pub counts: Counts,
    pub instances: u64,
    pub visits: u64,
    /// Visits whose arrival found the instance asleep.
    pub visits_asked: u64,
    /// Earliest and latest sighting.
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    /// The instances with most visits, then most active quarter hours.
    pub top: Vec<TopInstance>,
}

/// One busy instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopInstance {
    pub instance: InstanceId,
    pub visits: u64,
    pub visits_asked: u64,
    /// UTC days with a sighting.
    pub active_days: u64,
    /// Quarter hours with a sighting.
    pub active_quarters: u64,
    pub last_departed_at: Option<Timestamp>,
}

impl MineReport {
    pub(super) fn new(files: Vec<FileReport>, histories: &Histories, top_max: usize) -> Self {
        let mut counts = Counts::default();
        for file in &files {
            counts.merge(&file.counts);
        }
        let mut top: Vec<TopInstance> =
            histories.iter().map(|(id, history)| TopInstance::new(id, history)).collect();
        top.sort_unstable_by(|a, b| {
            (b.visits, b.active_quarters)
                .cmp(&(a.visits, a.active_quarters))
                .then(a.instance.cmp(&b.instance))
        });
        let (first_at, last_at) = histories.span();
        let total = Totals {
            counts,
            instances: top.len() as u64,
            visits: top.iter().map(|one| one.visits).sum(),
            visits_asked: top.iter().map(|one| one.visits_asked).sum(),
            first_at,
            last_at,
            top: {
                top.truncate(top_max);
                top
            },
        };
        Self { files, total }
    }

    /// Whether there were lines and not one was a record: most likely they are of another format.
    pub fn is_all_rejected(&self) -> bool {
        self.total.counts.lines > 0 && self.total.counts.records == 0
    }

    /// Whether every source was found and read to its end. Otherwise the command ends with an error code.
    pub fn is_complete(&self) -> bool {
        self.files.iter().all(|file| file.error.is_none())
    }
}

impl TopInstance {
    fn new(instance: &InstanceId, history: &History) -> Self {
        Self {
            instance: instance.clone(),
            visits: history.visits().len() as u64,
            visits_asked: history.visits().filter(|visit| visit.asked()).count() as u64,
            active_days: history.activity.days().count() as u64,
            active_quarters: history.activity.quarters(),
            last_departed_at: history.visits().map(|visit| visit.departed_at).max(),
        }
    }
}
