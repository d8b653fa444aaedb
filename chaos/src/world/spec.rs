//! How big a world is and what it is made of.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use reveille_proto::{HostId, InstanceId};

use super::{background::BackgroundSpec, boot::BootSpec, instances::SleepRule, presence::PresenceError};

/// Days of presence before the first day that is played: whole weeks, so that weekdays stay.
pub const LEAD_IN_DAYS: i64 = 35;
/// Days of log written before the start.
pub const HISTORY_DAYS: i64 = 30;
/// Most days that can be played: where the presence sample ends.
pub const PLAYED_DAYS_MAX: u32 = 7;

#[derive(Debug, Clone)]
pub struct WorldSpec {
    pub seed: u64,
    pub hosts: usize,
    pub cores: f64,
    pub instances: usize,
    /// A Monday; the world starts at its midnight in `zone`.
    pub start: Date,
    pub zone: TimeZone,
    pub cpu_ceiling_percent: f64,
    pub background: BackgroundSpec,
    pub boot: BootSpec,
    pub sleep: SleepRule,
}

impl Default for WorldSpec {
    fn default() -> Self {
        Self {
            seed: 1,
            hosts: 3,
            cores: 16.0,
            instances: 60,
            start: jiff::civil::date(2026, 3, 2),
            zone: TimeZone::get("Europe/Zurich").unwrap_or(TimeZone::UTC),
            cpu_ceiling_percent: 70.0,
            background: BackgroundSpec::default(),
            boot: BootSpec::default(),
            sleep: SleepRule::default(),
        }
    }
}

impl WorldSpec {
    /// When the clock of the live world starts.
    pub fn starts_at(&self) -> Result<Timestamp, PresenceError> {
        self.midnight(0)
    }

    /// When the back-filled history starts.
    pub fn history_starts_at(&self) -> Result<Timestamp, PresenceError> {
        self.midnight(-HISTORY_DAYS)
    }

    /// The Monday on which the presence sample is laid.
    pub fn presence_monday(&self) -> Result<Date, PresenceError> {
        self.start.checked_sub(LEAD_IN_DAYS.days()).map_err(|_| PresenceError::OutOfRange(self.start))
    }

    /// The host an instance lives on, round robin.
    pub fn host_of(&self, instance: usize) -> usize {
        instance % self.hosts.max(1)
    }

    /// The days of back-filled history, the last one first.
    pub fn history_days(&self) -> impl Iterator<Item = Date> {
        self.start.series((-1).day()).skip(1).take(HISTORY_DAYS as usize)
    }

    fn midnight(&self, day: i64) -> Result<Timestamp, PresenceError> {
        let out = |_| PresenceError::OutOfRange(self.start);
        let date = self.start.checked_add(day.days()).map_err(out)?;
        Ok(date.to_zoned(self.zone.clone()).map_err(out)?.timestamp())
    }
}

/// Id of the instance with this index: `dev001`.
pub fn instance_id(index: usize) -> InstanceId {
    InstanceId::new(format!("dev{:03}", index + 1)).expect("letters and digits are a valid id")
}

/// The index of the instance with this id; `None` for an id no instance has.
pub fn index_of(instance: &str) -> Option<usize> {
    let number: usize = instance.strip_prefix("dev")?.parse().ok()?;
    number.checked_sub(1).filter(|index| instance_id(*index).as_str() == instance)
}

/// Id of the host with this index: `host-1`.
pub fn host_id(index: usize) -> HostId {
    HostId::new(format!("host-{}", index + 1)).expect("letters, digits and - are a valid id")
}
