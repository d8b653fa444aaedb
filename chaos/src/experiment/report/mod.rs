//! What the journals of many runs come to: which hypotheses were proved, of which quadrant, and how well it was foretold.

mod html;
mod read;
mod score;

pub use read::{Journals, Kept};
pub use score::{Line, Report, Score};
