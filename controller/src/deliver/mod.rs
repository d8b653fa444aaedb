//! How a notification reaches its receiver: HTTP and SMTP, and what their answers mean. No error of this room holds a
//! secret or an address with one.

mod carrier;
mod courier;
mod retry_after;
mod smtp;
mod webhook;

pub use carrier::Carrier;
pub use courier::{Answer, Courier, CourierError, Parcel};
