//! What the tests of the road stand on: the built programs, a stage, processes on it, an installation of all three, and what
//! is installed for Python.

mod installation;
mod instances;
mod page;
mod ports;
mod process;
mod programs;
mod python;
mod stage;

pub(crate) use installation::Installation;
pub(crate) use instances::kill_instances;
pub(crate) use ports::free_ports;
pub(crate) use process::Process;
pub(crate) use programs::programs;
pub(crate) use python::{Python, end_well};
pub(crate) use stage::{Stage, until};
