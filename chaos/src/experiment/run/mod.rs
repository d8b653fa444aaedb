//! Runs an experiment file: the steady state, the method, the steady state again, the rollbacks, and what it comes to.
//!
//! The steps are those of the file, in the order Chaos Toolkit takes them. [`Harness`] carries them out, whoever gives them:
//! [`conduct()`] in this process, or a client over HTTP.

mod conduct;
mod entry;
mod grade;
mod guard;
mod harness;
mod journal;
mod kept;
mod order;
mod page;
mod removed;
mod runner;
mod series;
mod served;
mod sight;
mod steps;
mod tolerance;
mod world;

pub use conduct::{Conducted, RunSpec, conduct};
pub use entry::{Climb, Entry};
pub use grade::{Graded, brier};
pub use guard::Tripped;
pub use harness::{Answer, Body, Harness, Spans};
pub use journal::{Journal, Step};
pub use kept::{Keeping, Kept, Remains, conduct_kept};
pub use order::{BadOrder, Order};
pub use removed::{FaultEnd, RemovedBy};
pub use runner::{LocalRun, RUN_MARK, run_locally};
pub use series::{Mode, Run, Series, SeriesSpec, gravest, local_replay, runs_in, series, write};
pub use served::{Asked, Desk, conduct_served};
