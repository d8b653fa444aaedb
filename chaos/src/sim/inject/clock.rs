//! Clocks of machines that are moved or run at another rate. What is waited for for a while is waited for as long as before.

use jiff::SignedDuration;
use reveille_proto::clock::Hands;

use super::{
    super::{Planned, play::Play},
    Hits,
};
use crate::experiment::{
    catalogue::{FaultKind, clock::Towards},
    file::Length,
};

const DAY_MS: i64 = 86_400_000;

/// A clock of the installation: of the controller's machine, or of a host by its place.
type Whose = Option<usize>;

pub(super) fn on(play: &mut Play, place: usize) {
    let before = readings(play, place);
    play.met_before.insert((place, 0), before);
    let planned = play.planned(place);
    for whose in whose(planned) {
        moved(hands(play, whose), planned);
    }
}

/// It is right again, but for what others do to it: a drift begins anew.
pub(super) fn off(play: &Play, place: usize) {
    for own in whose(play.planned(place)) {
        let hands = hands(play, own);
        hands.set();
        for other in play.on_now().filter(|other| other.is_of_clock() && whose(other).contains(&own)) {
            moved(hands, other);
        }
    }
}

pub(super) fn hits(play: &Play, place: usize) -> Hits {
    if !play.is_on(place) {
        return play.counted(place);
    }
    let before = play.met_before.get(&(place, 0)).copied().unwrap_or(0);
    let hits = readings(play, place) - before;
    Hits { hits, opportunities: hits }
}

/// Wakes within a day of the change of the clocks.
pub(super) fn near_the_change(play: &Play) -> Hits {
    let Some(night) = &play.stage.night else { return Hits::default() };
    let (changes_ms, wakes) = (night.changes_at.as_millisecond(), &play.stage.watch.seen.all);
    let is_near = |due_at_ms: i64| (due_at_ms - changes_ms).abs() <= DAY_MS;
    let hits = wakes.iter().filter(|wake| is_near(wake.due_at_ms)).count() as u64;
    Hits { hits, opportunities: wakes.len() as u64 }
}

/// Where no host is named it is the controller's.
fn whose(planned: &Planned) -> Vec<Whose> {
    if planned.hosts.is_empty() { vec![None] } else { planned.hosts.iter().copied().map(Some).collect() }
}

fn hands(play: &Play, whose: Whose) -> &Hands {
    let stage = &play.stage;
    whose.and_then(|host| stage.agent_hands.get(host)).unwrap_or(&stage.controller_hands)
}

fn readings(play: &Play, place: usize) -> u64 {
    whose(play.planned(place)).into_iter().map(|whose| hands(play, whose).readings()).sum()
}

fn moved(hands: &Hands, planned: &Planned) {
    match &planned.what {
        FaultKind::ClockJump(fault) => hands.jump(signed(fault.by, fault.towards)),
        FaultKind::ClockDrift(fault) => {
            hands.jump(signed(fault.skew, fault.towards));
            let ppm = fault.drift_ppm as f64;
            hands.drift(if fault.towards == Towards::Forward { ppm } else { -ppm });
        }
        _ => {}
    }
}

fn signed(by: Length, towards: Towards) -> SignedDuration {
    let by = SignedDuration::from_millis(i64::try_from(by.as_ms()).unwrap_or(i64::MAX));
    if towards == Towards::Forward { by } else { -by }
}
