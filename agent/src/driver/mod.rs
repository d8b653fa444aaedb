//! How an instance is woken, and how one sees that it serves. The only code that knows a wake URL.

mod answer;
mod body;
mod breaker;
mod call;
mod caller;
mod endpoint;
mod http;
mod pid_file;
mod process;
mod readiness;
mod retry_after;
mod status;
mod target;

pub use self::{
    call::{Call, CallOutcome, Driver, Platform, Probe},
    caller::{Carrier, Unanswered},
    target::{Target, TargetError, Targets},
};
