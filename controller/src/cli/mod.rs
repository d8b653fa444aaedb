//! The operator's commands.

pub mod backtest;
