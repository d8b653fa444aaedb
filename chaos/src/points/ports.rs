//! Ports that a process can have again after it died: outside the range from which the system gives ports to callers.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::Context as _;

/// Below the range Linux gives out by default, above what services use.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// Addresses of loopback that are free and that nobody else in this process was given lately.
pub fn addresses<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    let found: Vec<SocketAddr> = (0..N).map(|_| address()).collect::<Result<_, _>>()?;
    found.try_into().map_err(|_| anyhow::anyhow!("as many addresses as were asked for"))
}

fn address() -> anyhow::Result<SocketAddr> {
    // Processes that run at the same time begin at different places.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let length = RANGE.end - RANGE.start;
    let first = (std::process::id().wrapping_mul(101) % u32::from(length)) as u16;
    let tried = (0..length).find_map(|_| {
        let port = RANGE.start + (first + NEXT.fetch_add(1, Ordering::Relaxed) % length) % length;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address).is_ok().then_some(address)
    });
    tried.context("no port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_is_given_twice() {
        let mut given: Vec<SocketAddr> =
            (0..10).flat_map(|_| addresses::<3>().expect("free ports")).collect();
        given.sort_unstable();
        given.dedup();
        assert!(given.len() == 30 && given.iter().all(|address| RANGE.contains(&address.port())));
    }
}
