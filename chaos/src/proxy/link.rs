//! One direction of one connection: reads, lets the chain have it, writes what comes out.

use std::io;

use bytes::{Buf, Bytes};
use tokio::{
    io::AsyncWriteExt,
    net::tcp::{ReadHalf, WriteHalf},
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    chain::Chain,
    piece::{End, Piece},
    plan::Plan,
};

/// Bytes of one read.
const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// Runs until the direction is over; [`End::Fin`] has been passed on by then, any other end is the connection's to make.
///
/// The plan is looked at before anything is read: what is sent after a toxic was added meets it.
pub(super) async fn run(
    mut chain: Chain,
    mut plan: watch::Receiver<Plan>,
    source: ReadHalf<'_>,
    mut sink: WriteHalf<'_>,
) -> End {
    let mut is_over = false;
    plan.mark_changed();
    loop {
        follow(&mut chain, &mut plan);
        chain.advance(Instant::now());
        match chain.out() {
            Some(Piece::End(End::Fin)) => {
                return if sink.shutdown().await.is_ok() { End::Fin } else { End::Reset };
            }
            Some(Piece::End(end)) => return *end,
            _ => {}
        }
        let due = chain.due();
        let is_reading = !is_over && chain.has_room();
        tokio::select! {
            biased;
            changed = plan.changed() => match changed {
                Ok(()) => plan.mark_changed(),
                Err(_) => return End::Close,
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            ready = sink.writable(), if chain.out().is_some() => {
                if ready.and_then(|()| write(&sink, chain.out())).is_err() {
                    return End::Reset;
                }
            }
            ready = source.readable(), if is_reading => {
                follow(&mut chain, &mut plan);
                if chain.has_room() && let Some(piece) = ready.map_or_else(|error| Some(lost(&error)), |()| read(&source)) {
                    is_over = matches!(piece, Piece::End(_));
                    chain.put(piece, Instant::now());
                }
            }
        }
    }
}

fn follow(chain: &mut Chain, plan: &mut watch::Receiver<Plan>) {
    if plan.has_changed().unwrap_or(false) {
        let plan = plan.borrow_and_update().clone();
        chain.follow(&plan, Instant::now());
    }
}

/// The next piece, exactly as large as it is; `None` when there is nothing after all.
fn read(source: &ReadHalf<'_>) -> Option<Piece> {
    let mut chunk = [0u8; CHUNK_BYTES_MAX];
    match source.try_read(&mut chunk) {
        Ok(0) => Some(Piece::End(End::Fin)),
        Ok(len) => Some(Piece::Data(Bytes::copy_from_slice(&chunk[..len]))),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => Some(lost(&error)),
    }
}

/// A reset of one side is the reset of the other, as if there were one connection.
fn lost(error: &io::Error) -> Piece {
    tracing::debug!(%error, "a side is lost");
    Piece::End(End::Reset)
}

fn write(sink: &WriteHalf<'_>, out: &mut Option<Piece>) -> io::Result<()> {
    let Some(Piece::Data(bytes)) = out else { return Ok(()) };
    match sink.try_write(bytes) {
        Ok(len) => bytes.advance(len),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    }
    if bytes.is_empty() {
        *out = None;
    }
    Ok(())
}
