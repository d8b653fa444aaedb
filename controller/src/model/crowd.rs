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
}
