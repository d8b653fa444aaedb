//! How far an average may stray from the truth at any time, however often it is looked at.

/// How likely the interval ever to miss the truth, over all times it is looked at.
pub const ALPHA: f64 = 0.05;

/// The number of units at which the interval is narrowest for what it promises; elsewhere it is a little wider.
pub const TUNED_FOR_UNITS: f64 = 2_000.0;

/// Half the width of an interval around the average of `units` numbers of standard deviation `deviation` that holds
/// the truth at all times at once with probability 1 - `alpha`, as far as the central limit theorem holds.
///
/// The boundary of the normal mixture from "Time-uniform central limit theory and asymptotic confidence sequences"
/// (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas; Annals of Statistics 52, 2024), theorem 2.2:
/// `deviation * sqrt(2 (n rho^2 + 1) / (n^2 rho^2) * ln(sqrt(n rho^2 + 1) / alpha))`. `rho` makes it narrowest at
/// [`TUNED_FOR_UNITS`].
pub fn half_width(units: f64, deviation: f64, alpha: f64) -> f64 {
    let scaled = units * mixture_at_optimum(alpha) / TUNED_FOR_UNITS;
    let log = ((scaled + 1.0).sqrt() / alpha).ln();
    deviation * (2.0 * (scaled + 1.0) / (units * scaled) * log).sqrt()
}

/// `n rho^2` at the `n` where the boundary is narrowest. Its derivative is zero where `x = ln((x + 1) / alpha^2)`; as
/// that changes slowly with `x`, putting it in again and again comes to rest.
fn mixture_at_optimum(alpha: f64) -> f64 {
    (0..20).fold(1.0, |x: f64, _| ((x + 1.0) / (alpha * alpha)).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_narrowest_where_it_is_tuned_for() {
        let x = mixture_at_optimum(ALPHA);
        assert!((x - ((x + 1.0) / (ALPHA * ALPHA)).ln()).abs() < 1e-12, "{x}");
        let width_with = |x: f64| ((x + 1.0) / x * ((x + 1.0) / (ALPHA * ALPHA)).ln()).sqrt();
        assert!(width_with(x) < width_with(0.9 * x) && width_with(x) < width_with(1.1 * x));
        assert!(
            (half_width(TUNED_FOR_UNITS, 1.0, ALPHA) - width_with(x) / TUNED_FOR_UNITS.sqrt()).abs() < 1e-12
        );
    }

    #[test]
    fn looking_at_all_times_costs_half_as_much_again_as_looking_once() {
        let once = 1.96 / TUNED_FOR_UNITS.sqrt();
        let always = half_width(TUNED_FOR_UNITS, 1.0, ALPHA);
        assert!((1.5..1.6).contains(&(always / once)), "{}", always / once);
    }

    /// Expected: the formula of the theorem, worked out elsewhere with `x` = 8.211968 at 5 % and 5.012760 at 20 %.
    #[test]
    fn it_is_the_boundary_of_the_theorem() {
        let expected = [
            ((100.0, 2.0, 0.05), 0.933_066_880_762_298_6),
            ((2_000.0, 1.0, 0.05), 0.067_867_400_355_650_32),
            ((30.0, 0.5, 0.05), 0.681_241_350_034_638_4),
            ((500.0, 1.0, 0.2), 0.120_399_269_347_383_21),
        ];
        for ((units, deviation, alpha), expected) in expected {
            let width = half_width(units, deviation, alpha);
            assert!((width - expected).abs() < 1e-12, "{width} {expected}");
        }
    }

    #[test]
    fn it_narrows_with_every_unit() {
        let widths: Vec<f64> = (0..60).map(|n| half_width(1.3_f64.powi(n), 2.0, ALPHA)).collect();
        assert!(widths.windows(2).all(|pair| pair[1] < pair[0]), "{widths:?}");
    }
}
