//! Fitting: from recorded histories to a model.

pub mod history;

pub mod logistic;

pub mod network;

pub mod screen;

pub mod advantage;

pub mod train;

pub use history::{Clockwork, History};
pub use train::{FitRule, fit};
