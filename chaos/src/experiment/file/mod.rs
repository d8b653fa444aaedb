//! The experiment file: Chaos Toolkit's open format with the extension `reveille.chaos/v1`.
//!
//! [`read_text`] goes from a text to an [`Experiment`], or to every problem of the file with its line and field. First come
//! the values, then the types of the whole, then how a text is read, and at last the rules no schema can say.

mod comparison;
mod coverage;
mod input;
mod invariant;
mod length;
mod metric;

mod extension;
mod fault;
mod hypothesis;
mod radius;
mod sim;
mod target;
mod toolkit;
mod world;

mod document;
pub(in crate::experiment) mod found;
pub(in crate::experiment) mod node;
mod parts;
mod problem;
mod read;
mod schema;

mod check;

#[cfg(test)]
mod tests;

pub use comparison::{Expression, NoExpression, Op};
pub use coverage::{SIGHTS, Sight};
pub use document::Document;
pub use extension::{
    Author, Control, ControlKind, Coverage, Extension, FlakePolicy, Guard, GuardAction, Layer, MeaningTier,
    NAME, Provenance, Quadrant, Recovery, ReportFormat, ReportSpec, Residue, SteadyStateAfter, TemplateRef,
    Unproven, VerdictPolicy,
};
pub use fault::{Fault, Hits, Noise, Proof, Schedule};
pub use hypothesis::{During, Expected, Hypothesis, Prediction, RatioOfControl};
pub use input::{BadInput, Input};
pub use invariant::INVARIANTS;
pub use length::{Length, NoLength};
pub use metric::{METRICS, Metric, known as known_metric};
pub use node::{Mark, Marked, Node};
pub use problem::{Invalid, Problem};
pub use radius::{Approval, BlastRadius, HARMS, Max, Requires, RunMode, Rung, Scope, Windows};
pub use read::{ReadError, read_document, read_file, read_text};
pub use schema::SCHEMA;
pub use sim::{SeedList, SeedRange, Seeds, Shrink, ShrinkStep, Sim, Tier};
pub use target::{Choose, Exclude, Mode, OnEmpty, Select, Target, TargetKind};
pub use toolkit::{
    Activity, ActivityType, AnyExtension, Contribution, Experiment, HypothesisRuntime, HypothesisStrategy,
    Pauses, Provider, RollbackRuntime, RollbackStrategy, Runtime, SteadyState,
};
pub use world::{Boot, ControllerKnobs, Fleet, Logs, Profile, Workload, World};
