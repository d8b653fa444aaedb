//! Weather on the lines between agents and controller.

use std::time::Duration;

use super::{super::play::Play, Hits};
use crate::{
    net::{Flow, Weather},
    sim::Fault,
    world::host_id,
};

/// Cuts every line of the host's agent, once.
pub(super) async fn cut(play: &mut Play, place: usize, host: usize) {
    let before = met(play, host);
    play.stage.exchange.cut(host_id(host).as_str());
    // The lines notice when it is their turn.
    tokio::time::sleep(Duration::from_millis(1)).await;
    play.count(place, met(play, host) > before);
}

/// An old command comes once more; before there were two sessions there is none.
pub(super) fn repeat(play: &mut Play, place: usize, host: usize) {
    let is_hit = play.stage.switch.repeat(host_id(host).as_str());
    play.count(place, is_hit);
}

pub(super) fn turns(play: &mut Play, place: usize, host: usize) {
    // What was met before is not this fault's doing.
    let before = met(play, host);
    play.met_before.insert(place, before);
    make(play, host);
}

pub(super) fn clears(play: &mut Play, place: usize, host: usize) {
    let hits = hits(play, place, host);
    play.settle_hits(place, hits);
    make(play, host);
}

pub(super) fn hits(play: &Play, place: usize, host: usize) -> Hits {
    if !play.is_on(place) {
        return play.counted(place);
    }
    let hits = met(play, host) - play.met_before.get(&place).copied().unwrap_or(0);
    Hits { hits, opportunities: hits }
}

fn met(play: &Play, host: usize) -> u64 {
    play.stage.exchange.met(host_id(host).as_str())
}

/// What all faults of a host's link that are on come to together: the worst of each direction.
fn make(play: &Play, host: usize) {
    let mut now = Weather::default();
    for fault in play.faults_on() {
        match fault {
            Fault::Partition { host: of } if of == host => {
                (now.there, now.back) = (Flow::Held, Flow::Held);
            }
            Fault::OneWay { host: of, up } if of == host => {
                *(if up { &mut now.there } else { &mut now.back }) = Flow::Held;
            }
            Fault::Latency { host: of, delay_ms, jitter_ms } if of == host => {
                let (delay, jitter) = (Duration::from_millis(delay_ms), Duration::from_millis(jitter_ms));
                for flow in [&mut now.there, &mut now.back] {
                    if *flow == Flow::Free {
                        *flow = Flow::Late { delay, jitter };
                    }
                }
            }
            _ => {}
        }
    }
    play.stage.exchange.change(host_id(host).as_str(), |weather| {
        (weather.there, weather.back) = (now.there, now.back);
    });
}
