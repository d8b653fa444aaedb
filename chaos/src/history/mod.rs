//! What happened, in one total order, written by a recorder of its own and read by the oracles.

use std::collections::BTreeMap;

pub mod event;
pub mod read;
pub mod recorder;

pub use event::{Entry, Event, Function, Header, Key, Kind};
pub use read::{History, HistoryError};
pub use recorder::Recorder;

/// The hosts of instances, by what is told of both: who looks at a wake that is due is not told its host.
pub fn homes(events: &[Event]) -> BTreeMap<&str, &str> {
    events.iter().filter_map(|event| Some((event.k.instance.as_deref()?, event.k.host.as_deref()?))).collect()
}
