//! Permits in use in the whole fleet, counted as they come and go: a decision must not cost a look at all of them.

use std::collections::BTreeMap;

use super::Permitted;

/// How many permits are in use, by what caps and fairness ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    active: u32,
    by_zone: BTreeMap<String, u32>,
    by_owner: BTreeMap<String, u32>,
}

impl Tally {
    /// A permit on a host of this zone is granted.
    pub(super) fn add(&mut self, zone: &str, permitted: &Permitted) {
        self.active += 1;
        raise(&mut self.by_zone, zone);
        raise(&mut self.by_owner, &permitted.owner);
    }

    /// A permit that was added is given back.
    pub(super) fn take(&mut self, zone: &str, permitted: &Permitted) {
        self.active = self.active.saturating_sub(1);
        lower(&mut self.by_zone, zone);
        lower(&mut self.by_owner, &permitted.owner);
    }

    pub(super) fn active(&self) -> u32 {
        self.active
    }

    pub(super) fn in_zone(&self, zone: &str) -> u32 {
        self.by_zone.get(zone).copied().unwrap_or(0)
    }

    pub(super) fn of_owner(&self, owner: &str) -> u32 {
        self.by_owner.get(owner).copied().unwrap_or(0)
    }
}

fn raise(counts: &mut BTreeMap<String, u32>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => drop(counts.insert(key.to_owned(), 1)),
    }
}

/// Nothing is kept of who has none: owners come and go.
fn lower(counts: &mut BTreeMap<String, u32>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_is_taken_back_leaves_nothing() {
        let permitted = |owner: &str| Permitted {
            instance: "dev1".parse().expect("valid"),
            since: Timestamp::UNIX_EPOCH,
            owner: owner.into(),
        };
        let mut tally = Tally::default();
        for owner in ["ann", "ann", "bob"] {
            tally.add("east", &permitted(owner));
        }
        assert_eq!((tally.active(), tally.in_zone("east"), tally.in_zone("west")), (3, 3, 0));
        assert_eq!((tally.of_owner("ann"), tally.of_owner("bob"), tally.of_owner("cid")), (2, 1, 0));
        for owner in ["ann", "bob", "ann"] {
            tally.take("east", &permitted(owner));
        }
        assert_eq!(tally, Tally::default());
    }
}
