//! What an agent lists: instances in the order of its hello, and what is known of each.

use reveille_proto::{InstanceId, edge::Observed};

/// The instances of one agent. Thousands of agents list twenty and more each: nothing is held twice.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    listed: Box<[Listed]>,
    /// Places in `listed`, by id.
    by_id: Box<[u32]>,
    /// In order, each once.
    classes: Box<[u32]>,
}

#[derive(Debug)]
struct Listed {
    instance: InstanceId,
    /// Its place among the start curves.
    class: u32,
    observed: Observed,
}

impl Inventory {
    /// Of instances with their classes, in the order of the hello. Nothing was seen of them yet.
    pub(super) fn new(instances: impl Iterator<Item = (InstanceId, usize)>) -> Self {
        let listed: Box<[Listed]> = instances
            .map(|(instance, class)| Listed { instance, class: class as u32, observed: Observed::Unknown })
            .collect();
        let mut by_id: Box<[u32]> = (0..listed.len() as u32).collect();
        by_id.sort_by(|a, b| listed[*a as usize].instance.cmp(&listed[*b as usize].instance));
        let mut classes: Vec<u32> = listed.iter().map(|one| one.class).collect();
        classes.sort_unstable();
        classes.dedup();
        Self { listed, by_id, classes: classes.into_boxed_slice() }
    }

    fn find(&self, instance: &InstanceId) -> Option<&Listed> {
        let place = self.by_id.binary_search_by(|place| self.listed[*place as usize].instance.cmp(instance));
        Some(&self.listed[self.by_id[place.ok()?] as usize])
    }

    pub(super) fn class_of(&self, instance: &InstanceId) -> Option<usize> {
        self.find(instance).map(|listed| listed.class as usize)
    }

    pub(super) fn has(&self, instance: &InstanceId) -> bool {
        self.find(instance).is_some()
    }

    /// The places of the classes it has, each once.
    pub(super) fn classes(&self) -> impl Iterator<Item = usize> {
        self.classes.iter().map(|class| *class as usize)
    }

    /// What the agent last saw of an instance it lists.
    pub(super) fn observed(&self, instance: &InstanceId) -> Option<Observed> {
        self.find(instance).map(|listed| listed.observed)
    }

    /// The agent saw the instance in this place of its hello. Of a place the hello did not have, nothing is kept.
    pub(super) fn see(&mut self, place: usize, observed: Observed) {
        if let Some(listed) = self.listed.get_mut(place) {
            listed.observed = observed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> InstanceId {
        text.parse().expect("an id")
    }

    #[test]
    fn instances_are_found_by_id_and_seen_by_place() {
        let mut inventory = Inventory::new([(id("zoe"), 3), (id("ann"), 0), (id("mo"), 7)].into_iter());
        inventory.see(0, Observed::Serving);
        inventory.see(9, Observed::Asleep);
        assert_eq!(inventory.observed(&id("zoe")), Some(Observed::Serving));
        assert_eq!(inventory.observed(&id("ann")), Some(Observed::Unknown));
        assert_eq!(inventory.observed(&id("bob")), None);
        assert_eq!(inventory.class_of(&id("mo")), Some(7));
        assert_eq!(inventory.class_of(&id("bob")), None);
        assert_eq!(inventory.classes().collect::<Vec<_>>(), [0, 3, 7]);
    }
}
