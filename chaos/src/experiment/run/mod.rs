//! Runs an experiment file: the steady state, the method, the steady state again, the rollbacks, and what it comes to.
//!
//! The steps are those of the file, in the order Chaos Toolkit takes them. [`Harness`] carries them out, whoever gives them:
//! [`conduct()`] in this process, or a client over HTTP.

mod conduct;
mod grade;
mod guard;
mod harness;
mod journal;
mod order;
mod page;
mod series;
mod served;
mod sight;
mod steps;
mod tolerance;
mod world;

pub use conduct::{Conducted, conduct};
pub use grade::{Graded, brier};
pub use guard::Tripped;
pub use harness::{Answer, Body, Harness, Spans};
pub use journal::{Journal, Step};
pub use order::{BadOrder, Order};
pub use series::{Run, Series, SeriesSpec, gravest, runs_in_a_simulation, series, write};
pub use served::{Asked, Desk, conduct_served};
