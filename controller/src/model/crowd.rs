//! What the people of a cohort do, and the fleet's: new and sparse instances borrow from it, and it tells a holiday
//! that nobody told us of.

use std::collections::BTreeMap;

use super::{
    detect::{DayFlag, DetectRule, Detection, detect},
    moment::Moment,
    population::{Census, Population},
    profile::{Profile, day_of_quarter},
    stays::QUARTERS_PER_DAY,
    turnout::Turnout,
    week::{WEEK_HISTORY_DAYS, WeekFactors, day_of_week},
};

/// Days counted: eight weeks, and two more so that the first of them can be judged by those before.
const DAYS: i32 = WEEK_HISTORY_DAYS + 14;

/// Days with use among the last 30 of one whose times count as the crowd's.
const ACTIVE_DAYS_MIN: u32 = 5;

/// One cohort, or the fleet.
#[derive(Debug, Clone)]
pub struct Crowd {
    population: Population,
    week: WeekFactors,
    turnout: Turnout,
    detection: Detection,
    /// What the clock of the one farthest west showed when this was learned: until then everybody's day is known.
    known_until: Moment,
}

/// All cohorts and the fleet.
#[derive(Debug, Clone)]
pub struct Crowds {
    fleet: Crowd,
    cohorts: BTreeMap<String, Crowd>,
}

/// Counts of one cohort.
#[derive(Default)]
struct Counts {
    census: Census,
    turnout: Turnout,
    today: i32,
    known_until: Option<Moment>,
}

impl Crowds {
    /// Learns from everybody's profile: cohort, profile, and the moment now on its clock. `prior` is what a fleet
    /// of which nothing is known borrows from; a cohort borrows from the fleet.
    pub fn learn<'a>(
        people: impl Iterator<Item = (&'a str, &'a Profile, Moment)>,
        prior: &Population,
    ) -> Self {
        let mut fleet = Counts::default();
        let mut cohorts: BTreeMap<&str, Counts> = BTreeMap::new();
        for (cohort, profile, now) in people {
            fleet.count(profile, now);
            if !cohort.is_empty() {
                cohorts.entry(cohort).or_default().count(profile, now);
            }
        }
        let fleet = fleet.crowd(prior, &WeekFactors::equal());
        let cohorts = cohorts
            .into_iter()
            .map(|(name, counts)| (name.to_owned(), counts.crowd(&fleet.population, &fleet.week)))
            .collect();
        Self { fleet, cohorts }
    }

    /// The crowd an instance of `cohort` belongs to.
    pub fn of(&self, cohort: &str) -> &Crowd {
        self.cohorts.get(cohort).unwrap_or(&self.fleet)
    }

    pub fn fleet(&self) -> &Crowd {
        &self.fleet
    }

    pub fn cohorts(&self) -> impl Iterator<Item = (&str, &Crowd)> {
        self.cohorts.iter().map(|(name, crowd)| (name.as_str(), crowd))
    }
}

impl Crowd {
    /// What the day of `moment` is like so far, by those seen until the crowd was learned.
    pub fn day_flag(&self, moment: Moment) -> DayFlag {
        let until = moment.min(self.known_until);
        if until.day() != moment.day() {
            return DayFlag::Unknown;
        }
        self.detection.running(&self.turnout, until.day(), until.slot()).flag
    }

    /// The population as it behaves on the day of `moment`: on a holiday, told or detected, as on a day of rest.
    pub fn population(&self, moment: Moment, is_holiday: bool) -> Population {
        let mut population = self.population.clone();
        if is_holiday || self.day_flag(moment) == DayFlag::UnusuallyQuiet {
            population.rest[moment.day_of_week()] = true;
        }
        population
    }

    pub fn detection(&self) -> &Detection {
        &self.detection
    }

    pub fn week(&self) -> &WeekFactors {
        &self.week
    }
}

impl Counts {
    fn count(&mut self, profile: &Profile, now: Moment) {
        self.today = self.today.max(now.day());
        self.known_until = Some(self.known_until.map_or(now, |known| known.min(now)));
        let from_day = now.day() - DAYS;
        let first_known = profile.first_day().unwrap_or(now.day()).max(from_day);
        // The rates are those of people who come, as the model was fitted to: who has left says nothing about them.
        let comes = profile.active_days(now, 30) >= ACTIVE_DAYS_MIN;
        for day in first_known.max(now.day() - WEEK_HISTORY_DAYS)..now.day() {
            if !comes {
                break;
            }
            let used = profile.days_before(now.day()) >> (now.day() - 1 - day) & 1 == 1;
            let day_of_week = day_of_week(day);
            self.census.count_day(day_of_week, used);
            self.census.count_day_asleep(day_of_week);
        }
        let mut last_day = i32::MIN;
        for stay in profile.stays().iter() {
            let day = day_of_quarter(stay.start);
            if stay.start > now.quarter || day < from_day {
                continue;
            }
            if day > last_day {
                self.turnout.count(day, stay.start.rem_euclid(QUARTERS_PER_DAY) as usize);
                last_day = day;
            }
            if comes && day >= now.day() - WEEK_HISTORY_DAYS && day < now.day() {
                self.census.count_arrival(stay.start);
            }
        }
    }

    fn crowd(self, prior: &Population, week_prior: &WeekFactors) -> Crowd {
        let detection = detect(&self.turnout, self.today, &DetectRule::default());
        let unusual = |day: i32| {
            let flag = detection.day(day).map(|finding| finding.flag);
            matches!(flag, Some(DayFlag::UnusuallyQuiet | DayFlag::UnusuallyBusy | DayFlag::Vanished))
        };
        let week = WeekFactors::learn(&self.turnout, self.today, week_prior, unusual);
        let mut population = self.census.population(prior);
        for day in self.today..self.today + 7 {
            population.rest[day_of_week(day)] = week.is_rest_day(day);
        }
        let known_until = self.known_until.unwrap_or(Moment { quarter: i32::MIN / 2 });
        Crowd { population, week, turnout: self.turnout, detection, known_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: i32 = 20_549;

    /// At work from nine on those days, for ten weeks before `MONDAY`.
    fn worker(works: impl Fn(i32) -> bool) -> Profile {
        let mut profile = Profile::default();
        for day in (MONDAY - 70..MONDAY).filter(|day| works(*day)) {
            profile.see_second(i64::from(day) * 86_400 + 9 * 3_600, 0, 7_200);
        }
        profile
    }

    fn moment(day: i32, hour: i32) -> Moment {
        Moment { quarter: day * 96 + hour * 4 }
    }

    fn learn(people: &[(&str, Profile)], now: Moment) -> Crowds {
        let prior = Population::default();
        Crowds::learn(people.iter().map(|(cohort, profile)| (*cohort, profile, now)), &prior)
    }

    #[test]
    fn each_cohort_has_its_own_weekend() {
        let gulf = worker(|day| !matches!((day + 3).rem_euclid(7), 4 | 5));
        let west = worker(|day| (day + 3).rem_euclid(7) < 5);
        let people: Vec<_> = (0..20)
            .map(|n| if n % 2 == 0 { ("gulf", gulf.clone()) } else { ("west", west.clone()) })
            .collect();
        let crowds = learn(&people, moment(MONDAY, 0));
        let rest = |cohort: &str| {
            let population = crowds.of(cohort).population(moment(MONDAY, 0), false);
            (0..7).filter(|dow| population.rest[*dow]).collect::<Vec<_>>()
        };
        assert_eq!(rest("gulf"), [4, 5]);
        assert_eq!(rest("west"), [5, 6]);
    }

    #[test]
    fn a_silent_working_day_is_one_of_rest_as_is_one_told() {
        let west = worker(|day| (day + 3).rem_euclid(7) < 5);
        let people: Vec<_> = (0..20).map(|_| ("", west.clone())).collect();
        let noon = moment(MONDAY, 12);
        let crowds = learn(&people, noon);
        assert_eq!(crowds.of("").day_flag(noon), DayFlag::UnusuallyQuiet);
        assert!(crowds.of("").population(noon, false).rest[0]);
        let dawn = moment(MONDAY, 7);
        assert!(!crowds.of("").population(dawn, false).rest[0], "nobody is expected yet");
        assert!(crowds.of("").population(dawn, true).rest[0]);
    }

    #[test]
    fn a_cohort_of_few_is_as_the_fleet() {
        let west = worker(|day| (day + 3).rem_euclid(7) < 5);
        let mut people: Vec<_> = (0..40).map(|_| ("many", west.clone())).collect();
        people.push(("few", Profile::default()));
        let crowds = learn(&people, moment(MONDAY, 0));
        let at_nine =
            |cohort: &str| crowds.of(cohort).population(moment(MONDAY, 8), false).rate(moment(MONDAY, 8));
        assert!((at_nine("few") - at_nine("many")).abs() < 0.2 * at_nine("many"));
        assert!(at_nine("few") > 0.3);
    }

    /// Sightings at these hours of days, counted back from Monday.
    fn seen(hours_back: &[(i32, i32)]) -> Profile {
        let mut profile = Profile::default();
        for (days_back, hour) in hours_back {
            profile.see_second(i64::from(MONDAY - days_back) * 86_400 + i64::from(*hour) * 3_600, 0, 7_200);
        }
        profile
    }

    fn count(profile: &Profile, now: Moment) -> Counts {
        let mut counts = Counts::default();
        counts.count(profile, now);
        counts
    }

    #[test]
    fn whoever_comes_is_counted_by_the_days_and_arrivals_of_eight_weeks() {
        let regular = [
            (71, 9),
            (70, 9),
            (57, 9),
            (56, 9),
            (5, 9),
            (4, 9),
            (3, 9),
            (2, 9),
            (2, 15),
            (1, 9),
            (0, 9),
            (0, 13),
        ];
        let counts = count(&seen(&regular), moment(MONDAY, 12));
        let counted = counts.census.population(&Population::default());
        let near = |value: f32, expected: f64| (f64::from(value) - expected).abs() < 1e-6;
        // Eight of each day of the week, on one of which it was used, but for Tuesdays.
        let prior_days = 200.0 / 7.0;
        for (day_of_week, share) in counted.day_share.iter().enumerate() {
            let active = if day_of_week == 1 { 0.0 } else { 1.0 };
            assert!(
                near(*share, (active + 0.3 * prior_days) / (8.0 + prior_days)),
                "{:?}",
                counted.day_share
            );
        }
        // At each time of day it slept on 56 days; on six it came within three hours of nine, and on one of three.
        for (slot, came) in [(24, 0.0), (25, 6.0), (36, 6.0), (37, 0.0), (49, 1.0), (60, 1.0), (61, 0.0)] {
            let rate = counted.working[slot];
            assert!(near(rate, (came + 0.05 * 200.0) / 256.0), "{slot}: {rate}");
        }
        // Each day from ten weeks back on counts once, today as far as it has gone.
        let active = |days_back: i32| counts.turnout.active(MONDAY - days_back);
        let turnout: Vec<_> = (-1..=71).filter(|back| active(*back) == 1).collect();
        assert_eq!(turnout, [0, 1, 2, 3, 4, 5, 56, 57, 70]);
        assert!((0..=71).all(|back| active(back) <= 1));
        assert_eq!(counts.turnout.active_by(MONDAY - 2, 37), 1, "when it first came");
        assert_eq!((counts.today, counts.known_until), (MONDAY, Some(moment(MONDAY, 12))));
    }

    #[test]
    fn whoever_hardly_comes_says_who_is_there_but_not_when_people_come() {
        let rare = seen(&[(29, 9), (20, 9), (10, 9), (1, 9)]);
        let counts = count(&rare, moment(MONDAY, 12));
        assert_eq!(counts.census.population(&Population::default()), Population::default());
        assert_eq!(counts.turnout.active(MONDAY - 10), 1);
        let enough = seen(&[(29, 9), (20, 9), (15, 9), (10, 9), (1, 9)]);
        let counts = count(&enough, moment(MONDAY, 12));
        assert_ne!(counts.census.population(&Population::default()), Population::default());
    }

    #[test]
    fn what_begins_just_now_is_there_and_what_comes_later_is_not() {
        let profile = seen(&[(0, 12)]);
        assert_eq!(count(&profile, moment(MONDAY, 12)).turnout.active(MONDAY), 1);
        assert_eq!(count(&profile, moment(MONDAY, 11)).turnout.active(MONDAY), 0);
    }

    #[test]
    fn a_day_is_known_as_far_as_the_clock_farthest_west_has_come() {
        let mut counts = count(&Profile::default(), moment(MONDAY, 12));
        counts.count(&Profile::default(), moment(MONDAY - 1, 20));
        counts.count(&Profile::default(), moment(MONDAY, 15));
        assert_eq!((counts.today, counts.known_until), (MONDAY, Some(moment(MONDAY - 1, 20))));
    }

    #[test]
    fn a_crowd_rests_when_its_turnout_does_whoever_else_does_not() {
        // Seven of each week, from Monday to Thursday of that week alone: none of them comes often.
        let people: Vec<_> = (0..70)
            .map(|n| {
                let week = MONDAY - 70 + n % 10 * 7;
                ("shifts", worker(|day| (week..week + 4).contains(&day)))
            })
            .collect();
        let crowds = learn(&people, moment(MONDAY, 0));
        let rest = |crowd: &Crowd| {
            let population = crowd.population(moment(MONDAY, 0), false);
            (0..7).filter(|dow| population.rest[*dow]).collect::<Vec<_>>()
        };
        assert_eq!(rest(crowds.of("shifts")), [4, 5, 6]);
        assert_eq!(rest(crowds.fleet()), [4, 5, 6]);
        let named: Vec<_> =
            crowds.cohorts().map(|(name, crowd)| (name, crowd.week().is_rest_day(MONDAY + 4))).collect();
        assert_eq!(named, [("shifts", true)]);
        let judged = crowds.fleet().detection().day(MONDAY - 3).expect("a day that is over");
        assert_eq!((judged.active, judged.expected), (0, Some(0.0)));
    }

    #[test]
    fn of_nobody_nothing_is_known() {
        let crowds = learn(&[], moment(MONDAY, 12));
        assert_eq!(crowds.of("any").day_flag(moment(MONDAY, 12)), DayFlag::Unknown);
        assert_eq!(crowds.cohorts().count(), 0);
        assert_eq!(crowds.fleet().population(moment(MONDAY, 12), false).rest, [false; 7]);
    }
}
