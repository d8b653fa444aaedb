//! Which days count: what the flags say, held against what is on record.

use jiff::civil::Date;

use crate::model::calendar::{date_of, day_of};

/// Days that count when the flags do not say.
const DAYS: i32 = 30;

/// UTC days since 1970 that visits are on record for, and today.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnRecord {
    pub(super) first_day: i32,
    pub(super) last_day: i32,
    pub(super) today: i32,
}

/// The first day that counts, and the one after the last.
pub(super) fn span(from: Option<Date>, to: Option<Date>, known: OnRecord) -> Result<(i32, i32), String> {
    let after_last = known.last_day + 1;
    // What is still going on would be taken for a day on which few came.
    let to_day = to.map_or(after_last.min(known.today), day_of);
    let from_day = from.map_or((to_day - DAYS).max(known.first_day), day_of);
    let told =
        format!("visits are on record from {} to {}", date_of(known.first_day), date_of(known.last_day));
    let (from_date, to_date) = (date_of(from_day), date_of(to_day));
    if from.is_some() && from_day < known.first_day {
        return Err(format!("--from {from_date} is before the first visit: {told}"));
    }
    if from.is_some() && from_day > known.last_day {
        return Err(format!("--from {from_date} is after the last visit: {told}"));
    }
    if to.is_some() && to_day > after_last.max(known.today) {
        return Err(format!("--to {to_date} is still to come: {told}"));
    }
    if from_day >= to_day {
        return Err(match (from, to) {
            (None, None) => format!("no complete day is on record yet: {told}"),
            (None, Some(_)) => format!("--to {to_date} leaves no day: {told}"),
            _ => format!("no day is from {from_date} to before {to_date}: {told}"),
        });
    }
    Ok((from_day, to_day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, to: &str) -> Result<(Date, Date), String> {
        let date = |text: &str| -> Option<Date> { text.parse().ok() };
        let day = |text: &str| day_of(text.parse().expect("a date"));
        let known =
            OnRecord { first_day: day("2026-03-02"), last_day: day("2026-05-06"), today: day("2026-05-06") };
        span(date(from), date(to), known).map(|(from, to)| (date_of(from), date_of(to)))
    }

    #[test]
    fn the_last_thirty_complete_days_count_unless_others_are_asked_for() {
        let dates = |from: &str, to: &str| Ok((from.parse().expect("a date"), to.parse().expect("a date")));
        assert_eq!(asked("", ""), dates("2026-04-06", "2026-05-06"));
        assert_eq!(asked("", "2026-03-12"), dates("2026-03-02", "2026-03-12"));
        assert_eq!(asked("2026-05-01", ""), dates("2026-05-01", "2026-05-06"));
        assert_eq!(
            asked("2026-05-01", "2026-05-07"),
            dates("2026-05-01", "2026-05-07"),
            "today as far as it is"
        );
    }

    #[test]
    fn days_that_nothing_is_known_of_are_refused() {
        for (from, to, why) in [
            ("2026-03-01", "", "before the first visit"),
            ("2026-06-01", "", "after the last visit"),
            ("", "2026-05-08", "still to come"),
            ("", "2026-03-02", "leaves no day"),
            ("2026-04-02", "2026-04-02", "no day is from"),
        ] {
            let error = asked(from, to).expect_err(why);
            assert!(error.contains(why), "{error}");
            assert!(error.ends_with("visits are on record from 2026-03-02 to 2026-05-06"), "{error}");
        }
    }
}
