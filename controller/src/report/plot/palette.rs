//! Colours that people with any kind of colour vision can tell apart, on white.

use plotters::style::RGBColor;

pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const GREY: RGBColor = RGBColor(0x66, 0x66, 0x66);
pub(super) const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
/// What is missing.
pub(super) const MISSING: RGBColor = RGBColor(0xd5, 0xd5, 0xd5);
/// What the eye shall find first.
pub(super) const ACCENT: RGBColor = RGBColor(0xd5, 0x5e, 0x00);

/// For series, in this order: the palette of Okabe and Ito (2008) without yellow, which is lost on white, and without
/// vermillion, which is the accent.
const SERIES: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x22, 0x22, 0x22),
];

/// Little to much, in one hue, so that order is seen as darkness.
pub(super) const STEPS: [RGBColor; 3] =
    [RGBColor(0x8f, 0xc1, 0xe3), RGBColor(0x2f, 0x7e, 0xbc), RGBColor(0x0b, 0x3c, 0x6f)];

/// The colour of series number `index`; they repeat, the markers at another rhythm.
pub(super) fn series(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()]
}

/// From white for 0 to dark blue for 1.
pub(super) fn heat(share: f64) -> RGBColor {
    const STOPS: [RGBColor; 4] = [
        RGBColor(0xff, 0xff, 0xff),
        RGBColor(0xa9, 0xd0, 0xea),
        RGBColor(0x2f, 0x7e, 0xbc),
        RGBColor(0x08, 0x2f, 0x5b),
    ];
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let index = (place as usize).min(STOPS.len() - 2);
    let (from, to, part) = (STOPS[index], STOPS[index + 1], place - index as f64);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_stops_colours_are_mixed() {
        let all = [0.0, 0.25, 1.0 / 3.0, 0.5, 0.75, 1.0].map(heat);
        // A quarter is three quarters of the way from white to the second stop: 255 + (169 - 255) * 0.75 = 190.5.
        let expected = [
            RGBColor(255, 255, 255),
            RGBColor(191, 220, 239),
            RGBColor(169, 208, 234),
            RGBColor(108, 167, 211),
            RGBColor(37, 106, 164),
            RGBColor(8, 47, 91),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn colours_repeat_after_six() {
        assert_eq!([0, 5, 6, 13].map(series), [SERIES[0], SERIES[5], SERIES[0], SERIES[1]]);
    }

    #[test]
    fn more_is_darker() {
        let light = |share: f64| {
            let RGBColor(r, g, b) = heat(share);
            u32::from(r) + u32::from(g) + u32::from(b)
        };
        assert_eq!(light(0.0), 3 * 255);
        assert!((1..=50).all(|i| light(f64::from(i) / 50.0) < light(f64::from(i - 1) / 50.0)));
        assert_eq!(heat(-1.0), heat(0.0));
        assert_eq!(heat(2.0), heat(1.0));
    }
}
