//! The manners of an unruly endpoint, one small file each. Those with an effect take it before they misbehave.

mod expired_auth;
mod garbage;
mod late_up;
mod lost_response;
mod reset;
mod server_error;
mod silent;
mod slow_drip;
mod slow_headers;
mod throttled;

use std::{io, time::Duration};

pub use self::{
    expired_auth::ExpiredAuth, garbage::Garbage, late_up::LateUp, lost_response::LostResponse, reset::Reset,
    server_error::ServerError, silent::Silent, slow_drip::SlowDrip, slow_headers::SlowHeaders,
    throttled::Throttled,
};
use super::{exchange::Exchange, record::Ended};

/// How the endpoint answers.
#[derive(Debug)]
pub enum Manner {
    /// 202, and the instance comes up.
    Behaves,
    Reset(Reset),
    LostResponse(LostResponse),
    Silent(Silent),
    SlowDrip(SlowDrip),
    SlowHeaders(SlowHeaders),
    Garbage(Garbage),
    Throttled(Throttled),
    ExpiredAuth(ExpiredAuth),
    ServerError(ServerError),
    /// 202, and the instance never comes up.
    NeverUp,
    LateUp(LateUp),
}

impl Manner {
    /// As experiments name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Behaves => "endpoint.behaves",
            Self::Reset(_) => "endpoint.reset",
            Self::LostResponse(_) => "endpoint.lost_response",
            Self::Silent(_) => "endpoint.half_open",
            Self::SlowDrip(_) => "endpoint.slow_drip",
            Self::SlowHeaders(_) => "endpoint.slow_headers",
            Self::Garbage(_) => "endpoint.garbage",
            Self::Throttled(_) => "endpoint.throttled_429",
            Self::ExpiredAuth(_) => "endpoint.auth_expired",
            Self::ServerError(_) => "endpoint.http_error",
            Self::NeverUp => "endpoint.never_up",
            Self::LateUp(_) => "endpoint.late_up",
        }
    }

    /// Deals with one request to wake.
    pub(super) async fn meet(&self, exchange: &mut Exchange<'_>) -> io::Result<Ended> {
        match self {
            Self::Behaves | Self::NeverUp | Self::LateUp(_) => exchange.accept().await,
            Self::Reset(manner) => manner.meet(exchange),
            Self::LostResponse(manner) => manner.meet(exchange).await,
            Self::Silent(manner) => manner.meet(exchange).await,
            Self::SlowDrip(manner) => manner.meet(exchange).await,
            Self::SlowHeaders(manner) => manner.meet(exchange).await,
            Self::Garbage(manner) => manner.meet(exchange).await,
            Self::Throttled(manner) => manner.meet(exchange).await,
            Self::ExpiredAuth(manner) => manner.meet(exchange).await,
            Self::ServerError(manner) => manner.meet(exchange).await,
        }
    }

    /// How long an instance that was woken takes until it serves, if it ever does; `boot` where nothing is wrong.
    pub(super) fn boot(&self, boot: Duration) -> Option<Duration> {
        match self {
            Self::NeverUp => None,
            Self::LateUp(manner) => Some(boot + manner.later),
            _ => Some(boot),
        }
    }
}
