//! Why something that was asked for is not done.

use std::io;

use super::{address::AddressError, toxics::ToxicError};

/// The texts are those clients of Toxiproxy know, as far as it has them.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("bad request body: {0}")]
    BadBody(String),
    #[error("bad request body")]
    BadAttributes(#[source] ToxicError),
    #[error("missing required field: {0}")]
    MissingField(String),
    #[error("proxy not found")]
    ProxyNotFound,
    #[error("proxy already exists")]
    ProxyExists,
    #[error("stream was invalid, can be either upstream or downstream")]
    InvalidStream,
    #[error("invalid toxic type")]
    InvalidToxicType,
    #[error("toxic already exists")]
    ToxicExists,
    #[error("toxic not found")]
    ToxicNotFound,
    #[error("fault not found, or over")]
    FaultNotFound,
    #[error("bad request body")]
    Address(#[from] AddressError),
    #[error("failed to listen on {listen}")]
    Listen { listen: String, source: io::Error },
}

impl Refusal {
    /// Of the HTTP answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadBody(_)
            | Self::BadAttributes(_)
            | Self::MissingField(_)
            | Self::InvalidStream
            | Self::InvalidToxicType
            | Self::Address(_) => 400,
            Self::ProxyNotFound | Self::ToxicNotFound | Self::FaultNotFound => 404,
            Self::ProxyExists | Self::ToxicExists => 409,
            Self::Listen { .. } => 500,
        }
    }
}

impl From<ToxicError> for Refusal {
    fn from(error: ToxicError) -> Self {
        match error {
            ToxicError::Type(_) => Self::InvalidToxicType,
            error => Self::BadAttributes(error),
        }
    }
}
