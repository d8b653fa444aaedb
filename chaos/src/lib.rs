//! The proving ground: a simulated world, faults, experiments, judges.

pub mod experiment;
pub mod fault;
pub mod history;
pub mod oracle;
pub mod world;
