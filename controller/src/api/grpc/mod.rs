//! gRPC: the same answers as HTTP, over `reveille.v1.Control`.

mod service;

mod convert;

mod status;

mod interceptor;

pub use service::{ControlService, control_service};
