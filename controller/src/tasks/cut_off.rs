//! What a controller does whose database does not answer, where another one may be better off: it lets its agents go.
//!
//! It can start nothing any more, so its hosts' wakes would wait for as long as it is cut off. An agent whose session ends
//! dials the next of its controllers; this one takes none until its database answers again. Where no other controller was
//! there, agents stay: a database that hangs must not cost a fleet its sessions.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::{Task, TaskError};
use crate::app::Shared;

/// What is asked of a database that does not answer is given up as often.
const GIVE_UP_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// The loop. It never waits for the database.
#[derive(Debug)]
pub struct CutOff {
    shared: Shared,
    given_up_at: Option<Timestamp>,
}

impl CutOff {
    pub fn new(shared: Shared) -> Self {
        Self { shared, given_up_at: None }
    }

    fn look(&mut self, now: Timestamp) {
        if self.shared.levers.are_known(now) {
            if self.given_up_at.take().is_some() {
                info!("the database answers again");
            }
            return;
        }
        if self.given_up_at.is_some_and(|at| now.duration_since(at) < GIVE_UP_EVERY) {
            return;
        }
        if self.given_up_at.replace(now).is_none() {
            warn!("the database does not answer: nothing is started from here");
        }
        self.shared.store.give_up();
        if self.shared.levers.has_others() {
            let agents = self.shared.fleet.let_go();
            if agents > 0 {
                warn!(agents, "agents are let go: another controller may reach the database");
            }
        }
    }
}

impl Task for CutOff {
    const NAME: &'static str = "cut_off";

    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn activate(&mut self) -> Result<String, TaskError> {
        self.look(self.shared.clock.now());
        Ok(String::new())
    }
}
