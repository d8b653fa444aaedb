//! One instance's week: when its user is expected, when it will be woken, when the user came.

use std::fmt::Write;

use jiff::civil::{Date, DateTime};
use plotters::{prelude::Rectangle, style::Color};

use super::{
    drawing::{Area, Caption, Drawing, Drawn, PlotError, Style, TOP_PX, write},
    legend::LEFT_PX,
    marks::{Shape, line, mark},
    palette::{ACCENT, GREY, INK, MISSING, heat},
    words::{legible, percent},
};

/// Quarter hours of a day.
pub const QUARTERS_PER_DAY: usize = 96;
/// Quarter hours of seven days.
pub const QUARTERS_PER_WEEK: usize = 7 * QUARTERS_PER_DAY;

/// What [`week()`] and [`super::week_text()`] show, all in the local time of the instance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Week {
    pub instance: String,
    /// The day of the first row.
    pub first_day: Date,
    /// Probability of an arrival in each quarter hour of the seven days, from 0 to 1; [`QUARTERS_PER_WEEK`] of them.
    /// What is not finite, outside 0 to 1 or absent is shown as missing.
    pub arrival_probability: Vec<f64>,
    /// When the instance will be woken. Times outside the seven days are left out.
    pub planned_wakes: Vec<DateTime>,
    /// When the user came, in this week or in weeks before: they are shown on their day of the week.
    pub past_arrivals: Vec<DateTime>,
}

/// What can be drawn of a week: by day, then by quarter hour.
pub(super) struct Kept {
    /// `None` where it is missing.
    pub(super) probability: Vec<Option<f64>>,
    pub(super) wakes: Vec<(usize, usize)>,
    pub(super) arrivals: Vec<(usize, usize)>,
    /// The highest probability, above 0.
    pub(super) highest: f64,
}

/// What can be drawn (`None` when no probability can), and how many values cannot.
pub(super) fn kept(input: &Week) -> (Option<Kept>, usize) {
    let good = |probability: &f64| (0.0..=1.0).contains(probability);
    let given = |index: usize| input.arrival_probability.get(index).copied().filter(good);
    let probability: Vec<_> = (0..QUARTERS_PER_WEEK).map(given).collect();
    let quarter = |at: DateTime| {
        usize::from(at.hour().unsigned_abs()) * 4 + usize::from(at.minute().unsigned_abs()) / 15
    };
    let days_after = |at: DateTime| (at.date() - input.first_day).get_days();
    let planned = |at: &DateTime| {
        let day = usize::try_from(days_after(*at)).ok().filter(|day| *day < 7)?;
        Some((day, quarter(*at)))
    };
    let came = |at: &DateTime| (days_after(*at).rem_euclid(7) as usize, quarter(*at));
    let wakes: Vec<_> = input.planned_wakes.iter().filter_map(planned).collect();
    let mut arrivals: Vec<_> = input.past_arrivals.iter().map(came).collect();
    arrivals.sort_unstable();
    arrivals.dedup();
    let bad = input.arrival_probability.iter().filter(|probability| !good(probability)).count();
    let surplus = input.arrival_probability.iter().skip(QUARTERS_PER_WEEK).filter(|p| good(p)).count();
    let left_out = bad + surplus + input.planned_wakes.len() - wakes.len();
    let Some(highest) = probability.iter().flatten().copied().reduce(f64::max) else {
        return (None, left_out);
    };
    let highest = if highest > 0.0 { highest } else { 1.0 };
    (Some(Kept { probability, wakes, arrivals, highest }), left_out)
}

/// "Mon 03-02" for a row.
pub(super) fn day_name(input: &Week, day: usize) -> String {
    let date = input.first_day.checked_add(jiff::Span::new().days(day as i64));
    date.map_or_else(|_| format!("day {}", day + 1), |date| date.strftime("%a %m-%d").to_string())
}

pub(super) fn title(input: &Week) -> String {
    format!("Week of {}: when the user of {} is expected", input.first_day, legible(&input.instance, 32))
}

const LEFT: i32 = 96;
const CELL: i32 = 8;
const ROW: i32 = 54;

/// Draws a row per day and a column per quarter hour, the darker the likelier; planned wakes as triangles in the upper
/// half of a row, past arrivals as dots in the lower half.
pub fn week(input: &Week) -> Result<Drawing, PlotError> {
    let (kept, left_out) = kept(input);
    let mut caption = Caption {
        title: title(input),
        description: "Probability of an arrival by quarter hour, a row per day.".to_owned(),
        note: String::new(),
        left_out,
    };
    let Some(kept) = kept else { return caption.draw_nothing() };
    caption.description = description(input, &kept);
    if kept.probability.contains(&None) {
        caption.note.push_str("grey: no forecast");
    }
    caption.draw(|area| {
        let top = TOP_PX + 6;
        cells(area, input, &kept, top)?;
        hours(area, top)?;
        for (day, quarter) in &kept.arrivals {
            let at = (LEFT + *quarter as i32 * CELL + CELL / 2, top + *day as i32 * ROW + ROW * 3 / 4);
            mark(area, Shape::Circle, at, 4, INK)?;
        }
        for (day, quarter) in &kept.wakes {
            let at = (LEFT + *quarter as i32 * CELL + CELL / 2, top + *day as i32 * ROW + ROW / 4);
            mark(area, Shape::Triangle, at, 6, ACCENT)?;
        }
        key(area, &kept, top + 7 * ROW + 58)
    })
}

fn cells(area: &Area<'_>, input: &Week, kept: &Kept, top: i32) -> Drawn {
    for day in 0..7 {
        let y = top + day as i32 * ROW;
        let style = Style::new(13.0).right();
        write(area, &day_name(input, day), (LEFT - 10, y + ROW / 2), style)?;
        let row = &kept.probability[day * QUARTERS_PER_DAY..][..QUARTERS_PER_DAY];
        for (quarter, probability) in row.iter().enumerate() {
            let colour = probability.map_or(MISSING, |p| heat(p / kept.highest));
            let x = LEFT + quarter as i32 * CELL;
            area.draw(&Rectangle::new([(x, y), (x + CELL, y + ROW)], colour.filled()))?;
        }
        line(area, &[(LEFT, y), (LEFT + 96 * CELL, y)], GREY.mix(0.5).stroke_width(1))?;
    }
    let ends = [(LEFT, top), (LEFT + 96 * CELL, top + 7 * ROW)];
    area.draw(&Rectangle::new(ends, GREY.stroke_width(1)))
}

/// The hours below the rows, with a hair line every three.
fn hours(area: &Area<'_>, top: i32) -> Drawn {
    let floor = top + 7 * ROW;
    for hour in 0..=24 {
        let x = LEFT + hour * 4 * CELL;
        let long = hour % 3 == 0;
        line(area, &[(x, floor), (x, floor + if long { 6 } else { 3 })], GREY.stroke_width(1))?;
        if long {
            line(area, &[(x, top), (x, floor)], GREY.mix(0.25).stroke_width(1))?;
            write(area, &hour.to_string(), (x, floor + 15), Style::new(12.5))?;
        }
    }
    write(area, "hour of the local day", (LEFT + 48 * CELL, floor + 34), Style::new(14.0))
}

/// The colour scale and the markers, below the plot, where the rows leave room.
fn key(area: &Area<'_>, kept: &Kept, y: i32) -> Drawn {
    const STEPS: i32 = 40;
    for step in 0..STEPS {
        let x = LEFT + step * 4;
        let colour = heat(f64::from(step) / f64::from(STEPS - 1));
        area.draw(&Rectangle::new([(x, y - 6), (x + 4, y + 6)], colour.filled()))?;
    }
    area.draw(&Rectangle::new([(LEFT, y - 6), (LEFT + STEPS * 4, y + 6)], GREY.stroke_width(1)))?;
    write(area, "0 %", (LEFT - 8, y), Style::new(12.5).right())?;
    let scale = format!("{} probability of an arrival in a quarter hour", percent(kept.highest));
    write(area, &scale, (LEFT + STEPS * 4 + 8, y), Style::new(12.5).left())?;
    let (wakes, arrivals) = (LEFT_PX - 88, LEFT_PX + 52);
    mark(area, Shape::Triangle, (wakes, y), 6, ACCENT)?;
    write(area, "planned wake", (wakes + 14, y), Style::new(12.5).left())?;
    mark(area, Shape::Circle, (arrivals, y), 4, INK)?;
    write(area, "past arrival", (arrivals + 14, y), Style::new(12.5).left())
}

fn description(input: &Week, kept: &Kept) -> String {
    // Where nobody is ever expected, the scale goes on to 100 % all the same.
    let highest = kept.probability.iter().flatten().copied().fold(0.0, f64::max);
    let mut text = format!(
        "Probability of an arrival by quarter hour, a row per day; the highest is {}. Planned wakes: {}. Past arrivals \
         shown: {}.",
        percent(highest),
        kept.wakes.len(),
        kept.arrivals.len()
    );
    for day in 0..7 {
        let row = &kept.probability[day * QUARTERS_PER_DAY..][..QUARTERS_PER_DAY];
        let likeliest = row.iter().enumerate().filter_map(|(quarter, p)| Some((quarter, (*p)?)));
        // The first of equals.
        let likeliest = likeliest.reduce(|best, other| if other.1 > best.1 { other } else { best });
        if let Some((quarter, probability)) = likeliest.filter(|(_, p)| *p > 0.0) {
            let (hour, minute) = (quarter / 4, quarter % 4 * 15);
            let day = day_name(input, day);
            let _ = write!(text, " {day}: likeliest at {hour}:{minute:02}, {}.", percent(probability));
        }
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::civil::date;

    use super::{
        super::drawing::tests::{everything, structure},
        *,
    };

    pub(in super::super) fn example() -> Week {
        let bump = |quarter: usize, centre: f64, width: f64| {
            let z = (quarter as f64 - centre) / width;
            (-z * z / 2.0).exp()
        };
        let probability = |index: usize| {
            let (day, quarter) = (index / QUARTERS_PER_DAY, index % QUARTERS_PER_DAY);
            let morning = bump(quarter, 35.0 + day as f64, 3.0);
            let noon = bump(quarter, 54.0, 5.0);
            if day < 5 { 0.24 * morning + 0.09 * noon } else { 0.02 * noon }
        };
        let first_day = date(2026, 3, 2);
        let at = |day: i8, hour: i8, minute: i8| date(2026, 3, day).at(hour, minute, 0, 0);
        Week {
            instance: "dev17".to_owned(),
            first_day,
            arrival_probability: (0..QUARTERS_PER_WEEK).map(probability).collect(),
            planned_wakes: (2..7).map(|day| at(day, 8, 15)).chain([at(3, 12, 45)]).collect(),
            past_arrivals: vec![
                date(2026, 2, 23).at(8, 52, 0, 0),
                date(2026, 2, 24).at(9, 4, 0, 0),
                date(2026, 2, 25).at(9, 31, 0, 0),
                date(2026, 2, 27).at(13, 10, 0, 0),
                at(2, 8, 40),
            ],
        }
    }

    #[test]
    fn a_week_at_a_glance() {
        insta::assert_snapshot!(structure(&week(&example()).expect("a plot")));
    }

    /// Likely at eight, less so at noon, on every day a little less; the night is not forecast.
    fn sparse() -> Week {
        let probability = |index: usize| match (index / QUARTERS_PER_DAY, index % QUARTERS_PER_DAY) {
            (_, ..12) => f64::NAN,
            (day, 32..34) => 0.4 - 0.05 * day as f64,
            (_, 48..52) => 0.1,
            _ => 0.0,
        };
        let arrival_probability = (0..QUARTERS_PER_WEEK).map(probability).collect();
        Week { arrival_probability, ..example() }
    }

    #[test]
    fn everything_of_a_week_has_its_place() {
        insta::assert_snapshot!(everything(&week(&sparse()).expect("a plot")));
    }

    #[test]
    fn marks_have_their_place() {
        let (kept, _) = kept(&example());
        let kept = kept.expect("data");
        assert_eq!(kept.wakes, [(0, 33), (1, 33), (2, 33), (3, 33), (4, 33), (1, 51)]);
        assert_eq!(kept.arrivals, [(0, 34), (0, 35), (1, 36), (2, 38), (4, 52)], "by day of the week");
    }

    #[test]
    fn days_and_quarter_hours_end_where_the_next_begin() {
        let at = |day: i8, hour: i8, minute: i8| date(2026, 3, day).at(hour, minute, 59, 0);
        let times = vec![at(2, 0, 0), at(2, 0, 14), at(2, 0, 15), at(8, 23, 59), at(9, 0, 0)];
        let input = Week { planned_wakes: times.clone(), past_arrivals: times, ..example() };
        let (kept, left_out) = kept(&input);
        let kept = kept.expect("data");
        assert_eq!((kept.wakes, left_out), (vec![(0, 0), (0, 0), (0, 1), (6, 95)], 1));
        assert_eq!(kept.arrivals, [(0, 0), (0, 1), (6, 95)]);
        assert_eq!([0, 6].map(|day| day_name(&input, day)), ["Mon 03-02", "Sun 03-08"]);
        let last = Week { first_day: Date::MAX, ..Week::default() };
        assert_eq!([0, 1].map(|day| day_name(&last, day)), ["Fri 12-31", "day 2"]);
    }

    #[test]
    fn the_description_names_the_likeliest_quarter_hour_of_each_day_that_has_one() {
        let mut input = Week { arrival_probability: vec![0.0; QUARTERS_PER_WEEK], ..example() };
        input.arrival_probability[QUARTERS_PER_DAY + 33] = 0.25;
        input.arrival_probability[QUARTERS_PER_DAY + 40] = 0.25;
        input.arrival_probability[QUARTERS_PER_DAY + 41] = 0.1;
        let drawing = week(&input).expect("a plot");
        let shown = structure(&drawing);
        assert!(
            shown.contains(
                "the highest is 25 %. Planned wakes: 6. Past arrivals shown: 5. Tue 03-03: likeliest at 8:15, 25 %.\n"
            ),
            "{shown}"
        );
    }

    #[test]
    fn what_is_missing_is_shown_as_missing() {
        let mut input = example();
        input.arrival_probability[5] = f64::NAN;
        input.arrival_probability[6] = 1.5;
        input.arrival_probability.push(0.1);
        input.planned_wakes.push(date(2026, 3, 9).at(0, 0, 0, 0));
        input.planned_wakes.push(date(2026, 3, 1).at(23, 59, 0, 0));
        let drawing = week(&input).expect("a plot");
        assert_eq!(drawing.left_out(), 5);
        assert_eq!(drawing.svg().matches("fill=\"#D5D5D5\"").count(), 2);
        assert!(structure(&drawing).contains("grey: no forecast · 5 values"));
    }

    #[test]
    fn nothing_gives_no_data() {
        let drawing = week(&Week::default()).expect("a plot");
        assert!(drawing.svg().contains("no data"));
        let flat = Week { arrival_probability: vec![0.0; QUARTERS_PER_WEEK], ..Week::default() };
        let drawing = week(&flat).expect("a plot");
        let shown = structure(&drawing);
        assert!(shown.contains("the highest is 0 %.") && shown.contains("100 % probability"), "{shown}");
        // White is the sheet, every quarter hour, where the scale begins, and the rim of the dot beside it.
        assert_eq!(drawing.svg().matches("fill=\"#FFFFFF\"").count(), 1 + QUARTERS_PER_WEEK + 2);
    }
}
