//! What a tap does to the sessions that pass it: cuts those of a host, keeps them cut, withholds the agents' words of a wake,
//! says a command of an earlier session once more, and passes on messages twice or late.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use reveille_proto::v1::{Hello, Wake};
use tokio::sync::watch;

use super::Missing;
use crate::{experiment::catalogue::agent::Version, history::Function};

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    ToAgent,
    ToController,
}

/// What becomes of messages on one way. By default nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Muddle {
    /// Share of them that pass twice.
    pub twice: f64,
    /// Share of them that others may overtake.
    pub late: f64,
    pub late_max: Duration,
}

/// How one message passes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Passing {
    pub(super) is_twice: bool,
    pub(super) late_by: Duration,
}

#[derive(Debug, Clone, Default)]
struct Set {
    /// How often the sessions of a host were cut.
    cuts: BTreeMap<String, u64>,
    held: BTreeSet<String>,
    muted: BTreeSet<String>,
    /// The last command of each host.
    commands: BTreeMap<String, Wake>,
    /// The same when its present session began: it is of an earlier one.
    stale: BTreeMap<String, Wake>,
    /// How often the stale command of a host was to be said once more.
    repeats: BTreeMap<String, u64>,
    muddles: BTreeMap<(String, Way), Muddle>,
    /// Messages of each host that passed twice, and that were held back.
    twice: BTreeMap<String, u64>,
    late: BTreeMap<String, u64>,
    /// Hosts whose agents are of another version, and how many sessions they began so.
    skews: BTreeMap<String, Version>,
    skewed: BTreeMap<String, u64>,
    /// A message that does not pass, and how many like it were there so far.
    missing: Option<(Missing, u32)>,
}

/// Cheap to clone; every clone is the same switch. Nothing is cut by default.
#[derive(Debug, Clone)]
pub struct Switch(Arc<watch::Sender<Set>>, Arc<Mutex<StdRng>>);

impl Default for Switch {
    fn default() -> Self {
        Self::with(StdRng::seed_from_u64(0))
    }
}

impl Switch {
    /// With the luck of messages that may pass twice or late.
    pub fn with(luck: StdRng) -> Self {
        Self(Arc::new(watch::Sender::new(Set::default())), Arc::new(Mutex::new(luck)))
    }

    /// From now on this becomes of the messages of a host on this way.
    pub fn muddle(&self, host: &str, way: Way, muddle: Muddle) {
        self.0.send_modify(|set| _ = set.muddles.insert((host.to_owned(), way), muddle));
    }

    /// How many messages of the host passed twice so far, and how many were held back.
    pub fn muddled(&self, host: &str) -> (u64, u64) {
        let set = self.0.borrow();
        let of = |times: &BTreeMap<String, u64>| times.get(host).copied().unwrap_or(0);
        (of(&set.twice), of(&set.late))
    }

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

    /// This one message will not pass.
    pub fn lose(&self, missing: Missing) {
        self.0.send_modify(|set| set.missing = Some((missing, 0)));
    }

    /// From now on the controller hears nothing of this wake.
    pub fn mute(&self, wake: &str) {
        self.0.send_modify(|set| _ = set.muted.insert(wake.to_owned()));
    }

    pub fn unmute(&self, wake: &str) {
        self.0.send_modify(|set| _ = set.muted.remove(wake));
    }

    /// The agent of the host hears the last command of an earlier session once more, as from a controller that does not know
    /// that it was replaced. Says whether there is one.
    pub fn repeat(&self, host: &str) -> bool {
        self.0.send_if_modified(|set| {
            let is_known = set.stale.contains_key(host);
            *set.repeats.entry(host.to_owned()).or_default() += u64::from(is_known);
            is_known
        })
    }

    /// From its next session on the agent of the host is of another version; of its own where there is none.
    pub fn skew(&self, host: &str, version: Option<Version>) {
        self.0.send_modify(|set| {
            match version {
                Some(version) => set.skews.insert(host.to_owned(), version),
                None => set.skews.remove(host),
            };
        });
    }

    /// How many sessions the agent of the host began in another version.
    pub fn skewed(&self, host: &str) -> u64 {
        self.0.borrow().skewed.get(host).copied().unwrap_or(0)
    }

    /// Makes a hello that of the version its agent is of.
    pub(super) fn as_of_its_version(&self, hello: &mut Hello) {
        let Some(version) = self.0.borrow().skews.get(&hello.host_id).copied() else { return };
        if version == Version::Previous {
            // It did not say yet what its own guard allows.
            (hello.cpu_ceiling_percent, hello.wakes_max) = (0.0, 0);
        }
        let told = if version == Version::Previous { "0.0.1" } else { "99.0.0" };
        told.clone_into(&mut hello.agent_version);
        self.0.send_modify(|set| *set.skewed.entry(hello.host_id.clone()).or_default() += 1);
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
    /// The host, once it is known, how often it had been cut before, and how often commands had been repeated.
    at: Arc<OnceLock<(String, u64, u64)>>,
}

impl Passage {
    pub(super) fn is_muted(&self, wake: &str) -> bool {
        self.switch.0.borrow().muted.contains(wake)
    }

    /// Whether the message that is told so is the one that does not pass.
    pub(super) fn is_missing(&self, event: Function, wake: &str, attempt: u32) -> bool {
        let mut is_missing = false;
        self.switch.0.send_if_modified(|set| {
            let Some((missing, seen)) = &mut set.missing else { return false };
            if !missing.is_like(event, wake, attempt) {
                return false;
            }
            is_missing = *seen == missing.nth;
            *seen += 1;
            if !is_missing || !missing.ends_session {
                return false;
            }
            if let Some((host, ..)) = self.at.get() {
                *set.cuts.entry(host.clone()).or_default() += 1;
            }
            true
        });
        is_missing
    }

    pub(super) fn is_of(&self, host: &str) {
        let times = |times: &BTreeMap<String, u64>| times.get(host).copied().unwrap_or(0);
        // Whoever waits for a cut looks again, now that the host is known.
        self.switch.0.send_modify(|set| {
            self.at.set((host.to_owned(), times(&set.cuts), times(&set.repeats))).ok();
            if let Some(command) = set.commands.get(host) {
                set.stale.insert(host.to_owned(), command.clone());
            }
        });
    }

    fn is_cut(&self, set: &Set) -> bool {
        self.at.get().is_some_and(|(host, before, _)| {
            set.held.contains(host) || set.cuts.get(host).is_some_and(|cuts| cuts > before)
        })
    }

    /// How the next message on this way passes.
    pub(super) fn passing(&self, way: Way) -> Passing {
        let Some((host, ..)) = self.at.get() else { return Passing::default() };
        let muddle = self.switch.0.borrow().muddles.get(&(host.clone(), way)).copied().unwrap_or_default();
        if muddle == Muddle::default() {
            return Passing::default();
        }
        let passing = {
            let mut luck = self.switch.1.lock().unwrap_or_else(PoisonError::into_inner);
            let is_twice = luck.random_bool(muddle.twice.clamp(0.0, 1.0));
            let is_late = luck.random_bool(muddle.late.clamp(0.0, 1.0));
            let late_by = muddle.late_max.mul_f64(luck.random_range(0.0..1.0));
            Passing { is_twice, late_by: if is_late { late_by } else { Duration::ZERO } }
        };
        // Nobody waits for it.
        self.switch.0.send_if_modified(|set| {
            *set.twice.entry(host.clone()).or_default() += u64::from(passing.is_twice);
            *set.late.entry(host.clone()).or_default() += u64::from(passing.late_by > Duration::ZERO);
            false
        });
        passing
    }

    /// A command passed.
    pub(super) fn commanded(&self, command: &Wake) {
        let Some((host, ..)) = self.at.get() else { return };
        // Nobody waits for it.
        self.switch.0.send_if_modified(|set| {
            set.commands.insert(host.clone(), command.clone());
            false
        });
    }

    /// Returns with a command of an earlier session once it is to be said for the `said + 1`-th time in this one.
    pub(super) async fn stale(&self, said: u64) -> Wake {
        let mut changes = self.switch.0.subscribe();
        let times = |set: &Set| {
            let (host, _, before) = self.at.get()?;
            set.repeats.get(host).filter(|times| **times > before + said)?;
            set.stale.get(host).cloned()
        };
        // The switch lives as long as this does.
        let command = changes.wait_for(|set| times(set).is_some()).await.ok().and_then(|set| times(&set));
        match command {
            Some(command) => command,
            None => std::future::pending().await,
        }
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

    #[tokio::test(start_paused = true)]
    async fn only_a_command_of_an_earlier_session_is_said_once_more() {
        let switch = Switch::default();
        let first = switch.session();
        first.is_of("h1");
        first.commanded(&Wake { epoch: 1, ..Wake::default() });
        assert!(!switch.repeat("h1"), "it is the session's own");
        let second = switch.session();
        second.is_of("h1");
        second.commanded(&Wake { epoch: 2, ..Wake::default() });
        assert!(switch.repeat("h1") && !switch.repeat("h2"));
        assert_eq!(second.stale(0).await.epoch, 1);
        let again = tokio::time::timeout(Duration::from_millis(1), second.stale(1)).await;
        assert!(again.is_err(), "once");
    }

    #[test]
    fn messages_of_one_way_pass_twice_and_late_and_are_counted() {
        let switch = Switch::default();
        let session = switch.session();
        session.is_of("h1");
        assert_eq!(session.passing(Way::ToAgent), Passing::default());
        let muddle = Muddle { twice: 1.0, late: 1.0, late_max: Duration::from_secs(5) };
        switch.muddle("h1", Way::ToAgent, muddle);
        let passing = session.passing(Way::ToAgent);
        assert!(passing.is_twice && passing.late_by > Duration::ZERO && passing.late_by < muddle.late_max);
        assert_eq!(session.passing(Way::ToController), Passing::default());
        assert_eq!((switch.muddled("h1"), switch.muddled("h2")), ((1, 1), (0, 0)));
        switch.muddle("h1", Way::ToAgent, Muddle::default());
        assert_eq!(session.passing(Way::ToAgent), Passing::default());
    }

    #[tokio::test(start_paused = true)]
    async fn one_message_is_missing_and_its_session_ends_where_that_is_asked_for() {
        for ends_session in [false, true] {
            let switch = Switch::default();
            let session = switch.session();
            session.is_of("h1");
            let (event, wake) = (Function::CommandAck, "w1".to_owned());
            switch.lose(Missing { event, wake, attempt: 2, nth: 1, ends_session });
            let told = [(event, "w1", 2), (event, "w1", 1), (Function::Poll, "w1", 2), (event, "w2", 2)];
            assert!(told.iter().all(|(event, wake, attempt)| !session.is_missing(*event, wake, *attempt)));
            assert!(!is_cut(&session).await);
            assert!(session.is_missing(event, "w1", 2) && !session.is_missing(event, "w1", 2), "the second");
            assert_eq!(is_cut(&session).await, ends_session);
        }
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
