//! How a notification reaches its receiver: HTTP and SMTP, and what their answers mean. No error of this room holds a
//! secret or an address with one.

mod courier;
mod retry_after;
mod smtp;
mod webhook;

pub use courier::{Answer, Courier, CourierError, Parcel};
