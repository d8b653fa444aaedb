//! A row of ports nobody listens on.

use std::net::TcpListener;

/// Below the range the kernel hands out for outgoing connections, so that they stay free while an instance sleeps.
const FROM: u16 = 20_000;
const TO: u16 = 30_000;

/// The first of `count` free ports in a row. Where the search begins differs from process to process.
pub(crate) fn free_ports(count: u16) -> u16 {
    let rows = (TO - FROM) / count;
    let begin = std::process::id() % u32::from(rows);
    let row = |n: u16| FROM + (begin as u16 + n) % rows * count;
    let free =
        |first: &u16| (*first..*first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    (0..rows).map(row).find(free).expect("some ports are free")
}
