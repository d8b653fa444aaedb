//! How fast wakes were started, against how long their host was above its ceiling meanwhile.

use std::fmt::Write;

use plotters::{prelude::IntoLogRange, style::Color};

use super::{
    axes::{Axis, Frame, axes, round_up},
    drawing::{BOTTOM_PX, Caption, Drawing, PlotError, TOP_PX},
    legend::{Entry, LEFT_PX, Stroke, legend},
    marks::{self, dashed, mark},
    palette::{self, GREY},
    words::percent,
};

/// What lies left of this is drawn on it: a logarithmic axis knows no 0.
const ABOVE_MIN: f64 = 0.001;
/// Throughput of more than ten times what is possible is taken for a mistake.
const THROUGHPUT_MAX: f64 = 10.0;

/// What one policy did in one class of storms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StormPoint {
    /// Of the seconds, 0-1.
    pub above_ceiling_share: f64,
    /// Over that of a scheduler that knows the future.
    pub throughput: f64,
}

/// One policy in all classes.
#[derive(Debug, Clone, PartialEq)]
pub struct StormSeries {
    pub name: String,
    pub points: Vec<StormPoint>,
}

/// Draws a marker for each point, by policy. Left and up is better; a dashed line shows what a scheduler that knows the
/// future would do.
pub fn storms(series: &[StormSeries]) -> Result<Drawing, PlotError> {
    let good = |point: &&StormPoint| {
        (0.0..=1.0).contains(&point.above_ceiling_share) && (0.0..=THROUGHPUT_MAX).contains(&point.throughput)
    };
    let kept: Vec<Vec<StormPoint>> =
        series.iter().map(|series| series.points.iter().filter(good).copied().collect()).collect();
    let all: usize = series.iter().map(|series| series.points.len()).sum();
    let left_out = all - kept.iter().map(Vec::len).sum::<usize>();
    let caption = Caption {
        title: "Starting many wakes at once".to_owned(),
        description: description(series, &kept),
        note: format!("{} of the seconds and less are drawn at the left edge", percent(ABOVE_MIN)),
        left_out,
    };
    let Some(most) = kept.iter().flatten().map(|point| point.throughput).reduce(f64::max) else {
        return caption.draw_nothing();
    };
    caption.draw(|area| {
        let frame = Frame { x: (12, LEFT_PX - 8), y: (TOP_PX, BOTTOM_PX) };
        let x_axis = Axis {
            name: "share of the seconds above the ceiling",
            labels: 7,
            label: &|share| percent(*share),
        };
        let y_axis = Axis {
            name: "throughput, over that of who knows the future",
            labels: 11,
            label: &|share| percent(*share),
        };
        let plane = axes(
            area,
            frame,
            ((ABOVE_MIN..1.0).log_scale(), &x_axis),
            (0.0..round_up(most.max(1.1)), &y_axis),
        )?;
        dashed(area, &[plane.at(ABOVE_MIN, 1.0), plane.at(1.0, 1.0)], GREY.stroke_width(1))?;
        for (index, points) in kept.iter().enumerate() {
            for point in points {
                let at = plane.at(point.above_ceiling_share.max(ABOVE_MIN), point.throughput);
                mark(area, marks::series(index), at, 5, palette::series(index))?;
            }
        }
        legend(area, TOP_PX, &entries(series))
    })
}

fn entries(series: &[StormSeries]) -> Vec<Entry> {
    let entry = |(index, series): (usize, &StormSeries)| Entry {
        name: series.name.clone(),
        colour: palette::series(index),
        shape: Some(marks::series(index)),
        stroke: Stroke::None,
    };
    let oracle =
        Entry { name: "who knows the future".to_owned(), colour: GREY, shape: None, stroke: Stroke::Dashed };
    series.iter().enumerate().map(entry).chain([oracle]).collect()
}

fn description(series: &[StormSeries], kept: &[Vec<StormPoint>]) -> String {
    let mut text =
        "Throughput against the share of seconds above the ceiling; further left and up is better."
            .to_owned();
    for (series, points) in series.iter().zip(kept).filter(|(_, points)| !points.is_empty()) {
        let points: Vec<String> = points
            .iter()
            .map(|point| {
                format!("{} at {:.2} %", percent(point.throughput), 100.0 * point.above_ceiling_share)
            })
            .collect();
        let _ = write!(text, " {}: {}.", series.name, points.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::drawing::tests::{everything, structure},
        *,
    };

    fn point((above_ceiling_share, throughput): (f64, f64)) -> StormPoint {
        StormPoint { above_ceiling_share, throughput }
    }

    fn series(name: &str, points: &[(f64, f64)]) -> StormSeries {
        StormSeries { name: name.to_owned(), points: points.iter().copied().map(point).collect() }
    }

    #[test]
    fn each_policy_has_its_marker_and_its_numbers_in_words() {
        let shown = storms(&[series("fixed", &[(0.1, 0.9), (0.0, 0.2)]), series("ours", &[(0.003, 1.05)])]);
        let shown = structure(&shown.expect("a plot"));
        assert!(shown.contains("ours: 105 % at 0.30 %"), "{shown}");
    }

    #[test]
    fn everything_of_the_storms_has_its_place() {
        let slow = series("fixed", &[(0.1, 0.9), (0.0, 0.2), (1.0, 1.4)]);
        let drawing = storms(&[slow, series("none", &[]), series("ours", &[(0.003, 1.05), (0.0, 10.1)])]);
        let drawing = drawing.expect("a plot");
        assert_eq!(drawing.left_out(), 1);
        insta::assert_snapshot!(everything(&drawing));
    }

    #[test]
    fn slow_policies_leave_room_for_who_knows_the_future() {
        let drawing = storms(&[series("slow", &[(0.5, 0.1)])]).expect("a plot");
        let shown = structure(&drawing);
        assert!(shown.contains("\n120 %\n140 %\n"), "up to 150 %: {shown}");
        assert!(!shown.contains("160 %"), "{shown}");
    }

    #[test]
    fn what_cannot_be_drawn_is_counted() {
        let drawing = storms(&[series("bad", &[(f64::NAN, 1.0), (2.0, 1.0), (0.1, f64::INFINITY)])]);
        let drawing = drawing.expect("a plot");
        assert_eq!(drawing.left_out(), 3);
        assert!(drawing.svg().contains("no data"));
    }

    proptest! {
        #[test]
        fn any_numbers_give_a_plot(points in prop::collection::vec((any::<f64>(), any::<f64>()), 0..9)) {
            structure(&storms(&[series("x", &points)]).expect("a plot"));
        }
    }
}
