//! What is compared: days of instances for which a wake was wished, whether or not it was made.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::InstanceId;
use serde::{Deserialize, Serialize};

use crate::{
    model::calendar::{date_of, local_hour},
    visits::Visit,
};

/// What the draw decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// Its wakes were planned. Whether they then served does not matter: what was meant to be done is compared.
    Woken,
    /// Its wakes were left out.
    HeldOut,
}

/// A wake that was planned or left out in mode `act`, while a share was held out.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    pub instance: InstanceId,
    /// The hour its user was expected in; its local day is the one that was drawn for.
    pub hour_at: Timestamp,
    pub due_at: Timestamp,
    pub serve_at: Timestamp,
    pub arm: Arm,
    /// Of the plan that wished: how likely the draw was to hold it out, above 0.
    pub hold_out_share: f64,
}

/// What the verdict on a wake says of an arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub instance: InstanceId,
    pub arrived_at: Timestamp,
    /// A wake by forecast had the instance serving.
    pub served: bool,
    pub waited_s: f64,
}

/// One local day of an instance, from its first wish on.
///
/// The first wish is decided before the draw can have had any effect that day, so units of both arms are of the same
/// kind. Later wishes, which may depend on what the first one did, change neither its arm nor its span.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    pub instance: InstanceId,
    pub cohort: String,
    pub arm: Arm,
    /// How likely the draw was to hold it out, above 0.
    pub hold_out_share: f64,
    /// When the first wish was due.
    pub from: Timestamp,
    /// When the local day ended, or the window of the first wish where that is later.
    pub until: Timestamp,
    /// Arrivals in `[from, until)`.
    pub arrivals: u32,
    /// Of them, those that asked to be woken and had to.
    pub asked: u32,
    /// Waited by the arrivals of which that is known.
    pub waited_s: f64,
    pub waits_known: u32,
}

/// The units of `wishes`, in order of instance and time, with the `visits` and what verdicts tell of them.
///
/// `wishes` are in order of instance and time; visits and verdicts in any. An arrival belongs to the last unit that
/// began before it.
pub fn units<'z>(
    wishes: &[Wish],
    visits: &[Visit],
    told: &[Told],
    cohorts: &BTreeMap<InstanceId, String>,
    zone_of: impl Fn(&InstanceId) -> &'z TimeZone,
    window: SignedDuration,
) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut last: Option<(&InstanceId, i32)> = None;
    for wish in wishes {
        let zone = zone_of(&wish.instance);
        let day = local_hour(zone, wish.hour_at).day;
        if last.replace((&wish.instance, day)) == Some((&wish.instance, day)) {
            continue;
        }
        let window_end = wish.serve_at.saturating_add(window).unwrap_or(Timestamp::MAX);
        units.push(Unit {
            instance: wish.instance.clone(),
            cohort: cohorts.get(&wish.instance).cloned().unwrap_or_default(),
            arm: wish.arm,
            hold_out_share: wish.hold_out_share,
            from: wish.due_at,
            until: window_end.max(day_end(zone, day)),
            arrivals: 0,
            asked: 0,
            waited_s: 0.0,
            waits_known: 0,
        });
    }
    count(&mut units, visits, told);
    units
}

fn count(units: &mut [Unit], visits: &[Visit], told: &[Told]) {
    let mut known: BTreeMap<(&InstanceId, Timestamp), (bool, f64)> = BTreeMap::new();
    for word in told {
        // Of two wakes for one arrival, the later one to serve is the one that was waited for.
        let (served, waited_s) = known.entry((&word.instance, word.arrived_at)).or_default();
        *served |= word.served;
        *waited_s = waited_s.max(word.waited_s);
    }
    for visit in visits {
        let begun =
            units.partition_point(|unit| (&unit.instance, unit.from) <= (&visit.instance, visit.arrived_at));
        let unit = begun.checked_sub(1).and_then(|last| units.get_mut(last));
        let within = |unit: &&mut Unit| unit.instance == visit.instance && visit.arrived_at < unit.until;
        let Some(unit) = unit.filter(within) else { continue };
        let word = known.get(&(&visit.instance, visit.arrived_at));
        unit.arrivals += 1;
        unit.asked += u32::from(visit.asked() && !word.is_some_and(|(served, _)| *served));
        if let Some((_, waited_s)) = word {
            unit.waited_s += waited_s;
            unit.waits_known += 1;
        }
    }
}

fn day_end(zone: &TimeZone, day: i32) -> Timestamp {
    let next = date_of(day.saturating_add(1)).to_zoned(zone.clone());
    next.map_or(Timestamp::MAX, |next| next.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-03-{text}:00Z").parse().expect("a timestamp")
    }

    fn dev1() -> InstanceId {
        InstanceId::new("dev1").expect("an id")
    }

    /// For ten past the hour, due five minutes before it.
    fn wish(hour: &str, arm: Arm) -> Wish {
        let (minutes, hour_at) = (SignedDuration::from_mins, at(hour));
        Wish {
            instance: dev1(),
            hour_at,
            due_at: hour_at - minutes(5),
            serve_at: hour_at + minutes(10),
            arm,
            hold_out_share: 0.05,
        }
    }

    fn visit(arrived: &str, asked: bool) -> Visit {
        let arrived_at = at(arrived);
        Visit { instance: dev1(), arrived_at, departed_at: arrived_at, asked_at: asked.then_some(arrived_at) }
    }

    fn of(wishes: &[Wish], visits: &[Visit], told: &[Told], zone: &str) -> Vec<Unit> {
        let zone = TimeZone::get(zone).expect("a known zone");
        let cohorts = [(dev1(), "blue".to_owned())].into();
        units(wishes, visits, told, &cohorts, |_| &zone, SignedDuration::from_hours(3))
    }

    #[test]
    fn the_first_wish_of_a_local_day_makes_its_unit() {
        let wishes = [
            wish("02T09:00", Arm::HeldOut),
            wish("02T14:00", Arm::Woken),
            wish("03T09:00", Arm::Woken),
            wish("03T22:00", Arm::Woken),
        ];
        let days = of(&wishes, &[], &[], "UTC");
        let spans: Vec<_> = days.iter().map(|unit| (unit.arm, unit.from, unit.until)).collect();
        assert_eq!(
            spans,
            [(Arm::HeldOut, at("02T08:55"), at("03T00:00")), (Arm::Woken, at("03T08:55"), at("04T00:00")),]
        );
        assert_eq!(days[0].cohort, "blue");
        // 22:00 in UTC is the fourth of March in Auckland, and its window ends before that day does.
        let there = of(&wishes, &[], &[], "Pacific/Auckland");
        assert_eq!(there.len(), 3, "{there:?}");
        assert_eq!(there[2].until, at("04T11:00"));
    }

    #[test]
    fn a_window_may_reach_over_midnight() {
        let days = of(&[wish("02T23:00", Arm::Woken)], &[visit("03T01:00", true)], &[], "UTC");
        assert_eq!((days[0].until, days[0].asked), (at("03T02:10"), 1));
    }

    #[test]
    fn arrivals_count_for_the_last_unit_that_began_before_them() {
        let wishes = [wish("02T23:00", Arm::Woken), wish("03T01:00", Arm::HeldOut)];
        let visits = [
            visit("02T22:54", true),
            visit("02T22:55", true),
            visit("03T00:30", false),
            visit("03T01:30", true),
            visit("04T00:00", true),
        ];
        let days = of(&wishes, &visits, &[], "UTC");
        let counts: Vec<_> = days.iter().map(|unit| (unit.arrivals, unit.asked)).collect();
        assert_eq!(counts, [(2, 1), (1, 1)]);
    }

    #[test]
    fn a_day_is_of_one_instance_and_what_others_do_is_not_counted() {
        let id = |name: &str| InstanceId::new(name).expect("an id");
        let wishes = [
            wish("02T09:00", Arm::Woken),
            Wish { instance: id("dev2"), hold_out_share: 0.5, ..wish("02T09:00", Arm::HeldOut) },
        ];
        let visits = ["dev0", "dev1", "dev2", "dev2", "dev3"]
            .map(|name| Visit { instance: id(name), ..visit("02T12:00", true) });
        let word = |name: &str, waited_s| Told {
            instance: id(name),
            arrived_at: at("02T12:00"),
            served: false,
            waited_s,
        };
        let days = of(&wishes, &visits, &[word("dev2", 60.0), word("dev3", 7.0)], "UTC");
        let told: Vec<_> = days
            .iter()
            .map(|unit| {
                (unit.instance.as_str(), unit.cohort.as_str(), unit.arrivals, unit.asked, unit.waits_known)
            })
            .collect();
        assert_eq!(told, [("dev1", "blue", 1, 1, 0), ("dev2", "", 2, 2, 2)]);
        assert!((days[1].waited_s - 120.0).abs() < 1e-9 && (days[1].hold_out_share - 0.5).abs() < 1e-12);
    }

    #[test]
    fn who_asks_for_an_instance_that_was_woken_for_them_did_not_have_to() {
        let told = |arrived: &str, served, waited_s| Told {
            instance: dev1(),
            arrived_at: at(arrived),
            served,
            waited_s,
        };
        let visits = [visit("02T09:20", true), visit("02T15:00", true), visit("02T19:00", true)];
        let told =
            [told("02T09:20", true, 0.0), told("02T15:00", false, 90.0), told("02T15:00", false, 120.0)];
        let days = of(&[wish("02T09:00", Arm::Woken)], &visits, &told, "UTC");
        assert_eq!((days[0].arrivals, days[0].asked), (3, 2));
        assert_eq!((days[0].waited_s, days[0].waits_known), (120.0, 2));
    }
}
