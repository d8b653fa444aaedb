//! The visits of every instance in the logs, folded in memory as batches come in.

use std::{collections::BTreeMap, mem};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;

use crate::visits::{Activity, Sighting, Visit, fold, reach};

/// Sightings of one instance kept before they are folded.
const PENDING_MAX: usize = 64;

/// Sightings of all instances kept before they are folded.
const PENDING_TOTAL_MAX: usize = 1_000_000;

/// Everything learned so far. Holds visits and activity, not sightings.
#[derive(Debug)]
pub(super) struct Histories {
    gap: SignedDuration,
    by_instance: IndexMap<InstanceId, History>,
    pending: usize,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// What was learned of one instance.
#[derive(Debug, Default)]
pub(super) struct History {
    visits: BTreeMap<Timestamp, Visit>,
    pub(super) activity: Activity,
    pending: Vec<Sighting>,
}

impl Histories {
    pub(super) fn new(gap: SignedDuration) -> Self {
        Self { gap, by_instance: IndexMap::new(), pending: 0, first: None, last: None }
    }

    pub(super) fn add(&mut self, sightings: Vec<Sighting>) {
        for sighting in sightings {
            self.first = Some(self.first.map_or(sighting.at, |first| first.min(sighting.at)));
            self.last = Some(self.last.map_or(sighting.at, |last| last.max(sighting.at)));
            let history = match self.by_instance.get_mut(&sighting.instance) {
                Some(history) => history,
                None => self.by_instance.entry(sighting.instance.clone()).or_default(),
            };
            history.activity.insert(sighting.at);
            history.pending.push(sighting);
            self.pending += 1;
            if history.pending.len() >= PENDING_MAX {
                self.pending -= history.fold(self.gap);
            }
        }
        if self.pending >= PENDING_TOTAL_MAX {
            self.finish();
        }
    }

    /// Folds what is pending.
    pub(super) fn finish(&mut self) {
        for history in self.by_instance.values_mut() {
            history.fold(self.gap);
        }
        self.pending = 0;
    }

    /// Earliest and latest sighting.
    pub(super) fn span(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.first, self.last)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&InstanceId, &History)> {
        self.by_instance.iter()
    }
}

impl History {
    pub(super) fn visits(&self) -> impl ExactSizeIterator<Item = &Visit> {
        self.visits.values()
    }

    /// Folds what is pending; returns how many sightings that was.
    fn fold(&mut self, gap: SignedDuration) -> usize {
        let pending = mem::take(&mut self.pending);
        let Some((from, until)) = reach(&pending, gap) else { return 0 };
        // Visits lie apart and in order: going back from the end of the reach, the first that departs before it ends
        // the search.
        let near = self.visits.range(..=until).rev().map(|(_, visit)| visit);
        let near: Vec<Visit> = near.take_while(|visit| visit.departed_at >= from).cloned().collect();
        let change = fold(&pending[0].instance, &near, &pending, gap);
        for (_, arrived_at) in change.deletions {
            self.visits.remove(&arrived_at);
        }
        self.visits.extend(change.upserts.into_iter().map(|visit| (visit.arrived_at, visit)));
        pending.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::visits::SightingKind;

    const GAP: SignedDuration = SignedDuration::from_secs(100);

    fn sighting(instance: u8, second: i64) -> Sighting {
        Sighting {
            instance: InstanceId::new(format!("dev{instance}")).expect("valid"),
            at: Timestamp::from_second(second).expect("in range"),
            kind: if second % 7 == 0 { SightingKind::WakeRequest } else { SightingKind::Visit },
        }
    }

    proptest! {
        #[test]
        fn batches_fold_to_what_one_fold_gives(
            seen in proptest::collection::vec((0u8..3, 0i64..20_000), 0..400), size in 1usize..90,
        ) {
            let sightings: Vec<Sighting> = seen.into_iter().map(|(i, s)| sighting(i, s)).collect();
            let mut histories = Histories::new(GAP);
            for batch in sightings.chunks(size) {
                histories.add(batch.to_vec());
            }
            histories.finish();
            for (instance, history) in histories.iter() {
                let whole = fold(instance, &[], &sightings, GAP);
                prop_assert_eq!(history.visits().cloned().collect::<Vec<_>>(), whole.upserts);
                let mine = sightings.iter().filter(|s| s.instance == *instance);
                prop_assert_eq!(&history.activity, &mine.map(|s| s.at).collect::<Activity>());
            }
            prop_assert_eq!(histories.span().0, sightings.iter().map(|s| s.at).min());
            prop_assert_eq!(histories.span().1, sightings.iter().map(|s| s.at).max());
        }
    }
}
