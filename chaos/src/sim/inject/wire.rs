//! Faults of sockets, which only an installation of processes has: they are met, and counted, at the proxies of its hosts.

use super::{super::play::Play, Hits};
use crate::{local, world::host_id};

/// Whether this installation has it at its proxies.
pub(super) fn is_one(play: &Play, place: usize) -> bool {
    play.stage.local.is_some() && local::is_of_proxies(&play.planned(place).what)
}

/// Gives after how many seconds it is counted.
pub(super) async fn on(play: &mut Play, place: usize) -> anyhow::Result<u32> {
    let (hosts, what) = (hosts(play, place), play.what(place));
    if let Some(local) = &play.stage.local {
        local.wires.put(place, &what, &hosts).await?;
    }
    Ok(count(play, place).await)
}

pub(super) async fn off(play: &Play, place: usize) {
    if let Some(local) = &play.stage.local {
        local.wires.take(place, &hosts(play, place)).await;
    }
}

/// Gives after how many seconds it is counted again: a few times in one of ours.
pub(super) async fn count(play: &mut Play, place: usize) -> u32 {
    if let Some(local) = &play.stage.local {
        let hits = local.wires.met(place).await;
        play.settle_hits(place, Hits { hits, opportunities: hits });
    }
    (play.stage.spec.speed / 4.0).ceil().max(1.0) as u32
}

fn hosts(play: &Play, place: usize) -> Vec<String> {
    play.hosts_of(place).into_iter().map(|host| host_id(host).to_string()).collect()
}
