//! One line within this process: bytes go from one end to the other as the weather has it, until either end or the
//! weather cuts it.

use std::{collections::VecDeque, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split},
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Flow, Weather, weather::Met};

/// Bytes that fit between an end and the line.
const BUFFER_BYTES: usize = 64 * 1024;
/// Pieces on their way; whoever sends more waits, as with a real line.
const PIECES_MAX: usize = 256;

/// The two ends of a new line; the first is the caller's.
pub(super) fn lay(weather: watch::Receiver<Weather>, met: Met, rng: StdRng) -> (DuplexStream, DuplexStream) {
    let (caller, near) = tokio::io::duplex(BUFFER_BYTES);
    let (called, far) = tokio::io::duplex(BUFFER_BYTES);
    // Cut as soon as it is laid, not as soon as it has had its first turn.
    let cuts = weather.borrow().cuts;
    tokio::spawn(lie((near, far), (weather, cuts), met, rng));
    (caller, called)
}

/// Both directions. Dropping both ends tells those who hold the others.
async fn lie(
    (near, far): (DuplexStream, DuplexStream),
    (weather, cuts): (watch::Receiver<Weather>, u64),
    met: Met,
    mut rng: StdRng,
) {
    let (near_read, near_write) = split(near);
    let (far_read, far_write) = split(far);
    let other = StdRng::seed_from_u64(rng.random());
    let mut is_cut = weather.clone();
    tokio::select! {
        biased;
        _ = is_cut.wait_for(|weather| weather.cuts != cuts) => met.count(),
        () = pass((near_read, far_write), |weather| weather.there, (weather.clone(), &met), rng) => {}
        () = pass((far_read, near_write), |weather| weather.back, (weather.clone(), &met), other) => {}
    }
}

/// A piece, and when it arrives at the earliest.
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
}

/// One direction, until its sender ends it or its receiver is gone.
async fn pass(
    (mut from, mut to): (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>),
    direction: fn(&Weather) -> Flow,
    (mut weather, met): (watch::Receiver<Weather>, &Met),
    mut rng: StdRng,
) {
    let mut on_their_way: VecDeque<Piece> = VecDeque::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut is_open = true;
    loop {
        let flow = direction(&weather.borrow_and_update());
        let first = on_their_way.front().filter(|_| flow != Flow::Held).map(|piece| piece.due);
        if first.is_none() && !is_open && on_their_way.is_empty() {
            return;
        }
        tokio::select! {
            biased;
            changed = weather.changed() => if changed.is_err() { return },
            () = arrives(first) => {
                let Some(piece) = on_their_way.pop_front() else { continue };
                if to.write_all(&piece.bytes).await.is_err() {
                    return;
                }
            }
            read = from.read(&mut buffer), if is_open && on_their_way.len() < PIECES_MAX => match read {
                Ok(0) | Err(_) => is_open = false,
                Ok(length) => {
                    if flow != Flow::Free {
                        met.count();
                    }
                    // Never before what was sent earlier.
                    let earliest = on_their_way.back().map_or_else(Instant::now, |last| last.due);
                    let due = (Instant::now() + lateness(flow, &mut rng)).max(earliest);
                    on_their_way.push_back(Piece { due, bytes: buffer[..length].to_vec() });
                }
            },
        }
    }
}

async fn arrives(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn lateness(flow: Flow, rng: &mut StdRng) -> Duration {
    match flow {
        Flow::Late { delay, jitter } => delay + jitter.mul_f64(rng.random()),
        Flow::Free | Flow::Held => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> (DuplexStream, DuplexStream, watch::Sender<Weather>) {
        let (weather, told) = watch::channel(Weather::default());
        let (caller, called) = lay(told, Met::default(), StdRng::seed_from_u64(1));
        (caller, called, weather)
    }

    async fn read(end: &mut DuplexStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        end.read_exact(&mut bytes).await.expect("they arrive");
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_arrive_at_once_and_in_order() {
        let (mut caller, mut called, _weather) = line();
        let began = Instant::now();
        caller.write_all(b"there").await.expect("sent");
        called.write_all(b"back").await.expect("sent");
        assert_eq!(
            (read(&mut called, 5).await, read(&mut caller, 4).await),
            (b"there".into(), b"back".into())
        );
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop(caller);
        assert_eq!(called.read(&mut [0; 8]).await.expect("an end"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn late_pieces_overlap_and_keep_their_order() {
        let (mut caller, mut called, weather) = line();
        let late = Flow::Late { delay: Duration::from_millis(300), jitter: Duration::from_millis(200) };
        weather.send_modify(|weather| weather.there = late);
        tokio::task::yield_now().await;
        let began = Instant::now();
        for piece in 0..20_u8 {
            caller.write_all(&[piece]).await.expect("sent");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(read(&mut called, 20).await, (0..20).collect::<Vec<u8>>());
        let took = began.elapsed();
        assert!((Duration::from_millis(490)..Duration::from_millis(720)).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_arrives_afterwards_and_the_other_direction_is_free() {
        let (mut caller, mut called, weather) = line();
        weather.send_modify(|weather| weather.there = Flow::Held);
        caller.write_all(b"held").await.expect("sent");
        called.write_all(b"free").await.expect("sent");
        assert_eq!(read(&mut caller, 4).await, b"free");
        let minute = Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, called.read(&mut [0; 8])).await.is_err(), "it is held");
        weather.send_modify(|weather| weather.there = Flow::Free);
        assert_eq!(read(&mut called, 4).await, b"held");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_ends_both_ends() {
        let (mut caller, mut called, weather) = line();
        caller.write_all(b"lost").await.expect("sent");
        weather.send_modify(|weather| {
            weather.there = Flow::Held;
            weather.cuts += 1;
        });
        assert_eq!(called.read(&mut [0; 8]).await.expect("an end"), 0, "what was under way is lost");
        assert_eq!(caller.read(&mut [0; 8]).await.expect("an end"), 0);
    }
}
