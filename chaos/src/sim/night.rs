//! The night in which clocks are changed, somewhere.

use anyhow::Context as _;
use jiff::{
    SignedDuration, Timestamp, Zoned,
    civil::{Date, Weekday, date},
    tz::{Dst, TimeZone},
};

use super::Plan;
use crate::experiment::catalogue::{
    FaultKind,
    clock::{Dst as Fault, Switch},
};

/// It is played from so long before the change on.
const LEAD: SignedDuration = SignedDuration::from_hours(3);
/// The change that is played is the first after this.
const NEW_YEAR: Date = date(2026, 1, 1);

#[derive(Debug, Clone)]
pub(super) struct Night {
    pub(super) zone: TimeZone,
    /// Of the week in which it is.
    pub(super) monday: Date,
    pub(super) starts_at: Timestamp,
    pub(super) changes_at: Timestamp,
}

impl Night {
    /// The one that a fault of the plan asks for.
    ///
    /// # Errors
    /// When the zone does not change its clocks.
    pub(super) fn of(plan: &Plan) -> anyhow::Result<Option<Self>> {
        let wanted = plan.whats().find_map(|what| match what {
            FaultKind::ClockDst(fault) => Some(fault),
            _ => None,
        });
        wanted.map(Self::wanted).transpose()
    }

    fn wanted(fault: &Fault) -> anyhow::Result<Self> {
        let zone = TimeZone::get(&fault.zone.0)?;
        let to = match fault.switch {
            Switch::Spring => Dst::Yes,
            Switch::Autumn => Dst::No,
        };
        let from = NEW_YEAR.to_zoned(zone.clone())?.timestamp();
        let change = zone.following(from).find(|change| change.dst() == to);
        let changes_at =
            change.with_context(|| format!("clocks are not changed in {}", fault.zone.0))?.timestamp();
        let starts_at = changes_at - LEAD;
        let first: Zoned = starts_at.to_zoned(zone.clone());
        let monday = if first.weekday() == Weekday::Monday {
            first.date()
        } else {
            first.date().nth_weekday(-1, Weekday::Monday)?
        };
        Ok(Self { zone, monday, starts_at, changes_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Planned;

    fn night(switch: &str, zone: &str) -> anyhow::Result<Option<Night>> {
        let params = serde_json::json!({"switch": switch, "zone": zone});
        let what = FaultKind::read("clock.dst", params.as_object().expect("an object")).expect("known");
        let planned = Planned { at_s: 60, for_s: 60, hosts: vec![], instances: vec![], what };
        Night::of(&Plan { faults: vec![planned], ..Plan::calm(1) })
    }

    #[test]
    fn the_night_is_that_of_the_zone() {
        assert!(Night::of(&Plan::calm(1)).expect("none").is_none());
        for (switch, zone, starts, monday) in [
            ("spring", "Europe/Zurich", "2026-03-28T22:00:00Z", date(2026, 3, 23)),
            ("autumn", "Europe/Zurich", "2026-10-24T22:00:00Z", date(2026, 10, 19)),
            ("autumn", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", date(2026, 3, 30)),
        ] {
            let night = night(switch, zone).expect("there is one").expect("asked for");
            assert_eq!((night.starts_at.to_string().as_str(), night.monday), (starts, monday), "{zone}");
        }
        assert!(night("spring", "UTC").is_err());
    }
}
