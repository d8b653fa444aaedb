//! How an instance is woken, and how one sees that it serves. The only code that knows a wake URL.

mod call;
mod http;
mod pid_file;
mod process;
mod readiness;
mod target;

pub use self::{
    call::{Call, CallOutcome, Driver, Probe},
    target::{Target, TargetError, Targets},
};
