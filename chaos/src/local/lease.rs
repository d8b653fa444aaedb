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
            if until <= Instant::now() {
                return;
            }
            // Whoever was kept from looking for long looks at what it is now, not at what it was.
            tokio::select! {
                () = sleep_until(until) => {}
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

    #[tokio::test]
    async fn one_that_was_renewed_while_nobody_looked_is_not_over() {
        for _ in 0..20 {
            let lease = Lease::new(Duration::from_millis(20));
            let mut over = Box::pin(lease.over());
            // It is waited for, and then its thread is busy for longer than it was.
            assert!(futures::poll!(over.as_mut()).is_pending());
            let busy = Instant::now();
            while busy.elapsed() < Duration::from_millis(25) {
                std::hint::spin_loop();
            }
            lease.renew();
            assert!(futures::poll!(over.as_mut()).is_pending(), "it was renewed");
        }
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
