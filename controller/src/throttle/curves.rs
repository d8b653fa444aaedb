//! The start curves of all classes: one per cohort and class of hosts.

use std::collections::BTreeMap;

use super::{StartCurve, ThrottleRule};

/// Instances of one cohort on hosts of one class start alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassName {
    pub cohort: String,
    pub host_class: String,
}

/// Curves by class. A class keeps its place for good, so that starts in progress may go by it.
#[derive(Debug, Clone)]
pub struct Curves {
    places: BTreeMap<ClassName, usize>,
    learned: Vec<StartCurve>,
    /// What is assumed of a class nobody has seen.
    assumed: StartCurve,
    /// Of each curve, the starts it was learned from when it was last kept.
    kept: Vec<u32>,
}

impl Curves {
    pub fn new(rule: &ThrottleRule) -> Self {
        let assumed = StartCurve::assumed(rule.wake_cost_cores, rule.wake_cost_decay_s.into());
        Self { places: BTreeMap::new(), learned: Vec::new(), assumed, kept: Vec::new() }
    }

    /// What was learned before, as the store kept it.
    pub fn restore(&mut self, class: ClassName, curve: StartCurve) {
        let place = self.place(class);
        self.kept[place] = curve.wakes();
        self.learned[place] = curve;
    }

    /// The place of a class; a new one begins with what is assumed.
    pub fn place(&mut self, class: ClassName) -> usize {
        *self.places.entry(class).or_insert_with(|| {
            self.learned.push(self.assumed.clone());
            self.kept.push(0);
            self.learned.len() - 1
        })
    }

    pub fn find(&self, class: &ClassName) -> Option<&StartCurve> {
        self.places.get(class).and_then(|place| self.learned.get(*place))
    }

    pub fn all(&self) -> &[StartCurve] {
        &self.learned
    }

    pub fn all_mut(&mut self) -> &mut [StartCurve] {
        &mut self.learned
    }

    /// In order of the class.
    pub fn named(&self) -> impl Iterator<Item = (&ClassName, &StartCurve)> {
        self.places.iter().map(|(class, place)| (class, &self.learned[*place]))
    }

    /// Those that have learned since the last call, for the store.
    pub fn take_learned(&mut self) -> Vec<(ClassName, StartCurve)> {
        let mut learned = Vec::new();
        for (class, place) in &self.places {
            let curve = &self.learned[*place];
            if curve.wakes() != self.kept[*place] {
                self.kept[*place] = curve.wakes();
                learned.push((class.clone(), curve.clone()));
            }
        }
        learned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::Course;

    fn class(cohort: &str) -> ClassName {
        ClassName { cohort: cohort.into(), host_class: "m5".into() }
    }

    #[test]
    fn a_class_keeps_its_place_and_only_what_learned_is_kept_again() {
        let mut curves = Curves::new(&ThrottleRule::default());
        let (dev, ops) = (curves.place(class("dev")), curves.place(class("ops")));
        assert_eq!((curves.place(class("dev")), dev == ops), (dev, false));
        assert!(curves.take_learned().is_empty());
        let mut course = Course::default();
        course.saw(0.0, 2.0);
        curves.all_mut()[ops].learn(&course);
        let learned = curves.take_learned();
        assert!(learned.len() == 1 && learned[0].0 == class("ops") && curves.take_learned().is_empty());
        let mut again = Curves::new(&ThrottleRule::default());
        again.restore(learned[0].0.clone(), learned[0].1.clone());
        assert_eq!(again.find(&class("ops")), Some(&learned[0].1));
        assert!(again.take_learned().is_empty(), "it is kept already");
    }

    #[test]
    fn curves_stand_at_their_places_and_are_named_in_the_order_of_their_classes() {
        let mut curves = Curves::new(&ThrottleRule::default());
        let (ops, dev) = (curves.place(class("ops")), curves.place(class("dev")));
        let mut course = Course::default();
        course.saw(0.0, 2.0);
        curves.all_mut()[ops].learn(&course);
        let (learned, assumed) = (curves.all()[ops].clone(), curves.all()[dev].clone());
        assert_eq!((learned.wakes(), assumed.wakes(), curves.all().len()), (1, 0, 2));
        let named: Vec<_> = curves.named().map(|(class, curve)| (class.cohort.as_str(), curve)).collect();
        assert_eq!(named, [("dev", &assumed), ("ops", &learned)]);
        assert_eq!(curves.find(&class("ops")), Some(&learned));
        assert_eq!(curves.find(&class("web")), None);
    }
}
