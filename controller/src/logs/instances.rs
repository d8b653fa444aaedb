//! The instances of one source, each kept once however many lines name it.

use indexmap::IndexMap;
use jiff::Timestamp;
use reveille_proto::InstanceId;

use crate::visits::{Sighting, SightingKind};

/// Why a name is no instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It cannot be an id.
    Bad,
    /// There are too many already.
    Full,
}

/// Names seen so far, with what the current batch already holds of them.
#[derive(Debug)]
pub(super) struct Instances {
    known: IndexMap<Box<[u8]>, Known>,
    known_max: usize,
    /// Index of the last one found: lines of one instance often follow each other.
    last: usize,
    batch: u64,
}

#[derive(Debug)]
struct Known {
    instance: InstanceId,
    batch: u64,
    /// By kind: the last moment put into `batch`.
    told: [Option<Timestamp>; 3],
}

impl Instances {
    pub(super) fn new(instances_max: usize) -> Self {
        Self { known: IndexMap::new(), known_max: instances_max, last: 0, batch: 0 }
    }

    /// From here on, sightings go into another batch.
    pub(super) fn next_batch(&mut self) {
        self.batch += 1;
    }

    /// The sighting of `name`, or nothing when the one before in this batch said exactly the same.
    pub(super) fn sighting(
        &mut self,
        name: &[u8],
        at: Timestamp,
        kind: SightingKind,
    ) -> Result<Option<Sighting>, NotTaken> {
        let batch = self.batch;
        let known = self.known(name)?;
        if known.batch != batch {
            (known.batch, known.told) = (batch, [None; 3]);
        }
        let told = known.told[kind as usize].replace(at);
        let fresh = told != Some(at);
        Ok(fresh.then(|| Sighting { instance: known.instance.clone(), at, kind }))
    }

    fn known(&mut self, name: &[u8]) -> Result<&mut Known, NotTaken> {
        let same = self.known.get_index(self.last).is_some_and(|(last, _)| **last == *name);
        if !same {
            self.last = match self.known.get_index_of(name) {
                Some(index) => index,
                None => self.add(name)?,
            };
        }
        Ok(&mut self.known[self.last])
    }

    fn add(&mut self, name: &[u8]) -> Result<usize, NotTaken> {
        let text = str::from_utf8(name).map_err(|_| NotTaken::Bad)?;
        let instance = InstanceId::new(text).map_err(|_| NotTaken::Bad)?;
        if self.known.len() >= self.known_max {
            return Err(NotTaken::Full);
        }
        let known = Known { instance, batch: self.batch, told: [None; 3] };
        Ok(self.known.insert_full(name.into(), known).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn what_a_batch_already_says_is_not_said_twice() {
        let mut instances = Instances::new(10);
        let mut tell =
            |name: &[u8], second, kind| instances.sighting(name, at(second), kind).unwrap().is_some();
        assert!(tell(b"a", 1, SightingKind::Visit));
        assert!(!tell(b"a", 1, SightingKind::Visit));
        assert!(tell(b"a", 1, SightingKind::WakeRequest));
        assert!(tell(b"b", 1, SightingKind::Visit));
        assert!(tell(b"a", 2, SightingKind::Visit));
        instances.next_batch();
        assert!(instances.sighting(b"a", at(2), SightingKind::Visit).unwrap().is_some());
    }

    #[test]
    fn bad_and_too_many_names_are_told_apart() {
        let mut instances = Instances::new(1);
        let mut take = |name: &[u8]| instances.sighting(name, at(1), SightingKind::Visit).map(|_| ());
        assert_eq!(take(b"a b"), Err(NotTaken::Bad));
        assert_eq!(take(b"\xff"), Err(NotTaken::Bad));
        assert_eq!(take(b"a"), Ok(()));
        assert_eq!(take(b"b"), Err(NotTaken::Full));
        assert_eq!(take(b"a"), Ok(()));
    }
}
