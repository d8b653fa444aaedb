//! What is due when in the world.

use std::collections::BTreeMap;

/// What happens, by index of the user or instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Arrive(usize),
    /// A user who is present does something.
    Act(usize),
    /// Look whether an instance should sleep.
    Sleep(usize),
    /// Look whether a boot came to nothing.
    GiveUp(usize),
    /// A boot that was held back begins.
    Boot(usize),
    Noise,
}

/// Ordered by second, then by when it was put in.
#[derive(Debug, Default)]
pub struct Agenda {
    entries: BTreeMap<(i64, u64), Due>,
    sequence: u64,
}

impl Agenda {
    pub fn put(&mut self, at_s: i64, due: Due) {
        self.entries.insert((at_s, self.sequence), due);
        self.sequence += 1;
    }

    /// The second of the next entry.
    pub fn next_s(&self) -> Option<i64> {
        self.entries.keys().next().map(|(at_s, _)| *at_s)
    }

    /// The next entry that is due at `now_s` or was before.
    pub fn pop_due(&mut self, now_s: i64) -> Option<Due> {
        let first = self.entries.first_entry().filter(|entry| entry.key().0 <= now_s)?;
        Some(first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_order() {
        let mut agenda = Agenda::default();
        agenda.put(20, Due::Noise);
        agenda.put(10, Due::Arrive(1));
        agenda.put(10, Due::Act(2));
        assert_eq!(agenda.pop_due(9), None);
        assert_eq!(
            [agenda.pop_due(15), agenda.pop_due(15), agenda.pop_due(15)],
            [Some(Due::Arrive(1)), Some(Due::Act(2)), None]
        );
        assert_eq!(agenda.next_s(), Some(20));
    }
}
