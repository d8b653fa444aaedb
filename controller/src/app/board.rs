//! The queue's mirror, as tasks, sessions and the API share it.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use reveille_proto::{HostId, InstanceId, WakeId};

use crate::{
    queue::{Board, Queued},
    wake::{State, Wake},
};

/// The mirror, and the wakes it has heard of but does not know where to put.
#[derive(Debug, Default)]
pub struct SharedBoard {
    board: Mutex<Board>,
    unknown: Mutex<BTreeSet<WakeId>>,
    known: AtomicBool,
}

impl SharedBoard {
    // Plain maps and sets: a panic elsewhere leaves at worst a wake out, which the next look at the store puts back.
    pub fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole queue was read, for the first time or again.
    pub fn read_whole(&self) {
        self.known.store(true, Ordering::Release);
    }

    /// Whether it ever was.
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Acquire)
    }

    /// A wake was made or moved, and the move is on disk.
    pub fn saw(&self, wake: &Wake, now: Timestamp) {
        let mut board = self.lock();
        if !matches!(wake.state, State::Queued { .. }) {
            board.remove(wake.id);
        } else if let Some(known) = board.get(wake.id).cloned() {
            board.put(Queued { wake: wake.clone(), ..known }, now);
        } else {
            self.ask_for(wake.id);
        }
    }

    /// A queued wake of which more must be read before it can be put in its place.
    pub fn ask_for(&self, id: WakeId) {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    pub fn take_unknown(&self) -> BTreeSet<WakeId> {
        std::mem::take(&mut *self.unknown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// These instances live on `host` now.
    pub fn rehome<'a>(&self, instances: impl Iterator<Item = &'a InstanceId>, host: &HostId, now: Timestamp) {
        let mut board = self.lock();
        for instance in instances {
            board.rehome(instance, host, now);
        }
    }
}
