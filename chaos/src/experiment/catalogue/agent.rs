//! Faults of an agent: it dies, stops, doubles, lies.

use super::{
    kind::{CONTAINED, EVERYWHERE},
    param::Between,
};
use crate::experiment::file::Length;

choices! {
    /// Which version the agent is of, seen from the controller.
    Version {
        /// The one before.
        Previous,
        /// The one after.
        Next,
        /// The same, with fields nobody knows.
        UnknownFields,
    }
    /// What the agent reports as its load.
    Lie {
        /// Always `cpu`.
        Constant,
        /// No number.
        Nan,
        /// Below zero.
        Negative,
        /// More than there is.
        Absurd,
    }
}

faults! {
    /// Killed without warning, and started again.
    CrashRestart = "agent.crash_restart",
    modes: EVERYWHERE, targets: [Agent], hit: "an agent that was killed",
    {
        /// How long it stays away.
        down: Between = Between(Length::s(5), Length::s(90)), in Length::ZERO..=Length::h(1);
    }

    /// Killed again and again.
    CrashLoop = "agent.crash_loop",
    modes: EVERYWHERE, targets: [Agent], hit: "an agent that was killed",
    {
        /// How long it lives each time.
        up: Between = Between(Length::s(10), Length::s(30)), in Length::s(1)..=Length::h(1);
        /// How long it stays away each time.
        down: Between = Between(Length::s(1), Length::s(5)), in Length::ZERO..=Length::h(1);
    }

    /// Stopped in the middle of what it does; goes on as if nothing had been when the fault ends.
    Pause = "agent.pause",
    modes: EVERYWHERE, targets: [Agent], hit: "an agent that was stopped",
    {}

    /// A second agent claims the same host, as after a copied machine.
    Twin = "agent.clone",
    modes: EVERYWHERE, targets: [Agent], hit: "a session that the copy opened or asked for",
    {}

    /// The agent is of another version than the controller.
    VersionSkew = "agent.version_skew",
    modes: EVERYWHERE, targets: [Agent], hit: "a session opened by the other version",
    {
        /// Which one.
        version: Version = Version::Previous, in ();
    }

    /// Reports a load that is not the host's.
    LyingLoad = "agent.lying_load",
    modes: EVERYWHERE, targets: [Agent, Host], hit: "a load sample that was falsified",
    {
        /// What it reports.
        says: Lie = Lie::Constant, in ();
        /// The constant, as a share of the host's CPU.
        cpu: f64 = 0.1, in 0.0..=1.0;
    }

    /// Reports the same sample as if it were new.
    FrozenLoad = "agent.frozen_load",
    modes: EVERYWHERE, targets: [Agent, Host], hit: "a load sample that was repeated",
    {
        /// Whether the repeated sample carries the time of the first one.
        old_time: bool = true, in ();
    }

    /// Connects and leaves again and again.
    Flapping = "agent.flapping",
    modes: EVERYWHERE, targets: [Agent], hit: "a session that was left",
    {
        /// From one connect to the next.
        every: Length = Length::s(2), in Length::ms(100)..=Length::m(10);
    }

    /// The agent gets next to no CPU or memory.
    Starved = "agent.starved",
    modes: CONTAINED, targets: [Agent], hit: "a period in which the agent was held back, or its end for want of memory",
    {
        /// Share of one core.
        cpu: f64 = 0.01, in 0.001..=1.0;
        /// Memory it may use.
        memory_bytes: u64 = 67_108_864, in 8_388_608..=1_073_741_824;
    }
}
