//! What connects the parts of a world: ports of loopback, or lines within this process that weather can be made on.

pub mod cable;
pub mod carrier;
pub mod exchange;
pub mod ways;
pub mod weather;

pub use carrier::InProcess;
pub use exchange::Exchange;
pub use ways::{Door, Ways};
pub use weather::{Flow, Meeting, Weather};
