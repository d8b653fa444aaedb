//! What was last seen of each instance. Nothing is looked at for its sake: a look may wake an instance.

use std::collections::BTreeMap;

use reveille_proto::{InstanceId, v1::Effect, v1::Observed, v1::Outcome};

use super::Ending;

/// By instance; those of which nothing was seen are not in it.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<InstanceId, Observed>);

impl Seen {
    pub(super) fn get(&self, instance: &InstanceId) -> Observed {
        self.0.get(instance).copied().unwrap_or(Observed::Unknown)
    }

    pub(super) fn saw(&mut self, instance: &InstanceId, observed: Observed) {
        self.0.insert(instance.clone(), observed);
    }

    /// What the end of an attempt says; where it says nothing, what preflight saw stands.
    pub(super) fn ended(&mut self, instance: &InstanceId, ending: &Ending) {
        match (ending.outcome, ending.effect) {
            (Outcome::Woken | Outcome::AlreadyAwake, _) => self.saw(instance, Observed::Serving),
            (Outcome::TimedOut | Outcome::Cancelled, Effect::Unknown | Effect::Accepted) => {
                self.saw(instance, Observed::Unknown);
            }
            _ => {}
        }
    }
}
