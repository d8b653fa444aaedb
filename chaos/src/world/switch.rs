//! What a tap does to the sessions that pass it: cuts those of a host, keeps them cut, and withholds the agents' words of
//! a wake.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use tokio::sync::watch;

#[derive(Debug, Clone, Default)]
struct Set {
    /// How often the sessions of a host were cut.
    cuts: BTreeMap<String, u64>,
    held: BTreeSet<String>,
    muted: BTreeSet<String>,
}

/// Cheap to clone; every clone is the same switch. Nothing is cut by default.
#[derive(Debug, Clone)]
pub struct Switch(Arc<watch::Sender<Set>>);

impl Default for Switch {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Set::default())))
    }
}

impl Switch {
    /// Cuts the sessions of a host that are open now. Its agent may connect again at once.
    pub fn cut(&self, host: &str) {
        self.0.send_modify(|set| *set.cuts.entry(host.to_owned()).or_default() += 1);
    }

    /// Cuts the sessions of a host, and every one it opens until [`Self::release`].
    pub fn hold(&self, host: &str) {
        self.0.send_modify(|set| _ = set.held.insert(host.to_owned()));
    }

    pub fn release(&self, host: &str) {
        self.0.send_modify(|set| _ = set.held.remove(host));
    }

    /// From now on the controller hears nothing of this wake.
    pub fn mute(&self, wake: &str) {
        self.0.send_modify(|set| _ = set.muted.insert(wake.to_owned()));
    }

    pub fn unmute(&self, wake: &str) {
        self.0.send_modify(|set| _ = set.muted.remove(wake));
    }

    /// A session that begins.
    pub(super) fn session(&self) -> Passage {
        Passage { switch: self.clone(), at: Arc::default() }
    }
}

/// One session, as the switch sees it.
#[derive(Debug, Clone)]
pub(super) struct Passage {
    switch: Switch,
    /// The host, once it is known, and how often it had been cut before.
    at: Arc<OnceLock<(String, u64)>>,
}

impl Passage {
    pub(super) fn is_muted(&self, wake: &str) -> bool {
        self.switch.0.borrow().muted.contains(wake)
    }

    pub(super) fn is_of(&self, host: &str) {
        let cuts = self.switch.0.borrow().cuts.get(host).copied().unwrap_or(0);
        self.at.set((host.to_owned(), cuts)).ok();
        // Whoever waits for a cut looks again, now that the host is known.
        self.switch.0.send_modify(|_| {});
    }

    fn is_cut(&self, set: &Set) -> bool {
        self.at.get().is_some_and(|(host, before)| {
            set.held.contains(host) || set.cuts.get(host).is_some_and(|cuts| cuts > before)
        })
    }

    pub(super) fn is_cut_now(&self) -> bool {
        self.is_cut(&self.switch.0.borrow())
    }

    /// Returns once the session is cut.
    pub(super) async fn cut(&self) {
        let mut changes = self.switch.0.subscribe();
        // The switch lives as long as this does.
        changes.wait_for(|set| self.is_cut(set)).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_cut(session: &Passage) -> bool {
        tokio::time::timeout(Duration::from_millis(1), session.cut()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_ends_what_is_open_and_a_hold_what_comes_too() {
        let switch = Switch::default();
        let (one, other) = (switch.session(), switch.session());
        one.is_of("h1");
        other.is_of("h2");
        assert!(!is_cut(&one).await);
        switch.cut("h1");
        assert!(is_cut(&one).await && !is_cut(&other).await);
        let next = switch.session();
        next.is_of("h1");
        assert!(!is_cut(&next).await, "it may connect again");
        switch.hold("h1");
        assert!(is_cut(&next).await);
        let unknown = switch.session();
        assert!(!is_cut(&unknown).await, "nobody knows yet whose it is");
        unknown.is_of("h1");
        assert!(is_cut(&unknown).await);
        switch.release("h1");
        assert!(!is_cut(&unknown).await);
    }

    #[test]
    fn a_wake_is_muted_until_it_is_not() {
        let switch = Switch::default();
        let session = switch.session();
        switch.mute("w1");
        assert!(session.is_muted("w1") && !session.is_muted("w2"));
        switch.unmute("w1");
        assert!(!session.is_muted("w1"));
    }
}
