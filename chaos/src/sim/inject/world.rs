//! Faults of the world itself: its endpoints, its boots, its hosts. They go on and off with its clock.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{super::play::Play, Hits};
use crate::fault::{Bite, Whom};

pub(super) fn on(play: &mut Play, place: usize) {
    let planned = play.planned(place);
    let (hosts, instances) = (whom(&planned.hosts), whom(&planned.instances));
    let what = planned.what.clone();
    let span = play.span(place);
    // The world draws from a stream of its own from here on.
    let rng = StdRng::seed_from_u64(play.rng(place).random());
    let bite = Bite::new(span, what, rng).of(hosts, instances);
    let mut world = play.stage.live.enter();
    world.faults.put(place, bite);
    world.follow_faults();
}

pub(super) fn off(play: &mut Play, place: usize) {
    let now_s = play.stage.live.clock().now().as_second();
    let mut world = play.stage.live.enter();
    world.faults.end(place, now_s);
    world.follow_faults();
}

pub(super) fn hits(play: &Play, place: usize) -> Hits {
    let proof = play.stage.live.enter().faults.proof(place);
    proof.map(|proof| Hits { hits: proof.hits, opportunities: proof.opportunities }).unwrap_or_default()
}

fn whom(named: &[usize]) -> Whom {
    if named.is_empty() { Whom::Everybody } else { Whom::Only(named.iter().copied().collect()) }
}
