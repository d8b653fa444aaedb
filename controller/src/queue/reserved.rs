//! For whom the CPU of a host is kept that becomes free.
//!
//! A small start fits where a large one does not. If small ones always went first, a host would never be empty enough for
//! the large one. As batch schedulers do it: others may go before who does not fit yet (backfilling), but not those of a
//! lower class, and nobody any more once it has waited for long (a reservation).

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{InstanceId, planted};

use super::Queued;
use crate::wake::Priority;

/// For so long others of the same class go before who does not fit yet.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Who waits for CPU on a host.
#[derive(Debug, Clone)]
pub struct Reserved {
    pub instance: InstanceId,
    priority: Priority,
    has_waited_long: bool,
}

impl Reserved {
    /// For a wake that does not fit at `now`.
    pub fn for_wake(queued: &Queued, now: Timestamp) -> Self {
        Self {
            instance: queued.wake.instance.clone(),
            priority: queued.wake.priority,
            has_waited_long: now.duration_since(queued.not_before()) >= PATIENCE,
        }
    }

    /// Whether `other`, which comes after it in the order, may start before it all the same.
    pub fn lets(&self, other: &Queued) -> bool {
        let is_let = !self.has_waited_long && other.wake.priority == self.priority;
        is_let || planted!("backfill-without-end")
    }
}

#[cfg(test)]
mod tests {
    use super::{super::board::tests::queued, *};
    use crate::wake::Reason;

    #[test]
    fn others_of_its_class_go_before_it_for_a_minute_and_lower_ones_never() {
        let first = queued(1, 0, Reason::Demand, "a");
        let due = first.not_before();
        let [person, forecast] = [Reason::Demand, Reason::Forecast].map(|reason| queued(2, 1, reason, "b"));
        let at = |s: i64| Reserved::for_wake(&first, due + SignedDuration::from_secs(s));
        assert!(at(59).lets(&person) && !at(0).lets(&forecast));
        assert!(!at(60).lets(&person) && !at(60).lets(&forecast));
        assert_eq!(at(0).instance.as_str(), "dev1");
    }
}
