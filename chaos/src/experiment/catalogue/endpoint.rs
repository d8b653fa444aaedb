//! Faults of the two wake endpoints, as their caller meets them.

use super::kind::EVERYWHERE;
use crate::experiment::file::Length;

choices! {
    /// One of the two ways to wake an instance.
    Endpoint {
        /// The portal's API, which wakes any instance.
        PortalApi,
        /// The instance's own wake address.
        ActivateMyInstance,
    }
    /// What stands in the `Retry-After` header.
    RetryAfter {
        /// `retry_after_s`.
        Seconds,
        /// The same as a date.
        Date,
        /// Nothing that can be parsed.
        Malformed,
        /// A year.
        Absurd,
        /// No header at all.
        Missing,
    }
    /// How a connection ends.
    Cut {
        /// RST.
        Reset,
        /// FIN before the answer.
        Eof,
        /// Never: nothing more comes.
        Silence,
    }
    /// What comes instead of an answer.
    Body {
        /// 200 and the HTML of a login page.
        LoginPage,
        /// JSON that ends in the middle.
        TruncatedJson,
        /// `body_bytes` of anything.
        Huge,
        /// JSON of another shape.
        WrongShape,
    }
    /// How credentials are refused.
    Refusal {
        /// 401.
        Unauthorized,
        /// 403.
        Forbidden,
    }
    /// What an endpoint says of an instance, against the truth.
    Says {
        /// Asleep in truth.
        Awake,
        /// Awake in truth.
        Asleep,
    }
}

fn both() -> Vec<Endpoint> {
    vec![Endpoint::PortalApi, Endpoint::ActivateMyInstance]
}

faults! {
    /// Calls are answered with a server's error and have no effect.
    HttpError = "endpoint.http_error",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a call answered with the status",
    {
        /// Share of the calls.
        share: f64 = 1.0, in 0.0..=1.0;
        /// Status of the answer.
        status: u64 = 500, in 500..=599;
        /// Which endpoints answer so.
        endpoints: Vec<Endpoint> = both(), in ();
    }

    /// Calls are answered with 429 and have no effect.
    Throttled429 = "endpoint.throttled_429",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a call answered with 429",
    {
        /// Share of the calls.
        share: f64 = 1.0, in 0.0..=1.0;
        /// What the header says.
        retry_after: RetryAfter = RetryAfter::Seconds, in ();
        /// Seconds in the header.
        retry_after_s: u64 = 30, in 0..=86_400;
        /// Which endpoints answer so.
        endpoints: Vec<Endpoint> = both(), in ();
    }

    /// The call is accepted, and the instance never boots.
    NeverUp = "endpoint.never_up",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a call accepted whose boot is withheld",
    {
        /// Share of the boots.
        share: f64 = 1.0, in 0.0..=1.0;
        /// Status of the answer.
        ack: u64 = 200, in 200..=299;
    }

    /// The call is accepted as ever, and the boot takes a multiple of its time.
    SlowWake = "endpoint.slow_wake",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a boot that was slowed down",
    {
        /// How many times longer the boot takes.
        factor: f64 = 4.0, in 1.0..=100.0;
        /// Status of the answer.
        ack: u64 = 200, in 200..=299;
        /// Calls through which endpoints are slow.
        endpoints: Vec<Endpoint> = both(), in ();
    }

    /// The instance comes up only after the wake has timed out.
    LateUp = "endpoint.late_up",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a boot that was held until after the deadline",
    {
        /// How long after the controller's deadline the instance serves.
        after_deadline: Length = Length::m(5), in Length::s(1)..=Length::h(2);
    }

    /// The call takes effect, and its answer is lost.
    LostResponse = "endpoint.lost_response",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a call with effect whose answer was cut",
    {
        /// Share of the calls.
        share: f64 = 1.0, in 0.0..=1.0;
        /// How the connection ends.
        cut: Cut = Cut::Reset, in ();
    }

    /// Nobody takes the connection.
    Refused = "endpoint.refused",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a connection that was refused",
    {
        /// Share of the calls.
        share: f64 = 1.0, in 0.0..=1.0;
    }

    /// The connection is reset before the call takes effect.
    Reset = "endpoint.reset",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a call that was reset",
    {
        /// Share of the calls.
        share: f64 = 1.0, in 0.0..=1.0;
    }

    /// The connection is accepted and nothing is ever answered.
    HalfOpen = "endpoint.half_open",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a call that got no byte back",
    {
        /// Share of the calls.
        share: f64 = 1.0, in 0.0..=1.0;
    }

    /// The answer comes a few bytes at a time.
    SlowDrip = "endpoint.slow_drip",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "an answer that was dripped",
    {
        /// Share of the calls.
        share: f64 = 1.0, in 0.0..=1.0;
        /// How fast the answer comes.
        rate_bytes_per_s: u64 = 1, in 1..=100_000;
    }

    /// The call has no effect, and the answer is not one.
    Garbage = "endpoint.garbage",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a call answered with garbage",
    {
        /// Share of the calls.
        share: f64 = 1.0, in 0.0..=1.0;
        /// What comes instead.
        body: Body = Body::LoginPage, in ();
        /// Size of a huge body.
        body_bytes: u64 = 10_000_000, in 1..=100_000_000;
    }

    /// The credentials are refused until a new token is used.
    AuthExpired = "endpoint.auth_expired",
    modes: EVERYWHERE, targets: [Endpoint], hit: "a call with the old token that was refused",
    {
        /// Status of the answer.
        status: Refusal = Refusal::Unauthorized, in ();
        /// Whether a new token can be had while the fault is on.
        rotates: bool = true, in ();
        /// Which endpoints refuse.
        endpoints: Vec<Endpoint> = vec![Endpoint::PortalApi], in ();
    }

    /// The portal's word on an instance differs from what the instance itself says.
    Disagreement = "endpoint.disagreement",
    modes: EVERYWHERE, targets: [Endpoint, Instance], hit: "a look that was answered against the truth",
    {
        /// What the portal says.
        portal_says: Says = Says::Awake, in ();
    }
}
