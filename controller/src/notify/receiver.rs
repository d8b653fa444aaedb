//! Who wants to hear of what.

use std::collections::BTreeSet;

use glob::Pattern;
use reveille_proto::InstanceId;

use super::{Event, Notice};

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Receiver {
    /// Unique, and kept with every notification: a receiver that gets another name is another one.
    pub name: String,
    pub events: BTreeSet<Event>,
    /// Only of instances whose id matches one of these; of all when there are none.
    pub instances: Vec<Pattern>,
}

impl Receiver {
    /// What is of no instance is for everybody who wants the event.
    pub fn wants(&self, event: Event, instance: Option<&InstanceId>) -> bool {
        let is_among = |id: &InstanceId| self.instances.iter().any(|pattern| pattern.matches(id.as_str()));
        self.events.contains(&event) && (self.instances.is_empty() || instance.is_none_or(is_among))
    }
}

/// All receivers of a configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Receivers(pub Vec<Receiver>);

impl Receivers {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn names(&self) -> BTreeSet<String> {
        self.0.iter().map(|receiver| receiver.name.clone()).collect()
    }

    /// The names of those who want to hear of it.
    pub fn wanting(&self, notice: &Notice) -> impl Iterator<Item = &str> {
        let wants = |receiver: &&Receiver| receiver.wants(notice.event, notice.instance.as_ref());
        self.0.iter().filter(wants).map(|receiver| receiver.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_receiver_hears_of_its_events_and_its_instances_only() {
        let receiver = Receiver {
            name: "chat".into(),
            events: [Event::InstanceReady, Event::BudgetSpent].into(),
            instances: vec![Pattern::new("dev*").expect("a pattern")],
        };
        let id = |text: &str| InstanceId::new(text).expect("an id");
        assert!(receiver.wants(Event::InstanceReady, Some(&id("dev1"))));
        assert!(!receiver.wants(Event::InstanceReady, Some(&id("ops1"))));
        assert!(!receiver.wants(Event::WakeFailed, Some(&id("dev1"))));
        assert!(receiver.wants(Event::BudgetSpent, None), "a budget is of no instance");
        let all = Receiver { instances: Vec::new(), ..receiver };
        assert!(all.wants(Event::InstanceReady, Some(&id("ops1"))));
    }

    #[test]
    fn of_all_receivers_those_who_want_it_are_named() {
        assert!(Receivers::default().is_empty());
        let named = |name: &str, event: Event| Receiver {
            name: name.into(),
            events: [event].into(),
            instances: Vec::new(),
        };
        let receivers = Receivers(vec![named("mail", Event::WakeFailed), named("chat", Event::BudgetSpent)]);
        assert!(!receivers.is_empty());
        assert_eq!(receivers.names(), ["chat".to_owned(), "mail".to_owned()].into());
        let notice = Notice {
            message_id: "msg_1".into(),
            event: Event::BudgetSpent,
            instance: None,
            at: Timestamp::UNIX_EPOCH,
            body: String::new(),
        };
        assert_eq!(receivers.wanting(&notice).collect::<Vec<_>>(), ["chat"]);
    }
}
