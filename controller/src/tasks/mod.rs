//! The loops that keep the road moving, one file each.
//!
//! | task | signal | does |
//! |---|---|---|
//! | ingest | - | access logs -> visits |
//! | learn | `learn` | visits -> profiles, weights |
//! | plan | `plan` | profiles -> plan -> queued wakes |
//! | dispatch | `dispatch` | queue -> throttle -> command |
//! | mirror | - | the store's queue and permits -> those in memory |
//! | lead | - | the lease, other controllers' changes |
//! | `cut_off` | - | lets agents go while the database does not answer |
//! | notify | `notify` | outbox -> receivers |
//! | settle | agents' messages, `settle` | word of agents, deadlines, verdicts |
//! | prune | - | forgets what is older than it is kept |
//! | certificates | - | certificates that were replaced -> the next connection |
//!
//! `activate()` takes no input and may run at any time: on a timer, on a signal, twice in a row.

mod certificates;
mod choice;
mod cut_off;
mod dispatch;
mod ingest;
mod lead;
mod learn;
mod listen;
mod mirror;
mod needs;
mod notify;
mod outlook;
mod perform;
mod phases;
mod plan;
mod prune;
mod run;
mod score;
mod settle;
mod unsure;
mod weights;

pub use certificates::Certificates;
pub use cut_off::CutOff;
pub use dispatch::Dispatch;
pub use ingest::Ingest;
pub use lead::{LEASE, LEASE_TTL, Lead};
pub(crate) use learn::zones;
pub use learn::{Learn, LearnStatus, learn_once, learn_told};
pub use listen::listen;
pub use mirror::Mirror;
pub use needs::Needs;
pub use notify::Notify;
pub use perform::perform;
pub use plan::Plan;
pub use prune::Prune;
pub use run::{Task, TaskError, run};
pub use score::{Ask, Round, Scenes, score_all};
pub use settle::Settle;
pub use weights::TrainLimits;
