//! For how long a local world goes on without a word of whoever runs the experiment.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Of the whole run: every fault of it ends with it. Runs on the time of the runtime, which no step of the wall clock moves. Cheap
/// to clone; every clone is the same lease.
#[derive(Debug, Clone)]
pub struct Lease {
    length: Duration,
    until: Arc<watch::Sender<Instant>>,
}

impl Lease {
    /// From now on.
    pub fn new(length: Duration) -> Self {
        Self { length, until: Arc::new(watch::Sender::new(Instant::now() + length)) }
    }

    pub fn length(&self) -> Duration {
        self.length
    }

    /// For its length from now on.
    pub fn renew(&self) {
        self.until.send_replace(Instant::now() + self.length);
    }

    /// Returns once nobody has renewed it for its length.
    pub async fn over(&self) {
        loop {
            let until = *self.until.borrow();
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_nobody_renews_it() {
        let (lease, began) = (Lease::new(Duration::from_secs(3)), Instant::now());
        let renewing = lease.clone();
        tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(2)).await;
                renewing.renew();
            }
        });
        lease.over().await;
        assert_eq!(began.elapsed(), Duration::from_secs(13));
    }
}
