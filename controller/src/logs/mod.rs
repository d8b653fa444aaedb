//! Where lines come from and what a line says: the only room that knows Combined, F5 and JSON logs.
//!
//! In reading order: what is configured, what a line says, how each format says it, what it means, where lines come
//! from, and who reads them.

mod config;

mod error;

mod record;

mod reject;

mod counts;

// How each format says it.
mod time;

mod combined;

mod f5;

mod json;

mod format;

// What it means.
mod extract;

mod patterns;

mod instances;

mod miner;

// Where lines come from, and what is made of them.
mod input;

mod lines;

mod position;

mod batch;

mod read;

mod tail;

mod follow;

pub use batch::Batch;
pub use combined::parse_combined;
pub use config::{ExtractConfig, InstanceFrom, JsonFields, LogFormat, LogsConfig, SourceConfig};
pub use counts::{Counts, SightingCounts};
pub use error::LogsError;
pub use f5::TEMPLATE_DEFAULT as F5_TEMPLATE_DEFAULT;
pub use follow::Follower;
pub use input::source_files;
pub use lines::LINE_BYTES_MAX;
pub use miner::Miner;
pub use position::Position;
pub use read::{read_source, read_watched};
pub use record::AccessRecord;
pub use reject::{EXCERPT_CHARS_MAX, RejectReason, RejectSample};
pub use time::DayCache;
