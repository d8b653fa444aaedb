//! The faults of a leader, and of the database all lead by.

use std::fmt;

use serde::Serialize;

use super::world::World;

/// What is done to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The leader's process is killed with SIGKILL.
    Kill,
    /// It is stopped for longer than its lease lasts, and then goes on as if no time had gone by.
    Stop,
    /// It is cut off from the database; agents and clients still reach it.
    Cut,
    /// The database is killed with SIGKILL and started again.
    Database,
}

impl Fault {
    /// One round each, over and over.
    pub const ALL: [Self; 4] = [Self::Kill, Self::Stop, Self::Cut, Self::Database];

    /// That of the round with this number, from 0 on.
    pub fn of_round(round: u32) -> Self {
        Self::ALL[round as usize % Self::ALL.len()]
    }

    /// Does it. What has to be undone later is left for [`Fault::undo`].
    pub(super) async fn inject(self, world: &World, leader: usize) -> anyhow::Result<()> {
        let controller = &world.controllers[leader];
        match self {
            Self::Kill => controller.kill().await,
            Self::Stop => controller.stop().await,
            Self::Cut => world.back.cut(controller).await,
            Self::Database => world.database.kill().await,
        }
    }

    /// Puts back what is missing.
    pub(super) async fn undo(self, world: &World, leader: usize) -> anyhow::Result<()> {
        let controller = &world.controllers[leader];
        match self {
            Self::Kill => world.restart_controller(leader).await,
            Self::Stop => controller.go_on().await,
            Self::Cut => world.back.join(controller).await,
            Self::Database => world.database.start_again().await,
        }
    }

    /// Whether another controller has to take over. A database that comes back may find the old leader in office.
    pub fn is_of_the_leader(self) -> bool {
        self != Self::Database
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "leader killed",
            Self::Stop => "leader stopped",
            Self::Cut => "leader cut off",
            Self::Database => "database killed",
        })
    }
}
