//! Controllers and agents that die where they stand.

use rand::RngExt as _;

use super::super::play::Play;
use crate::experiment::catalogue::Between;

/// Gives after how many seconds they are started again.
pub(super) async fn agents_die(play: &mut Play, place: usize, down: Between) -> u32 {
    for host in play.hosts_of(place) {
        play.count(place, play.stage.agents[host].is_some());
        play.stage.agent_dies(host).await;
    }
    drawn_s(play, place, down)
}

pub(super) async fn agents_start(play: &mut Play, place: usize) -> anyhow::Result<()> {
    for host in play.hosts_of(place) {
        play.stage.agent_starts(host).await?;
    }
    Ok(())
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
