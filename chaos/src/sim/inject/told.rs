//! Those who are told: a receiver that takes its time, and people who see and hear nothing.

use std::time::Duration;

use super::{super::play::Play, Hits};
use crate::experiment::catalogue::{FaultKind, operator::Channel};

/// What all faults that are on make of the receiver together.
pub(super) fn turns(play: &mut Play, place: usize) {
    let before = met(play, place);
    play.met_before.insert((place, 0), before);
    make(play);
}

/// The fault in `place` is over.
pub(super) fn clears(play: &Play) {
    make(play);
}

fn make(play: &Play) {
    let Some(receiver) = &play.stage.receiver else { return };
    let (mut delay, mut is_away) = (Duration::ZERO, false);
    for planned in play.on_now() {
        match &planned.what {
            FaultKind::ControllerSlowSink(fault) => {
                delay = delay.max(Duration::from_millis(fault.delay.as_ms()));
            }
            FaultKind::OperatorBlind(fault) => is_away |= fault.channels.contains(&Channel::Alerts),
            _ => {}
        }
    }
    receiver.slow_down(delay);
    receiver.go_away(is_away);
}

/// What the receiver has met of the fault's kind, whoever caused it.
fn met(play: &Play, place: usize) -> u64 {
    let (held, withheld) = play.stage.receiver.as_ref().map(super::Receiver::met).unwrap_or_default();
    if matches!(play.planned(place).what, FaultKind::ControllerSlowSink(_)) { held } else { withheld }
}

/// Deliveries since it began, and readings that nobody could take.
pub(super) fn hits(play: &Play, place: usize) -> Hits {
    let counted = play.counted(place);
    if !play.is_on(place) {
        return counted;
    }
    let before = play.met_before.get(&(place, 0)).copied().unwrap_or_default();
    let met = met(play, place).saturating_sub(before);
    Hits { hits: counted.hits + met, opportunities: counted.opportunities + met }
}

/// Whether nobody can read a figure now; whose fault it is counts one that was withheld.
pub(in super::super) fn is_blind(play: &mut Play) -> bool {
    let is_cause = |place: &usize| match &play.planned(*place).what {
        FaultKind::OperatorBlind(fault) => fault.channels.contains(&Channel::Metrics),
        _ => false,
    };
    let causes: Vec<usize> = play.places_on().into_iter().filter(is_cause).collect();
    for place in &causes {
        play.count(*place, true);
    }
    !causes.is_empty()
}
