//! The names of faults, as experiments and histories have them.

/// The wake endpoint answers 500; the call has no effect.
pub const HTTP_ERROR: &str = "endpoint.http_error";
/// The wake endpoint answers 429 and asks to be left alone; the call has no effect.
pub const THROTTLED: &str = "endpoint.throttled_429";
/// Nobody takes the connection to the wake endpoint.
pub const REFUSED: &str = "endpoint.refused";
/// The call takes effect, and the line is cut before the answer.
pub const LOST_RESPONSE: &str = "endpoint.lost_response";
/// The call has no effect, and no answer comes.
pub const HALF_OPEN: &str = "endpoint.half_open";
/// The endpoint says yes, and the instance never serves.
pub const NEVER_UP: &str = "endpoint.never_up";
/// Boots take a multiple of their time; the endpoint answers as ever.
pub const SLOW_WAKE: &str = "endpoint.slow_wake";
/// An agent measures what is not so.
pub const LYING_LOAD: &str = "agent.lying_load";
/// Something else on a host uses its CPU.
pub const CPU_NOISE: &str = "host.cpu_noise";
/// An agent dies and is started again.
pub const AGENT_CRASH: &str = "agent.crash_restart";
/// The controller dies and is started again.
pub const CONTROLLER_CRASH: &str = "controller.crash";
/// Nothing arrives in either direction between an agent and the controller.
pub const PARTITION: &str = "link.partition";
/// Nothing arrives in one direction.
pub const ONE_WAY: &str = "link.one_way";
/// What is sent between an agent and the controller arrives late.
pub const LATENCY: &str = "link.latency";
/// The line between an agent and the controller is cut.
pub const RESET: &str = "link.reset";
/// A command of an earlier session arrives once more, as from a controller that does not know that it was replaced.
pub const STALE_COMMAND: &str = "link.stale_command";
