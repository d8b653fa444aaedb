//! A simulated instance: asleep, booting or serving, and asleep again when nobody uses it.

use reveille_proto::InstanceId;

/// When an instance goes back to sleep.
#[derive(Debug, Clone, Copy)]
pub struct SleepRule {
    /// After this long without a user.
    pub idle_s: i64,
    /// After this long serving without anybody having come.
    pub unused_s: i64,
}

impl Default for SleepRule {
    fn default() -> Self {
        Self { idle_s: 2 * 3600, unused_s: 3 * 3600 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Asleep,
    Booting { since_s: i64 },
    Serving { since_s: i64, used_s: Option<i64> },
}

/// What a wake call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallEffect {
    /// It was asleep and boots now.
    Boots,
    AlreadyBooting,
    AlreadyServing,
}

#[derive(Debug)]
pub struct Instance {
    pub id: InstanceId,
    /// Index of its host.
    pub host: usize,
    pub state: State,
    /// How often it fell asleep: names the sleep a wake call is meant to end.
    sleeps: u32,
}

impl Instance {
    pub fn asleep(id: InstanceId, host: usize) -> Self {
        Self { id, host, state: State::Asleep, sleeps: 1 }
    }

    pub fn serving(&self) -> bool {
        matches!(self.state, State::Serving { .. })
    }

    /// The sleep that a call now ends, or that the last call ended: at most one wake may take effect in it.
    pub fn window(&self) -> String {
        format!("sleep-{}", self.sleeps)
    }

    pub fn call(&mut self, now_s: i64) -> CallEffect {
        match self.state {
            State::Asleep => {
                self.state = State::Booting { since_s: now_s };
                CallEffect::Boots
            }
            State::Booting { .. } => CallEffect::AlreadyBooting,
            State::Serving { .. } => CallEffect::AlreadyServing,
        }
    }

    pub fn booted(&mut self, now_s: i64) {
        self.state = State::Serving { since_s: now_s, used_s: None };
    }

    /// A user does something on it; does nothing unless it serves.
    pub fn used(&mut self, now_s: i64) {
        if let State::Serving { used_s, .. } = &mut self.state {
            *used_s = Some(now_s);
        }
    }

    /// When it goes to sleep if nobody comes; `None` while it is not serving.
    pub fn sleeps_at_s(&self, rule: SleepRule) -> Option<i64> {
        match self.state {
            State::Serving { used_s: Some(used_s), .. } => Some(used_s + rule.idle_s),
            State::Serving { since_s, used_s: None } => Some(since_s + rule.unused_s),
            State::Asleep | State::Booting { .. } => None,
        }
    }

    /// Falls asleep, which begins a new window.
    pub fn sleep(&mut self) {
        self.state = State::Asleep;
        self.sleeps += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance() -> Instance {
        Instance::asleep(InstanceId::new("dev1").expect("valid"), 0)
    }

    #[test]
    fn a_second_call_has_no_effect_and_stays_in_the_same_window() {
        let mut dev = instance();
        assert_eq!(dev.call(10), CallEffect::Boots);
        let window = dev.window();
        assert_eq!(dev.call(11), CallEffect::AlreadyBooting);
        dev.booted(200);
        assert_eq!(dev.call(201), CallEffect::AlreadyServing);
        assert_eq!(dev.window(), window);
        dev.sleep();
        assert_ne!(dev.window(), window);
        assert_eq!(dev.call(300), CallEffect::Boots);
    }

    #[test]
    fn it_sleeps_two_hours_after_its_user_or_three_after_an_unused_wake() {
        let (mut dev, rule) = (instance(), SleepRule::default());
        dev.used(5);
        assert_eq!(dev.sleeps_at_s(rule), None, "nobody can use what sleeps");
        dev.call(0);
        dev.booted(100);
        assert_eq!(dev.sleeps_at_s(rule), Some(100 + 3 * 3600));
        dev.used(500);
        assert_eq!(dev.sleeps_at_s(rule), Some(500 + 2 * 3600));
    }
}
