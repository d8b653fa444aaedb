//! One line within this process: bytes go from one end to the other as the weather has it, until either end or the
//! weather cuts it.

use std::{collections::VecDeque, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split},
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{Flow, Meeting, Weather, weather::Met};

/// Bytes that fit between an end and the line.
const BUFFER_BYTES: usize = 64 * 1024;
/// Pieces on their way; whoever sends more waits, as with a real line.
const PIECES_MAX: usize = 256;
/// Bytes of a packet; a piece is sent in so many.
const PACKET_BYTES: usize = 1_460;
/// After this time a packet that was not acknowledged is sent anew, and after twice as long the next time.
const SENT_ANEW_AFTER: Duration = Duration::from_millis(200);
const SENT_ANEW_AFTER_MAX: Duration = Duration::from_secs(60);

/// The two ends of a new line; the first is the caller's.
pub(super) fn lay(weather: watch::Receiver<Weather>, met: Met, rng: StdRng) -> (DuplexStream, DuplexStream) {
    let (caller, near) = tokio::io::duplex(BUFFER_BYTES);
    let (called, far) = tokio::io::duplex(BUFFER_BYTES);
    // Cut as soon as it is laid, not as soon as it has had its first turn.
    let born = *weather.borrow();
    tokio::spawn(lie((near, far), (weather, born), met, rng));
    (caller, called)
}

/// Both directions. Dropping both ends tells those who hold the others.
async fn lie(
    (near, far): (DuplexStream, DuplexStream),
    (weather, born): (watch::Receiver<Weather>, Weather),
    met: Met,
    mut rng: StdRng,
) {
    let (near_read, near_write) = split(near);
    let (far_read, far_write) = split(far);
    let other = StdRng::seed_from_u64(rng.random());
    let mut ends = weather.clone();
    let is_over = |weather: &Weather| weather.cuts != born.cuts || weather.told > born.orphaned;
    let there = Way { flow: |weather| weather.there, weather: weather.clone(), born, met: &met };
    let back = Way { flow: |weather| weather.back, weather: weather.clone(), born, met: &met };
    tokio::select! {
        biased;
        _ = ends.wait_for(is_over) => met.count(Meeting::Cut),
        () = there.pass((near_read, far_write), rng) => {}
        () = back.pass((far_read, near_write), other) => {}
    }
}

/// A piece, and when it arrives at the earliest.
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
}

/// One direction of a line.
struct Way<'a> {
    flow: fn(&Weather) -> Flow,
    weather: watch::Receiver<Weather>,
    /// The weather when the line was laid.
    born: Weather,
    met: &'a Met,
}

impl Way<'_> {
    /// Until its sender ends it or its receiver is gone.
    async fn pass(
        mut self,
        (mut from, mut to): (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>),
        mut rng: StdRng,
    ) {
        let mut on_their_way: VecDeque<Piece> = VecDeque::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut is_open = true;
        // When a narrow line has room for the next piece.
        let mut has_room_at = Instant::now();
        loop {
            let now = *self.weather.borrow_and_update();
            let (flow, is_orphaned) = ((self.flow)(&now), now.orphaned > self.born.orphaned);
            if is_orphaned {
                // Nobody is there to get it.
                on_their_way.clear();
            }
            let first = on_their_way.front().filter(|_| !flow.is_held).map(|piece| piece.due);
            // Whose peer is gone cannot tell it of an end either.
            if first.is_none() && !is_open && on_their_way.is_empty() && !is_orphaned {
                return;
            }
            tokio::select! {
                biased;
                changed = self.weather.changed() => if changed.is_err() { return },
                () = arrives(first) => {
                    let Some(piece) = on_their_way.pop_front() else { continue };
                    if to.write_all(&piece.bytes).await.is_err() {
                        return;
                    }
                }
                read = from.read(&mut buffer), if is_open && on_their_way.len() < PIECES_MAX => match read {
                    Ok(0) | Err(_) => is_open = false,
                    Ok(_) if is_orphaned => self.met.count(Meeting::Orphaned),
                    Ok(length) => {
                        let sent = self.sent(flow, length, &mut has_room_at);
                        // Never before what was sent earlier.
                        let earliest = on_their_way.back().map_or(sent, |last| last.due);
                        let due = (sent + self.lateness(flow, length, &mut rng)).max(earliest);
                        on_their_way.push_back(Piece { due, bytes: buffer[..length].to_vec() });
                    }
                },
            }
        }
    }

    /// When its last byte is on its way.
    fn sent(&self, flow: Flow, length: usize, has_room_at: &mut Instant) -> Instant {
        let now = Instant::now();
        let Some(bytes_per_s) = flow.bytes_per_s else { return now };
        let takes = Duration::from_secs_f64(length as f64 / bytes_per_s.max(1) as f64);
        *has_room_at = now.max(*has_room_at) + takes;
        if *has_room_at > now {
            self.met.count(Meeting::Narrow);
        }
        *has_room_at
    }

    fn lateness(&self, flow: Flow, length: usize, rng: &mut StdRng) -> Duration {
        if flow.is_held {
            self.met.count(Meeting::Held);
        }
        let mut late = Duration::ZERO;
        if flow.delay + flow.jitter > Duration::ZERO {
            self.met.count(Meeting::Late);
            late += flow.delay + flow.jitter.mul_f64(rng.random());
        }
        if flow.loss > 0.0 {
            let packets = length.div_ceil(PACKET_BYTES);
            late += (0..packets).map(|_| self.sent_anew(flow.loss, rng)).max().unwrap_or_default();
        }
        late
    }

    /// How long it takes until a packet is not lost.
    fn sent_anew(&self, loss: f64, rng: &mut StdRng) -> Duration {
        let (mut late, mut after) = (Duration::ZERO, SENT_ANEW_AFTER);
        while rng.random_bool(loss.clamp(0.0, 0.99)) {
            self.met.count(Meeting::Lost);
            late += after;
            after = (after * 2).min(SENT_ANEW_AFTER_MAX);
        }
        late
    }
}

async fn arrives(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
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
        let late =
            Flow { delay: Duration::from_millis(300), jitter: Duration::from_millis(200), ..Flow::default() };
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
        weather.send_modify(|weather| weather.there = Flow::HELD);
        caller.write_all(b"held").await.expect("sent");
        called.write_all(b"free").await.expect("sent");
        assert_eq!(read(&mut caller, 4).await, b"free");
        let minute = Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, called.read(&mut [0; 8])).await.is_err(), "it is held");
        weather.send_modify(|weather| weather.there = Flow::default());
        assert_eq!(read(&mut called, 4).await, b"held");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_ends_both_ends() {
        let (mut caller, mut called, weather) = line();
        caller.write_all(b"lost").await.expect("sent");
        weather.send_modify(|weather| {
            weather.there = Flow::HELD;
            weather.cuts += 1;
        });
        assert_eq!(called.read(&mut [0; 8]).await.expect("an end"), 0, "what was under way is lost");
        assert_eq!(caller.read(&mut [0; 8]).await.expect("an end"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_narrow_line_takes_its_time_and_a_lossy_one_keeps_the_order() {
        let (mut caller, mut called, weather) = line();
        weather.send_modify(|weather| weather.there = Flow { bytes_per_s: Some(1_000), ..Flow::default() });
        tokio::task::yield_now().await;
        let began = Instant::now();
        caller.write_all(&[7; 3_000]).await.expect("sent");
        assert_eq!(read(&mut called, 3_000).await.len(), 3_000);
        assert_eq!(began.elapsed().as_secs(), 3);
        weather.send_modify(|weather| weather.there = Flow { loss: 0.5, ..Flow::default() });
        tokio::task::yield_now().await;
        let began = Instant::now();
        for piece in 0..20_u8 {
            caller.write_all(&[piece]).await.expect("sent");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(read(&mut called, 20).await, (0..20).collect::<Vec<u8>>());
        assert!(began.elapsed() >= SENT_ANEW_AFTER, "half of them were lost");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_whose_peer_is_gone_is_silent_until_it_is_told() {
        let (mut caller, mut called, weather) = line();
        weather.send_modify(|weather| weather.orphaned += 1);
        caller.write_all(b"to nobody").await.expect("taken");
        let minute = Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, called.read(&mut [0; 8])).await.is_err(), "nothing comes");
        let (mut newer, mut far) = lay(weather.subscribe(), Met::default(), StdRng::seed_from_u64(2));
        newer.write_all(b"new").await.expect("sent");
        assert_eq!(read(&mut far, 3).await, b"new");
        weather.send_modify(|weather| weather.told = weather.orphaned);
        assert_eq!(caller.read(&mut [0; 8]).await.expect("an end"), 0);
        newer.write_all(b"too").await.expect("sent");
        assert_eq!(read(&mut far, 3).await, b"too");
    }
}
