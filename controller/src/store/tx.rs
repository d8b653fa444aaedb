//! A transaction, and the rows of wakes' stories it has written: they are points once it is committed.

use std::ops::{Deref, DerefMut};

use reveille_proto::{
    InstanceId, WakeId,
    points::{Points, Step},
};
use sqlx::AnyConnection;
use tokio::sync::OwnedMutexGuard;

use super::{Transition, pool::Begun};

/// A transaction on either database. Dropped without a commit, it has written nothing.
pub(super) struct Tx {
    begun: Begun,
    points: Points,
    /// Gathered only where somebody is told.
    written: Vec<Row>,
    /// Last, so that the next writer comes when this one is through.
    turn: Option<Turn>,
}

/// To write to a file.
pub(super) type Turn = OwnedMutexGuard<()>;

struct Row {
    what: String,
    wake: WakeId,
    instance: InstanceId,
}

impl Tx {
    pub(super) fn new(begun: Begun, points: Points, turn: Option<Turn>) -> Self {
        Self { begun, points, written: Vec::new(), turn }
    }

    /// A row of the story of a wake of `instance` is written.
    pub(super) fn wrote(&mut self, moved: &Transition, instance: &InstanceId) {
        if !self.points.are_told() {
            return;
        }
        let what = format!("{}:{}:{}", moved.event, moved.from, moved.to);
        self.points.pass(Step::RowWritten, &what, Some(moved.wake), Some(instance));
        self.written.push(Row { what, wake: moved.wake, instance: instance.clone() });
    }

    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.begun.commit().await?;
        drop(self.turn);
        for Row { what, wake, instance } in &self.written {
            self.points.pass(Step::RowCommitted, what, Some(*wake), Some(instance));
        }
        Ok(())
    }
}

impl Deref for Tx {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.begun
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.begun
    }
}
