//! Lines gathered into batches: what a sink is given.

use std::mem;

use super::{
    config::SourceConfig,
    counts::Counts,
    error::LogsError,
    format::{Parser, Scratch},
    instances::{Instances, NotTaken},
    miner::Miner,
    patterns::{AgentsSeen, Meaning},
    position::Position,
    reject::{RejectReason, RejectSample, excerpt},
};
use crate::visits::Sighting;

/// Lines in one batch.
pub(super) const BATCH_LINES_MAX: u64 = 10_000;

/// Longest line that is looked at, in bytes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// What some consecutive lines of one source said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// In the order of the lines; exact repetitions within the batch are left out.
    pub sightings: Vec<Sighting>,
    /// What became of the batch's lines, repetitions included.
    pub counts: Counts,
    /// The first few bad lines of this reading.
    pub samples: Vec<RejectSample>,
    /// The file, or `-`.
    pub source: String,
    /// Where to go on after this batch.
    pub position: Position,
}

/// Turns lines into what a batch holds.
#[derive(Debug)]
pub(super) struct Gatherer {
    miner: Miner,
    parser: Parser,
    file: String,
    scratch: Scratch,
    name: Vec<u8>,
    agents: AgentsSeen,
    instances: Instances,
    samples_left: usize,
    sightings: Vec<Sighting>,
    counts: Counts,
    samples: Vec<RejectSample>,
}

impl Gatherer {
    pub(super) fn new(miner: &Miner, source: &SourceConfig, file: &str) -> Result<Self, LogsError> {
        let compiled = miner.compiled();
        Ok(Self {
            miner: miner.clone(),
            parser: Parser::new(source, &format!("source {}", source.path))?,
            file: file.to_owned(),
            scratch: Scratch::default(),
            name: Vec::new(),
            agents: AgentsSeen::default(),
            instances: Instances::new(compiled.instances_max),
            samples_left: compiled.samples_max,
            sightings: Vec::new(),
            counts: Counts::default(),
            samples: Vec::new(),
        })
    }

    /// Takes line number `number` (the first is 1), without its `\n`.
    pub(super) fn line(&mut self, line: &[u8], number: u64) {
        self.counts.lines += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Err(reason) = self.record(line) {
            self.counts.reject(reason);
            self.sample(reason, number, line);
        }
    }

    /// Counts a line that is known to be bad without a look at it.
    pub(super) fn bad_line(&mut self, reason: RejectReason, line: &[u8], number: u64) {
        self.counts.lines += 1;
        self.counts.reject(reason);
        self.sample(reason, number, line);
    }

    /// Notes that the source ends here, too early. Not bounded by the number of samples: it happens once.
    pub(super) fn unreadable(&mut self, problem: &std::io::Error, number: u64) {
        self.counts.unreadable += 1;
        self.samples_left = self.samples_left.max(1);
        self.sample(RejectReason::Unreadable, number, problem.to_string().as_bytes());
    }

    fn record(&mut self, line: &[u8]) -> Result<(), RejectReason> {
        if line.len() > LINE_BYTES_MAX {
            return Err(RejectReason::TooLong);
        }
        let record = self.parser.parse(line, &mut self.scratch)?;
        self.counts.records += 1;
        let compiled = self.miner.compiled();
        let kind = match compiled.patterns.meaning(&record, &mut self.agents) {
            Meaning::Sighting(kind) => kind,
            Meaning::Ignored(ignored) => {
                self.counts.ignore(ignored);
                return Ok(());
            }
        };
        if !compiled.finder.find(&record, &mut self.name) {
            self.counts.no_instance += 1;
            return Ok(());
        }
        match self.instances.sighting(&self.name, record.at, kind) {
            Ok(sighting) => {
                self.counts.sightings.add(kind);
                self.sightings.extend(sighting);
            }
            Err(NotTaken::Bad) => self.counts.bad_instance += 1,
            Err(NotTaken::Full) => self.counts.too_many_instances += 1,
        }
        Ok(())
    }

    fn sample(&mut self, reason: RejectReason, line: u64, text: &[u8]) {
        let Some(left) = self.samples_left.checked_sub(1) else { return };
        self.samples_left = left;
        self.samples.push(RejectSample { file: self.file.clone(), line, reason, excerpt: excerpt(text) });
    }

    pub(super) fn is_full(&self) -> bool {
        self.counts.lines >= BATCH_LINES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.lines == 0 && self.counts.unreadable == 0
    }

    /// Everything since the last batch.
    pub(super) fn take(&mut self, position: Position) -> Batch {
        self.instances.next_batch();
        let capacity = self.sightings.capacity();
        Batch {
            sightings: mem::replace(&mut self.sightings, Vec::with_capacity(capacity)),
            counts: mem::take(&mut self.counts),
            samples: mem::take(&mut self.samples),
            source: self.file.clone(),
            position,
        }
    }
}
