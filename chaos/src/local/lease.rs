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
    /// `None` when it is over for good.
    until: Arc<watch::Sender<Option<Instant>>>,
}

impl Lease {
    /// From now on.
    pub fn new(length: Duration) -> Self {
        Self { length, until: Arc::new(watch::Sender::new(Some(Instant::now() + length))) }
    }

    pub fn length(&self) -> Duration {
        self.length
    }

    /// For its length from now on.
    pub fn renew(&self) {
        let until = Instant::now() + self.length;
        self.until.send_modify(|now| *now = now.map(|_| until));
    }

    /// Now, whoever renews it.
    pub fn end(&self) {
        self.until.send_replace(None);
    }

    /// Returns once nobody has renewed it for its length.
    pub async fn over(&self) {
        let mut changes = self.until.subscribe();
        loop {
            let Some(until) = *changes.borrow_and_update() else { return };
            tokio::select! {
                () = sleep_until(until) => return,
                // Who could change it is here.
                _ = changes.changed() => {}
            }
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

    #[tokio::test(start_paused = true)]
    async fn one_that_was_ended_is_not_renewed() {
        let (lease, began) = (Lease::new(Duration::from_secs(3)), Instant::now());
        lease.end();
        lease.renew();
        lease.over().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
