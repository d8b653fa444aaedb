//! All that the journal says, folded: one entry per wake, and the highest epoch seen.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{WakeId, planted};

use super::{Entry, Order, Record};

/// Acknowledged ends are forgotten after this; no controller repeats a command that old.
const KEEP_ACKED_H: i64 = 24;

/// What is known of all wakes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    entries: BTreeMap<WakeId, Entry>,
    epoch: u64,
}

/// What a command is to the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// From a controller that has been replaced.
    StaleEpoch,
    /// A later attempt is known.
    StaleAttempt,
    /// Known already.
    Repeated,
    /// The first, or a further attempt.
    New,
}

impl Book {
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub fn get(&self, wake: WakeId) -> Option<&Entry> {
        self.entries.get(&wake)
    }

    /// The highest epoch seen.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn standing(&self, order: &Order) -> Standing {
        if order.epoch < self.epoch && !planted!("stale-epoch-accepted") {
            return Standing::StaleEpoch;
        }
        match self.get(order.wake).map(|entry| entry.order.attempt) {
            Some(known) if order.attempt < known => Standing::StaleAttempt,
            Some(known) if order.attempt == known => Standing::Repeated,
            _ => Standing::New,
        }
    }

    /// Takes one fact.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Epoch { epoch } => self.epoch = self.epoch.max(*epoch),
            Record::Received { order, at } => {
                self.epoch = self.epoch.max(order.epoch);
                let entry = self.entries.entry(order.wake).or_insert_with(|| Entry::new(order.clone(), *at));
                if order.attempt > entry.order.attempt {
                    entry.retry(order.clone(), *at);
                }
            }
            Record::Kept { entry } => {
                self.epoch = self.epoch.max(entry.order.epoch);
                self.entries.insert(entry.order.wake, entry.clone());
            }
            Record::Eligible { wake, attempt, .. }
            | Record::Calling { wake, attempt, .. }
            | Record::Accepted { wake, attempt, .. }
            | Record::Unknown { wake, attempt, .. }
            | Record::Done { wake, attempt, .. }
            | Record::Acked { wake, attempt, .. } => {
                if let Some(entry) = self.entries.get_mut(wake) {
                    entry.apply(*attempt, record);
                }
            }
        }
    }

    /// Drops acknowledged ends that nobody will ask for again.
    pub fn forget(&mut self, now: Timestamp) {
        self.entries.retain(|_, entry| !forgettable(entry, now));
    }

    /// The same at the old end only, so that it costs nothing to do it at each acknowledgement.
    pub(super) fn forget_oldest(&mut self, now: Timestamp) {
        while let Some(oldest) = self.entries.first_entry() {
            if !forgettable(oldest.get(), now) {
                return;
            }
            oldest.remove();
        }
    }

    /// The lines that say the same in short.
    pub fn compacted(&self) -> impl Iterator<Item = Record> {
        let kept = self.entries.values().map(|entry| Record::Kept { entry: entry.clone() });
        std::iter::once(Record::Epoch { epoch: self.epoch }).chain(kept)
    }
}

fn forgettable(entry: &Entry, now: Timestamp) -> bool {
    entry.acked && now.duration_since(entry.touched_at) > SignedDuration::from_hours(KEEP_ACKED_H)
}

#[cfg(test)]
mod tests {
    use reveille_proto::v1;

    use super::*;
    use crate::execute::{
        Next,
        harness::{at, ending, order},
    };

    fn folded(records: &[Record]) -> Book {
        let mut book = Book::default();
        for record in records {
            book.apply(record);
        }
        book
    }

    fn received(order: &Order) -> Record {
        Record::Received { order: order.clone(), at: at(0) }
    }

    fn done(order: &Order, effect: v1::Effect) -> Record {
        let ending = ending(v1::Outcome::Failed, effect, at(9));
        Record::Done { wake: order.wake, attempt: order.attempt, ending }
    }

    #[test]
    fn each_phase_says_whether_a_call_may_follow() {
        let first = order(1, 1);
        let (wake, attempt, t) = (first.wake, 1, at(1));
        let mut book = folded(&[received(&first)]);
        for (record, next) in [
            (Record::Eligible { wake, attempt, at: t }, Next::Go),
            (Record::Calling { wake, attempt, at: t }, Next::Look),
            (Record::Unknown { wake, attempt, at: t }, Next::Look),
            (Record::Accepted { wake, attempt, at: t }, Next::Look),
            (done(&first, v1::Effect::Accepted), Next::Over),
        ] {
            book.apply(&record);
            assert_eq!(book.get(wake).expect("known").next(), next, "{record:?}");
        }
    }

    #[test]
    fn a_new_attempt_calls_only_when_the_earlier_had_no_effect() {
        for (effect, next) in [
            (v1::Effect::None, Next::Go),
            (v1::Effect::Unknown, Next::Look),
            (v1::Effect::Accepted, Next::Look),
        ] {
            let second = order(1, 2);
            let book = folded(&[received(&order(1, 1)), done(&order(1, 1), effect), received(&second)]);
            assert_eq!(book.get(second.wake).expect("known").next(), next, "{effect:?}");
        }
        let cut_off = Record::Calling { wake: order(1, 1).wake, attempt: 1, at: at(1) };
        let book = folded(&[received(&order(1, 1)), cut_off, received(&order(1, 2))]);
        assert_eq!(book.get(order(1, 1).wake).expect("known").next(), Next::Look);
    }

    #[test]
    fn look_only_never_goes() {
        let look = Order { look_only: true, ..order(1, 1) };
        assert_eq!(folded(&[received(&look)]).get(look.wake).expect("known").next(), Next::Look);
    }

    #[test]
    fn commands_are_told_apart() {
        let book = folded(&[received(&Order { epoch: 5, ..order(1, 2) })]);
        let standing = |wake, attempt, epoch| book.standing(&Order { epoch, ..order(wake, attempt) });
        assert_eq!(standing(1, 2, 5), Standing::Repeated);
        assert_eq!(standing(1, 1, 5), Standing::StaleAttempt);
        assert_eq!(standing(1, 3, 5), Standing::New);
        assert_eq!(standing(2, 1, 6), Standing::New);
        assert_eq!(standing(2, 1, 4), Standing::StaleEpoch);
    }

    #[test]
    fn facts_of_an_earlier_attempt_change_nothing() {
        let late = Record::Accepted { wake: order(1, 1).wake, attempt: 1, at: at(3) };
        let book = folded(&[received(&order(1, 1)), received(&order(1, 2)), late]);
        assert_eq!(book.get(order(1, 1).wake).expect("known").phase, v1::Phase::Received);
    }

    #[test]
    fn only_acknowledged_ends_are_forgotten_and_only_when_old() {
        let acked = Record::Acked { wake: order(1, 1).wake, attempt: 1, at: at(10) };
        let two =
            [received(&order(1, 1)), done(&order(1, 1), v1::Effect::None), received(&order(2, 1)), acked];
        let day_s = 24 * 3600;
        let mut book = folded(&two);
        book.forget(at(10 + day_s));
        assert_eq!(book.entries().count(), 2);
        book.forget_oldest(at(11 + day_s));
        assert_eq!(book.entries().map(|e| e.order.wake).collect::<Vec<_>>(), [order(2, 1).wake]);
        let mut book = folded(&two);
        book.forget(at(11 + day_s));
        assert_eq!(book.entries().count(), 1);
    }

    #[test]
    fn compacting_changes_nothing() {
        let calling = Record::Calling { wake: order(2, 1).wake, attempt: 1, at: at(1) };
        let book = folded(&[
            Record::Epoch { epoch: 9 },
            received(&order(1, 1)),
            done(&order(1, 1), v1::Effect::Unknown),
            received(&order(1, 2)),
            received(&order(2, 1)),
            calling,
        ]);
        assert_eq!(folded(&book.compacted().collect::<Vec<_>>()), book);
    }
}
