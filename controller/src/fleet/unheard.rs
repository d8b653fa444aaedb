//! Commands that an agent has said nothing of yet.
//!
//! A stream loses nothing while it lives, but whoever reads from it may: an agent whose disk is full takes no command, as it
//! could not remember the call. Nobody would hear of such a wake before its deadline. So a command is sent again in the same
//! session until a word of its attempt comes, after ten seconds, then after twice as long each time; the agent's journal makes
//! that harmless.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::v1::{self, controller_message::Kind};

/// Until a command is sent again for the first time. An agent answers within a round trip and a write to its disk.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(10);

/// Those of one session, by wake.
#[derive(Debug, Default)]
pub(super) struct Unheard(BTreeMap<String, Command>);

#[derive(Debug)]
struct Command {
    wake: v1::Wake,
    /// Called off by whom, after it was sent.
    cancel: Option<v1::Cancel>,
    wait: SignedDuration,
    /// Set when the time is told first.
    again_at: Option<Timestamp>,
}

impl Unheard {
    /// A message has left for the agent.
    pub(super) fn sent(&mut self, message: &Kind) {
        match message {
            Kind::Wake(wake) => {
                let command = Command { wake: wake.clone(), cancel: None, wait: FIRST_WAIT, again_at: None };
                self.0.insert(wake.wake_id.clone(), command);
            }
            Kind::Cancel(cancel) => {
                if let Some(command) = self.0.get_mut(&cancel.wake_id) {
                    command.cancel = Some(cancel.clone());
                }
            }
            _ => {}
        }
    }

    /// The agent has said something of an attempt.
    pub(super) fn heard(&mut self, wake: &str, attempt: u32) {
        if self.0.get(wake).is_some_and(|command| command.wake.attempt <= attempt) {
            self.0.remove(wake);
        }
    }

    /// The wake needs its agent no longer.
    pub(super) fn over(&mut self, wake: &(impl ToString + ?Sized)) {
        if !self.0.is_empty() {
            self.0.remove(&wake.to_string());
        }
    }

    /// What is to be said again at `now`, in this order.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Kind> {
        let mut due = Vec::new();
        for command in self.0.values_mut() {
            // A clock that went back does not put it off.
            let again_at = command.again_at.filter(|at| at.duration_since(now) <= command.wait);
            let again_at = *command.again_at.insert(again_at.unwrap_or(now + command.wait));
            if again_at > now {
                continue;
            }
            due.push(Kind::Wake(command.wake.clone()));
            due.extend(command.cancel.clone().map(Kind::Cancel));
            command.wait *= 2;
            command.again_at = Some(now + command.wait);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + s).expect("in range")
    }

    fn command(attempt: u32) -> Kind {
        Kind::Wake(v1::Wake { wake_id: "w1".into(), attempt, ..v1::Wake::default() })
    }

    /// The seconds at which something is said again, of those looked at.
    fn said_at(unheard: &mut Unheard, seconds: impl Iterator<Item = i64>) -> Vec<i64> {
        seconds.filter(|s| !unheard.due(t(*s)).is_empty()).collect()
    }

    #[test]
    fn a_command_nobody_speaks_of_is_said_again_ever_more_rarely() {
        let mut unheard = Unheard::default();
        unheard.sent(&command(1));
        assert_eq!(said_at(&mut unheard, 0..100), [10, 30, 70]);
        assert_eq!(unheard.due(t(150)), [command(1)]);
        // Another attempt begins anew.
        unheard.sent(&command(2));
        assert_eq!(said_at(&mut unheard, 200..220), [210]);
    }

    #[test]
    fn a_word_of_the_attempt_or_its_end_is_enough_and_one_of_an_earlier_is_not() {
        let mut unheard = Unheard::default();
        unheard.sent(&command(2));
        unheard.heard("w1", 1);
        unheard.heard("w2", 2);
        unheard.over("w2");
        assert_eq!(said_at(&mut unheard, 0..20), [10]);
        unheard.heard("w1", 2);
        assert_eq!(said_at(&mut unheard, 20..200), [0; 0]);
        unheard.sent(&command(3));
        unheard.over("w1");
        assert_eq!(said_at(&mut unheard, 200..400), [0; 0]);
    }

    #[test]
    fn what_was_called_off_meanwhile_is_called_off_again() {
        let mut unheard = Unheard::default();
        let cancel = Kind::Cancel(v1::Cancel { wake_id: "w1".into(), epoch: 4 });
        unheard.sent(&cancel);
        unheard.sent(&command(1));
        unheard.sent(&cancel);
        assert_eq!(unheard.due(t(0)), []);
        assert_eq!(unheard.due(t(10)), [command(1), cancel]);
    }

    #[test]
    fn a_clock_that_goes_back_puts_nothing_off() {
        let mut unheard = Unheard::default();
        unheard.sent(&command(1));
        assert_eq!(said_at(&mut unheard, [1_000, 0, 5, 9, 10].into_iter()), [10]);
    }
}
