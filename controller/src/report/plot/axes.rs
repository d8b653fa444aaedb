//! A frame with axes: data in, pixels out.

use std::ops::Range;

use plotters::{
    chart::ChartBuilder,
    coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter},
    style::Color,
};

use super::{
    drawing::{Area, Failure, Style},
    palette::{GREY, GRID, INK},
};

/// More than this is taken for a mistake, and no axis could show it.
const VALUE_MAX: f64 = 1e15;

/// Whether a number can have a place on an axis.
pub(super) fn drawable(value: f64) -> bool {
    value.is_finite() && value.abs() <= VALUE_MAX
}

/// The smallest of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten that is not below `value`; 1 when `value` is not
/// above 0.
pub(super) fn round_up(value: f64) -> f64 {
    if !drawable(value) || value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powi(value.log10().floor() as i32);
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value * (1.0 - 1e-9)).unwrap_or(value)
}

/// What stands along one axis.
pub(super) struct Axis<'a> {
    /// With its unit; an axis without a name has no labels either.
    pub(super) name: &'a str,
    /// At most so many labels.
    pub(super) labels: usize,
    pub(super) label: &'a dyn Fn(&f64) -> String,
}

/// The pixels of a frame with its labels: left, top, right, bottom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) x: (i32, i32),
    pub(super) y: (i32, i32),
}

/// Where data lies on the sheet.
pub(super) struct Plane<'a> {
    place: Box<dyn Fn(f64, f64) -> (i32, i32) + 'a>,
    /// Pixels from left to right and from top to bottom.
    pub(super) pixels: (Range<i32>, Range<i32>),
}

impl Plane<'_> {
    /// The pixel of a point.
    pub(super) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        (self.place)(x, y)
    }
}

/// Draws axes, grid and labels within `frame`.
pub(super) fn axes<'a, X, Y>(
    area: &Area<'a>,
    frame: Frame,
    (x, x_axis): (X, &Axis<'_>),
    (y, y_axis): (Y, &Axis<'_>),
) -> Result<Plane<'a>, Failure>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64> + 'a,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64> + 'a,
{
    let size = (frame.x.1 - frame.x.0, frame.y.1 - frame.y.0);
    let inner = area.clone().shrink((frame.x.0, frame.y.0), size);
    let below = if x_axis.name.is_empty() { 8 } else { 48 };
    let beside = if y_axis.name.is_empty() { 12 } else { 72 };
    let mut chart = ChartBuilder::on(&inner)
        .x_label_area_size(below)
        .y_label_area_size(beside)
        .margin_right(14)
        .build_cartesian_2d(x, y)?;
    let mut mesh = chart.configure_mesh();
    let unnamed = |_: &f64| String::new();
    mesh.x_labels(x_axis.labels).y_labels(y_axis.labels).max_light_lines(0);
    mesh.bold_line_style(GRID.stroke_width(1)).axis_style(GREY.stroke_width(1)).set_all_tick_mark_size(4);
    mesh.label_style(Style::new(12.5).colour(INK).text()).axis_desc_style(Style::new(14.0).text());
    mesh.x_desc(x_axis.name).y_desc(y_axis.name);
    mesh.x_label_formatter(if x_axis.name.is_empty() { &unnamed } else { x_axis.label });
    mesh.y_label_formatter(if y_axis.name.is_empty() { &unnamed } else { y_axis.label });
    mesh.draw()?;
    let pixels = chart.plotting_area().get_pixel_range();
    Ok(Plane { place: Box::new(move |x, y| chart.plotting_area().map_coordinate(&(x, y))), pixels })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{
            drawing::{Caption, tests::everything},
            words::number,
        },
        *,
    };

    #[test]
    fn an_axis_ends_at_a_round_number() {
        let ends =
            [0.0, -3.0, f64::NAN, 0.35, 1.0, 2.1, 4.4, 9.1, 100.0].map(|value| number(round_up(value)));
        assert_eq!(ends, ["1", "1", "1", "0.4", "1", "2.5", "5", "10", "100"]);
    }

    #[test]
    fn what_is_a_hair_above_a_round_number_ends_there() {
        let ends = [2.000_000_000_1, 2.000_001, 1e-3, 0.007, 15_000.0, 1e15].map(round_up);
        let expected = [2.0, 2.5, 1e-3, 0.008, 15_000.0, 1e15];
        for (end, expected) in ends.into_iter().zip(expected) {
            assert!((end / expected - 1.0).abs() < 1e-12, "{end} {expected}");
        }
    }

    #[test]
    fn what_is_no_number_of_this_world_has_no_place() {
        let places = [0.0, -1e15, 1e15, 1.1e15, -1.1e15, f64::INFINITY, f64::NAN].map(drawable);
        assert_eq!(places, [true, true, true, false, false, false, false]);
    }

    /// A frame of 400 x 300 pixels from (100, 50) on: 72 left of the data for labels or 12 without, 14 right of it,
    /// 48 below it or 8.
    #[test]
    fn data_has_its_place_within_the_frame() {
        let frame = Frame { x: (100, 500), y: (50, 350) };
        let plain = |value: &f64| number(*value);
        let mut places = Vec::new();
        let mut sheets = Vec::new();
        for name in ["name", ""] {
            let axis = Axis { name, labels: 5, label: &plain };
            let drawing = Caption::default().draw(|area| {
                let plane = axes(area, frame, (0.0..10.0, &axis), (0.0..1.0, &axis))?;
                places.push((
                    plane.pixels.clone(),
                    plane.at(0.0, 0.0),
                    plane.at(5.0, 0.25),
                    plane.at(10.0, 1.0),
                ));
                Ok(())
            });
            sheets.push(everything(&drawing.expect("a plot")));
        }
        assert_eq!(places[0].0, (172..486, 50..302));
        assert_eq!(places[1].0, (112..486, 50..342));
        assert_eq!((places[0].1, places[0].3), ((172, 301), (485, 50)));
        assert_eq!(places[0].2, (172 + 313 / 2, 301 - 251 / 4));
        insta::assert_snapshot!(sheets[0]);
        insta::assert_snapshot!(sheets[1]);
    }

    proptest! {
        #[test]
        fn nothing_lies_beyond_the_end_of_its_axis(value in 1e-9f64..1e15) {
            let end = round_up(value);
            prop_assert!(end >= value * (1.0 - 1e-9) && end <= value * 1.5 + 1e-9, "{value} {end}");
        }
    }
}
