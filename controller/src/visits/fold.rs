//! Sightings become visits: those less than a gap apart are one stay.
//!
//! Visits are the single-linkage clusters of all sightings ever seen. A stored visit is the hull of its cluster, and
//! two sightings inside it are never a gap apart, so folding new sightings into stored visits gives what folding
//! everything at once would give: order, batches and repetitions do not matter.

use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;

use super::{Sighting, SightingKind, Visit};

/// The idle time that ends a visit, unless configured otherwise.
pub const GAP_DEFAULT: SignedDuration = SignedDuration::from_hours(2);

/// What a fold changes in the stored visits of one instance. Delete first, then upsert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VisitChange {
    /// New visits and visits whose departure or wake request changed; the key is `(instance, arrived_at)`.
    pub upserts: Vec<Visit>,
    /// Keys of visits that now begin earlier or were joined to the one before.
    pub deletions: Vec<(InstanceId, Timestamp)>,
}

impl VisitChange {
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.deletions.is_empty()
    }
}

/// The span in which stored visits can be touched by `sightings`: give [`fold`] every visit that overlaps it.
pub fn reach(sightings: &[Sighting], gap: SignedDuration) -> Option<(Timestamp, Timestamp)> {
    let first = sightings.iter().map(|s| s.at).min()?;
    let last = sightings.iter().map(|s| s.at).max()?;
    let from = first.saturating_sub(gap).unwrap_or(Timestamp::MIN);
    let until = last.saturating_add(gap).unwrap_or(Timestamp::MAX);
    Some((from, until))
}

/// Folds `sightings` of one instance into its `existing` visits (at least those within [`reach`]).
///
/// Sightings of other instances are ignored. A wake request alone opens a visit too. Known sightings change nothing.
/// Costs n log n in what it is given.
pub fn fold(
    instance: &InstanceId,
    existing: &[Visit],
    sightings: &[Sighting],
    gap: SignedDuration,
) -> VisitChange {
    let seen = sightings.iter().filter(|s| s.instance == *instance).map(point);
    let mut stays: Vec<Visit> = existing.iter().cloned().chain(seen).collect();
    stays.sort_unstable();

    let mut joined: Vec<Visit> = Vec::new();
    for stay in stays {
        match joined.last_mut() {
            Some(open) if touches(open, &stay, gap) => join(open, &stay),
            _ => joined.push(stay),
        }
    }
    change(instance, existing, joined)
}

fn point(sighting: &Sighting) -> Visit {
    Visit {
        instance: sighting.instance.clone(),
        arrived_at: sighting.at,
        departed_at: sighting.at,
        asked_at: (sighting.kind == SightingKind::WakeRequest).then_some(sighting.at),
    }
}

/// `next` begins at or after `open` began. Two sightings at one moment are one visit whatever the gap.
fn touches(open: &Visit, next: &Visit, gap: SignedDuration) -> bool {
    next.arrived_at <= open.departed_at || next.arrived_at.duration_since(open.departed_at) < gap
}

fn join(open: &mut Visit, next: &Visit) {
    open.departed_at = open.departed_at.max(next.departed_at);
    open.asked_at = match (open.asked_at, next.asked_at) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}

/// What separates `joined` (sorted) from `existing`.
fn change(instance: &InstanceId, existing: &[Visit], joined: Vec<Visit>) -> VisitChange {
    let mut known: Vec<&Visit> = existing.iter().collect();
    known.sort_unstable();
    let begins = |at: Timestamp| joined.binary_search_by_key(&at, |v| v.arrived_at).is_ok();
    let mut deletions: Vec<_> = known.iter().map(|v| v.arrived_at).filter(|at| !begins(*at)).collect();
    deletions.dedup();
    let deletions = deletions.into_iter().map(|at| (instance.clone(), at)).collect();
    let upserts = joined.into_iter().filter(|v| known.binary_search(&v).is_err()).collect();
    VisitChange { upserts, deletions }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn instance() -> InstanceId {
        InstanceId::new("dev1").expect("valid")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn seen(second: i64, kind: SightingKind) -> Sighting {
        Sighting { instance: instance(), at: at(second), kind }
    }

    fn visit(arrived_s: i64, departed_s: i64, asked_s: Option<i64>) -> Visit {
        Visit {
            instance: instance(),
            arrived_at: at(arrived_s),
            departed_at: at(departed_s),
            asked_at: asked_s.map(at),
        }
    }

    const GAP: SignedDuration = SignedDuration::from_secs(100);

    fn apply(store: &mut BTreeMap<Timestamp, Visit>, change: &VisitChange) {
        for (_, arrived_at) in &change.deletions {
            assert!(store.remove(arrived_at).is_some(), "deleted a visit that was not there");
        }
        for visit in &change.upserts {
            store.insert(visit.arrived_at, visit.clone());
        }
    }

    /// Folds batch after batch, with only the visits within reach, as the store does.
    fn fold_all(batches: &[Vec<Sighting>]) -> BTreeMap<Timestamp, Visit> {
        let mut store = BTreeMap::new();
        for batch in batches {
            let Some((from, until)) = reach(batch, GAP) else { continue };
            let near: Vec<Visit> = store
                .values()
                .filter(|v: &&Visit| v.departed_at >= from && v.arrived_at <= until)
                .cloned()
                .collect();
            apply(&mut store, &fold(&instance(), &near, batch, GAP));
        }
        store
    }

    #[test]
    fn a_gap_ends_a_visit_and_just_under_a_gap_does_not() {
        use SightingKind::Visit as V;
        let change = fold(&instance(), &[], &[seen(0, V), seen(99, V), seen(199, V)], GAP);
        assert_eq!(change.upserts, [visit(0, 99, None), visit(199, 199, None)]);
        assert_eq!(change.deletions, []);
    }

    #[test]
    fn a_wake_request_alone_opens_a_visit_and_the_earliest_one_is_kept() {
        use SightingKind::{Login, WakeRequest};
        let change = fold(&instance(), &[], &[seen(60, WakeRequest), seen(30, WakeRequest)], GAP);
        assert_eq!(change.upserts, [visit(30, 60, Some(30))]);
        let later = fold(&instance(), &change.upserts, &[seen(10, Login), seen(50, WakeRequest)], GAP);
        assert_eq!(later.upserts, [visit(10, 60, Some(30))]);
        assert_eq!(later.deletions, [(instance(), at(30))]);
    }

    #[test]
    fn a_late_sighting_joins_two_visits_into_the_first() {
        let existing = [visit(0, 50, None), visit(190, 200, Some(195)), visit(1_000, 1_000, None)];
        let change = fold(&instance(), &existing, &[seen(120, SightingKind::Visit)], GAP);
        assert_eq!(change.upserts, [visit(0, 200, Some(195))]);
        assert_eq!(change.deletions, [(instance(), at(190))]);
    }

    #[test]
    fn sightings_of_another_instance_are_not_taken() {
        let stranger = InstanceId::new("dev2").expect("valid");
        let other = Sighting { instance: stranger, at: at(5), kind: SightingKind::Visit };
        assert!(fold(&instance(), &[visit(0, 50, None)], &[other], GAP).is_empty());
    }

    #[test]
    fn a_change_is_one_where_something_is_written_or_deleted() {
        assert!(VisitChange::default().is_empty());
        let written = VisitChange { upserts: vec![visit(0, 50, None)], ..VisitChange::default() };
        let deleted = VisitChange { deletions: vec![(instance(), at(0))], ..VisitChange::default() };
        assert!(!written.is_empty() && !deleted.is_empty());
    }

    fn sightings() -> impl Strategy<Value = Vec<Sighting>> {
        let kind = prop_oneof![
            Just(SightingKind::Visit),
            Just(SightingKind::Login),
            Just(SightingKind::WakeRequest)
        ];
        proptest::collection::vec((0i64..3_000, kind).prop_map(|(s, kind)| seen(s, kind)), 0..60)
    }

    proptest! {
        #[test]
        fn any_order_and_any_batches_give_the_same_visits(
            whole in sightings(), order in any::<proptest::sample::Index>(), size in 1usize..20, flip in any::<bool>(),
        ) {
            let mut other = whole.clone();
            if !other.is_empty() {
                let by = order.index(other.len());
                other.rotate_left(by);
            }
            if flip { other.reverse(); }
            let batches: Vec<_> = other.chunks(size).map(<[_]>::to_vec).collect();
            prop_assert_eq!(fold_all(&batches), fold_all(&[whole]));
        }

        #[test]
        fn folding_again_changes_nothing(whole in sightings(), part in any::<proptest::sample::Index>()) {
            let visits: Vec<Visit> = fold_all(std::slice::from_ref(&whole)).into_values().collect();
            prop_assert!(fold(&instance(), &visits, &whole, GAP).is_empty());
            let known = if whole.is_empty() { &[][..] } else { &whole[part.index(whole.len())..] };
            prop_assert!(fold(&instance(), &visits, known, GAP).is_empty());
        }

        #[test]
        fn visits_are_apart_and_hold_every_sighting(whole in sightings()) {
            let visits: Vec<Visit> = fold_all(std::slice::from_ref(&whole)).into_values().collect();
            for pair in visits.windows(2) {
                prop_assert!(pair[1].arrived_at.duration_since(pair[0].departed_at) >= GAP);
            }
            for sighting in &whole {
                let holds = |v: &&Visit| (v.arrived_at..=v.departed_at).contains(&sighting.at);
                let inside: Vec<_> = visits.iter().filter(holds).collect();
                prop_assert_eq!(inside.len(), 1);
                let asked = sighting.kind == SightingKind::WakeRequest;
                prop_assert!(!asked || inside[0].asked_at <= Some(sighting.at) && inside[0].asked_at.is_some());
            }
        }
    }
}
