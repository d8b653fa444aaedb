//! What receivers are told, who is told it, how a webhook is signed, and when a failed delivery is tried again. The
//! rows live in `store/notifications.rs`, the wire in `deliver/`.

mod event;
mod letter;
mod notice;
mod receiver;
mod schedule;
mod signature;

pub use event::Event;
pub use letter::{Letter, letter};
pub use notice::{BudgetSpent, Notice, Payload, Said, WakeSaid};
pub use receiver::{Receiver, Receivers};
pub use schedule::{Next, after_failure};
pub use signature::{BadSecret, Secret};
