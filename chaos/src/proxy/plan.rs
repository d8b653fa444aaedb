//! What acts on a proxy's connections now: its toxics, in the order they were added.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{draw::Draw, fault::FaultId, hits::Hits, toxics::Toxic};

/// Which way data flows: `upstream` from the client to the server, `downstream` back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    Upstream,
    Downstream,
    /// A partition has no direction.
    Both,
}

impl Stream {
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
            Self::Both => "both",
        }
    }

    pub(super) fn covers(self, direction: Self) -> bool {
        self == direction || self == Self::Both
    }
}

/// A toxic that is on.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) fault: FaultId,
    /// Grows with each change of its attributes or toxicity.
    pub(super) revision: u64,
    pub(super) name: String,
    pub(super) stream: Stream,
    /// Share of the connections it acts on, 0-1.
    pub(super) toxicity: f64,
    pub(super) toxic: Toxic,
    pub(super) hits: Arc<Hits>,
}

/// Cheap to clone: a connection keeps the one it follows.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan(pub(super) Arc<Vec<Arc<Active>>>);

/// Whose luck it is: one connection of one proxy.
#[derive(Debug, Clone)]
pub(super) struct Luck {
    pub(super) seed: u64,
    pub(super) proxy: Arc<str>,
    pub(super) connection: u64,
}

impl Luck {
    /// The draw of a toxic, if it acts on this connection at all.
    pub(super) fn meets(&self, active: &Active) -> Option<Draw> {
        let draw = Draw::new(self.seed, &self.proxy, self.connection, &active.name);
        (draw.share < active.toxicity).then_some(draw)
    }
}

impl Plan {
    /// The first partition that keeps this connection out.
    pub(super) fn partition(&self, luck: &Luck) -> Option<&Arc<Active>> {
        self.first(luck, |active| matches!(active.toxic, Toxic::Partition(_)))
    }

    /// What keeps the receiver of `stream` talking to nobody.
    pub(super) fn half_open(&self, stream: Stream, luck: &Luck) -> Option<&Arc<Active>> {
        self.first(luck, |active| matches!(active.toxic, Toxic::HalfOpen(_)) && active.stream == stream)
    }

    fn first(&self, luck: &Luck, is_it: impl Fn(&Active) -> bool) -> Option<&Arc<Active>> {
        self.0.iter().find(|active| is_it(active) && luck.meets(active).is_some())
    }
}
