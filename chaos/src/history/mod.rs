//! What happened, in one total order, written by a recorder of its own and read by the oracles.

pub mod event;
pub mod read;
pub mod recorder;

pub use event::{Entry, Event, Function, Header, Key, Kind};
pub use read::{History, HistoryError};
pub use recorder::Recorder;
