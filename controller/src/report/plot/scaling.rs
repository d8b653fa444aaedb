//! What more instances cost, on logarithmic axes: where the points follow the dashed line, the cost is linear.

use std::{fmt::Write, ops::Range};

use plotters::{prelude::IntoLogRange, style::Color};

use super::{
    axes::{Axis, Frame, Plane, axes},
    drawing::{Area, BOTTOM_PX, Caption, Drawing, Drawn, PlotError, TOP_PX},
    legend::{Entry, LEFT_PX, Stroke, legend},
    marks::{self, dashed, line, mark},
    palette::{self, GREY},
    words::prefixed,
};

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalingPoint {
    pub instances: u64,
    /// Time it took; from a nanosecond on.
    pub seconds: f64,
    /// Memory or disk it took, if that was measured.
    pub bytes: Option<u64>,
}

/// The measurements of one step, in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalingSeries {
    pub name: String,
    pub points: Vec<ScalingPoint>,
}

/// What [`scaling()`] shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scaling {
    pub series: Vec<ScalingSeries>,
}

/// Places on logarithmic axes, by series.
type Places = Vec<Vec<(f64, f64)>>;

/// Draws seconds against instances, and beside it bytes when any were measured. Through the largest point of each
/// series goes a dashed line of slope 1.
pub fn scaling(input: &Scaling) -> Result<Drawing, PlotError> {
    let (seconds, bad_seconds) = places(input, |point| Some(point.seconds));
    let (bytes, bad_bytes) = places(input, |point| point.bytes.map(|bytes| bytes as f64));
    let caption = Caption {
        title: "Cost against the number of instances".to_owned(),
        description: description(input, &seconds, &bytes),
        note: "dashed: linear cost, through the largest point".to_owned(),
        left_out: bad_seconds + bad_bytes,
    };
    let panels: Vec<_> =
        [("seconds", "s", seconds), ("bytes", "B", bytes)].into_iter().filter(|p| has_points(&p.2)).collect();
    if panels.is_empty() {
        return caption.draw_nothing();
    }
    let width = (LEFT_PX - 20) / panels.len() as i32;
    caption.draw(|area| {
        for (index, (name, unit, places)) in panels.iter().enumerate() {
            let left = 12 + index as i32 * width;
            let frame = Frame { x: (left, left + width), y: (TOP_PX, BOTTOM_PX) };
            panel(area, frame, (name, unit), places)?;
        }
        legend(area, TOP_PX, &entries(input))
    })
}

fn panel(area: &Area<'_>, frame: Frame, (name, unit): (&str, &str), places: &Places) -> Drawn {
    let labels = if frame.x.1 - frame.x.0 > 400 { 9 } else { 5 };
    let x_axis = Axis { name: "instances", labels, label: &|instances| prefixed(*instances) };
    let label = |value: &f64| spaced(&prefixed(*value)) + unit;
    let y_axis = Axis { name, labels: 9, label: &label };
    let (x, y) = (decades(places, |place| place.0), decades(places, |place| place.1));
    let plane = axes(area, frame, (x.clone().log_scale(), &x_axis), (y.clone().log_scale(), &y_axis))?;
    for (index, places) in places.iter().enumerate() {
        let colour = palette::series(index);
        linear(area, &plane, places, (&x, &y), colour)?;
        let places: Vec<_> = places.iter().map(|(x, y)| plane.at(*x, *y)).collect();
        line(area, &places, colour.stroke_width(2))?;
        for at in places {
            mark(area, marks::series(index), at, 5, colour)?;
        }
    }
    Ok(())
}

/// The line of slope 1 through the last place, as far as the axes reach.
fn linear(
    area: &Area<'_>,
    plane: &Plane<'_>,
    places: &[(f64, f64)],
    (x, y): (&Range<f64>, &Range<f64>),
    colour: plotters::style::RGBColor,
) -> Drawn {
    let Some((x_last, y_last)) = places.last() else { return Ok(()) };
    let each = y_last / x_last;
    let from = x.start.max(y.start / each);
    let to = x.end.min(y.end / each);
    dashed(area, &[plane.at(from, from * each), plane.at(to, to * each)], colour.mix(0.7).stroke_width(1))
}

/// What can be drawn, sorted by instances, and how many values cannot.
fn places(input: &Scaling, of: impl Fn(&ScalingPoint) -> Option<f64>) -> (Places, usize) {
    let mut left_out = 0;
    let mut kept = |series: &ScalingSeries| {
        let measured = series.points.iter().filter_map(|point| Some((point.instances as f64, of(point)?)));
        let (good, bad): (Vec<_>, Vec<_>) =
            measured.partition(|(x, y)| *x >= 1.0 && (1e-9..=1e15).contains(y));
        left_out += bad.len();
        let mut good = good;
        good.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        good
    };
    let places = input.series.iter().map(&mut kept).collect();
    (places, left_out)
}

fn has_points(places: &Places) -> bool {
    places.iter().any(|series| !series.is_empty())
}

/// Some room around everything, and at least two powers of ten for the labels.
fn decades(places: &Places, of: fn(&(f64, f64)) -> f64) -> Range<f64> {
    let all = || places.iter().flatten().map(of);
    let low = all().fold(f64::INFINITY, f64::min).log10() - 0.2;
    let high = all().fold(0.0, f64::max).log10() + 0.2;
    if high.floor() - low.ceil() >= 1.0 {
        return 10f64.powf(low)..10f64.powf(high);
    }
    10f64.powf(low.floor())..10f64.powf(high.ceil())
}

/// `10m` with a unit reads `10 ms`.
fn spaced(prefixed: &str) -> String {
    let figures = prefixed.trim_end_matches(char::is_alphabetic);
    format!("{figures} {}", &prefixed[figures.len()..])
}

fn entries(input: &Scaling) -> Vec<Entry> {
    let entry = |(index, series): (usize, &ScalingSeries)| Entry {
        name: series.name.clone(),
        colour: palette::series(index),
        shape: Some(marks::series(index)),
        stroke: Stroke::Solid,
    };
    let linear =
        Entry { name: "linear, slope 1".to_owned(), colour: GREY, shape: None, stroke: Stroke::Dashed };
    input.series.iter().enumerate().map(entry).chain([linear]).collect()
}

fn description(input: &Scaling, seconds: &Places, bytes: &Places) -> String {
    let mut text = "Seconds and bytes against the number of instances, on logarithmic axes.".to_owned();
    for (index, series) in input.series.iter().enumerate() {
        for (unit, places) in [("s", &seconds[index]), ("B", &bytes[index])] {
            if let (Some(first), Some(last)) = (places.first(), places.last()) {
                let at = |place: &(f64, f64)| {
                    format!("{}{unit} at {} instances", spaced(&prefixed(place.1)), prefixed(place.0))
                };
                let _ = write!(text, " {}: from {} to {}.", series.name, at(first), at(last));
            }
        }
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

    fn series(name: &str, points: &[(u64, f64, Option<u64>)]) -> ScalingSeries {
        let point = |(instances, seconds, bytes): &(u64, f64, Option<u64>)| ScalingPoint {
            instances: *instances,
            seconds: *seconds,
            bytes: *bytes,
        };
        ScalingSeries { name: name.to_owned(), points: points.iter().map(point).collect() }
    }

    pub(in super::super) fn example() -> Scaling {
        let learn = [
            (100, 0.021, Some(410_000)),
            (1_000, 0.13, Some(3_600_000)),
            (10_000, 1.31, Some(36_100_000)),
            (100_000, 14.2, Some(362_000_000)),
        ];
        let plan = [(100, 0.000_9, None), (1_000, 0.007, None), (10_000, 0.081, None), (100_000, 0.88, None)];
        Scaling { series: vec![series("learn", &learn), series("plan", &plan)] }
    }

    #[test]
    fn seconds_and_bytes_side_by_side() {
        insta::assert_snapshot!(structure(&scaling(&example()).expect("a plot")));
    }

    #[test]
    fn everything_of_both_panels_has_its_place() {
        insta::assert_snapshot!(everything(&scaling(&example()).expect("a plot")));
    }

    #[test]
    fn without_bytes_there_is_one_panel() {
        let mut input = example();
        input.series.remove(0);
        let shown = structure(&scaling(&input).expect("a plot"));
        assert!(shown.contains("seconds") && !shown.contains("bytes\n"), "{shown}");
        insta::assert_snapshot!(everything(&scaling(&input).expect("a plot")));
    }

    #[test]
    fn axes_have_some_room_and_two_powers_of_ten() {
        let ends = |values: &[f64]| {
            let places = vec![values.iter().map(|value| (*value, 1.0)).collect(), Vec::new()];
            let range = decades(&places, |place| place.0);
            [range.start, range.end].map(|end| format!("{:.6}", end.log10()))
        };
        // A fifth of a power of ten on each side, where two powers of ten lie between.
        assert_eq!(ends(&[10.0, 100.0]), ["0.800000", "2.200000"]);
        assert_eq!(ends(&[1.0, 1e6, 1e-3]), ["-3.200000", "6.200000"]);
        // From 10^1.1 to 10^2.1: only 100 would be labelled.
        assert_eq!(ends(&[20.0, 80.0]), ["1.000000", "3.000000"]);
        assert_eq!(ends(&[50.0]), ["1.000000", "2.000000"]);
    }

    #[test]
    fn what_can_be_drawn_is_sorted_by_instances() {
        let points =
            [(10, 2.0, None), (1, 1e-9, Some(1)), (10, 1.0, Some(7)), (5, 1e15, None), (5, 1.1e15, None)];
        let input = Scaling { series: vec![series("x", &points), series("bad", &[(0, 1.0, Some(3))])] };
        let seconds = vec![vec![(1.0, 1e-9), (5.0, 1e15), (10.0, 1.0), (10.0, 2.0)], Vec::new()];
        assert_eq!(places(&input, |point| Some(point.seconds)), (seconds.clone(), 2));
        let bytes = vec![vec![(1.0, 1.0), (10.0, 7.0)], Vec::new()];
        assert_eq!(places(&input, |point| point.bytes.map(|bytes| bytes as f64)), (bytes, 1));
        assert!(has_points(&seconds) && !has_points(&vec![Vec::new(), Vec::new()]));
    }

    #[test]
    fn what_has_no_logarithm_is_counted() {
        let bad = [(0, 1.0, None), (10, 0.0, Some(0)), (10, -1.0, None), (10, f64::NAN, None)];
        let drawing = scaling(&Scaling { series: vec![series("bad", &bad)] }).expect("a plot");
        assert_eq!(drawing.left_out(), 5);
        assert!(drawing.svg().contains("no data"));
        assert!(scaling(&Scaling::default()).expect("a plot").svg().contains("no data"));
    }

    #[test]
    fn units_follow_their_prefix() {
        assert_eq!([0.01, 2.0, 3e6].map(|value| spaced(&prefixed(value)) + "s"), ["10 ms", "2 s", "3 Ms"]);
    }

    proptest! {
        #[test]
        fn any_measurements_give_a_plot(
            points in prop::collection::vec((any::<u64>(), any::<f64>(), any::<Option<u64>>()), 0..9),
        ) {
            structure(&scaling(&Scaling { series: vec![series("x", &points)] }).expect("a plot"));
        }
    }
}
