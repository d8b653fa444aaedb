//! Faults of the world itself: its endpoints, its boots, its hosts. They go on and off with its clock.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{super::play::Play, Hits};
use crate::{
    experiment::catalogue::FaultKind,
    fault::{Bite, Whom},
};

pub(super) fn on(play: &mut Play, place: usize) {
    let planned = play.planned(place);
    let (hosts, instances) = (whom(&planned.hosts), whom(&planned.instances));
    let what = planned.what.clone();
    let span = play.span(place);
    // The world draws from a stream of its own from here on.
    let rng = StdRng::seed_from_u64(play.rng(place).random());
    let bite = Bite::new(span, what, rng).of(hosts, instances);
    let what = bite.what().clone();
    let mut rng = StdRng::seed_from_u64(play.rng(place).random());
    let mut world = play.stage.live.enter();
    world.faults.put(place, bite);
    world.follow_faults();
    match what {
        FaultKind::EndpointAuthExpired(_) => world.token.expire(),
        FaultKind::DataRegimeShift(fault) => world.change_ways(&fault, &mut rng),
        _ => {}
    }
}

pub(super) fn off(play: &mut Play, place: usize) {
    let what = play.what(place);
    let now_s = play.stage.live.clock().now().as_second();
    let mut world = play.stage.live.enter();
    world.faults.end(place, now_s);
    world.follow_faults();
    if matches!(what, FaultKind::DataRegimeShift(_)) {
        world.change_back();
    }
    // Whoever had none yet has the new one by now.
    let handed_out = world.token.hand_out();
    drop(world);
    if let Err(error) = handed_out {
        play.found(format!("the portal's new token could not be written: {error}"));
    }
}

pub(super) fn hits(play: &Play, place: usize) -> Hits {
    let proof = play.stage.live.enter().faults.proof(place);
    proof.map(|proof| Hits { hits: proof.hits, opportunities: proof.opportunities }).unwrap_or_default()
}

fn whom(named: &[usize]) -> Whom {
    if named.is_empty() { Whom::Everybody } else { Whom::Only(named.iter().copied().collect()) }
}
