//! Calendar files: holidays and quiet periods somebody wrote down. The only place that knows iCalendar (RFC 5545).
//!
//! A file is cut into its events, each event is read on its own, its occurrences are worked out by the local
//! clock, and their days and spans are marked in a [`crate::model::DayCalendar`]. A bad event is told with file,
//! line and property, and stops nothing else.

mod config;

mod cut;

mod event;

mod occur;

mod mark;

mod refresh;

pub use config::{CalendarConfig, CalendarKind};
pub use event::BadEvent;
pub use mark::{Reach, read_calendars};
pub use refresh::{CalendarFileError, Calendars, Refreshed, check_file};

use refresh::read_file;
