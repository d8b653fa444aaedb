//! Faults of the database and of its files.

use super::kind::{CONTAINED, EVERYWHERE, REAL};
use crate::experiment::file::Length;

choices! {
    /// What is wrong with a file.
    Tear {
        /// The last pages of the write-ahead log are half written.
        TornWal,
        /// The file ends too early.
        Truncated,
        /// One page holds noise.
        FlippedPage,
    }
}

faults! {
    /// Connections to the database are refused.
    Refuse = "store.refuse",
    modes: EVERYWHERE, targets: [Store], hit: "a connection or statement that was refused",
    {}

    /// The database takes statements and answers none.
    Hang = "store.hang",
    modes: EVERYWHERE, targets: [Store], hit: "a statement that got no answer",
    {}

    /// Every statement takes longer.
    Slow = "store.slow",
    modes: EVERYWHERE, targets: [Store], hit: "a statement that was delayed",
    {
        /// How much longer.
        delay: Length = Length::s(2), in Length::ms(1)..=Length::m(5);
    }

    /// The lock for writing is held by somebody else.
    Busy = "store.busy",
    modes: EVERYWHERE, targets: [Store], hit: "a write that met the lock",
    {
        /// How long the lock is held each time.
        held: Length = Length::s(8), in Length::ms(1)..=Length::m(5);
        /// From one time to the next.
        every: Length = Length::s(20), in Length::ms(10)..=Length::h(1);
    }

    /// The commit reaches the database, and the answer is lost.
    CommitUnknown = "store.commit_unknown",
    modes: EVERYWHERE, targets: [Store], hit: "a commit that took effect unanswered",
    {
        /// Share of the commits.
        share: f64 = 0.1, in 0.0..=1.0;
    }

    /// There is no room for another page.
    DiskFull = "store.disk_full",
    modes: CONTAINED, targets: [Store], hit: "a write that found no room",
    {
        /// Room that is left.
        free_bytes: u64 = 0, in 0..=1_073_741_824;
    }

    /// The controller is stopped, a file is damaged, the controller is started.
    TornFile = "store.torn_file",
    modes: REAL, targets: [Store], hit: "a start on the damaged file",
    {
        /// How it is damaged.
        tear: Tear = Tear::TornWal, in ();
    }

    /// The controller is stopped, an old copy of the database is put back, the controller is started.
    RestoreYesterday = "store.restore_yesterday",
    modes: REAL, targets: [Store], hit: "a start on the old copy",
    {
        /// How old the copy is.
        age: Length = Length::h(24), in Length::m(1)..=Length::h(168);
    }
}
