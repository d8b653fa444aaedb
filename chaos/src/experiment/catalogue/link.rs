//! Faults of the link between an agent and the controller. Each end counts what passes, so both can prove it.
//! An agent has one link, so an agent as the target means its link.

use super::kind::{EVERYWHERE, REAL, SIMULATED};
use crate::experiment::file::Length;

choices! {
    /// Which way a message goes.
    Direction {
        /// From the controller to the agent.
        ToAgent,
        /// From the agent to the controller.
        ToController,
    }
    /// Which way or ways are hit.
    Ways {
        /// From the controller to the agent.
        ToAgent,
        /// From the agent to the controller.
        ToController,
        /// Both.
        Both,
    }
    /// What is wrong with a certificate.
    Certificate {
        /// Its time is over.
        Expired,
        /// Another authority signed it.
        WrongAuthority,
        /// It names somebody else.
        WrongName,
        /// There is none: the peer speaks in the clear.
        Plaintext,
    }
}

faults! {
    /// Everything arrives later.
    Latency = "link.latency",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a message that was delayed",
    {
        /// Mean delay.
        mean: Length = Length::ms(100), in Length::ZERO..=Length::m(1);
        /// Each delay is drawn within this much of the mean.
        jitter: Length = Length::ZERO, in Length::ZERO..=Length::m(1);
        /// Which way.
        ways: Ways = Ways::Both, in ();
    }

    /// Only so many bytes pass in a second.
    Bandwidth = "link.bandwidth",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a message that had to wait for its turn",
    {
        /// Bytes in a second.
        rate_bytes_per_s: u64 = 8_000, in 1..=1_000_000_000;
        /// Which way.
        ways: Ways = Ways::Both, in ();
    }

    /// The end of a connection is told late.
    SlowClose = "link.slow_close",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a close that was held back",
    {
        /// How late.
        delay: Length = Length::s(10), in Length::ms(1)..=Length::m(10);
    }

    /// Nothing passes, then the connection is closed.
    Timeout = "link.timeout",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a connection that was closed",
    {
        /// How long nothing passes.
        after: Length = Length::s(30), in Length::ms(1)..=Length::m(10);
    }

    /// Connections are reset.
    Reset = "link.reset",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a connection that was reset",
    {
        /// How long after it was opened.
        after: Length = Length::s(30), in Length::ZERO..=Length::m(10);
    }

    /// Data arrives in small pieces.
    Slicer = "link.slicer",
    modes: REAL, targets: [Link, Agent], hit: "a message that was sliced",
    {
        /// Size of a piece.
        slice_bytes: u64 = 10, in 1..=100_000;
        /// Time between two pieces.
        gap: Length = Length::ms(10), in Length::ZERO..=Length::s(10);
    }

    /// A connection ends after so many bytes.
    Limit = "link.limit",
    modes: REAL, targets: [Link, Agent], hit: "a connection that reached the limit",
    {
        /// Bytes that pass.
        limit_bytes: u64 = 4_096, in 1..=1_000_000_000;
    }

    /// A share of the packets is lost and sent anew.
    Loss = "link.loss",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a packet that was lost",
    {
        /// Share of the packets.
        share: f64 = 0.03, in 0.0..=0.9;
    }

    /// Nothing passes in either direction.
    Partition = "link.partition",
    modes: EVERYWHERE, targets: [Link, Agent, Host], hit: "a message that was held or dropped",
    {}

    /// Nothing passes in one direction.
    OneWay = "link.one_way",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a message that was held or dropped",
    {
        /// The direction that is cut.
        direction: Direction = Direction::ToAgent, in ();
    }

    /// The peer is gone and no FIN tells of it.
    HalfOpen = "link.half_open",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a message sent to nobody",
    {}

    /// A command of an earlier session arrives once more, as from a controller that does not know that it was replaced.
    StaleCommand = "link.stale_command",
    modes: SIMULATED, targets: [Link, Agent], hit: "a command of an earlier session that was said once more",
    {}

    /// Messages arrive twice.
    Duplicate = "link.duplicate",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a message that was delivered again",
    {
        /// Share of the messages.
        share: f64 = 0.2, in 0.0..=1.0;
        /// Which way.
        ways: Ways = Ways::ToAgent, in ();
    }

    /// Messages overtake each other.
    Reorder = "link.reorder",
    modes: EVERYWHERE, targets: [Link, Agent], hit: "a message that was overtaken",
    {
        /// Share of the messages.
        share: f64 = 0.2, in 0.0..=1.0;
        /// How long one can be held back.
        hold: Length = Length::s(5), in Length::ms(1)..=Length::m(5);
        /// Which way.
        ways: Ways = Ways::ToAgent, in ();
    }

    /// The peer shows a certificate that must be refused.
    Tls = "link.tls",
    modes: REAL, targets: [Link, Agent], hit: "a handshake that was refused",
    {
        /// What is wrong with it.
        certificate: Certificate = Certificate::Expired, in ();
    }
}
