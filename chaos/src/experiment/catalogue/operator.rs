//! Faults of the people who run it, and of what they look at.

use super::kind::EVERYWHERE;

choices! {
    /// What is set wrongly.
    Slip {
        /// Four hundred wakes at once on a host.
        Limit400,
        /// A ceiling of 700 %.
        Cpu700,
        /// A window of no length.
        WindowZero,
        /// A time zone that does not exist.
        ZoneTypo,
    }
    /// What happens twice.
    Twice {
        /// Two controllers plan at once.
        Schedulers,
        /// A plan that was carried out is handed in again.
        ReplayedPlan,
        /// A person asks in the second in which the forecast's wake is due.
        ManualAtOnce,
    }
    /// What nobody sees any more.
    Channel {
        /// Metrics.
        Metrics,
        /// Logs.
        Logs,
        /// Notifications.
        Alerts,
    }
    /// What the measurement says, against the truth.
    Lie {
        /// Everybody came.
        AllHits,
        /// Nobody came.
        NoHits,
    }
}

faults! {
    /// A value that makes no sense is set.
    FatFinger = "operator.fat_finger",
    modes: EVERYWHERE, targets: [Operator], hit: "a change that was handed in",
    {
        /// Which.
        what: Slip = Slip::Limit400, in ();
    }

    /// Everything is stopped, and released when the fault ends.
    KillSwitch = "operator.kill_switch",
    modes: EVERYWHERE, targets: [Operator], hit: "a switch that was thrown",
    {
        /// Whether the place the switch is kept in cannot be reached meanwhile.
        unreachable: bool = false, in ();
    }

    /// The same is asked for twice.
    DoubleRun = "operator.double_run",
    modes: EVERYWHERE, targets: [Operator], hit: "a second request for the same",
    {
        /// How.
        what: Twice = Twice::ManualAtOnce, in ();
    }

    /// Nobody can see what goes on.
    Blind = "operator.blind",
    modes: EVERYWHERE, targets: [Operator], hit: "a reading, line or notification that was withheld",
    {
        /// What is gone.
        channels: Vec<Channel> = vec![Channel::Metrics, Channel::Logs, Channel::Alerts], in ();
    }

    /// Visits are counted wrongly.
    MeasurementLie = "operator.measurement_lie",
    modes: EVERYWHERE, targets: [Operator], hit: "a visit that was added or hidden",
    {
        /// What the count says.
        says: Lie = Lie::AllHits, in ();
    }
}
