//! The instances of the course: each plays one role, and its name is the role's.

/// How an instance and its endpoints behave, and what is done to its wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Its user's hour is near: woken by forecast, and used.
    Forecast,
    /// As before, and somebody asks for it while it starts.
    ForecastJoined,
    /// As before, but its owner does not want it.
    OptedOut,
    /// The portal says yes and it serves.
    Accepted,
    /// The portal says 503; the other endpoint says yes.
    Fallback,
    /// Both endpoints say 503 to the first attempt.
    Retried,
    /// The portal says 429 and names a time.
    HeldBack,
    /// It serves already.
    Awake,
    /// Its platform says no, and later yes: then somebody retries.
    Refused,
    /// The portal acts and gives no answer.
    LostAnswer,
    /// The portal says 404.
    Failed,
    /// The portal says yes and it never serves.
    TimesOut,
    /// As before, and the wake is cancelled while it is waited for.
    Cancelled,
    /// As before, and the wake is ended by force.
    Forced,
    /// As before, and the controller hears nothing of it.
    Muted,
    /// Asked for while everything is stopped.
    Levered,
    /// Asked for while everything is stopped, and cancelled.
    CancelledQueued,
    /// Its host is cut off before its deadline.
    HostLost,
    /// Asked for while its host is cut off, for longer than anybody waits.
    Expired,
}

impl Role {
    pub const ALL: [Self; 19] = [
        Self::Forecast,
        Self::ForecastJoined,
        Self::OptedOut,
        Self::Accepted,
        Self::Fallback,
        Self::Retried,
        Self::HeldBack,
        Self::Awake,
        Self::Refused,
        Self::LostAnswer,
        Self::Failed,
        Self::TimesOut,
        Self::Cancelled,
        Self::Forced,
        Self::Muted,
        Self::Levered,
        Self::CancelledQueued,
        Self::HostLost,
        Self::Expired,
    ];

    /// Asked for at the beginning, by people.
    pub const ASKED: [Self; 13] = [
        Self::Accepted,
        Self::Fallback,
        Self::Retried,
        Self::HeldBack,
        Self::Awake,
        Self::Refused,
        Self::LostAnswer,
        Self::Failed,
        Self::TimesOut,
        Self::Cancelled,
        Self::Forced,
        Self::Muted,
        Self::HostLost,
    ];

    /// The id of the instance that plays it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forecast => "forecast",
            Self::ForecastJoined => "forecast-joined",
            Self::OptedOut => "opted-out",
            Self::Accepted => "accepted",
            Self::Fallback => "fallback",
            Self::Retried => "retried",
            Self::HeldBack => "held-back",
            Self::Awake => "awake",
            Self::Refused => "refused",
            Self::LostAnswer => "lost-answer",
            Self::Failed => "failed",
            Self::TimesOut => "times-out",
            Self::Cancelled => "cancelled",
            Self::Forced => "forced",
            Self::Muted => "muted",
            Self::Levered => "levered",
            Self::CancelledQueued => "cancelled-queued",
            Self::HostLost => "host-lost",
            Self::Expired => "expired",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The agent it lives with, from 0. The second host is the one that is cut off.
    pub fn agent(self) -> usize {
        usize::from(matches!(self, Self::HostLost | Self::Expired))
    }

    /// Whether its user came at this hour of every day before.
    pub fn is_expected(self) -> bool {
        matches!(self, Self::Forecast | Self::ForecastJoined | Self::OptedOut)
    }

    /// Whether its platform can be asked how it is.
    pub fn has_platform(self) -> bool {
        self == Self::Refused
    }

    /// Whether there is another endpoint when the portal says no.
    pub fn has_fallback(self) -> bool {
        matches!(self, Self::Fallback | Self::Retried)
    }

    /// From the accepted call until it serves, in milliseconds; `None` is never.
    pub fn boot_ms(self) -> Option<u64> {
        match self {
            Self::TimesOut | Self::Cancelled | Self::Forced | Self::Muted | Self::HostLost => None,
            // Long enough for somebody to ask meanwhile.
            Self::ForecastJoined => Some(1500),
            _ => Some(250),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_a_name_of_its_own_that_is_an_id() {
        for role in Role::ALL {
            assert_eq!(Role::of(role.name()), Some(role));
            reveille_proto::InstanceId::new(role.name()).expect("an id");
        }
        assert_eq!(Role::of("nobody"), None);
    }
}
