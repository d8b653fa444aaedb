//! The stream to the controller: the agent dials out, says what it has, obeys, and comes back when the line breaks.

mod backoff;
mod dial;
mod error;
#[cfg(test)]
pub(crate) mod fleet;
mod load;
mod redial;
mod rota;
mod session;
mod tls;

pub use self::{
    backoff::Backoff,
    dial::{Dial, Line},
    error::SessionError,
    redial::Link,
    session::{Identity, Session},
};
