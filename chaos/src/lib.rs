//! The proving ground: a simulated world, faults, experiments, judges.
