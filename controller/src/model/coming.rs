//! The week ahead of one instance: how likely its user comes in each quarter hour, and when most likely.

use super::{
    moment::Moment,
    profile::Profile,
    scorer::Scorer,
    stays::{LocalQuarter, QUARTERS_PER_DAY},
};

const QUARTER_S: f64 = 900.0;
const HOUR_S: f64 = 3_600.0;
/// Quarter hours of seven days.
pub const WEEK_QUARTERS: i32 = 7 * QUARTERS_PER_DAY;

/// Two likely times are so far apart at least, in quarter hours.
const APART: i32 = 12;

/// A time at which an arrival is likely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    pub quarter: LocalQuarter,
    /// Of an arrival within the hour, if nobody came before.
    pub probability: f64,
}

/// The seven local days from the one of `from` on.
#[derive(Debug, Clone, PartialEq)]
pub struct Coming {
    /// Local midnight.
    pub first: LocalQuarter,
    /// Of an arrival in each quarter hour if nobody came before; `None` before `from`.
    pub quarters: Vec<Option<f64>>,
    hours: Vec<f64>,
}

/// Looks ahead from `from` by what is known of the instance then. Every quarter hour is judged as if nobody had come
/// until then: the farther ahead, the longer the silence that is assumed.
pub fn coming(scorer: &Scorer, profile: &Profile, from: Moment) -> Coming {
    let first = from.day() * QUARTERS_PER_DAY;
    let features = |quarter: LocalQuarter| scorer.features(profile, &scorer.scene(Moment { quarter }));
    let judged = |quarter: LocalQuarter| {
        let features = features(quarter);
        let within = |within_s: f64| scorer.probability(&features, within_s);
        (Some(within(QUARTER_S)), within(HOUR_S))
    };
    let week = first..first + WEEK_QUARTERS;
    let (quarters, hours) =
        week.map(|quarter| if quarter < from.quarter { (None, 0.0) } else { judged(quarter) }).unzip();
    Coming { first, quarters, hours }
}

impl Coming {
    /// The likeliest times, three hours apart at least, in order of time.
    pub fn likeliest(&self, count: usize) -> Vec<Slot> {
        let mut left: Vec<_> = self.hours.iter().copied().enumerate().filter(|(_, p)| *p > 0.0).collect();
        let mut found: Vec<Slot> = Vec::new();
        while found.len() < count {
            // The first of equals.
            let Some((place, probability)) =
                left.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a })
            else {
                break;
            };
            found.push(Slot { quarter: self.first + place as i32, probability });
            left.retain(|(other, _)| other.abs_diff(place) >= APART as usize);
        }
        found.sort_by_key(|slot| slot.quarter);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fitted, features::NAMES, head::Head, population::Population};

    const NOW_S: i64 = 1_772_528_400;

    /// A model that only looks at who came within the hour on the days before.
    fn scorer() -> Scorer {
        let mut head = Head { intercept: 1.0, ..Head::default() };
        if let Some(place) = NAMES.iter().position(|name| *name == "present_hour_45d") {
            head.weights[place] = 1.0;
        }
        Scorer::new(Fitted {
            wake: head.clone(),
            network: None,
            screen: None,
            within_1h: head.clone(),
            within_3h: head.clone(),
            within_24h: head,
            population: Population::default(),
            frontier: Vec::new(),
        })
    }

    #[test]
    fn a_regular_hour_is_found_on_each_day() {
        let mut profile = Profile::default();
        for back in (1..60).rev() {
            profile.see_second(NOW_S - back * 86_400 + 4 * 3_600, 0, 7_200);
        }
        let from = Moment::of_second(NOW_S, 0);
        let coming = coming(&scorer(), &profile, from);
        assert_eq!((coming.first, coming.quarters.len()), (from.day() * 96, 672));
        let known: Vec<_> = coming.quarters.iter().map(Option::is_some).collect();
        assert_eq!(known.iter().filter(|known| !**known).count(), from.slot());
        assert!(known[from.slot()..].iter().all(|known| *known));
        let slots = coming.likeliest(7);
        assert_eq!(slots.len(), 7);
        for (day, slot) in slots.iter().enumerate() {
            let due = from.quarter + 16 + day as i32 * 96;
            assert!((due - 3..=due).contains(&slot.quarter), "{slot:?}, due {due}");
            assert!((0.0..=1.0).contains(&slot.probability));
        }
    }

    #[test]
    fn no_more_times_are_told_than_there_are() {
        let coming = Coming { first: 0, quarters: Vec::new(), hours: vec![0.0, 0.2, 0.2] };
        assert_eq!(coming.likeliest(5), [Slot { quarter: 1, probability: 0.2 }]);
    }

    #[test]
    fn likely_times_are_three_hours_apart_at_least() {
        let mut hours = vec![0.0; 40];
        (hours[5], hours[16], hours[17], hours[30]) = (0.9, 0.8, 0.7, 0.6);
        let coming = Coming { first: 1_000, quarters: Vec::new(), hours };
        let found: Vec<_> =
            coming.likeliest(9).iter().map(|slot| (slot.quarter - 1_000, slot.probability)).collect();
        assert_eq!(found, [(5, 0.9), (17, 0.7), (30, 0.6)]);
        let found: Vec<_> = coming.likeliest(2).iter().map(|slot| slot.quarter - 1_000).collect();
        assert_eq!(found, [5, 17], "the likeliest");
        assert!(coming.likeliest(0).is_empty());
    }

    #[test]
    fn a_quarter_hour_is_likely_by_what_is_said_of_it() {
        let mut profile = Profile::default();
        for back in (1..60).rev() {
            profile.see_second(NOW_S - back * 86_400 + 4 * 3_600, 0, 7_200);
        }
        let from = Moment::of_second(NOW_S, 0);
        let (scorer, coming) = (scorer(), coming(&scorer(), &profile, from));
        for ahead in [0, 3, 100] {
            let scene = scorer.scene(Moment { quarter: from.quarter + ahead });
            let features = scorer.features(&profile, &scene);
            let place = from.slot() + ahead as usize;
            let said = coming.quarters[place].expect("not over");
            assert!((said - scorer.probability(&features, 900.0)).abs() < 1e-12);
            assert!((coming.hours[place] - scorer.probability(&features, 3_600.0)).abs() < 1e-12);
        }
        assert!(coming.hours[..from.slot()].iter().all(|hour| hour.abs() < 1e-12));
    }
}
