//! TLS of both faces: certificates from files that may be rotated, handshakes that keep nobody waiting, and who is at the
//! other end.

mod certificates;
mod files;
mod incoming;
mod peer;
mod wire;

pub use certificates::Certificates;
pub use files::{Face, TlsError};
pub use incoming::Incoming;
pub use peer::Peer;
pub use wire::Wire;
