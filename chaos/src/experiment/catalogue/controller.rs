//! Faults of the controller: it dies, stops, doubles, is overrun, is changed.

use super::{
    kind::{EVERYWHERE, REAL},
    param::Between,
};
use crate::experiment::file::Length;

choices! {
    /// Where in its work it dies.
    Moment {
        /// Wherever it is.
        Any,
        /// A row is written and not committed.
        BeforeCommit,
        /// Committed, and nothing said.
        AfterCommit,
        /// A command is about to leave.
        BeforeSend,
        /// A command has left, and is not acknowledged.
        AfterSend,
    }
    /// Who takes what the controller tells.
    Sink {
        /// Rows of moves.
        Audit,
        /// Metrics.
        Metrics,
        /// Receivers of notifications.
        Notifications,
    }
}

faults! {
    /// Killed without warning, and started again.
    Crash = "controller.crash",
    modes: EVERYWHERE, targets: [Controller], hit: "a controller that was killed",
    {
        /// Where in its work.
        moment: Moment = Moment::Any, in ();
        /// How long it stays away.
        down: Between = Between(Length::s(5), Length::s(60)), in Length::ZERO..=Length::h(1);
    }

    /// Killed again and again.
    CrashLoop = "controller.crash_loop",
    modes: EVERYWHERE, targets: [Controller], hit: "a controller that was killed",
    {
        /// How long it lives each time.
        up: Between = Between(Length::s(20), Length::s(20)), in Length::s(1)..=Length::h(1);
        /// How long it stays away each time.
        down: Between = Between(Length::s(1), Length::s(5)), in Length::ZERO..=Length::h(1);
    }

    /// Stopped in the middle of what it does; goes on as if nothing had been when the fault ends.
    Pause = "controller.pause",
    modes: EVERYWHERE, targets: [Controller], hit: "a controller that was stopped",
    {}

    /// The leading one is stopped for longer than its lease, and wakes up beside its successor.
    TwoLeaders = "controller.two_leaders",
    modes: EVERYWHERE, targets: [Controller], hit: "a leader that was stopped while another took over",
    {
        /// How long beyond the end of its lease.
        beyond_lease: Length = Length::s(30), in Length::s(1)..=Length::h(1);
    }

    /// Many times as many wakes are due as usual.
    Overload = "controller.overload",
    modes: EVERYWHERE, targets: [Controller], hit: "a wake that became due beyond the usual",
    {
        /// How many times the wakes of the workload.
        factor: f64 = 10.0, in 1.0..=1_000.0;
        /// The span in which they all become due.
        within: Length = Length::m(1), in Length::s(1)..=Length::h(1);
    }

    /// The limits are changed while wakes run.
    ConfigChange = "controller.config_change",
    modes: EVERYWHERE, targets: [Controller], hit: "a change that was acknowledged",
    {
        /// New limit of wakes at once on a host.
        per_host_limit: u64 = 2, in 0..=64;
        /// New ceiling, as a share of the host's CPU.
        cpu_limit: f64 = 0.5, in 0.05..=0.95;
    }

    /// Who takes what the controller tells does not take it.
    SlowSink = "controller.slow_sink",
    modes: EVERYWHERE, targets: [Controller], hit: "a write to the sink that was held",
    {
        /// Who.
        sink: Sink = Sink::Audit, in ();
        /// How long each write takes.
        delay: Length = Length::s(30), in Length::ms(1)..=Length::h(1);
    }

    /// Replaced by the next version, and back.
    Deploy = "controller.deploy",
    modes: REAL, targets: [Controller], hit: "a start of another version on the same database",
    {
        /// How long the next version serves before it is taken back.
        back_after: Length = Length::m(5), in Length::s(5)..=Length::h(6);
    }
}
