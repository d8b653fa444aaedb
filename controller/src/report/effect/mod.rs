//! The effect of waking by forecast, from a draw that decides on which days an instance is left asleep.

mod unit;

mod boundary;

mod comparison;

mod trial;

#[cfg(test)]
mod tests;

pub use boundary::{ALPHA, TUNED_FOR_UNITS, half_width};
pub use comparison::{Comparison, Estimate, UNITS_PER_ARM_MIN};
pub use trial::{ArmFigures, Effect, Significance, Trial, trial};
pub use unit::{Arm, Told, Unit, Wish, units};
