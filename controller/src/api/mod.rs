//! What people and programs may ask: views, the answers, and the faces over them (HTTP, gRPC).

pub mod view;

mod error;

mod control;

mod auth;

mod http;

mod grpc;

pub use auth::{AuthError, Token, Tokens};
pub use control::{Control, WakeAsked};
pub use error::ControlError;
pub use grpc::{ControlService, control_service, health_service};
pub use http::{http_router, openapi};
