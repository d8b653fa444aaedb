//! Controllers and agents that die where they stand.

use super::super::play::Play;

pub(super) async fn agent_dies(play: &mut Play, place: usize, host: usize) {
    play.count(place, play.stage.agents[host].is_some());
    play.stage.agent_dies(host).await;
}

pub(super) async fn controller_dies(play: &mut Play, place: usize) {
    play.count(place, play.stage.controller.is_some());
    play.stage.controller_dies().await;
}
