//! A database that lets the controller wait: for its answers, for the lock to write, or for ever.
//!
//! It is waited for at the controller's own seam, before a statement or a whole transaction is handed in, so that nobody holds
//! a lock while time passes. What is on disk is never wrong.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reveille_proto::waits::{Asked, Gate};
use tokio::sync::Notify;

use super::{super::play::Play, Hits};
use crate::experiment::catalogue::{FaultKind, store::Busy};

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
    hangs: bool,
    is_locked: bool,
    delay: Duration,
    held: u64,
    locked_out: u64,
    delayed: u64,
}

impl State {
    fn holds(&self, asked: Asked) -> bool {
        !self.is_starting && (self.hangs || self.is_locked && asked == Asked::Transaction)
    }
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

    async fn pass(&self, asked: Asked) {
        let mut is_counted = false;
        loop {
            // In the order in which they came, which a notification keeps.
            let changed = self.0.changed.notified();
            {
                let mut state = self.state();
                if !state.holds(asked) {
                    break;
                }
                if !is_counted {
                    let hangs = state.hangs;
                    *if hangs { &mut state.held } else { &mut state.locked_out } += 1;
                }
            }
            is_counted = true;
            changed.await;
        }
        let delay = {
            let mut state = self.state();
            let delay = if state.is_starting { Duration::ZERO } else { state.delay };
            state.delayed += u64::from(delay > Duration::ZERO);
            delay
        };
        if delay > Duration::ZERO {
            tokio::time::sleep(delay).await;
        }
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
    make(play);
}

/// The lock is taken, or let go. Gives after how many seconds the other.
pub(super) fn lock(play: &mut Play, place: usize, fault: &Busy) -> u32 {
    if !play.met_before.contains_key(&(place, 0)) {
        note_before(play, place);
    }
    let (held_s, every_s) = (fault.held.as_ms().div_ceil(1_000), fault.every.as_ms().div_ceil(1_000));
    let is_free = play.own.locks.insert(place);
    if !is_free {
        play.own.locks.remove(&place);
    }
    make(play);
    let next_s = if is_free { held_s } else { every_s.saturating_sub(held_s) };
    next_s.max(1) as u32
}

pub(super) fn clears(play: &mut Play, place: usize) {
    play.own.locks.remove(&place);
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
        _ => state.delayed,
    }
}

/// What all faults of the store that are on come to together.
fn make(play: &Play) {
    let (mut hangs, mut delay) = (false, Duration::ZERO);
    for planned in play.on_now() {
        match &planned.what {
            FaultKind::StoreHang(_) => hangs = true,
            FaultKind::StoreSlow(fault) => delay = delay.max(fault.delay.into()),
            _ => {}
        }
    }
    let is_locked = !play.own.locks.is_empty();
    play.stage.store.change(|state| (state.hangs, state.is_locked, state.delay) = (hangs, is_locked, delay));
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hang_holds_everything_a_lock_only_writes_and_a_start_nothing() {
        let (store, minute) = (StoreGate::default(), Duration::from_secs(60));
        let gate = store.gate();
        store.change(|state| state.is_locked = true);
        assert!(timeout(minute, gate(Asked::Transaction)).await.is_err());
        assert!(timeout(minute, gate(Asked::Statement)).await.is_ok());
        store.change(|state| state.hangs = true);
        assert!(timeout(minute, gate(Asked::Statement)).await.is_err());
        store.starting(true);
        assert!(timeout(minute, gate(Asked::Transaction)).await.is_ok());
        store.starting(false);
        let waits = tokio::spawn(gate(Asked::Transaction));
        tokio::time::sleep(minute).await;
        store.change(|state| *state = State { delay: minute, ..State::default() });
        let began = Instant::now();
        waits.await.expect("through");
        assert_eq!((began.elapsed(), store.state().delayed), (minute, 1));
    }
}
