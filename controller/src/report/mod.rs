//! What Reveille achieved, beside what was before it and what a replay says.

pub mod backtest;
