//! Faults of the world itself: its endpoints, its boots, its hosts. They go on and off with its clock.

use super::{super::play::Play, Hits};
use crate::{
    fault::{Level, SlowWake, Span, Toll, Whom},
    sim::Fault,
    world::stream,
};

/// Streams of the seed that faults draw from, by their place in the play.
const STREAM: u64 = 920;

pub(super) fn on(play: &mut Play, place: usize) {
    let planned = play.planned(place);
    let (fault, kind, rng) = (planned.fault, planned.fault.kind(), stream(play.seed, STREAM + place as u64));
    let whom = planned.whom();
    let span = play.span(place);
    let mut world = play.stage.live.enter();
    let faults = &mut world.faults;
    match fault {
        Fault::HttpError { share }
        | Fault::Throttled { share }
        | Fault::Refused { share }
        | Fault::LostResponse { share }
        | Fault::HalfOpen { share }
        | Fault::NeverUp { share } => {
            faults.tolls.insert(kind, Toll::new(span, share, rng).of(whom));
        }
        Fault::SlowWake { factor } => faults.slow_wake = Some(SlowWake::new(span, factor).of(whom)),
        Fault::LyingLoad { host, cpu_percent } => {
            faults.levels.insert((kind, host), Level::new(span, cpu_percent));
        }
        Fault::CpuNoise { host, share } => {
            faults.levels.insert((kind, host), Level::new(span, share));
        }
        _ => {}
    }
    world.follow_faults();
}

pub(super) fn off(play: &mut Play, place: usize) {
    let now_s = play.stage.live.clock().now().as_second();
    let mut world = play.stage.live.enter();
    if let Some(span) = span_of(&mut world.faults, play.fault(place)) {
        span.end(now_s);
    }
    world.follow_faults();
}

pub(super) fn hits(play: &Play, place: usize) -> Hits {
    let fault = play.fault(place);
    let mut world = play.stage.live.enter();
    let proof = span_of(&mut world.faults, fault).map(|span| span.proof(fault.kind()));
    proof.map(|proof| Hits { hits: proof.hits, opportunities: proof.opportunities }).unwrap_or_default()
}

fn span_of(faults: &mut crate::fault::Faults, fault: Fault) -> Option<&mut Span> {
    let kind = fault.kind();
    match fault {
        Fault::SlowWake { .. } => faults.slow_wake.as_mut().map(|fault| &mut fault.span),
        Fault::LyingLoad { host, .. } | Fault::CpuNoise { host, .. } => {
            faults.levels.get_mut(&(kind, host)).map(|fault| &mut fault.span)
        }
        _ => faults.tolls.get_mut(kind).map(|fault| &mut fault.span),
    }
}

impl crate::sim::Planned {
    fn whom(&self) -> Whom {
        if self.instances.is_empty() {
            Whom::Everybody
        } else {
            Whom::Only(self.instances.iter().copied().collect())
        }
    }
}
