//! Unusual days nobody told us of: holidays, release days, and a cohort that vanished.
//!
//! A day is set against the same day of the week of the weeks before it. What lasts longer than a holiday is no
//! exception any more: silence is [`DayFlag::Vanished`], and another level becomes what is expected. Only days
//! before the one judged, and of a day that goes on only what is over, are ever looked at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::turnout::Turnout;

/// What makes a day unusual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectRule {
    /// Weeks a day is compared with.
    pub weeks: u8,
    /// Weeks there must be for a day to be judged.
    pub weeks_min: u8,
    /// Active instances that must be expected for a day to be judged.
    pub expected_min: f64,
    /// How many spreads from what is expected an unusual day is at least.
    pub spreads_min: f64,
    /// A quiet day has at most this share of what is expected.
    pub quiet_ratio_max: f64,
    /// A busy day has at least this multiple of what is expected.
    pub busy_ratio_min: f64,
    /// A silent day has at most this share of what is expected.
    pub silent_ratio_max: f64,
    /// Days in a row, all unusual in one direction, after which that is the new normal: longer than any holiday.
    pub shift_days: u16,
}

impl Default for DetectRule {
    fn default() -> Self {
        Self {
            weeks: 8,
            weeks_min: 4,
            expected_min: 4.0,
            spreads_min: 3.0,
            quiet_ratio_max: 0.6,
            busy_ratio_min: 1.5,
            silent_ratio_max: 0.05,
            shift_days: 14,
        }
    }
}

/// What a day was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayFlag {
    /// Too little is known, or too few are expected, to tell.
    Unknown,
    Usual,
    /// As on a holiday.
    UnusuallyQuiet,
    /// As on a release day.
    UnusuallyBusy,
    /// Everybody has been gone for longer than a holiday lasts.
    Vanished,
}

/// What was found of one day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DayFinding {
    pub active: u32,
    /// Median of the same day of the week in the weeks before; `None` when there are too few.
    pub expected: Option<f64>,
    pub flag: DayFlag,
}

impl DayFinding {
    /// Active over expected; 1 where that says nothing.
    pub fn ratio(&self) -> f64 {
        self.expected
            .filter(|expected| *expected > 0.0)
            .map_or(1.0, |expected| f64::from(self.active) / expected)
    }
}

/// What was found of all days of a turnout up to one.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    rule: DetectRule,
    days: BTreeMap<i32, DayFinding>,
    /// What holds on the day after the last.
    level: Level,
}

/// Which days are the normal ones, as the days go by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Level {
    /// Days before it are of another time.
    since_day: Option<i32>,
    /// Spans `[from, until)` in which everybody was gone.
    absences: Vec<(i32, i32)>,
    /// First day of the absence that goes on.
    gone_since: Option<i32>,
    /// First day and flag of the unusual days in a row up to now.
    run: Option<(i32, DayFlag)>,
}

/// Judges every day from the first of `turnout` until before `until_day`, in order: each by what is before it. A day
/// without anybody is a day.
pub fn detect(turnout: &Turnout, until_day: i32, rule: &DetectRule) -> Detection {
    let mut found = Detection { rule: *rule, days: BTreeMap::new(), level: Level::default() };
    for day in turnout.first_day().unwrap_or(until_day)..until_day {
        let finding = found.next(turnout, day);
        found.days.insert(day, finding);
    }
    found
}

impl Detection {
    /// What was found of a complete day.
    pub fn day(&self, day: i32) -> Option<DayFinding> {
        self.days.get(&day).copied()
    }

    /// All complete days in order.
    pub fn days(&self) -> impl Iterator<Item = (i32, DayFinding)> + '_ {
        self.days.iter().map(|(day, finding)| (*day, *finding))
    }

    /// Since when everybody is gone, if they are.
    pub fn gone_since(&self) -> Option<i32> {
        self.level.gone_since
    }

    /// What is found so far of the day that goes on, `day`, when its quarter hour `quarter` (0..96) begins: those
    /// active by then against those active by then on the days it is compared with.
    ///
    /// Expects the detection of all days before `day`.
    pub fn running(&self, turnout: &Turnout, day: i32, quarter: usize) -> DayFinding {
        let past = self.compared(turnout, day, |past| turnout.active_by(past, quarter));
        let finding = self.judge(turnout.active_by(day, quarter), past);
        let gone = self.level.gone_since.is_some() && finding.flag == DayFlag::UnusuallyQuiet;
        DayFinding { flag: if gone { DayFlag::Vanished } else { finding.flag }, ..finding }
    }

    /// Judges the day after the last, and what it changes.
    fn next(&mut self, turnout: &Turnout, day: i32) -> DayFinding {
        let past = self.compared(turnout, day, |past| turnout.active(past));
        let finding = self.judge(turnout.active(day), past);
        if let Some(since) = self.level.gone_since {
            if self.is_silent(&finding) || finding.flag == DayFlag::Unknown && finding.active == 0 {
                return DayFinding { flag: DayFlag::Vanished, ..finding };
            }
            self.level.absences.push((since, day));
            (self.level.gone_since, self.level.run) = (None, None);
        }
        self.follow(day, finding.flag);
        let Some((first, flag)) = self.level.run else { return finding };
        if day - first + 1 < i32::from(self.rule.shift_days) {
            return finding;
        }
        self.level.run = None;
        let run = self.days.range(first..).map(|(_, past)| past).chain([&finding]);
        let gone = flag == DayFlag::UnusuallyQuiet
            && run.into_iter().all(|past| past.flag == DayFlag::Unknown || self.is_silent(past));
        if gone {
            self.level.gone_since = Some(first);
            return DayFinding { flag: DayFlag::Vanished, ..finding };
        }
        self.level.since_day = Some(first);
        let past = self.compared(turnout, day, |past| turnout.active(past));
        self.judge(turnout.active(day), past)
    }

    fn is_silent(&self, finding: &DayFinding) -> bool {
        let is_expected = finding.expected.is_some_and(|expected| expected >= self.rule.expected_min);
        is_expected && finding.ratio() <= self.rule.silent_ratio_max
    }

    /// Days too quiet to be judged, such as weekends, neither end a run nor begin one.
    fn follow(&mut self, day: i32, flag: DayFlag) {
        match (flag, self.level.run) {
            (DayFlag::Unknown, _) => {}
            (DayFlag::UnusuallyQuiet | DayFlag::UnusuallyBusy, Some((_, run))) if run == flag => {}
            (DayFlag::UnusuallyQuiet | DayFlag::UnusuallyBusy, _) => self.level.run = Some((day, flag)),
            (DayFlag::Usual | DayFlag::Vanished, _) => self.level.run = None,
        }
    }

    /// The counts of the same day of the week before `day`, newest first, of the present level and without absences.
    fn compared(&self, turnout: &Turnout, day: i32, count: impl Fn(i32) -> u32) -> Vec<f64> {
        let level = &self.level;
        let absent = |past: i32| {
            level.absences.iter().any(|(from, until)| (*from..*until).contains(&past))
                || level.gone_since.is_some_and(|since| past >= since)
        };
        let first = turnout.first_day().unwrap_or(day).max(level.since_day.unwrap_or(i32::MIN));
        let past = (1..).map(|week| day - 7 * week).take_while(|past| *past >= first);
        past.filter(|past| !absent(*past))
            .take(self.rule.weeks.into())
            .map(|past| f64::from(count(past)))
            .collect()
    }

    fn judge(&self, active: u32, mut past: Vec<f64>) -> DayFinding {
        let rule = &self.rule;
        // A new level is believed sooner: it took as long to be one.
        let weeks_min = if self.level.since_day.is_some() { rule.weeks_min.min(2) } else { rule.weeks_min };
        if past.is_empty() || past.len() < usize::from(weeks_min) {
            return DayFinding { active, expected: None, flag: DayFlag::Unknown };
        }
        let expected = median(&mut past);
        let mut apart: Vec<f64> = past.iter().map(|count| (count - expected).abs()).collect();
        // 1.4826 makes the median distance that of a normal distribution's deviation; chance alone spreads counts
        // by the root of what is expected (Poisson).
        let spread = (1.4826 * median(&mut apart)).max(expected.sqrt()).max(1.0);
        let (count, far) = (f64::from(active), rule.spreads_min * spread);
        // Where three spreads are more than all there is, an empty day is as far as a day can be.
        let is_low = count < expected - far || count == 0.0;
        let flag = if expected < rule.expected_min {
            DayFlag::Unknown
        } else if is_low && count <= rule.quiet_ratio_max * expected {
            DayFlag::UnusuallyQuiet
        } else if count > expected + far && count >= rule.busy_ratio_min * expected {
            DayFlag::UnusuallyBusy
        } else {
            DayFlag::Usual
        };
        DayFinding { active, expected: Some(expected), flag }
    }
}

/// The mean of the two middle values where there are two. `values` is not empty.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::week::day_of_week;

    /// A Monday.
    const START: i32 = 20_514;

    /// Days from `START` on, each given by its count; spread over the morning.
    fn fleet(days: impl IntoIterator<Item = u32>) -> Turnout {
        let mut turnout = Turnout::default();
        for (i, count) in days.into_iter().enumerate() {
            for one in 0..count {
                turnout.count(START + i as i32, 32 + (one as usize) % 16);
            }
        }
        turnout
    }

    /// 40 on workdays, give or take 3; 2 on weekends.
    fn usual(i: i32) -> u32 {
        if day_of_week(START + i) < 5 { (37 + (i * 7) % 7) as u32 } else { 2 }
    }

    fn flags(turnout: &Turnout, days: i32) -> Vec<DayFlag> {
        let found = detect(turnout, START + days, &DetectRule::default());
        (0..days).map(|i| found.day(START + i).expect("judged").flag).collect()
    }

    #[test]
    fn usual_weeks_have_no_unusual_days() {
        assert_eq!(day_of_week(START), 0);
        let flags = flags(&fleet((0..98).map(usual)), 98);
        assert!(flags[..28].iter().all(|flag| *flag == DayFlag::Unknown), "too few weeks to tell");
        for (i, flag) in flags.iter().enumerate().skip(28) {
            let expected = if i % 7 < 5 { DayFlag::Usual } else { DayFlag::Unknown };
            assert_eq!(*flag, expected, "day {i}");
        }
    }

    #[test]
    fn a_holiday_and_a_release_day_are_found_with_their_ratio() {
        let turnout = fleet((0..84).map(|i| match i {
            63 => 6,
            65 => 90,
            _ => usual(i),
        }));
        let found = detect(&turnout, START + 84, &DetectRule::default());
        let flag = |i: i32| found.day(START + i).expect("judged").flag;
        assert_eq!((flag(63), flag(65)), (DayFlag::UnusuallyQuiet, DayFlag::UnusuallyBusy));
        assert!((0.1..0.2).contains(&found.day(START + 63).expect("judged").ratio()));
        assert_eq!((flag(70), flag(72)), (DayFlag::Usual, DayFlag::Usual), "a week later it is forgotten");
        let unusual =
            found.days().filter(|(_, day)| day.flag != DayFlag::Usual && day.flag != DayFlag::Unknown);
        assert_eq!(unusual.count(), 2);
    }

    #[test]
    fn a_day_is_judged_by_what_was_before_it() {
        let until_now = fleet((0..70).map(|i| if i == 63 { 0 } else { usual(i) }));
        let with_more = fleet((0..120).map(|i| if i == 63 || i > 80 { 0 } else { usual(i) }));
        assert_eq!(flags(&until_now, 70), flags(&with_more, 120)[..70]);
    }

    #[test]
    fn a_cohort_that_vanishes_is_no_endless_holiday() {
        let turnout = fleet((0..140).map(|i| if (70..119).contains(&i) { 0 } else { usual(i) }));
        let flags = flags(&turnout, 140);
        assert_eq!(flags[70], DayFlag::UnusuallyQuiet);
        assert_eq!(flags[82], DayFlag::Unknown, "a weekend");
        assert_eq!(flags[81], DayFlag::UnusuallyQuiet);
        assert!(flags[83..119].iter().all(|flag| *flag == DayFlag::Vanished), "{:?}", &flags[70..119]);
        // Whoever comes back finds things as they left them.
        assert!(
            flags[119..].iter().all(|flag| matches!(flag, DayFlag::Usual | DayFlag::Unknown)),
            "{:?}",
            &flags[119..]
        );
        assert_eq!(detect(&turnout, START + 119, &DetectRule::default()).gone_since(), Some(START + 70));
        assert_eq!(detect(&turnout, START + 130, &DetectRule::default()).gone_since(), None);
    }

    #[test]
    fn a_lasting_change_becomes_what_is_expected() {
        // Four fifths leave for good.
        let turnout = fleet((0..120).map(|i| if i >= 70 && i % 7 < 5 { usual(i) / 5 } else { usual(i) }));
        let flags = flags(&turnout, 120);
        assert_eq!(flags[70], DayFlag::UnusuallyQuiet);
        assert!(
            flags[84..].iter().all(|flag| matches!(flag, DayFlag::Usual | DayFlag::Unknown)),
            "{:?}",
            &flags[84..]
        );
        // And twice as many come.
        let turnout = fleet((0..120).map(|i| if i >= 70 { 2 * usual(i) } else { usual(i) }));
        let flags = self::flags(&turnout, 120);
        assert_eq!(flags[70], DayFlag::UnusuallyBusy);
        assert!(
            flags[84..].iter().all(|flag| matches!(flag, DayFlag::Usual | DayFlag::Unknown)),
            "{:?}",
            &flags[84..]
        );
    }

    #[test]
    fn a_running_day_is_judged_by_the_time_of_day() {
        // On day 70 nobody comes until 10:00, then everybody.
        let mut turnout = fleet((0..70).map(usual));
        for _ in 0..40 {
            turnout.count(START + 70, 41);
        }
        let found = detect(&turnout, START + 70, &DetectRule::default());
        let at = |quarter| found.running(&turnout, START + 70, quarter);
        assert_eq!(at(32).flag, DayFlag::Unknown, "nobody is expected yet");
        assert_eq!(at(40).flag, DayFlag::UnusuallyQuiet);
        assert!(at(40).ratio() < 0.1);
        assert_eq!(at(48).flag, DayFlag::Usual);
        // What comes later in the day does not change what was said of the morning.
        let morning = found.running(&fleet((0..70).map(usual)), START + 70, 40);
        assert_eq!(morning, at(40));
    }

    #[test]
    fn a_cohort_of_few_is_not_judged() {
        let flags = flags(&fleet((0..84).map(|i| u32::from(i % 7 < 5 && i != 63))), 84);
        assert!(flags.iter().all(|flag| *flag == DayFlag::Unknown));
    }

    fn detection() -> Detection {
        detect(&Turnout::default(), START, &DetectRule::default())
    }

    fn judged(active: u32, past: &[f64]) -> DayFlag {
        detection().judge(active, past.to_vec()).flag
    }

    #[test]
    fn a_day_is_unusual_from_three_spreads_and_a_share_of_what_is_expected_on() {
        use DayFlag::{UnusuallyBusy, UnusuallyQuiet, Usual};
        // Of 16 chance alone spreads 4, three of which are more than the share asks for.
        for (active, flag) in [(3, UnusuallyQuiet), (4, Usual), (28, Usual), (29, UnusuallyBusy)] {
            assert_eq!(judged(active, &[16.0; 4]), flag, "{active} of 16");
        }
        // Of 100 it spreads 10, and the share asks for more.
        for (active, flag) in [(60, UnusuallyQuiet), (61, Usual), (149, Usual), (150, UnusuallyBusy)] {
            assert_eq!(judged(active, &[100.0; 4]), flag, "{active} of 100");
        }
        // The middle distance from the middle is 10, which stands for a spread of 14.8.
        for (active, flag) in [(65, UnusuallyQuiet), (66, Usual), (165, UnusuallyBusy), (164, Usual)] {
            assert_eq!(judged(active, &[100.0, 130.0, 110.0, 80.0, 120.0]), flag, "{active} of about 110");
        }
        // Where three spreads are more than there are, nobody is few.
        assert_eq!((judged(0, &[4.0; 4]), judged(1, &[4.0; 4])), (UnusuallyQuiet, Usual));
        // A spread is 1 at least.
        let few = DetectRule { expected_min: 0.0, ..DetectRule::default() };
        let few = Detection { rule: few, ..detection() };
        assert_eq!(
            (few.judge(3, vec![0.25; 4]).flag, few.judge(4, vec![0.25; 4]).flag),
            (Usual, UnusuallyBusy)
        );
    }

    #[test]
    fn where_little_is_expected_or_known_nothing_is_told() {
        assert_eq!(judged(0, &[3.0, 4.0, 4.0, 3.0]), DayFlag::Unknown, "three and a half are expected");
        assert_eq!(judged(9, &[9.0; 3]), DayFlag::Unknown, "three weeks are too few");
        let mut moved = detection();
        moved.level.since_day = Some(START);
        assert_eq!(moved.judge(9, vec![9.0; 2]).flag, DayFlag::Usual, "two weeks of another level do");
        assert_eq!(moved.judge(9, vec![9.0]).flag, DayFlag::Unknown);
        let found = detection().judge(9, vec![10.0, 4.0, 6.0, 9.0]);
        assert_eq!((found.expected, found.ratio()), (Some(7.5), 1.2));
        assert_eq!(detection().judge(9, Vec::new()).ratio().to_bits(), 1f64.to_bits());
        let nobody = DayFinding { active: 3, expected: Some(0.0), flag: DayFlag::Unknown };
        assert_eq!(nobody.ratio().to_bits(), 1f64.to_bits());
    }

    #[test]
    fn a_day_is_compared_with_the_same_day_of_eight_weeks_of_its_time() {
        let turnout = fleet((0..98).map(|i| 10 + i as u32));
        let compared = |level: Level| {
            let found = Detection { level, ..detection() };
            found
                .compared(&turnout, START + 91, |day| turnout.active(day))
                .iter()
                .map(|count| *count as u32 - 10)
                .collect::<Vec<_>>()
        };
        assert_eq!(compared(Level::default()), [84, 77, 70, 63, 56, 49, 42, 35]);
        assert_eq!(compared(Level { since_day: Some(START + 70), ..Level::default() }), [84, 77, 70]);
        let absences = vec![(START + 63, START + 77)];
        assert_eq!(compared(Level { absences, ..Level::default() }), [84, 77, 56, 49, 42, 35, 28, 21]);
        let gone_since = Some(START + 77);
        assert_eq!(compared(Level { gone_since, ..Level::default() }), [70, 63, 56, 49, 42, 35, 28, 21]);
    }

    #[test]
    fn while_everybody_is_gone_a_running_day_without_anybody_is_one_of_absence() {
        let turnout = fleet((0..100).map(|i| if i >= 70 { 0 } else { usual(i) }));
        let found = detect(&turnout, START + 98, &DetectRule::default());
        assert_eq!(found.running(&turnout, START + 98, 96).flag, DayFlag::Vanished);
        assert_eq!(found.running(&turnout, START + 103, 96).flag, DayFlag::Unknown, "a weekend");
        let known = detect(&turnout, START + 70, &DetectRule::default());
        assert_eq!(known.running(&turnout, START + 70, 96).flag, DayFlag::UnusuallyQuiet);
    }
}
