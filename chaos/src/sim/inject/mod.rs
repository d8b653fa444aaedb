//! What each fault does to a simulated installation when it begins, while it is on and when it is over: a file per layer.

mod clock;
mod feed;
mod line;
mod load;
mod node;
mod operator;
mod store;
mod told;
mod wire;
mod world;

use super::{play::Play, receiver::Receiver};
use crate::{experiment::catalogue::FaultKind, local::WriteLock};

pub(super) use operator::{follow, is_in_line};
pub(super) use store::StoreGate;
pub(super) use told::is_blind;

/// What faults keep from one step to the next.
#[derive(Debug, Default)]
pub(super) struct Own {
    rushes: load::Rushes,
    desk: operator::Desk,
    locks: store::Locks,
    file_lock: Option<WriteLock>,
}

/// How often a fault was met, and how often it could have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hits {
    pub(super) hits: u64,
    pub(super) opportunities: u64,
}

/// The fault in this place of the play begins. Says after how many seconds it wants its next step, if it wants one.
pub(super) async fn on(play: &mut Play, place: usize) -> anyhow::Result<Option<u32>> {
    if wire::is_one(play, place) {
        return wire::on(play, place).await.map(Some);
    }
    let planned = play.planned(place);
    if planned.is_of_world() {
        world::on(play, place);
        return Ok(None);
    }
    if planned.is_weather() {
        line::turns(play, place);
        return Ok(None);
    }
    if planned.is_muddle() {
        line::muddles(play, place);
        return Ok(None);
    }
    if planned.is_of_clock() {
        clock::on(play, place);
        return Ok(None);
    }
    Ok(match play.what(place) {
        FaultKind::AgentCrashRestart(fault) => Some(node::agents_die(play, place, fault.down).await),
        FaultKind::AgentTwin(_) => {
            node::copies_start(play, place).await?;
            None
        }
        FaultKind::ControllerCrash(fault) => Some(node::controller_dies(play, place, fault.down).await),
        FaultKind::HostLoss(fault) => {
            node::hosts_vanish(play, place, fault.comes_back_empty).await;
            None
        }
        FaultKind::ControllerOverload(fault) => load::rush(play, place, &fault),
        FaultKind::ControllerConfigChange(_) | FaultKind::OperatorKillSwitch(_) => {
            follow(play).await;
            None
        }
        FaultKind::StoreHang(_)
        | FaultKind::StoreSlow(_)
        | FaultKind::StoreRefuse(_)
        | FaultKind::StoreCommitUnknown(_) => {
            store::turns(play, place);
            None
        }
        FaultKind::ControllerSlowSink(_) | FaultKind::OperatorBlind(_) => {
            told::turns(play, place);
            None
        }
        FaultKind::AgentPause(_) => {
            node::agents_stop(play, place).await?;
            None
        }
        FaultKind::AgentVersionSkew(fault) => {
            node::agents_skew(play, place, fault.version);
            None
        }
        FaultKind::ControllerPause(_) | FaultKind::ClockSuspend(_) => {
            node::controller_stops(play, place).await?;
            None
        }
        FaultKind::LinkStaleCommand(_) => {
            line::repeat(play, place);
            None
        }
        FaultKind::DataGap(_) => {
            feed::gap(play, place);
            None
        }
        // It is so from the beginning.
        FaultKind::ClockDst(_) => None,
        // What it does again and again it does from the beginning.
        _ => step(play, place).await?,
    })
}

/// Its next step; as [`on`].
pub(super) async fn step(play: &mut Play, place: usize) -> anyhow::Result<Option<u32>> {
    if wire::is_one(play, place) {
        return Ok(Some(wire::count(play, place).await));
    }
    Ok(match play.what(place) {
        FaultKind::AgentCrashRestart(_) => {
            node::agents_start(play, place).await?;
            None
        }
        FaultKind::AgentCrashLoop(fault) => Some(node::agents_turn(play, place, fault.up, fault.down).await?),
        FaultKind::AgentFlapping(fault) => Some(line::cut(play, place, fault.every).await),
        FaultKind::ControllerCrash(_) => {
            play.stage.controller_starts().await?;
            None
        }
        FaultKind::ControllerCrashLoop(fault) => {
            Some(node::controller_turns(play, place, fault.up, fault.down).await?)
        }
        FaultKind::ControllerOverload(_) => load::rush_on(play, place),
        FaultKind::LinkReset(fault) => Some(line::cut(play, place, fault.after).await),
        FaultKind::OperatorFatFinger(fault) => operator::slip(play, place, fault.what).await,
        FaultKind::OperatorDoubleRun(_) => Some(load::at_once(play, place).await),
        FaultKind::StoreBusy(fault) => Some(store::lock(play, place, &fault).await?),
        // A plan that has it is refused before it is played.
        other => anyhow::bail!("{} cannot be simulated", other.info().name),
    })
}

/// It is over.
pub(super) async fn off(play: &mut Play, place: usize) -> anyhow::Result<()> {
    if wire::is_one(play, place) {
        wire::off(play, place).await;
        return Ok(());
    }
    let planned = play.planned(place);
    if planned.is_of_world() {
        world::off(play, place);
        return Ok(());
    }
    if planned.is_weather() {
        line::clears(play, place);
        return Ok(());
    }
    if planned.is_muddle() {
        line::sorts(play, place);
        return Ok(());
    }
    if planned.is_of_clock() {
        clock::off(play, place);
        return Ok(());
    }
    match play.what(place) {
        FaultKind::AgentCrashRestart(_) | FaultKind::AgentCrashLoop(_) => {
            node::agents_start(play, place).await?;
        }
        FaultKind::AgentTwin(_) => node::copies_end(play, place).await,
        FaultKind::HostLoss(_) => node::hosts_return(play, place).await?,
        FaultKind::ControllerCrash(_) | FaultKind::ControllerCrashLoop(_) => {
            play.stage.controller_starts().await?;
        }
        FaultKind::ControllerConfigChange(_) | FaultKind::OperatorKillSwitch(_) => {
            follow(play).await;
        }
        FaultKind::ControllerSlowSink(_) | FaultKind::OperatorBlind(_) => told::clears(play),
        FaultKind::AgentPause(_) => node::agents_go_on(play, place).await?,
        FaultKind::AgentVersionSkew(_) => node::agents_unskew(play, place),
        FaultKind::ControllerPause(_) | FaultKind::ClockSuspend(_) => {
            node::controller_goes_on(play).await?;
        }
        FaultKind::StoreHang(_)
        | FaultKind::StoreSlow(_)
        | FaultKind::StoreBusy(_)
        | FaultKind::StoreRefuse(_)
        | FaultKind::StoreCommitUnknown(_) => store::clears(play, place),
        _ => {}
    }
    Ok(())
}

/// What is counted elsewhere is known here from now on.
pub(super) async fn told(play: &mut Play, place: usize) {
    if wire::is_one(play, place) {
        wire::count(play, place).await;
    }
}

/// How often it was met so far.
pub(super) fn hits(play: &Play, place: usize) -> Hits {
    let planned = play.planned(place);
    if planned.is_of_world() {
        return world::hits(play, place);
    }
    if planned.is_weather() {
        return line::hits(play, place);
    }
    if planned.is_muddle() {
        return line::muddled(play, place);
    }
    if planned.is_of_clock() {
        return clock::hits(play, place);
    }
    match &planned.what {
        FaultKind::AgentTwin(_) => node::copies_hits(play, place),
        FaultKind::AgentVersionSkew(_) => node::skew_hits(play, place),
        FaultKind::ControllerSlowSink(_) | FaultKind::OperatorBlind(_) => told::hits(play, place),
        FaultKind::ClockDst(_) if play.is_on(place) => clock::near_the_change(play),
        FaultKind::StoreHang(_)
        | FaultKind::StoreSlow(_)
        | FaultKind::StoreBusy(_)
        | FaultKind::StoreRefuse(_)
        | FaultKind::StoreCommitUnknown(_) => store::hits(play, place),
        _ => play.counted(place),
    }
}
