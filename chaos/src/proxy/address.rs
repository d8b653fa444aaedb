//! Where a proxy may listen: on loopback, unless the person who started it allows more.

use std::{io, net::SocketAddr};

use tokio::net::lookup_host;

/// Where a proxy listens that does not say.
pub(super) const ANYWHERE: &str = "127.0.0.1:0";

/// An address no proxy may listen on.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("`{listen}` is no address to listen on")]
    Malformed { listen: String, source: io::Error },
    #[error("`{listen}` is not on loopback; the proxy was not started with --any-address")]
    NotLoopback { listen: String },
}

/// The addresses behind `listen` (`host:port`; without a host, loopback).
pub(super) async fn resolve(listen: &str, any_address: bool) -> Result<Vec<SocketAddr>, AddressError> {
    let text = match listen {
        "" => ANYWHERE.to_owned(),
        port if port.starts_with(':') && !any_address => format!("127.0.0.1{port}"),
        port if port.starts_with(':') => format!("[::]{port}"),
        whole => whole.to_owned(),
    };
    let found = lookup_host(&text).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(addresses) => addresses.collect(),
        Err(source) => return Err(AddressError::Malformed { listen: listen.to_owned(), source }),
    };
    if any_address || addresses.iter().all(|address| address.ip().is_loopback()) {
        Ok(addresses)
    } else {
        Err(AddressError::NotLoopback { listen: listen.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_loopback_is_listened_on_unless_more_is_allowed() {
        for listen in ["127.0.0.1:80", "[::1]:0", "", ":0"] {
            let addresses = resolve(listen, false).await.expect("loopback");
            assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{listen}");
        }
        for listen in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80"] {
            let refused = resolve(listen, false).await;
            assert!(matches!(refused, Err(AddressError::NotLoopback { .. })), "{listen}");
            assert!(resolve(listen, true).await.is_ok());
        }
        assert!(matches!(resolve("nonsense", false).await, Err(AddressError::Malformed { .. })));
    }
}
