//! The toxics of one direction of one connection, one behind the other, and how they follow the plan.

use tokio::time::Instant;

use super::{
    fault::FaultId,
    hits::Tally,
    piece::Piece,
    plan::{Active, Luck, Plan, Stream},
    stage::{Leftover, Stage},
};

/// Pieces enter in front and leave behind; what is on its way is bounded by what the stages hold.
pub(super) struct Chain {
    direction: Stream,
    luck: Luck,
    links: Vec<Link>,
    /// What leaves next.
    out: Option<Piece>,
}

struct Link {
    /// None where the toxic is gone and what it held is still here.
    of: Option<(FaultId, u64)>,
    stage: Box<dyn Stage>,
}

impl Chain {
    pub(super) fn new(direction: Stream, luck: Luck) -> Self {
        Self { direction, luck, links: Vec::new(), out: None }
    }

    /// Takes over what has changed. Toxics keep their order; new ones come last.
    pub(super) fn follow(&mut self, plan: &Plan, now: Instant) {
        let acting: Vec<&Active> =
            plan.0.iter().filter(|active| active.stream.covers(self.direction)).map(AsRef::as_ref).collect();
        for link in &mut self.links {
            let Some((fault, revision)) = link.of else { continue };
            match acting.iter().find(|active| active.fault == fault) {
                Some(active) if active.revision == revision => {}
                Some(active) if self.luck.meets(active).is_some() => {
                    link.of = Some((fault, active.revision));
                    link.stage.change(&active.toxic, now);
                }
                _ => {
                    link.of = None;
                    link.stage = Box::new(Leftover(link.stage.retire().into()));
                }
            }
        }
        for active in acting {
            let is_there = self.links.iter().any(|link| link.of.is_some_and(|(id, _)| id == active.fault));
            if is_there {
                continue;
            }
            if let Some(draw) = self.luck.meets(active) {
                let stage = active.toxic.stage(draw, Tally::new(&active.hits), now);
                self.links.push(Link { of: Some((active.fault, active.revision)), stage });
            }
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.has_room_at(0)
    }

    pub(super) fn put(&mut self, piece: Piece, now: Instant) {
        self.put_at(0, piece, now);
    }

    /// Lets every piece go as far as it may by now.
    pub(super) fn advance(&mut self, now: Instant) {
        let mut has_moved = true;
        while std::mem::take(&mut has_moved) {
            // From the back, so that room made behind is used at once.
            for at in (0..self.links.len()).rev() {
                while self.has_room_at(at + 1) {
                    let Some(piece) = self.links[at].stage.take(now) else { break };
                    self.put_at(at + 1, piece, now);
                    has_moved = true;
                }
            }
        }
        self.links.retain(|link| link.of.is_some() || !link.stage.has_room());
    }

    /// What leaves next.
    pub(super) fn out(&mut self) -> &mut Option<Piece> {
        &mut self.out
    }

    /// When to advance next, though nothing comes in and nothing has left.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = |(at, link): (usize, &Link)| link.stage.due().filter(|_| self.has_room_at(at + 1));
        self.links.iter().enumerate().filter_map(due).min()
    }

    fn has_room_at(&self, at: usize) -> bool {
        self.links.get(at).map_or(self.out.is_none(), |link| link.stage.has_room())
    }

    fn put_at(&mut self, at: usize, piece: Piece, now: Instant) {
        match self.links.get_mut(at) {
            Some(link) => link.stage.put(piece, now),
            None => self.out = Some(piece),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use bytes::Bytes;

    use super::*;
    use crate::proxy::{
        piece::End,
        toxics::{Bandwidth, Latency, LimitData, Partition, Timeout, Toxic},
    };

    fn active(fault: u64, revision: u64, toxic: Toxic) -> Arc<Active> {
        let name = format!("toxic-{fault}");
        let (stream, hits) = (Stream::Downstream, Arc::default());
        Arc::new(Active { fault: FaultId(fault), revision, name, stream, toxicity: 1.0, toxic, hits })
    }

    fn plan(toxics: &[&Arc<Active>]) -> Plan {
        Plan(Arc::new(toxics.iter().map(|active| Arc::clone(active)).collect()))
    }

    fn chain() -> Chain {
        Chain::new(Stream::Downstream, Luck { seed: 1, proxy: "db".into(), connection: 0 })
    }

    fn data(text: &str) -> Piece {
        Piece::Data(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn latency(latency: u64) -> Toxic {
        Toxic::Latency(Latency { latency, jitter: 0 })
    }

    /// All that leaves by `now`.
    fn leaves(chain: &mut Chain, now: Instant) -> Vec<Piece> {
        let mut all = Vec::new();
        loop {
            chain.advance(now);
            match chain.out().take() {
                Some(piece) => all.push(piece),
                None => return all,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_toxics_everything_passes_at_once() {
        let (mut chain, now) = (chain(), Instant::now());
        chain.put(data("abc"), now);
        assert!(!chain.has_room(), "until it has left");
        assert_eq!(leaves(&mut chain, now), [data("abc")]);
        assert!(chain.has_room() && chain.due().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn delays_of_toxics_in_a_row_add_up() {
        let (mut chain, now) = (chain(), Instant::now());
        let (first, second) = (active(1, 0, latency(100)), active(2, 0, latency(50)));
        chain.follow(&plan(&[&first, &second]), now);
        chain.put(data("abc"), now);
        let mut at = now;
        while chain.out().is_none() {
            at = chain.due().unwrap_or(at);
            chain.advance(at);
        }
        assert_eq!(at - now, Duration::from_millis(150));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_removed_toxic_held_goes_first_and_nothing_overtakes_it() {
        let (mut chain, now) = (chain(), Instant::now());
        let slow = active(1, 0, latency(60_000));
        chain.follow(&plan(&[&slow]), now);
        chain.put(data("one"), now);
        chain.put(data("two"), now);
        assert_eq!(leaves(&mut chain, now), []);
        chain.follow(&plan(&[]), now);
        assert!(!chain.has_room());
        assert_eq!(leaves(&mut chain, now), [data("one"), data("two")]);
        chain.put(data("three"), now);
        assert_eq!(leaves(&mut chain, now), [data("three")]);
        assert!(chain.links.is_empty(), "nothing is left of it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_followed_and_state_is_kept() {
        let (mut chain, now) = (chain(), Instant::now());
        let limit = |revision, bytes| active(1, revision, Toxic::LimitData(LimitData { bytes }));
        chain.follow(&plan(&[&limit(0, 4)]), now);
        chain.put(data("abc"), now);
        assert_eq!(leaves(&mut chain, now), [data("abc")]);
        chain.follow(&plan(&[&limit(1, 5)]), now);
        chain.put(data("def"), now);
        assert_eq!(leaves(&mut chain, now), [data("de"), Piece::End(End::Close)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_partition_behind_a_timeout_holds_even_the_end() {
        let (mut chain, now) = (chain(), Instant::now());
        let timeout = active(1, 0, Toxic::Timeout(Timeout { timeout: 10 }));
        let partition = active(2, 0, Toxic::OneWay(Partition::default()));
        chain.follow(&plan(&[&timeout, &partition]), now);
        let later = now + Duration::from_millis(10);
        assert_eq!(leaves(&mut chain, later), []);
        chain.follow(&plan(&[&timeout]), later);
        assert_eq!(leaves(&mut chain, later), [Piece::End(End::Close)]);
    }

    #[tokio::test(start_paused = true)]
    async fn other_directions_and_unlucky_connections_are_left_alone() {
        let now = Instant::now();
        let one = |stream, toxicity| {
            let (toxic, hits) = (Toxic::Bandwidth(Bandwidth { rate: 0 }), Arc::default());
            Arc::new(Active {
                fault: FaultId(1),
                revision: 0,
                name: "t".into(),
                stream,
                toxicity,
                toxic,
                hits,
            })
        };
        for (stream, toxicity, acts) in [
            (Stream::Upstream, 1.0, false),
            (Stream::Downstream, 0.0, false),
            (Stream::Downstream, 1.0, true),
            (Stream::Both, 1.0, true),
        ] {
            let mut chain = chain();
            chain.follow(&plan(&[&one(stream, toxicity)]), now);
            chain.put(data("abc"), now);
            assert_eq!(leaves(&mut chain, now).is_empty(), acts, "{stream:?} {toxicity}");
        }
    }
}
