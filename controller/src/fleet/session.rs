//! One agent's stream, from hello to its end.

/// Serves `reveille.v1.Fleet`.
#[derive(Debug)]
pub struct FleetService;
