//! The real driver and the real executor of the agent against each manner, and what the endpoint's own books say.

mod classified;
mod looked_at;
mod manners;
mod rig;
