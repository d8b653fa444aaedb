//! What people and programs may ask: views, the answers, and the faces over them (HTTP, gRPC).

pub mod view;

mod error;

mod control;

mod auth;

mod http;

mod grpc;

pub use auth::{AGENT_TOKEN_FILE, AuthError, OPERATOR_TOKEN_FILE, Token, Tokens};
pub use control::{Control, ForecastQuery, LOOKED_AT_MAX, Likely, NotificationsQuery, WakeAsked, WakesQuery};
pub use error::ControlError;
pub use grpc::{ControlService, control_service};
pub use http::{Problem, http_router, openapi};

#[cfg(test)]
mod tests;
