//! Points a program passes: what it has just made durable, or just done, told to a witness where there is one.
//!
//! Production has none. The proving ground has one that stops the program there. It lives beside the clock, for the same
//! reason: both ends pass points, and neither may know the other.

use std::{fmt, sync::Arc};

use crate::{InstanceId, WakeId};

/// What a program has just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A row of a wake's story is written, and not committed yet.
    RowWritten,
    /// A row of a wake's story is committed.
    RowCommitted,
    /// What follows from a committed move was carried out.
    EffectDone,
    /// A change of policy is committed and in force.
    PolicyKept,
    /// A record of a wake is in the journal.
    Recorded,
    /// A wake endpoint was called, and what it answered is known.
    Called,
    /// A word of a wake is on its way to the other end.
    Told,
}

impl Step {
    pub const ALL: [Self; 7] = [
        Self::RowWritten,
        Self::RowCommitted,
        Self::EffectDone,
        Self::PolicyKept,
        Self::Recorded,
        Self::Called,
        Self::Told,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::RowWritten => "row-written",
            Self::RowCommitted => "row-committed",
            Self::EffectDone => "effect-done",
            Self::PolicyKept => "policy-kept",
            Self::Recorded => "recorded",
            Self::Called => "called",
            Self::Told => "told",
        }
    }
}

/// One point, as it is passed.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    pub step: Step,
    /// Which row, effect, record or word.
    pub what: &'a str,
    pub wake: Option<WakeId>,
    /// Of the wake, where the place knows it.
    pub instance: Option<&'a InstanceId>,
}

/// Is told of every point before the program goes on. It may choose not to return.
pub trait Witness: Send + Sync {
    fn passed(&self, point: &Point<'_>);
}

/// Where points are told. Cheap to clone; by default nobody listens.
#[derive(Clone, Default)]
pub struct Points(Option<Arc<dyn Witness>>);

impl Points {
    pub fn told_to(witness: Arc<dyn Witness>) -> Self {
        Self(Some(witness))
    }

    /// Whether somebody listens: what is gathered for a witness alone need not be gathered otherwise.
    pub fn are_told(&self) -> bool {
        self.0.is_some()
    }

    pub fn pass(&self, step: Step, what: &str, wake: Option<WakeId>, instance: Option<&InstanceId>) {
        if let Some(witness) = &self.0 {
            witness.passed(&Point { step, what, wake, instance });
        }
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.are_told() { "Points(told)" } else { "Points(not told)" })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Memory(Mutex<Vec<String>>);

    impl Witness for Memory {
        fn passed(&self, point: &Point<'_>) {
            let told = format!("{} {}", point.step.as_str(), point.what);
            self.0.lock().expect("nobody panics while holding it").push(told);
        }
    }

    #[test]
    fn a_witness_is_told_and_without_one_nothing_happens() {
        Points::default().pass(Step::Told, "ack", None, None);
        let memory = Arc::new(Memory::default());
        let points = Points::told_to(memory.clone());
        assert!(points.are_told() && !Points::default().are_told());
        points.clone().pass(Step::Recorded, "calling", None, None);
        assert_eq!(*memory.0.lock().expect("free"), ["recorded calling"]);
    }
}
