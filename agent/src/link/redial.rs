//! Session after session, with one controller after the other where there are several. Losing one stops nothing that runs.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use reveille_proto::planted;
use tracing::{error, warn};

use super::{Session, SessionError, backoff::Backoff, rota::Rota};
use crate::chain::Chain;

/// After a no that will not change soon, within this and its half.
const LASTING_NO_S: u64 = 60;

/// A session that lived this long was a good one, in seconds.
const SETTLED_S: i64 = 10;

/// The link: dials, lives a session, dials again.
#[derive(Debug)]
pub struct Link {
    session: Session,
    backoff: Backoff,
    rota: Rota,
    rng: StdRng,
}

impl Link {
    /// `seed` spreads the waits of a fleet, and the fleet over its controllers.
    pub fn new(session: Session, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let backoff = Backoff::new(session.controller.reconnect_backoff_max_s);
        let addresses = session.controller.address.all().len();
        let rota = Rota::new(addresses, rng.random_range(0..addresses.max(1)));
        Self { session, backoff, rota, rng }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        loop {
            let mut welcomed = false;
            let began = self.session.clock.now();
            let address = self.session.controller.address.all()[self.rota.at()].clone();
            let end = self.session.live(&address, &mut welcomed).await;
            // A session that is cut at once, as by another agent with this host id, is no reason to hurry.
            let lived_s = self.session.clock.now().duration_since(began).as_secs();
            if welcomed && lived_s >= SETTLED_S {
                self.backoff.reset();
            }
            if !welcomed && planted!("link-gives-up") {
                std::future::pending::<()>().await;
            }
            let nobody_will = self.rota.turn(end.is_lasting());
            let wait = if nobody_will { self.slow() } else { self.backoff.next(&mut self.rng) };
            self.tell(&address, &end, wait);
            self.session.clock.sleep(wait).await;
        }
    }

    fn tell(&self, address: &str, end: &SessionError, wait: Duration) {
        let (host_id, wait_ms) = (&self.session.identity.host, wait.as_millis() as u64);
        let error = Chain(end);
        if end.is_lasting() {
            error!(%host_id, address, %error, wait_ms, "the controller does not take this agent");
        } else {
            warn!(%host_id, address, %error, wait_ms, "no session with the controller; what runs goes on");
        }
    }

    fn slow(&mut self) -> Duration {
        Duration::from_millis(self.rng.random_range(LASTING_NO_S * 500..=LASTING_NO_S * 1000))
    }
}
