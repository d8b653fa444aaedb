//! What an instance needs before it: a database before an application, that before a web front.

use std::collections::{BTreeMap, BTreeSet};

use reveille_proto::InstanceId;

/// Who needs whom, without cycles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs(BTreeMap<InstanceId, Vec<InstanceId>>);

/// Instances that wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} wait for each other", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" -> "))]
pub struct Cycle(pub Vec<InstanceId>);

impl Needs {
    /// From each instance and those it needs; says one cycle where there is one.
    pub fn new(needs: impl IntoIterator<Item = (InstanceId, Vec<InstanceId>)>) -> Result<Self, Cycle> {
        let needs = Self(needs.into_iter().filter(|(_, needed)| !needed.is_empty()).collect());
        let mut clear = BTreeSet::new();
        for instance in needs.0.keys() {
            needs.look_for_cycle(instance, &mut Vec::new(), &mut clear)?;
        }
        Ok(needs)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The instances that need others.
    pub fn dependents(&self) -> impl Iterator<Item = &InstanceId> {
        self.0.keys()
    }

    /// What it needs itself.
    pub fn of(&self, instance: &InstanceId) -> &[InstanceId] {
        self.0.get(instance).map_or(&[], Vec::as_slice)
    }

    /// All it needs, and what those need: in an order in which they can be woken.
    pub fn all_of(&self, instance: &InstanceId) -> Vec<InstanceId> {
        let mut order = Vec::new();
        self.gather(instance, &mut BTreeSet::new(), &mut order);
        order
    }

    fn gather(&self, instance: &InstanceId, seen: &mut BTreeSet<InstanceId>, order: &mut Vec<InstanceId>) {
        for needed in self.of(instance) {
            if seen.insert(needed.clone()) {
                self.gather(needed, seen, order);
                order.push(needed.clone());
            }
        }
    }

    fn look_for_cycle(
        &self,
        instance: &InstanceId,
        path: &mut Vec<InstanceId>,
        clear: &mut BTreeSet<InstanceId>,
    ) -> Result<(), Cycle> {
        if clear.contains(instance) {
            return Ok(());
        }
        if let Some(from) = path.iter().position(|before| before == instance) {
            let mut cycle = path.split_off(from);
            cycle.push(instance.clone());
            return Err(Cycle(cycle));
        }
        path.push(instance.clone());
        for needed in self.of(instance) {
            self.look_for_cycle(needed, path, clear)?;
        }
        path.pop();
        clear.insert(instance.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> InstanceId {
        InstanceId::new(name).expect("valid")
    }

    fn needs(pairs: &[(&str, &[&str])]) -> Result<Needs, Cycle> {
        Needs::new(pairs.iter().map(|(one, needed)| (id(one), needed.iter().map(|name| id(name)).collect())))
    }

    #[test]
    fn what_is_needed_comes_before_who_needs_it() {
        let needs =
            needs(&[("web", &["app", "cache"]), ("app", &["db", "cache"]), ("solo", &[])]).expect("fine");
        assert_eq!(needs.all_of(&id("web")), ["db", "cache", "app"].map(id));
        assert!(needs.all_of(&id("solo")).is_empty() && needs.of(&id("db")).is_empty());
    }

    #[test]
    fn who_needs_nobody_is_no_dependent() {
        let needs = needs(&[("web", &["app"]), ("solo", &[])]).expect("fine");
        assert_eq!(needs.dependents().collect::<Vec<_>>(), [&id("web")]);
        assert!(!needs.is_empty());
        assert!(self::needs(&[("solo", &[])]).expect("fine").is_empty());
    }

    #[test]
    fn a_cycle_is_told_with_its_members() {
        let cycle = needs(&[("web", &["app"]), ("app", &["db"]), ("db", &["web"])]).expect_err("a cycle");
        assert_eq!(cycle.to_string(), "app -> db -> web -> app wait for each other");
        assert!(needs(&[("one", &["one"])]).is_err());
    }
}
