//! Weather on the lines between agents and controller.

use std::time::Duration;

use super::{super::play::Play, Hits};
use crate::{
    experiment::{
        catalogue::{
            FaultKind,
            link::{Direction, Ways},
        },
        file::Length,
    },
    net::{Flow, Meeting, Weather},
    world::{Muddle, Way, host_id},
};

/// As often it is looked for a line that is cut.
const LOOKS_MAX: u32 = 50;

/// Cuts every line of the hosts' agents. Gives after how many seconds they are cut again.
pub(super) async fn cut(play: &mut Play, place: usize, after: Length) -> u32 {
    for host in play.hosts_of(place) {
        let before = met(play, host, Meeting::Cut);
        play.stage.exchange.cut(host_id(host).as_str());
        // The lines notice when it is their turn, on a busy machine a little later.
        let looks = if play.stage.local.is_some() { LOOKS_MAX } else { 1 };
        let mut is_cut = false;
        for _ in 0..looks {
            tokio::time::sleep(Duration::from_millis(1)).await;
            is_cut = met(play, host, Meeting::Cut) > before;
            if is_cut {
                break;
            }
        }
        play.count(place, is_cut);
    }
    (after.as_ms() / 1_000).max(1) as u32
}

/// An old command comes once more; before there were two sessions there is none.
pub(super) fn repeat(play: &mut Play, place: usize) {
    for host in play.hosts_of(place) {
        let is_hit = play.stage.switch.repeat(host_id(host).as_str());
        play.count(place, is_hit);
    }
}

pub(super) fn turns(play: &mut Play, place: usize) {
    for host in play.hosts_of(place) {
        // What was met before is not this fault's doing.
        let before = met(play, host, meeting(&play.planned(place).what));
        play.met_before.insert((place, host), before);
        if matches!(play.planned(place).what, FaultKind::LinkHalfOpen(_)) {
            play.stage.exchange.orphan(host_id(host).as_str());
        }
        make(play, host);
    }
}

pub(super) fn clears(play: &Play, place: usize) {
    for host in play.hosts_of(place) {
        let orphans = |planned: &&super::super::Planned| {
            matches!(planned.what, FaultKind::LinkHalfOpen(_)) && planned.hits_host(host)
        };
        if !play.on_now().any(|planned| orphans(&planned)) {
            play.stage.exchange.tell_orphans(host_id(host).as_str());
        }
        make(play, host);
    }
}

pub(super) fn hits(play: &Play, place: usize) -> Hits {
    if !play.is_on(place) {
        return play.counted(place);
    }
    let how = meeting(&play.planned(place).what);
    let before = |host: usize| play.met_before.get(&(place, host)).copied().unwrap_or(0);
    let hits = play.hosts_of(place).into_iter().map(|host| met(play, host, how) - before(host)).sum();
    Hits { hits, opportunities: hits }
}

/// How a fault of a line is met.
fn meeting(what: &FaultKind) -> Meeting {
    match what {
        FaultKind::LinkLatency(_) => Meeting::Late,
        FaultKind::LinkBandwidth(_) => Meeting::Narrow,
        FaultKind::LinkLoss(_) => Meeting::Lost,
        FaultKind::LinkHalfOpen(_) => Meeting::Orphaned,
        _ => Meeting::Held,
    }
}

fn met(play: &Play, host: usize, how: Meeting) -> u64 {
    play.stage.exchange.met(host_id(host).as_str(), how)
}

/// What all faults of a host's link that are on come to together: the worst of each kind in each direction.
pub(super) fn make(play: &Play, host: usize) {
    let mut now = Weather::default();
    if play.stage.agent_hands[host].is_held() {
        // Who stands still neither hears nor says anything.
        on_ways(&mut now, Ways::Both, |flow| flow.is_held = true);
    }
    for planned in play.on_now().filter(|planned| planned.hits_host(host)) {
        match &planned.what {
            FaultKind::LinkPartition(_) => on_ways(&mut now, Ways::Both, |flow| flow.is_held = true),
            FaultKind::LinkOneWay(fault) => {
                let way = match fault.direction {
                    Direction::ToController => Ways::ToController,
                    Direction::ToAgent => Ways::ToAgent,
                };
                on_ways(&mut now, way, |flow| flow.is_held = true);
            }
            FaultKind::LinkLatency(fault) => on_ways(&mut now, fault.ways, |flow| {
                flow.delay = flow.delay.max(play.stage.runtime(fault.mean));
                flow.jitter = flow.jitter.max(play.stage.runtime(fault.jitter));
            }),
            FaultKind::LinkBandwidth(fault) => on_ways(&mut now, fault.ways, |flow| {
                let rate = (fault.rate_bytes_per_s as f64 * play.stage.spec.speed) as u64;
                flow.bytes_per_s = Some(flow.bytes_per_s.map_or(rate, |other| other.min(rate)));
            }),
            FaultKind::LinkLoss(fault) => {
                on_ways(&mut now, Ways::Both, |flow| flow.loss = flow.loss.max(fault.share));
            }
            _ => {}
        }
    }
    play.stage.exchange.change(host_id(host).as_str(), |weather| {
        (weather.there, weather.back) = (now.there, now.back);
    });
}

/// Messages of its hosts come twice, or others overtake them.
pub(super) fn muddles(play: &mut Play, place: usize) {
    for host in play.hosts_of(place) {
        let before = came(play, place, host);
        play.met_before.insert((place, host), before);
        muddle(play, host);
    }
}

/// They do no longer.
pub(super) fn sorts(play: &Play, place: usize) {
    for host in play.hosts_of(place) {
        muddle(play, host);
    }
}

pub(super) fn muddled(play: &Play, place: usize) -> Hits {
    if !play.is_on(place) {
        return play.counted(place);
    }
    let before = |host: usize| play.met_before.get(&(place, host)).copied().unwrap_or(0);
    let hits = play.hosts_of(place).into_iter().map(|host| came(play, place, host) - before(host)).sum();
    Hits { hits, opportunities: hits }
}

/// Messages of a host that came as the fault has it.
fn came(play: &Play, place: usize, host: usize) -> u64 {
    let (twice, late) = play.stage.switch.muddled(host_id(host).as_str());
    if matches!(play.planned(place).what, FaultKind::LinkDuplicate(_)) { twice } else { late }
}

/// What all faults of a host's messages that are on come to together: the most of each on each way.
fn muddle(play: &Play, host: usize) {
    for (way, ways) in [(Way::ToAgent, Ways::ToAgent), (Way::ToController, Ways::ToController)] {
        let mut now = Muddle::default();
        for planned in play.on_now().filter(|planned| planned.hits_host(host)) {
            match &planned.what {
                FaultKind::LinkDuplicate(fault) if fault.ways == ways || fault.ways == Ways::Both => {
                    now.twice = now.twice.max(fault.share);
                }
                FaultKind::LinkReorder(fault) if fault.ways == ways || fault.ways == Ways::Both => {
                    now.late = now.late.max(fault.share);
                    now.late_max = now.late_max.max(play.stage.runtime(fault.hold));
                }
                _ => {}
            }
        }
        play.stage.switch.muddle(host_id(host).as_str(), way, now);
    }
}

fn on_ways(now: &mut Weather, ways: Ways, change: impl Fn(&mut Flow)) {
    if matches!(ways, Ways::ToController | Ways::Both) {
        change(&mut now.there);
    }
    if matches!(ways, Ways::ToAgent | Ways::Both) {
        change(&mut now.back);
    }
}
