//! Where lines come from and what a line says: the only room that knows Combined, F5 and JSON logs.
//!
//! In reading order: what is configured, what a line says, how each format says it, what it means, where lines come
//! from, and who reads them.

mod config;
mod error;

mod counts;
mod record;
mod reject;

mod combined;
mod f5;
mod format;
mod json;
mod time;

mod extract;
mod instances;
mod miner;
mod patterns;

mod batch;
mod follow;
mod input;
mod lines;
mod position;
mod read;

pub use batch::{Batch, LINE_BYTES_MAX};
pub use combined::parse_combined;
pub use config::{ExtractConfig, InstanceFrom, JsonFields, LogFormat, LogsConfig, SourceConfig};
pub use counts::{Counts, SightingCounts};
pub use error::LogsError;
pub use f5::TEMPLATE_DEFAULT as F5_TEMPLATE_DEFAULT;
pub use follow::Follower;
pub use input::source_files;
pub use miner::Miner;
pub use position::Position;
pub use read::{read_source, read_watched};
pub use record::AccessRecord;
pub use reject::{EXCERPT_CHARS_MAX, RejectReason, RejectSample};
pub use time::DayCache;
