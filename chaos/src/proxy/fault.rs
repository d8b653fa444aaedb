//! The journal of faults: what was on, since when and until when, whether it bit, and who ended it.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    str::FromStr,
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::{
    hits::{Bitten, Hits},
    lease::Lease,
};

/// Faults that are over and still shown; older ones are only counted.
const OVER_MAX: usize = 10_000;

/// Unique in the life of one server. Shown as `f12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId(pub(super) u64);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

impl FromStr for FaultId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix('f').unwrap_or(text).parse().map(Self)
    }
}

impl Serialize for FaultId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Who ended a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovedBy {
    /// Somebody asked for it: the toxic was removed, the proxy enabled.
    Request,
    /// `POST /reset`.
    Reset,
    /// Its lease ran out.
    Lease,
    /// The proxy it was on was deleted or replaced.
    Proxy,
}

/// What a fault is on: a toxic of a proxy, or the whole proxy that is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) proxy: String,
    pub(super) toxic: Option<String>,
}

#[derive(Debug)]
pub(super) struct Fault {
    id: FaultId,
    kind: String,
    target: String,
    pub(super) place: Place,
    since: Timestamp,
    until: Option<Timestamp>,
    pub(super) lease: Option<Lease>,
    hits: Arc<Hits>,
    removed_by: Option<RemovedBy>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultView {
    pub id: FaultId,
    /// `link.` and the type of the toxic, or `link.down`.
    pub kind: String,
    /// `proxy/stream`, or the proxy.
    pub target: String,
    /// Name of the toxic.
    pub toxic: Option<String>,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    pub hits: u64,
    pub bitten: Bitten,
    /// Whether it bit at least once.
    pub proven: bool,
    pub removed_by: Option<RemovedBy>,
    /// Length of its lease, in seconds.
    pub lease_s: Option<f64>,
    /// When it ends by itself unless it is renewed.
    pub lease_until: Option<Timestamp>,
}

/// All faults of one server.
#[derive(Debug, Default)]
pub(super) struct FaultBook {
    next: u64,
    on: BTreeMap<FaultId, Fault>,
    over: VecDeque<Fault>,
    forgotten: u64,
}

/// A fault that begins.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) kind: String,
    pub(super) target: String,
    pub(super) place: Place,
    pub(super) since: Timestamp,
    pub(super) lease: Option<Lease>,
    pub(super) hits: Arc<Hits>,
}

impl FaultBook {
    pub(super) fn begin(&mut self, beginning: Beginning) -> FaultId {
        self.next += 1;
        let id = FaultId(self.next);
        let Beginning { kind, target, place, since, lease, hits } = beginning;
        let fault = Fault { id, kind, target, place, since, until: None, lease, hits, removed_by: None };
        self.on.insert(id, fault);
        id
    }

    pub(super) fn end(&mut self, id: FaultId, by: RemovedBy, now: Timestamp) {
        let Some(mut fault) = self.on.remove(&id) else { return };
        (fault.until, fault.removed_by) = (Some(now), Some(by));
        self.over.push_back(fault);
        if self.over.len() > OVER_MAX {
            self.over.pop_front();
            self.forgotten += 1;
        }
    }

    pub(super) fn on_mut(&mut self, id: FaultId) -> Option<&mut Fault> {
        self.on.get_mut(&id)
    }

    pub(super) fn all_on_mut(&mut self) -> impl Iterator<Item = &mut Fault> {
        self.on.values_mut()
    }

    /// When the first lease runs out.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.on.values().filter_map(|fault| fault.lease.as_ref()).map(Lease::deadline).min()
    }

    /// Faults whose lease has run out by now.
    pub(super) fn run_out(&self, now: Instant) -> Vec<(FaultId, Place)> {
        let is_out = |fault: &&Fault| fault.lease.as_ref().is_some_and(|lease| lease.deadline() <= now);
        self.on.values().filter(is_out).map(|fault| (fault.id, fault.place.clone())).collect()
    }

    pub(super) fn view(&self, id: FaultId) -> Option<FaultView> {
        let over = || self.over.iter().find(|fault| fault.id == id);
        self.on.get(&id).or_else(over).map(Fault::view)
    }

    /// In the order they began.
    pub(super) fn views(&self) -> Vec<FaultView> {
        let mut views: Vec<FaultView> = self.over.iter().chain(self.on.values()).map(Fault::view).collect();
        views.sort_by_key(|view| view.id);
        views
    }

    /// Faults that are over and no longer shown.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl Fault {
    pub(super) fn id(&self) -> FaultId {
        self.id
    }

    pub(super) fn view(&self) -> FaultView {
        let bitten = self.hits.read();
        FaultView {
            id: self.id,
            kind: self.kind.clone(),
            target: self.target.clone(),
            toxic: self.place.toxic.clone(),
            since: self.since,
            until: self.until,
            hits: bitten.hits(),
            bitten,
            proven: bitten.hits() > 0,
            removed_by: self.removed_by,
            lease_s: self.lease.as_ref().map(|lease| lease.length().as_secs_f64()),
            lease_until: self.lease.as_ref().map(Lease::until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(proxy: &str) -> Beginning {
        Beginning {
            kind: "link.latency".into(),
            target: format!("{proxy}/downstream"),
            place: Place { proxy: proxy.into(), toxic: Some("slow".into()) },
            since: Timestamp::UNIX_EPOCH,
            lease: None,
            hits: Arc::default(),
        }
    }

    #[test]
    fn a_fault_is_shown_while_it_is_on_and_after() {
        let mut book = FaultBook::default();
        let first = book.begin(beginning("a"));
        let second = book.begin(beginning("b"));
        book.end(first, RemovedBy::Request, Timestamp::UNIX_EPOCH);
        let views = book.views();
        assert_eq!(views.iter().map(|view| view.id).collect::<Vec<_>>(), [first, second]);
        assert_eq!((views[0].removed_by, views[0].proven), (Some(RemovedBy::Request), false));
        assert!(views[0].until.is_some() && views[1].until.is_none());
        assert_eq!("f1".parse(), Ok(first));
    }

    #[test]
    fn the_journal_is_bounded() {
        let mut book = FaultBook::default();
        for _ in 0..OVER_MAX + 3 {
            let id = book.begin(beginning("a"));
            book.end(id, RemovedBy::Reset, Timestamp::UNIX_EPOCH);
        }
        assert_eq!((book.views().len(), book.forgotten()), (OVER_MAX, 3));
    }
}
