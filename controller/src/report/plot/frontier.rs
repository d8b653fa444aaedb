//! What an awake but unused hour buys: the share of arrivals found awake against what it costs.

use std::fmt::Write;

use plotters::style::Color;

use super::{
    axes::{Axis, Frame, axes, drawable, round_up},
    drawing::{BOTTOM_PX, Caption, Drawing, PlotError, TOP_PX},
    legend::{Entry, LEFT_PX, Stroke, legend},
    marks::{self, Shape, dashed, line, mark},
    palette::{self, ACCENT},
    words::{number, percent},
};

/// One setting and what it achieves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrontierPoint {
    /// Hours awake without a user, per instance and day; not below 0.
    pub idle_hours_per_instance_day: f64,
    /// Share of the arrivals that found the instance awake, from 0 to 1.
    pub found_awake_share: f64,
}

/// The settings of one model, in any order: they are joined by their idle hours.
#[derive(Debug, Clone, PartialEq)]
pub struct FrontierSeries {
    pub name: String,
    pub points: Vec<FrontierPoint>,
}

/// A setting by itself, such as a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedPoint {
    pub name: String,
    pub point: FrontierPoint,
}

/// What [`frontier()`] and [`super::frontier_text()`] show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frontier {
    pub series: Vec<FrontierSeries>,
    pub points: Vec<NamedPoint>,
    /// What is in force now.
    pub current: Option<FrontierPoint>,
}

pub(super) const TITLE: &str = "Arrivals found awake, and the idle hours they cost";
pub(super) const X_NAME: &str = "idle hours per instance and day";

/// Draws every series as a line with markers, the single points as markers, and the current policy as a star with its
/// place on both axes. Both axes begin at 0.
pub fn frontier(input: &Frontier) -> Result<Drawing, PlotError> {
    let (kept, left_out) = kept(input);
    let caption =
        Caption { title: TITLE.to_owned(), description: description(&kept), note: String::new(), left_out };
    let Some((x_max, y_max)) = ends(&kept) else { return caption.draw_nothing() };
    caption.draw(|area| {
        let frame = Frame { x: (12, LEFT_PX - 8), y: (TOP_PX, BOTTOM_PX) };
        let x_axis = Axis { name: X_NAME, labels: 9, label: &|hours| number(*hours) };
        let y_axis =
            Axis { name: "share of arrivals found awake", labels: 11, label: &|share| percent(*share) };
        let plane = axes(area, frame, (0.0..x_max, &x_axis), (0.0..y_max, &y_axis))?;
        let place =
            |point: &FrontierPoint| plane.at(point.idle_hours_per_instance_day, point.found_awake_share);
        for (index, series) in kept.series.iter().enumerate() {
            let places: Vec<_> = series.points.iter().map(place).collect();
            line(area, &places, palette::series(index).stroke_width(2))?;
            for at in places {
                mark(area, marks::series(index), at, 4, palette::series(index))?;
            }
        }
        for (index, named) in (kept.series.len()..).zip(&kept.points) {
            mark(area, marks::series(index), place(&named.point), 6, palette::series(index))?;
        }
        if let Some(current) = &kept.current {
            let (x, y) = place(current);
            let zero = plane.at(0.0, 0.0);
            dashed(area, &[(zero.0, y), (x, y)], ACCENT.stroke_width(1))?;
            dashed(area, &[(x, zero.1), (x, y)], ACCENT.stroke_width(1))?;
            mark(area, Shape::Star, (x, y), 8, ACCENT)?;
        }
        legend(area, TOP_PX, &entries(&kept))
    })
}

fn entries(kept: &Frontier) -> Vec<Entry> {
    let entry = |index: usize, name: &str, stroke: Stroke| Entry {
        name: name.to_owned(),
        colour: palette::series(index),
        shape: Some(marks::series(index)),
        stroke,
    };
    let current = kept.current.map(|_| Entry {
        name: "current policy".to_owned(),
        colour: ACCENT,
        shape: Some(Shape::Star),
        stroke: Stroke::None,
    });
    let series =
        kept.series.iter().enumerate().map(|(index, series)| entry(index, &series.name, Stroke::Solid));
    let points =
        (kept.series.len()..).zip(&kept.points).map(|(index, named)| entry(index, &named.name, Stroke::None));
    current.into_iter().chain(series).chain(points).collect()
}

/// What can be drawn of the input, series sorted by idle hours, and how many points cannot.
pub(super) fn kept(input: &Frontier) -> (Frontier, usize) {
    let good = |point: &FrontierPoint| {
        drawable(point.idle_hours_per_instance_day)
            && point.idle_hours_per_instance_day >= 0.0
            && (0.0..=1.0).contains(&point.found_awake_share)
    };
    let sorted = |series: &FrontierSeries| {
        let mut points: Vec<_> = series.points.iter().copied().filter(good).collect();
        let key = |point: &FrontierPoint| (point.idle_hours_per_instance_day, point.found_awake_share);
        points.sort_by(|a, b| key(a).0.total_cmp(&key(b).0).then(key(a).1.total_cmp(&key(b).1)));
        FrontierSeries { name: series.name.clone(), points }
    };
    let series: Vec<_> = input.series.iter().map(sorted).collect();
    let points: Vec<_> = input.points.iter().filter(|named| good(&named.point)).cloned().collect();
    let kept = Frontier { series, points, current: input.current.filter(good) };
    let count = |frontier: &Frontier| {
        let of_series: usize = frontier.series.iter().map(|series| series.points.len()).sum();
        of_series + frontier.points.len() + usize::from(frontier.current.is_some())
    };
    let left_out = count(input) - count(&kept);
    (kept, left_out)
}

/// Ends of both axes; `None` without a point.
pub(super) fn ends(kept: &Frontier) -> Option<(f64, f64)> {
    let all = kept.series.iter().flat_map(|series| &series.points);
    let all: Vec<_> = all.chain(kept.points.iter().map(|named| &named.point)).chain(&kept.current).collect();
    let largest = |of: fn(&FrontierPoint) -> f64| all.iter().map(|point| of(point)).reduce(f64::max);
    let x = largest(|point| point.idle_hours_per_instance_day)?;
    let y = largest(|point| point.found_awake_share)?;
    // Above the highest point there is room for its marker.
    let y_end = ((y * 10.0 + 0.3).ceil() / 10.0).clamp(0.1, 1.0);
    Some((round_up(x.max(0.1)), y_end))
}

fn description(kept: &Frontier) -> String {
    let at = |point: &FrontierPoint| {
        let hours = number(point.idle_hours_per_instance_day);
        format!("{} at {hours} h", percent(point.found_awake_share))
    };
    let mut text =
        "Share of arrivals found awake against idle hours per instance and day; further left and up is better."
            .to_owned();
    for series in &kept.series {
        if let (Some(first), Some(last)) = (series.points.first(), series.points.last()) {
            let _ = write!(text, " {}: from {} to {}.", series.name, at(first), at(last));
        }
    }
    for named in &kept.points {
        let _ = write!(text, " {}: {}.", named.name, at(&named.point));
    }
    if let Some(current) = &kept.current {
        let _ = write!(text, " Current policy: {}.", at(current));
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{
        super::drawing::tests::{everything, structure},
        *,
    };

    pub(in super::super) fn example() -> Frontier {
        let point = |(idle_hours_per_instance_day, found_awake_share)| FrontierPoint {
            idle_hours_per_instance_day,
            found_awake_share,
        };
        let series = |name: &str, points: &[(f64, f64)]| FrontierSeries {
            name: name.to_owned(),
            points: points.iter().copied().map(point).collect(),
        };
        let named = |name: &str, at: (f64, f64)| NamedPoint { name: name.to_owned(), point: point(at) };
        Frontier {
            series: vec![
                series(
                    "hazard model",
                    &[(0.5, 0.31), (1.0, 0.47), (2.0, 0.632), (3.0, 0.71), (4.0, 0.765), (6.0, 0.82)],
                ),
                series("hour counts", &[(0.6, 0.22), (1.2, 0.37), (4.1, 0.66), (2.2, 0.52), (5.8, 0.74)]),
            ],
            points: vec![
                named("rule: 2 of 30 days", (4.6, 0.63)),
                named("rule: 4 of 30 days", (2.9, 0.51)),
                named("rule: 8 of 30 days", (1.6, 0.36)),
            ],
            current: Some(point((2.5, 0.66))),
        }
    }

    #[test]
    fn every_series_and_point_is_there() {
        let drawing = frontier(&example()).expect("a plot");
        insta::assert_snapshot!(structure(&drawing));
        assert_eq!(drawing, frontier(&example()).expect("a plot"), "the same input, the same bytes");
    }

    #[test]
    fn everything_of_the_frontier_has_its_place() {
        insta::assert_snapshot!(everything(&frontier(&example()).expect("a plot")));
    }

    /// Shares in whole tenths, the next above the highest point and a little room; idle hours at a round number.
    #[test]
    fn axes_end_a_little_above_the_highest_points() {
        let ends_of = |hours: &[f64], share: f64| {
            let point =
                |hours: &f64| FrontierPoint { idle_hours_per_instance_day: *hours, found_awake_share: share };
            let named = |hours: &f64| NamedPoint { name: String::new(), point: point(hours) };
            let [first, second, third] = [0, 1, 2].map(|i| hours.get(i));
            let series =
                FrontierSeries { name: String::new(), points: first.map(point).into_iter().collect() };
            let points = second.map(named).into_iter().collect();
            let ends = ends(&Frontier { series: vec![series], points, current: third.map(point) });
            ends.map(|(x, y)| (number(x), number(y)))
        };
        let told = |x: &str, y: &str| Some((x.to_owned(), y.to_owned()));
        assert_eq!(ends_of(&[0.0], 0.0), told("0.1", "0.1"));
        assert_eq!(ends_of(&[1.0, 7.0, 2.0], 0.66), told("8", "0.7"));
        assert_eq!(ends_of(&[1.0, 2.0, 3.1], 0.68), told("4", "0.8"));
        assert_eq!(ends_of(&[2.4, 2.0], 0.05), told("2.5", "0.1"));
        assert_eq!(ends_of(&[0.25], 0.99), told("0.25", "1"));
        assert_eq!(ends_of(&[], 0.5), None);
    }

    #[test]
    fn points_on_the_edges_of_what_they_can_mean_are_kept() {
        let count = |hours: f64, share: f64| {
            let point = FrontierPoint { idle_hours_per_instance_day: hours, found_awake_share: share };
            let named = NamedPoint { name: String::new(), point };
            let series = vec![FrontierSeries { name: String::new(), points: vec![point; 3] }];
            let (kept, left_out) = kept(&Frontier { series, points: vec![named; 2], current: Some(point) });
            assert_eq!(kept.series[0].points.len() == 3, kept.current.is_some());
            assert_eq!(kept.points.len() == 2, kept.current.is_some());
            left_out
        };
        assert_eq!([(0.0, 0.0), (1e15, 1.0), (3.0, 0.5)].map(|(h, s)| count(h, s)), [0, 0, 0]);
        assert_eq!([(-0.1, 0.5), (1.1e15, 0.5), (1.0, 1.01), (1.0, -0.01)].map(|(h, s)| count(h, s)), [6; 4]);
    }

    #[test]
    fn bad_points_are_left_out_and_counted() {
        let mut input = example();
        for (hours, share) in [(f64::NAN, 0.5), (1.0, f64::INFINITY), (-1.0, 0.5), (1.0, 1.1), (1e300, 0.5)] {
            let point = FrontierPoint { idle_hours_per_instance_day: hours, found_awake_share: share };
            input.series[1].points.insert(0, point);
            input.current = Some(point);
        }
        let drawing = frontier(&input).expect("a plot");
        assert_eq!(drawing.left_out(), 6);
        assert!(!drawing.svg().contains("NaN") && !drawing.svg().contains("inf"), "{}", drawing.svg());
        assert!(drawing.svg().contains("6 values cannot be drawn"));
    }

    #[test]
    fn nothing_gives_no_data() {
        let drawing = frontier(&Frontier::default()).expect("a plot");
        assert!(drawing.svg().contains("no data"));
    }

    proptest! {
        #[test]
        fn any_points_give_a_plot(points in prop::collection::vec((any::<f64>(), -0.1f64..1.1), 0..9)) {
            let point = |(idle_hours_per_instance_day, found_awake_share)| FrontierPoint {
                idle_hours_per_instance_day,
                found_awake_share,
            };
            let points: Vec<_> = points.into_iter().map(point).collect();
            let current = points.first().copied();
            let series = vec![FrontierSeries { name: "x".to_owned(), points }];
            let input = Frontier { series, points: Vec::new(), current };
            structure(&frontier(&input).expect("a plot"));
            let text = super::super::frontier_text(&input, super::super::Terminal { columns: 80, styled: false });
            prop_assert!(text.is_ascii() && !text.contains("NaN"), "{text}");
        }
    }

    #[test]
    fn points_at_zero_have_a_place() {
        let zero = FrontierPoint { idle_hours_per_instance_day: 0.0, found_awake_share: 0.0 };
        let input = Frontier { current: Some(zero), ..Frontier::default() };
        assert!(frontier(&input).expect("a plot").svg().contains("current policy"));
    }
}
