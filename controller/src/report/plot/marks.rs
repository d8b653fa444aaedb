//! Markers: shapes that tell series apart without colour.

use plotters::{
    element::DashedPathElement,
    prelude::{Circle, PathElement, Polygon},
    style::{Color, RGBColor, ShapeStyle, WHITE},
};

use super::drawing::{Area, Drawn};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
    Cross,
    Plus,
    Ring,
    Star,
}

/// The shapes of series; the star is kept for one point.
const SERIES: [Shape; 8] = [
    Shape::Circle,
    Shape::Square,
    Shape::Triangle,
    Shape::Diamond,
    Shape::TriangleDown,
    Shape::Cross,
    Shape::Plus,
    Shape::Ring,
];

/// The shape of series number `index`.
pub(super) fn series(index: usize) -> Shape {
    SERIES[index % SERIES.len()]
}

/// Draws a marker of about `2 * radius` pixels around `at`; the filled ones have a white rim, so that they can be told
/// apart where they lie on each other.
pub(super) fn mark(
    area: &Area<'_>,
    shape: Shape,
    (x, y): (i32, i32),
    radius: i32,
    colour: RGBColor,
) -> Drawn {
    let r = radius;
    let stroke = colour.stroke_width(2);
    let outline: Vec<(i32, i32)> = match shape {
        Shape::Circle => {
            area.draw(&Circle::new((x, y), radius + 1, WHITE.filled()))?;
            return area.draw(&Circle::new((x, y), radius, colour.filled()));
        }
        Shape::Ring => return area.draw(&Circle::new((x, y), radius, stroke)),
        Shape::Cross => {
            line(area, &[(x - r, y - r), (x + r, y + r)], stroke)?;
            return line(area, &[(x - r, y + r), (x + r, y - r)], stroke);
        }
        Shape::Plus => {
            line(area, &[(x - r, y), (x + r, y)], stroke)?;
            return line(area, &[(x, y - r), (x, y + r)], stroke);
        }
        Shape::Square => vec![(-r, -r), (r, -r), (r, r), (-r, r)],
        Shape::Triangle => vec![(0, -r - 1), (r + 1, r), (-r - 1, r)],
        Shape::TriangleDown => vec![(0, r + 1), (r + 1, -r), (-r - 1, -r)],
        Shape::Diamond => vec![(0, -r - 2), (r + 2, 0), (0, r + 2), (-r - 2, 0)],
        Shape::Star => star(f64::from(r) * 1.5),
    };
    let outline: Vec<_> = outline.into_iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    area.draw(&Polygon::new(outline.clone(), colour.filled()))?;
    let closed: Vec<_> = outline.iter().chain(outline.first()).copied().collect();
    line(area, &closed, WHITE.stroke_width(1))
}

/// Five points, the first upwards.
fn star(radius: f64) -> Vec<(i32, i32)> {
    let corner = |i: i32| {
        let angle = f64::from(i) * std::f64::consts::PI / 5.0;
        let radius = if i % 2 == 0 { radius } else { radius * 0.42 };
        ((radius * angle.sin()).round() as i32, (-radius * angle.cos()).round() as i32)
    };
    (0..10).map(corner).collect()
}

pub(super) fn line(area: &Area<'_>, points: &[(i32, i32)], style: ShapeStyle) -> Drawn {
    area.draw(&PathElement::new(points.to_vec(), style))
}

pub(super) fn dashed(area: &Area<'_>, points: &[(i32, i32)], style: ShapeStyle) -> Drawn {
    area.draw(&DashedPathElement::new(points.iter().copied(), 5, 4, style))
}

#[cfg(test)]
mod tests {
    use super::{
        super::drawing::{Caption, tests::everything},
        *,
    };

    #[test]
    fn colour_and_shape_repeat_together_only_late() {
        let look = |i: usize| (super::super::palette::series(i), series(i));
        assert!((1..24).all(|i| look(i) != look(0)));
    }

    /// The tips every 72 degrees at 10, between them the corners at 4.2: `(r sin a, -r cos a)`.
    #[test]
    fn a_star_has_five_points() {
        let right = [(0, -10), (2, -3), (10, -3), (4, 1), (6, 8), (0, 4)];
        let left = [(-6, 8), (-4, 1), (-10, -3), (-2, -3)];
        assert_eq!(star(10.0), [&right[..], &left[..]].concat());
    }

    #[test]
    fn every_shape_has_its_place() {
        let shapes = SERIES.into_iter().chain([Shape::Star]);
        let drawing = Caption::default().draw(|area| {
            for (shape, x) in shapes.zip((100..).step_by(50)) {
                mark(area, shape, (x, 300), 5, RGBColor(1, 2, 3))?;
            }
            dashed(area, &[(100, 400), (118, 400)], RGBColor(1, 2, 3).stroke_width(1))
        });
        insta::assert_snapshot!(everything(&drawing.expect("a plot")));
    }

    #[test]
    fn markers_repeat_after_eight() {
        assert_eq!([0, 7, 8, 13].map(series), [Shape::Circle, Shape::Ring, Shape::Circle, Shape::Cross]);
    }
}
