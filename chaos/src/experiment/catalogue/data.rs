//! Faults of what the controller learns from: logs and models.

use super::kind::EVERYWHERE;
use crate::experiment::file::Length;

choices! {
    /// Lines that are not those of people.
    Poisoned {
        /// A bot that visits around the clock.
        Bot,
        /// A monitor that asks every minute whether the instance is up.
        UptimeMonitor,
        /// Fields of a megabyte.
        HugeField,
        /// Bytes that are no UTF-8.
        InvalidUtf8,
        /// Wake requests nobody made.
        FakeWakeUrl,
    }
    /// How people change.
    Shift {
        /// Everybody comes at other hours.
        OtherHours,
        /// Nobody comes for a week.
        HolidayWeek,
        /// Instances with two days of history.
        NewInstances,
    }
    /// What is wrong with a model.
    BadModel {
        /// A row ends in the middle.
        TruncatedRow,
        /// It is of somebody else's instances.
        WrongTenant,
        /// Everybody is expected at every hour.
        AllHoursHot,
    }
}

faults! {
    /// Days of log are missing.
    Gap = "data.gap",
    modes: EVERYWHERE, targets: [Feed], hit: "a line that was withheld",
    {
        /// How much is missing, before the run.
        missing: Length = Length::h(72), in Length::h(1)..=Length::h(168);
    }

    /// Lines come twice.
    Duplicate = "data.duplicate",
    modes: EVERYWHERE, targets: [Feed], hit: "a line that came again",
    {
        /// Share of the lines.
        share: f64 = 0.2, in 0.0..=1.0;
    }

    /// Lines come late, and so out of order.
    Late = "data.late",
    modes: EVERYWHERE, targets: [Feed], hit: "a line that came late",
    {
        /// Share of the lines.
        share: f64 = 0.2, in 0.0..=1.0;
        /// At most this late.
        by: Length = Length::h(6), in Length::s(1)..=Length::h(168);
        /// By how much the clock of the feed is off.
        skew: Length = Length::ZERO, in Length::ZERO..=Length::h(24);
    }

    /// Lines that are not those of people are mixed in.
    Poison = "data.poison",
    modes: EVERYWHERE, targets: [Feed], hit: "a line that was mixed in",
    {
        /// Which.
        what: Poisoned = Poisoned::Bot, in ();
        /// Share of the instances they are about.
        share: f64 = 0.1, in 0.0..=1.0;
    }

    /// People change their ways.
    RegimeShift = "data.regime_shift",
    modes: EVERYWHERE, targets: [Feed, Instance], hit: "somebody who did not come at the usual time",
    {
        /// How.
        what: Shift = Shift::OtherHours, in ();
        /// Share of the people.
        share: f64 = 1.0, in 0.0..=1.0;
    }

    /// A model that must not serve is put into service.
    BadModelPush = "data.bad_model_push",
    modes: EVERYWHERE, targets: [Store], hit: "a model that was pushed",
    {
        /// What is wrong with it.
        what: BadModel = BadModel::AllHoursHot, in ();
    }
}
