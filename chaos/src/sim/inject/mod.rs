//! What each fault does to a simulated installation when it begins, while it is on and when it is over: a file per layer.

mod line;
mod node;
mod world;

use super::play::Play;
use crate::experiment::catalogue::FaultKind;

/// How often a fault was met, and how often it could have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hits {
    pub(super) hits: u64,
    pub(super) opportunities: u64,
}

/// The fault in this place of the play begins. Says after how many seconds it wants its next step, if it wants one.
pub(super) async fn on(play: &mut Play, place: usize) -> anyhow::Result<Option<u32>> {
    if play.planned(place).is_of_world() {
        world::on(play, place);
        return Ok(None);
    }
    Ok(match play.what(place) {
        FaultKind::AgentCrashRestart(fault) => Some(node::agents_die(play, place, fault.down).await),
        FaultKind::ControllerCrash(fault) => Some(node::controller_dies(play, place, fault.down).await),
        FaultKind::LinkReset(fault) => Some(line::cut(play, place, fault.after).await),
        FaultKind::LinkPartition(_) | FaultKind::LinkOneWay(_) | FaultKind::LinkLatency(_) => {
            line::turns(play, place);
            None
        }
        // A plan that has it is refused before it is played.
        other => anyhow::bail!("{} cannot be simulated", other.info().name),
    })
}

/// Its next step; as [`on`].
pub(super) async fn step(play: &mut Play, place: usize) -> anyhow::Result<Option<u32>> {
    Ok(match play.what(place) {
        FaultKind::AgentCrashRestart(_) => {
            node::agents_start(play, place).await?;
            None
        }
        FaultKind::ControllerCrash(_) => {
            play.stage.controller_starts().await?;
            None
        }
        FaultKind::LinkReset(fault) => Some(line::cut(play, place, fault.after).await),
        _ => None,
    })
}

/// It is over.
pub(super) async fn off(play: &mut Play, place: usize) -> anyhow::Result<()> {
    if play.planned(place).is_of_world() {
        world::off(play, place);
        return Ok(());
    }
    match play.what(place) {
        FaultKind::AgentCrashRestart(_) => node::agents_start(play, place).await?,
        FaultKind::ControllerCrash(_) => play.stage.controller_starts().await?,
        FaultKind::LinkPartition(_) | FaultKind::LinkOneWay(_) | FaultKind::LinkLatency(_) => {
            line::clears(play, place);
        }
        _ => {}
    }
    Ok(())
}

/// How often it was met so far.
pub(super) fn hits(play: &Play, place: usize) -> Hits {
    if play.planned(place).is_of_world() {
        return world::hits(play, place);
    }
    match play.what(place) {
        FaultKind::LinkPartition(_) | FaultKind::LinkOneWay(_) | FaultKind::LinkLatency(_) => {
            line::hits(play, place)
        }
        _ => play.counted(place),
    }
}
