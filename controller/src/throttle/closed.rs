//! Why nothing may start on a host now.

use std::fmt;

use reveille_proto::InstanceId;

/// A no of the throttle.
#[derive(Debug, Clone, PartialEq)]
pub enum Closed {
    /// The host has just connected; what runs there by the store is not read yet.
    PermitsUnknown,
    NoLoad,
    /// The newest report was no load at all, and the one before says nothing about now.
    BadLoad {
        problem: String,
    },
    StaleLoad {
        age_s: i64,
    },
    FutureLoad,
    /// The same figure to the last bit, again and again: nobody measures any more.
    FrozenLoad {
        for_s: i64,
    },
    OverCeiling {
        cpu_percent: f64,
    },
    NoHeadroom {
        cpu_percent_expected: f64,
    },
    /// `what` is `cpu`, `memory` or `io`.
    Pressure {
        what: &'static str,
        percent: f64,
    },
    HostFull {
        active: u32,
        limit: u32,
    },
    /// One slot of each host is kept for people.
    KeptForPeople {
        active: u32,
        limit: u32,
    },
    ZoneFull {
        active: u32,
        max: u32,
    },
    SharedFull {
        name: String,
        active: u32,
        max: u32,
    },
    FleetFull {
        active: u32,
        max: u32,
    },
    /// It would be a second attempt, and there were too many of those in the last minute.
    RetriesSpent,
    /// What it needs does not serve yet.
    Needs {
        instance: InstanceId,
    },
    /// Another wake has waited for CPU on this host before, and what becomes free is kept for it.
    Reserved {
        instance: InstanceId,
    },
}

impl Closed {
    /// Its name in metrics and tables.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PermitsUnknown => "permits_unknown",
            Self::NoLoad => "no_load",
            Self::BadLoad { .. } => "bad_load",
            Self::StaleLoad { .. } => "stale_load",
            Self::FutureLoad => "future_load",
            Self::FrozenLoad { .. } => "frozen_load",
            Self::OverCeiling { .. } => "over_ceiling",
            Self::NoHeadroom { .. } => "no_headroom",
            Self::Pressure { .. } => "pressure",
            Self::HostFull { .. } => "host_full",
            Self::KeptForPeople { .. } => "kept_for_people",
            Self::ZoneFull { .. } => "zone_full",
            Self::SharedFull { .. } => "shared_full",
            Self::FleetFull { .. } => "fleet_full",
            Self::RetriesSpent => "retries_spent",
            Self::Needs { .. } => "needs",
            Self::Reserved { .. } => "reserved",
        }
    }

    /// Whether no other wake of the same host may start either: a no of the host, not of this one wake.
    pub fn is_of_the_host(&self) -> bool {
        !matches!(
            self,
            Self::NoHeadroom { .. }
                | Self::KeptForPeople { .. }
                | Self::SharedFull { .. }
                | Self::RetriesSpent
                | Self::Needs { .. }
                | Self::Reserved { .. }
        )
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PermitsUnknown => f.write_str("what runs there is being read"),
            Self::NoLoad => f.write_str("no load was reported yet"),
            Self::BadLoad { problem } => write!(f, "the newest load was refused: {problem}"),
            Self::StaleLoad { age_s } => write!(f, "the newest load is {age_s} s old"),
            Self::FutureLoad => f.write_str("the newest load is from the future: check the host's clock"),
            Self::FrozenLoad { for_s } => write!(f, "the load has been the same to the bit for {for_s} s"),
            Self::OverCeiling { cpu_percent } => write!(f, "CPU {cpu_percent:.0} % is at the ceiling"),
            Self::NoHeadroom { cpu_percent_expected } => {
                write!(f, "one more would bring CPU to {cpu_percent_expected:.0} %")
            }
            Self::Pressure { what, percent } => write!(f, "{what} pressure is {percent:.0} %"),
            Self::HostFull { active, limit } => write!(f, "{active} of {limit} wakes are in progress"),
            Self::KeptForPeople { active, limit } => {
                write!(f, "{active} of {limit} wakes are in progress, and the last place is kept for people")
            }
            Self::ZoneFull { active, max } => {
                write!(f, "{active} of {max} wakes of the zone are in progress")
            }
            Self::SharedFull { name, active, max } => {
                write!(f, "{active} of {max} wakes that need {name} are in progress")
            }
            Self::FleetFull { active, max } => {
                write!(f, "{active} of {max} wakes of the fleet are in progress")
            }
            Self::RetriesSpent => f.write_str("too many second attempts were made in the last minute"),
            Self::Needs { instance } => write!(f, "{instance}, which it needs, does not serve yet"),
            Self::Reserved { instance } => write!(f, "{instance} came first and waits for CPU"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_of_the_host_stops_all_its_wakes_and_a_no_of_one_wake_only_that() {
        let instance = InstanceId::new("db1").expect("valid");
        let of_the_host = [
            Closed::PermitsUnknown,
            Closed::NoLoad,
            Closed::BadLoad { problem: "nan".into() },
            Closed::StaleLoad { age_s: 31 },
            Closed::FutureLoad,
            Closed::FrozenLoad { for_s: 120 },
            Closed::OverCeiling { cpu_percent: 71.0 },
            Closed::Pressure { what: "io", percent: 61.0 },
            Closed::HostFull { active: 2, limit: 2 },
            Closed::ZoneFull { active: 4, max: 4 },
            Closed::FleetFull { active: 8, max: 8 },
        ];
        assert!(of_the_host.iter().all(Closed::is_of_the_host));
        let of_one_wake = [
            Closed::NoHeadroom { cpu_percent_expected: 72.0 },
            Closed::KeptForPeople { active: 7, limit: 8 },
            Closed::SharedFull { name: "licences".into(), active: 1, max: 1 },
            Closed::RetriesSpent,
            Closed::Needs { instance: instance.clone() },
            Closed::Reserved { instance },
        ];
        assert!(!of_one_wake.iter().any(Closed::is_of_the_host));
    }
}
