//! Where weather is told. As a `watch` channel has it, but that who waits for a change hears of it in the order in which they began
//! to wait: such a channel wakes them in an order that is drawn by lot, and the same seed would be two histories.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Weather;

#[derive(Debug, Default)]
struct Shared {
    now: Mutex<Now>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Now {
    weather: Weather,
    version: u64,
    is_over: bool,
}

impl Shared {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes the weather. When it is dropped, who waits for a change is told that there will be none.
#[derive(Debug, Default)]
pub(super) struct Sky(Arc<Shared>);

impl Sky {
    pub(super) fn change(&self, change: impl FnOnce(&mut Weather)) {
        let mut now = self.0.now();
        change(&mut now.weather);
        now.version += 1;
        drop(now);
        self.0.changed.notify_waiters();
    }

    /// Somebody who has seen what holds now.
    pub(super) fn watched(&self) -> Watcher {
        Watcher { seen: self.0.now().version, sky: Arc::clone(&self.0) }
    }
}

impl Drop for Sky {
    fn drop(&mut self) {
        self.0.now().is_over = true;
        self.0.changed.notify_waiters();
    }
}

/// Sees the weather, each change once.
#[derive(Debug, Clone)]
pub(super) struct Watcher {
    sky: Arc<Shared>,
    seen: u64,
}

/// There will be no change any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Over;

impl Watcher {
    pub(super) fn weather(&self) -> Weather {
        self.sky.now().weather
    }

    /// What holds now counts as seen.
    pub(super) fn look(&mut self) -> Weather {
        let now = self.sky.now();
        self.seen = now.version;
        now.weather
    }

    /// Waits for a change that was not seen, which is seen then.
    pub(super) async fn changed(&mut self) -> Result<(), Over> {
        loop {
            let changed = self.sky.changed.notified();
            {
                let now = self.sky.now();
                if now.version != self.seen {
                    self.seen = now.version;
                    return Ok(());
                }
                if now.is_over {
                    return Err(Over);
                }
            }
            changed.await;
        }
    }

    /// Waits until the weather is as wanted.
    pub(super) async fn until(&mut self, is_wanted: impl Fn(&Weather) -> bool) -> Result<(), Over> {
        while !is_wanted(&self.look()) {
            self.changed().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_a_change_in_the_order_in_which_they_began_to() {
        let sky = Sky::default();
        let (say, mut said) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..50 {
            let (mut watcher, say) = (sky.watched(), say.clone());
            tokio::spawn(async move {
                while watcher.changed().await.is_ok() {
                    say.send(number).expect("heard");
                }
            });
        }
        for _ in 0..3 {
            tokio::task::yield_now().await;
            sky.change(|weather| weather.cuts += 1);
            for number in 0..50 {
                assert_eq!(said.recv().await, Some(number));
            }
        }
        drop((sky, say));
        assert_eq!(said.recv().await, None, "who waits is told that it is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_seen_once_and_one_before_it_was_looked_for_too() {
        let sky = Sky::default();
        let mut watcher = sky.watched();
        sky.change(|weather| weather.orphaned = 2);
        watcher.changed().await.expect("it changed");
        let again = tokio::time::timeout(std::time::Duration::from_secs(1), watcher.changed());
        assert!(again.await.is_err(), "it was seen");
        watcher.until(|weather| weather.orphaned == 2).await.expect("it is so");
        assert_eq!(watcher.weather().orphaned, 2);
    }
}
