//! Whether a forecast of 30 % comes true in 30 of 100 cases: a reliability diagram.

use std::fmt::Write;

use plotters::{
    prelude::{IntoLogRange, Rectangle},
    style::Color,
};

use super::{
    axes::{Axis, Frame, axes, round_up},
    drawing::{BOTTOM_PX, Caption, Drawing, PlotError, TOP_PX},
    legend::{Entry, LEFT_PX, Stroke, legend},
    marks::{Shape, dashed, line, mark},
    palette::{self, GREY},
    words::{percent, prefixed},
};

/// Forecasts of about the same probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// Mean of the forecast probabilities, from 0 to 1.
    pub predicted_mean: f64,
    /// Share of the forecasts that came true, from 0 to 1.
    pub observed_share: f64,
    /// How many forecasts; a bin of none is not drawn.
    pub count: u64,
}

/// What [`calibration()`] shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    /// What was forecast, for the title: "arrival within 3 h".
    pub name: String,
    pub bins: Vec<CalibrationBin>,
}

/// Mean distance of forecast and observation, weighted by the counts: the expected calibration error of Naeini, Cooper
/// and Hauskrecht (AAAI 2015). From 0 to 1; `None` without a forecast. Bins that cannot be drawn do not count.
pub fn expected_calibration_error(bins: &[CalibrationBin]) -> Option<f64> {
    let good = || bins.iter().filter(|bin| good(bin));
    let total: f64 = good().map(|bin| bin.count as f64).sum();
    let distance = |bin: &CalibrationBin| (bin.predicted_mean - bin.observed_share).abs();
    (total > 0.0).then(|| good().map(|bin| bin.count as f64 / total * distance(bin)).sum())
}

/// Draws a marker per bin with its 95 % interval beside the diagonal of perfect forecasts, and the counts below. The
/// axes end where the data does, so that rare events can be judged.
pub fn calibration(input: &Calibration) -> Result<Drawing, PlotError> {
    let mut bins: Vec<_> = input.bins.iter().copied().filter(good).collect();
    bins.sort_by(|a, b| a.predicted_mean.total_cmp(&b.predicted_mean).then(a.count.cmp(&b.count)));
    let of = if input.name.is_empty() { String::new() } else { format!(" of {}", input.name) };
    let error = expected_calibration_error(&bins);
    let left_out = input.bins.iter().filter(|bin| bin.count > 0 && !good(bin)).count();
    let mut caption = Caption {
        title: format!("Calibration{of}"),
        description: "Observed share against forecast probability.".to_owned(),
        left_out,
        ..Caption::default()
    };
    let Some(error) = error else { return caption.draw_nothing() };
    let decimals = if error < 0.01 { 2 } else { 1 };
    caption.title =
        format!("Calibration{of}: expected calibration error {:.decimals$} points", error * 100.0);
    for bin in &bins {
        let (forecast, observed) = (percent(bin.predicted_mean), percent(bin.observed_share));
        let _ = write!(caption.description, " Forecast {forecast}: observed {observed} of {}.", bin.count);
    }
    let end = bins.iter().map(|bin| bin.predicted_mean.max(bin.observed_share)).fold(0.0, f64::max);
    let end = round_up((end * 1.05).max(0.02)).min(1.0);
    let count_end = bins.iter().map(|bin| bin.count as f64).fold(1.0, f64::max) * 3.0;
    caption.draw(|area| {
        let frame = Frame { x: (12, LEFT_PX - 8), y: (TOP_PX, 392) };
        let x_axis = Axis { name: "", labels: 11, label: &|share| percent(*share) };
        let y_axis = Axis { name: "observed share", labels: 9, label: &|share| percent(*share) };
        let plane = axes(area, frame, (0.0..end, &x_axis), (0.0..end, &y_axis))?;
        dashed(area, &[plane.at(0.0, 0.0), plane.at(end, end)], GREY.stroke_width(1))?;
        let places: Vec<_> =
            bins.iter().map(|bin| plane.at(bin.predicted_mean, bin.observed_share)).collect();
        line(area, &places, SERIES.stroke_width(2))?;
        for (bin, at) in bins.iter().zip(&places) {
            let (low, high) = interval_95(bin);
            let ends = [low.min(end), high.min(end)].map(|share| plane.at(bin.predicted_mean, share));
            line(area, &ends, SERIES.stroke_width(1))?;
            mark(area, Shape::Circle, *at, 5, SERIES)?;
        }
        let strip = Frame { x: frame.x, y: (398, BOTTOM_PX) };
        let x_axis = Axis { name: "forecast probability (mean of the bin)", ..x_axis };
        let y_axis = Axis { name: "forecasts", labels: 4, label: &|count| prefixed(*count) };
        let strip = axes(area, strip, (0.0..end, &x_axis), ((0.5..count_end).log_scale(), &y_axis))?;
        for bin in &bins {
            let (x, top) = strip.at(bin.predicted_mean, bin.count as f64);
            let floor = strip.pixels.1.end - 1;
            let sides = (x - 7).max(strip.pixels.0.start)..(x + 7).min(strip.pixels.0.end);
            let bar = Rectangle::new([(sides.start, top), (sides.end, floor)], palette::STEPS[0].filled());
            area.draw(&bar)?;
        }
        legend(area, TOP_PX, &entries())
    })
}

const SERIES: plotters::style::RGBColor = palette::STEPS[1];

fn entries() -> [Entry; 4] {
    let entry = |name: &str, colour, shape, stroke| Entry { name: name.to_owned(), colour, shape, stroke };
    [
        entry("forecasts of a bin", SERIES, Some(Shape::Circle), Stroke::Solid),
        entry("95 % interval", SERIES, None, Stroke::Upright),
        entry("perfect forecasts", GREY, None, Stroke::Dashed),
        entry("number of forecasts", palette::STEPS[0], Some(Shape::Square), Stroke::None),
    ]
}

fn good(bin: &CalibrationBin) -> bool {
    let share = 0.0..=1.0;
    bin.count > 0 && share.contains(&bin.predicted_mean) && share.contains(&bin.observed_share)
}

/// The score interval of Wilson (1927) for the true share, which stays within 0 and 1 at small counts.
fn interval_95(bin: &CalibrationBin) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    let (n, share) = (bin.count as f64, bin.observed_share);
    let scale = 1.0 / (1.0 + Z * Z / n);
    let centre = (share + Z * Z / (2.0 * n)) * scale;
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt() * scale;
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::{
        super::drawing::tests::{everything, structure},
        *,
    };

    pub(in super::super) fn example() -> Calibration {
        let bins = [
            (0.012, 0.010, 41_200),
            (0.05, 0.047, 12_400),
            (0.11, 0.12, 5_300),
            (0.19, 0.22, 2_100),
            (0.31, 0.29, 940),
            (0.43, 0.47, 420),
            (0.56, 0.52, 160),
            (0.71, 0.75, 48),
        ];
        let bin = |(predicted_mean, observed_share, count)| CalibrationBin {
            predicted_mean,
            observed_share,
            count,
        };
        Calibration { name: "arrival within 3 h".to_owned(), bins: bins.map(bin).to_vec() }
    }

    fn bin(predicted_mean: f64, observed_share: f64, count: u64) -> CalibrationBin {
        CalibrationBin { predicted_mean, observed_share, count }
    }

    #[test]
    fn a_reliability_diagram() {
        insta::assert_snapshot!(structure(&calibration(&example()).expect("a plot")));
    }

    #[test]
    fn everything_of_a_reliability_diagram_has_its_place() {
        insta::assert_snapshot!(everything(&calibration(&example()).expect("a plot")));
    }

    /// Bars and intervals at the ends of the axes stay on the plot.
    #[test]
    fn everything_at_the_edges_stays_on_the_plot() {
        let bins = vec![bin(1.0, 1.0, 1), bin(0.0, 0.0, 4), bin(0.5, 0.9, 1_000)];
        let drawing = calibration(&Calibration { name: String::new(), bins }).expect("a plot");
        insta::assert_snapshot!(everything(&drawing));
    }

    #[test]
    fn the_axes_end_where_rare_events_do() {
        let text_of = |bins: &[CalibrationBin]| {
            let input = Calibration { name: "rain".to_owned(), bins: bins.to_vec() };
            structure(&calibration(&input).expect("a plot"))
        };
        let rare = text_of(&[bin(0.001, 0.002, 100), bin(0.019, 0.012, 300)]);
        // (0.001 * 100 + 0.007 * 300) / 400.
        assert!(rare.starts_with("Calibration of rain: expected calibration error 0.55 points\n"), "{rare}");
        assert!(rare.contains("\n2 %\n") && !rare.contains("\n2.2 %\n"), "{rare}");
        let less_rare = text_of(&[bin(0.1, 0.12, 100), bin(0.191, 0.18, 0)]);
        assert!(
            less_rare.starts_with("Calibration of rain: expected calibration error 2.0 points\n"),
            "{less_rare}"
        );
        assert!(less_rare.contains("\n14 %\n") && !less_rare.contains("\n16 %\n"), "{less_rare}");
    }

    #[test]
    fn an_interval_of_few_stays_within_all_and_nothing() {
        // None of n reaches from 0 to z^2 / (n + z^2), all of n from n / (n + z^2) to 1; z^2 = 3.841459.
        let (low, high) = interval_95(&bin(0.5, 0.0, 1));
        assert!(low.abs() < 1e-12 && (high - 0.793_450).abs() < 1e-5, "{low} {high}");
        let (low, high) = interval_95(&bin(0.5, 1.0, 4));
        assert!((low - 0.510_110).abs() < 1e-5 && (high - 1.0).abs() < 1e-12, "{low} {high}");
        let (low, high) = interval_95(&bin(0.5, 0.5, 10));
        assert!((low - 0.236_593).abs() < 1e-5 && (high - 0.763_407).abs() < 1e-5, "{low} {high}");
    }

    #[test]
    fn the_error_is_weighted_by_counts() {
        let error = expected_calibration_error(&[bin(0.2, 0.3, 30), bin(0.8, 0.6, 10)]).expect("an error");
        assert!((error - 0.125).abs() < 1e-12, "{error}");
        assert_eq!(expected_calibration_error(&[bin(0.5, 0.1, 0)]), None);
    }

    #[test]
    fn the_interval_is_wilsons() {
        // Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662.
        let (low, high) = interval_95(&bin(0.0, 81.0 / 263.0, 263));
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn bad_bins_are_counted_and_nothing_is_no_data() {
        let bins =
            vec![bin(f64::NAN, 0.1, 5), bin(0.1, f64::INFINITY, 5), bin(0.1, 1.5, 5), bin(0.1, 0.1, 0)];
        let drawing = calibration(&Calibration { name: String::new(), bins }).expect("a plot");
        assert_eq!(drawing.left_out(), 3, "an empty bin is no bad bin");
        assert!(drawing.svg().contains("no data"));
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share(share in 0.0f64..=1.0, count in 1u64..1_000_000) {
            let (low, high) = interval_95(&bin(0.5, share, count));
            prop_assert!(0.0 <= low && low <= share + 1e-9 && share <= high + 1e-9 && high <= 1.0);
        }

        #[test]
        fn any_bins_give_a_plot(bins in prop::collection::vec((any::<f64>(), 0.0f64..1.0, any::<u64>()), 0..9)) {
            let bins = bins.into_iter().map(|(p, o, count)| bin(p, o, count)).collect();
            structure(&calibration(&Calibration { name: "x".to_owned(), bins }).expect("a plot"));
        }
    }
}
