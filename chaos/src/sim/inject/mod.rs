//! What each fault does to a simulated installation when it begins and when it is over: a file per layer.

mod endpoint;
mod line;
mod node;

use super::{Fault, play::Play};

/// How often a fault was met, and how often it could have been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hits {
    pub(super) hits: u64,
    pub(super) opportunities: u64,
}

/// The fault in this place of the play begins.
pub(super) async fn on(play: &mut Play, place: usize) -> anyhow::Result<()> {
    match play.fault(place) {
        Fault::HttpError { .. }
        | Fault::Throttled { .. }
        | Fault::Refused { .. }
        | Fault::LostResponse { .. }
        | Fault::HalfOpen { .. }
        | Fault::NeverUp { .. }
        | Fault::SlowWake { .. }
        | Fault::LyingLoad { .. }
        | Fault::CpuNoise { .. } => endpoint::on(play, place),
        Fault::AgentCrash { host } => node::agent_dies(play, place, host).await,
        Fault::ControllerCrash {} => node::controller_dies(play, place).await,
        Fault::Reset { host } => line::cut(play, place, host).await,
        Fault::StaleCommand { host } => line::repeat(play, place, host),
        Fault::Partition { host } | Fault::OneWay { host, .. } | Fault::Latency { host, .. } => {
            line::turns(play, place, host);
        }
    }
    Ok(())
}

/// It is over.
pub(super) async fn off(play: &mut Play, place: usize) -> anyhow::Result<()> {
    match play.fault(place) {
        Fault::AgentCrash { host } => play.stage.agent_starts(host).await?,
        Fault::ControllerCrash {} => play.stage.controller_starts().await?,
        Fault::Partition { host } | Fault::OneWay { host, .. } | Fault::Latency { host, .. } => {
            line::clears(play, place, host);
        }
        Fault::Reset { .. } | Fault::StaleCommand { .. } => {}
        _ => endpoint::off(play, place),
    }
    Ok(())
}

/// How often it was met so far.
pub(super) fn hits(play: &Play, place: usize) -> Hits {
    match play.fault(place) {
        Fault::Partition { host } | Fault::OneWay { host, .. } | Fault::Latency { host, .. } => {
            line::hits(play, place, host)
        }
        Fault::AgentCrash { .. }
        | Fault::ControllerCrash {}
        | Fault::Reset { .. }
        | Fault::StaleCommand { .. } => play.counted(place),
        _ => endpoint::hits(play, place),
    }
}
