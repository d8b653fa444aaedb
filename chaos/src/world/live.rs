//! The world on a clock: whoever looks finds it as far as the clock is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reveille_proto::clock::Clock;

use super::World;

/// Cheap to clone; every clone is the same world.
#[derive(Debug, Clone)]
pub struct Live {
    world: Arc<Mutex<World>>,
    clock: Clock,
}

impl Live {
    pub fn new(world: World, clock: Clock) -> Self {
        Self { world: Arc::new(Mutex::new(world)), clock }
    }

    /// The world, played up to now. Hold it briefly and never across an await.
    pub fn enter(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now().as_second());
        world
    }

    /// The world as it was left, for reading it once the clock no longer matters.
    pub fn stopped(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
