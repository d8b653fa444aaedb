//! Weather on the lines between agents and controller.

use std::time::Duration;

use super::{super::play::Play, Hits};
use crate::{
    experiment::{
        catalogue::{
            FaultKind,
            link::{Direction, Latency, Ways},
        },
        file::Length,
    },
    net::{Flow, Weather},
    world::host_id,
};

/// Cuts every line of the hosts' agents. Gives after how many seconds they are cut again.
pub(super) async fn cut(play: &mut Play, place: usize, after: Length) -> u32 {
    for host in play.hosts_of(place) {
        let before = met(play, host);
        play.stage.exchange.cut(host_id(host).as_str());
        // The lines notice when it is their turn.
        tokio::time::sleep(Duration::from_millis(1)).await;
        play.count(place, met(play, host) > before);
    }
    (after.as_ms() / 1_000).max(1) as u32
}

pub(super) fn turns(play: &mut Play, place: usize) {
    for host in play.hosts_of(place) {
        // What was met before is not this fault's doing.
        let before = met(play, host);
        play.met_before.insert((place, host), before);
        make(play, host);
    }
}

pub(super) fn clears(play: &Play, place: usize) {
    for host in play.hosts_of(place) {
        make(play, host);
    }
}

pub(super) fn hits(play: &Play, place: usize) -> Hits {
    if !play.is_on(place) {
        return play.counted(place);
    }
    let before = |host: usize| play.met_before.get(&(place, host)).copied().unwrap_or(0);
    let hits = play.hosts_of(place).into_iter().map(|host| met(play, host) - before(host)).sum();
    Hits { hits, opportunities: hits }
}

fn met(play: &Play, host: usize) -> u64 {
    play.stage.exchange.met(host_id(host).as_str())
}

/// What all faults of a host's link that are on come to together: the worst of each direction.
fn make(play: &Play, host: usize) {
    let mut now = Weather::default();
    for planned in play.on_now().filter(|planned| planned.hits_host(host)) {
        match &planned.what {
            FaultKind::LinkPartition(_) => (now.there, now.back) = (Flow::Held, Flow::Held),
            FaultKind::LinkOneWay(fault) => match fault.direction {
                Direction::ToController => now.there = Flow::Held,
                Direction::ToAgent => now.back = Flow::Held,
            },
            FaultKind::LinkLatency(fault) => late(&mut now, fault),
            _ => {}
        }
    }
    play.stage.exchange.change(host_id(host).as_str(), |weather| {
        (weather.there, weather.back) = (now.there, now.back);
    });
}

fn late(now: &mut Weather, fault: &Latency) {
    let flow = Flow::Late { delay: fault.mean.into(), jitter: fault.jitter.into() };
    let (is_there, is_back) = match fault.ways {
        Ways::ToController => (true, false),
        Ways::ToAgent => (false, true),
        Ways::Both => (true, true),
    };
    for (direction, is_hit) in [(&mut now.there, is_there), (&mut now.back, is_back)] {
        if is_hit && *direction == Flow::Free {
            *direction = flow;
        }
    }
}
