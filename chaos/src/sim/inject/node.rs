//! Controllers and agents that die where they stand or stand still, hosts that vanish, and agents that are there twice.

use rand::RngExt as _;

use super::{super::play::Play, Hits, line};
use crate::{
    experiment::catalogue::{Between, FaultKind, agent::Version},
    world::host_id,
};

/// Gives after how many seconds they are started again.
pub(super) async fn agents_die(play: &mut Play, place: usize, down: Between) -> u32 {
    for host in play.hosts_of(place) {
        play.count(place, play.stage.agents[host].is_some());
        agent_dies(play, host).await;
    }
    drawn_s(play, place, down)
}

async fn agent_dies(play: &mut Play, host: usize) {
    play.stage.agent_dies(host).await;
    // Whoever stood still is dead, and does not hold its lines any more.
    line::make(play, host);
}

/// They stop in the middle of what they do.
pub(super) async fn agents_stop(play: &mut Play, place: usize) -> anyhow::Result<()> {
    for host in play.hosts_of(place) {
        let is_there = play.stage.agents[host].is_some();
        if is_there {
            play.stage.agent_stands_still(host, true).await?;
            line::make(play, host);
        }
        play.count(place, is_there);
    }
    Ok(())
}

/// And go on as if nothing had been, but for those that another fault stops.
pub(super) async fn agents_go_on(play: &mut Play, place: usize) -> anyhow::Result<()> {
    for host in play.hosts_of(place) {
        let is_stopped = play
            .on_now()
            .any(|planned| matches!(planned.what, FaultKind::AgentPause(_)) && planned.hits_host(host));
        if !is_stopped {
            play.stage.agent_stands_still(host, false).await?;
            line::make(play, host);
        }
    }
    Ok(())
}

/// They are of another version, and begin anew.
pub(super) fn agents_skew(play: &mut Play, place: usize, version: Version) {
    for host in play.hosts_of(place) {
        let before = play.stage.switch.skewed(host_id(host).as_str());
        play.met_before.insert((place, host), before);
        reversion(play, host, Some(version));
    }
}

pub(super) fn agents_unskew(play: &Play, place: usize) {
    for host in play.hosts_of(place) {
        reversion(play, host, None);
    }
}

fn reversion(play: &Play, host: usize, version: Option<Version>) {
    play.stage.switch.skew(host_id(host).as_str(), version);
    play.stage.exchange.cut(host_id(host).as_str());
}

pub(super) fn skew_hits(play: &Play, place: usize) -> Hits {
    if !play.is_on(place) {
        return play.counted(place);
    }
    let before = |host: usize| play.met_before.get(&(place, host)).copied().unwrap_or(0);
    let so_far = |host: usize| play.stage.switch.skewed(host_id(host).as_str());
    let hits = play.hosts_of(place).into_iter().map(|host| so_far(host) - before(host)).sum();
    Hits { hits, opportunities: hits }
}

pub(super) async fn controller_stops(play: &mut Play, place: usize) -> anyhow::Result<()> {
    let is_there = play.stage.controller.is_some();
    if is_there {
        play.stage.controller_stands_still(true).await?;
    }
    play.count(place, is_there);
    Ok(())
}

pub(super) async fn controller_goes_on(play: &Play) -> anyhow::Result<()> {
    let is_stopped = play
        .on_now()
        .any(|planned| matches!(planned.what, FaultKind::ControllerPause(_) | FaultKind::ClockSuspend(_)));
    if is_stopped { Ok(()) } else { play.stage.controller_stands_still(false).await }
}

pub(super) async fn agents_start(play: &mut Play, place: usize) -> anyhow::Result<()> {
    for host in play.hosts_of(place) {
        if !is_lost(play, host) {
            play.stage.agent_starts(host).await?;
        }
    }
    Ok(())
}

/// Dies where it lives, and is started where it does not. Gives after how many seconds the other.
pub(super) async fn agents_turn(
    play: &mut Play,
    place: usize,
    up: Between,
    down: Between,
) -> anyhow::Result<u32> {
    if play.hosts_of(place).into_iter().any(|host| play.stage.agents[host].is_some()) {
        return Ok(agents_die(play, place, down).await.max(1));
    }
    agents_start(play, place).await?;
    Ok(drawn_s(play, place, up).max(1))
}

/// As [`agents_turn`].
pub(super) async fn controller_turns(
    play: &mut Play,
    place: usize,
    up: Between,
    down: Between,
) -> anyhow::Result<u32> {
    if play.stage.controller.is_some() {
        return Ok(controller_dies(play, place, down).await.max(1));
    }
    play.stage.controller_starts().await?;
    Ok(drawn_s(play, place, up).max(1))
}

pub(super) async fn hosts_vanish(play: &mut Play, place: usize, comes_back_empty: bool) {
    for host in play.hosts_of(place) {
        play.count(place, true);
        agent_dies(play, host).await;
        play.stage.live.enter().lose_host(host, comes_back_empty);
    }
}

pub(super) async fn hosts_return(play: &mut Play, place: usize) -> anyhow::Result<()> {
    for host in play.hosts_of(place) {
        if !is_lost(play, host) {
            play.stage.live.enter().return_host(host);
            play.stage.agent_starts(host).await?;
        }
    }
    Ok(())
}

/// Whether the host is gone, and nothing can be started on it.
fn is_lost(play: &Play, host: usize) -> bool {
    play.on_now().any(|planned| matches!(planned.what, FaultKind::HostLoss(_)) && planned.hits_host(host))
}

pub(super) async fn copies_start(play: &mut Play, place: usize) -> anyhow::Result<()> {
    for host in play.hosts_of(place) {
        let before = play.stage.copy_calls(host);
        play.met_before.insert((place, host), before);
        play.stage.copy_starts(host).await?;
    }
    Ok(())
}

pub(super) async fn copies_end(play: &mut Play, place: usize) {
    for host in play.hosts_of(place) {
        play.stage.copy_dies(host).await;
    }
}

pub(super) fn copies_hits(play: &Play, place: usize) -> Hits {
    if !play.is_on(place) {
        return play.counted(place);
    }
    let before = |host: usize| play.met_before.get(&(place, host)).copied().unwrap_or(0);
    let hits = play.hosts_of(place).into_iter().map(|host| play.stage.copy_calls(host) - before(host)).sum();
    Hits { hits, opportunities: hits }
}

/// Gives after how many seconds it is started again.
pub(super) async fn controller_dies(play: &mut Play, place: usize, down: Between) -> u32 {
    play.count(place, play.stage.controller.is_some());
    play.stage.controller_dies().await;
    drawn_s(play, place, down)
}

/// A length that the fault draws, in whole seconds.
fn drawn_s(play: &mut Play, place: usize, Between(low, high): Between) -> u32 {
    let (low, high) = (low.as_ms() / 1_000, high.as_ms() / 1_000);
    play.rng(place).random_range(low..=high.max(low)) as u32
}
