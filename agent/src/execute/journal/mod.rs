//! The journal on disk: one file, one owner, one line a fact.

mod error;
mod file;
mod writer;

pub use self::{error::JournalError, file::JournalFile, writer::Journal};
