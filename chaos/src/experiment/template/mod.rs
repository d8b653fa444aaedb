//! Templates: complete experiment files in which some values are left open, and the library of them in this program.

mod expand;
mod library;

#[cfg(test)]
mod tests;

pub(in crate::experiment) use expand::leftovers;
pub use expand::{Settings, expand, expand_with_defaults, extremes, inputs, is_template};
pub use library::{Template, find, library};
