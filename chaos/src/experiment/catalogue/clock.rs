//! Faults of a clock: the wall clock of a node, never the time that deadlines are reckoned with.

use super::{
    kind::{EVERYWHERE, SIMULATED},
    param::Zone,
};
use crate::experiment::file::Length;

choices! {
    /// Which way a clock is moved.
    Towards {
        /// To a later time.
        Forward,
        /// To an earlier time.
        Back,
    }
    /// Which change of the clock.
    Switch {
        /// An hour is left out.
        Spring,
        /// An hour comes twice.
        Autumn,
    }
}

faults! {
    /// The wall clock is moved at once, and back when the fault ends.
    Jump = "clock.jump",
    modes: SIMULATED, targets: [Clock], hit: "a reading of the moved clock",
    {
        /// By how much.
        by: Length = Length::h(1), in Length::ms(1)..=Length::h(48);
        /// Which way.
        towards: Towards = Towards::Forward, in ();
    }

    /// The clock runs at another rate, from an offset.
    Drift = "clock.drift",
    modes: SIMULATED, targets: [Clock], hit: "a reading of the drifting clock",
    {
        /// Millionths it gains.
        drift_ppm: u64 = 200, in 0..=100_000;
        /// Offset it begins with.
        skew: Length = Length::ZERO, in Length::ZERO..=Length::h(1);
        /// Which way.
        towards: Towards = Towards::Forward, in ();
    }

    /// The run is set on the night in which the clocks are changed.
    Dst = "clock.dst",
    modes: SIMULATED, targets: [Clock], hit: "a wake whose window lies within a day of the change",
    {
        /// Which change.
        switch: Switch = Switch::Spring, in ();
        /// Where the users are.
        zone: Zone = Zone("Europe/Zurich".into()), in ();
    }

    /// The machine stands still, its time does not: it finds itself later when the fault ends.
    Suspend = "clock.suspend",
    modes: EVERYWHERE, targets: [Clock], hit: "a node that was stopped",
    {}
}
