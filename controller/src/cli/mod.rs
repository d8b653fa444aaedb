//! (under construction)

pub mod backtest;
pub mod mine;
