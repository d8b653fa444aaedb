//! A database that lets the controller wait: for its answers, for the lock to write, or for ever; that turns it away; or whose
//! answers are lost.
//!
//! It is waited for at the controller's own seam, before a statement or a whole transaction is handed in, so that nobody holds
//! a lock while time passes. What is on disk is never wrong.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reveille_proto::waits::{Asked, Gate};
use tokio::sync::Notify;

use super::{super::play::Play, Hits};
use crate::{
    experiment::catalogue::{FaultKind, store::Busy},
    local::WriteLock,
};

/// Places of the faults whose lock is held now.
pub(super) type Locks = BTreeSet<usize>;

/// What a controller meets on the way to its database. Cheap to clone; every clone is the same.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct StoreGate(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Whoever starts is let through: it would not be there to be met.
    is_starting: bool,
    /// The controller itself stands still.
    stands_still: bool,
    now: Now,
    /// What decides which answers are lost; `None` before any could be.
    rng: Option<StdRng>,
    held: u64,
    locked_out: u64,
    delayed: u64,
    refused: u64,
    lost: u64,
}

/// What all faults of the store that are on come to together.
#[derive(Debug, Clone, Copy, Default)]
struct Now {
    hangs: bool,
    is_locked: bool,
    /// The lock is one of the file, and met there.
    is_file_locked: bool,
    refuses: bool,
    delay: Duration,
    /// Share of the transactions whose answer is lost, 0-1.
    lost: f64,
}

impl State {
    fn now(&self) -> Now {
        if self.is_starting { Now::default() } else { self.now }
    }

    /// Whether an answer is lost now.
    fn loses(&mut self) -> bool {
        let share = self.now().lost;
        let is_lost = share > 0.0 && self.rng.as_mut().is_some_and(|rng| rng.random_bool(share));
        self.lost += u64::from(is_lost);
        is_lost
    }
}

fn no_connection() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, "the database refuses connections")
}

fn no_answer() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connection was lost before the answer")
}

impl StoreGate {
    pub(in super::super) fn gate(&self) -> Gate {
        let this = self.clone();
        Arc::new(move |asked| {
            let this = this.clone();
            Box::pin(async move { this.pass(asked).await })
        })
    }

    /// While a controller starts, nothing holds it.
    pub(in super::super) fn starting(&self, is_starting: bool) {
        self.state().is_starting = is_starting;
    }

    /// The controller stands still, or goes on.
    pub(in super::super) fn stand_still(&self, stands_still: bool) {
        self.change(|state| state.stands_still = stands_still);
    }

    async fn pass(&self, asked: Asked) -> io::Result<()> {
        if asked == Asked::Answer {
            return if self.state().loses() { Err(no_answer()) } else { Ok(()) };
        }
        let mut is_counted = false;
        loop {
            // In the order in which they came, which a notification keeps.
            let changed = self.0.changed.notified();
            {
                let mut state = self.state();
                let now = state.now();
                let is_locked = now.is_locked && asked == Asked::Transaction;
                if !state.stands_still {
                    if now.refuses {
                        state.refused += 1;
                        return Err(no_connection());
                    }
                    if now.is_file_locked && asked == Asked::Transaction {
                        state.locked_out += 1;
                        if !now.hangs {
                            break;
                        }
                    }
                    if !now.hangs && !is_locked {
                        break;
                    }
                    if !is_counted {
                        *if now.hangs { &mut state.held } else { &mut state.locked_out } += 1;
                    }
                    is_counted = true;
                }
            }
            changed.await;
        }
        let delay = {
            let mut state = self.state();
            let delay = state.now().delay;
            state.delayed += u64::from(delay > Duration::ZERO);
            delay
        };
        if delay > Duration::ZERO {
            tokio::time::sleep(delay).await;
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn turns(play: &mut Play, place: usize) {
    note_before(play, place);
    if matches!(play.what(place), FaultKind::StoreCommitUnknown(_)) {
        let rng = StdRng::seed_from_u64(play.rng(place).random());
        play.stage.store.state().rng = Some(rng);
    }
    make(play);
}

/// The lock is taken, or let go. Gives after how many seconds the other.
pub(super) async fn lock(play: &mut Play, place: usize, fault: &Busy) -> anyhow::Result<u32> {
    if !play.met_before.contains_key(&(place, 0)) {
        note_before(play, place);
    }
    let (held_s, every_s) = (fault.held.as_ms().div_ceil(1_000), fault.every.as_ms().div_ceil(1_000));
    let is_free = play.own.locks.insert(place);
    if !is_free {
        play.own.locks.remove(&place);
    }
    keep_file_locked(play).await?;
    make(play);
    let next_s = if is_free { held_s } else { every_s.saturating_sub(held_s) };
    Ok(next_s.max(1) as u32)
}

/// A database that another process has open is locked in its file, as whoever else writes to it would.
async fn keep_file_locked(play: &mut Play) -> anyhow::Result<()> {
    if play.stage.local.is_none() || play.own.locks.is_empty() {
        play.own.file_lock = None;
    } else if play.own.file_lock.is_none() {
        let lock = WriteLock::take(&play.stage.database()).await;
        play.own.file_lock = Some(lock?);
    }
    Ok(())
}

pub(super) fn clears(play: &mut Play, place: usize) {
    play.own.locks.remove(&place);
    if play.own.locks.is_empty() {
        play.own.file_lock = None;
    }
    make(play);
}

pub(super) fn hits(play: &Play, place: usize) -> Hits {
    if !play.is_on(place) {
        return play.counted(place);
    }
    let before = play.met_before.get(&(place, 0)).copied().unwrap_or(0);
    let hits = met(play, place) - before;
    Hits { hits, opportunities: hits }
}

/// What was met before is not this fault's doing.
fn note_before(play: &mut Play, place: usize) {
    let before = met(play, place);
    play.met_before.insert((place, 0), before);
}

fn met(play: &Play, place: usize) -> u64 {
    let state = play.stage.store.state();
    match play.what(place) {
        FaultKind::StoreHang(_) => state.held,
        FaultKind::StoreBusy(_) => state.locked_out,
        FaultKind::StoreRefuse(_) => state.refused,
        FaultKind::StoreCommitUnknown(_) => state.lost,
        _ => state.delayed,
    }
}

/// Has the controller meet what is on now.
fn make(play: &Play) {
    let (is_locked, is_file_locked) = (!play.own.locks.is_empty(), play.own.file_lock.is_some());
    let mut now = Now { is_locked: is_locked && !is_file_locked, is_file_locked, ..Now::default() };
    for planned in play.on_now() {
        match &planned.what {
            FaultKind::StoreHang(_) => now.hangs = true,
            FaultKind::StoreRefuse(_) => now.refuses = true,
            FaultKind::StoreSlow(fault) => now.delay = now.delay.max(play.stage.runtime(fault.delay)),
            FaultKind::StoreCommitUnknown(fault) => now.lost = now.lost.max(fault.share),
            _ => {}
        }
    }
    play.stage.store.change(|state| state.now = now);
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hang_holds_everything_a_lock_only_writes_and_a_start_nothing() {
        let (store, minute) = (StoreGate::default(), Duration::from_secs(60));
        let gate = store.gate();
        store.change(|state| state.now.is_locked = true);
        assert!(timeout(minute, gate(Asked::Transaction)).await.is_err());
        assert!(timeout(minute, gate(Asked::Statement)).await.is_ok());
        store.change(|state| state.now.hangs = true);
        assert!(timeout(minute, gate(Asked::Statement)).await.is_err());
        store.starting(true);
        assert!(timeout(minute, gate(Asked::Transaction)).await.is_ok());
        store.starting(false);
        let waits = tokio::spawn(gate(Asked::Transaction));
        tokio::time::sleep(minute).await;
        store.change(|state| state.now = Now { delay: minute, ..Now::default() });
        let began = Instant::now();
        waits.await.expect("through").expect("not turned away");
        assert_eq!((began.elapsed(), store.state().delayed), (minute, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_turns_everybody_away_and_a_lost_answer_only_who_is_through() {
        let store = StoreGate::default();
        let gate = store.gate();
        let hung = tokio::spawn({
            store.change(|state| state.now.hangs = true);
            gate(Asked::Statement)
        });
        tokio::task::yield_now().await;
        store.change(|state| state.now = Now { refuses: true, ..Now::default() });
        let refused = hung.await.expect("no panic").expect_err("who waits is turned away as well");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        store.change(|state| {
            state.now = Now { lost: 1.0, ..Now::default() };
            state.rng = Some(StdRng::seed_from_u64(1));
        });
        assert!(gate(Asked::Transaction).await.is_ok());
        assert!(gate(Asked::Answer).await.is_err());
        let state = store.state();
        assert_eq!((state.refused, state.lost, state.held), (1, 1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_still_meets_nothing_meanwhile() {
        let store = StoreGate::default();
        store.stand_still(true);
        store.change(|state| state.now.refuses = true);
        let waits = tokio::spawn(store.gate()(Asked::Statement));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!waits.is_finished());
        store.change(|state| state.now = Now::default());
        store.stand_still(false);
        waits.await.expect("no panic").expect("the database is back");
        let state = store.state();
        assert_eq!((state.refused, state.held), (0, 0));
    }
}
