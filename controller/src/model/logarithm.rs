//! A fast natural logarithm: sixty of them are half the price of a score otherwise.

/// Chebyshev fit of `ln(1 + t) / t` for `t` from -1/3 to 1/3: farther than 0.00002 off nowhere.
const SERIES: [f32; 5] = [1.000_007_2, -0.499_273_67, 0.332_191_6, -0.275_371_7, 0.226_469];

/// Bits of 2/3: numbers are taken apart into a power of two and a rest from there to 4/3.
const TWO_THIRDS: i32 = 0x3f2a_aaab;

/// `ln(x)` of a positive normal number, within 0.00003. Finite, if wrong, for all others.
#[inline]
pub(super) fn ln(x: f32) -> f32 {
    let bits = x.to_bits() as i32;
    let power = bits.wrapping_sub(TWO_THIRDS) >> 23;
    let t = f32::from_bits(bits.wrapping_sub(power << 23) as u32) - 1.0;
    let series = SERIES.iter().rev().fold(0.0, |sum, factor| sum * t + factor);
    power as f32 * std::f32::consts::LN_2 + t * series
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_near_the_exact_one(x in 1e-6f32..1e6) {
            prop_assert!((f64::from(ln(x)) - f64::from(x).ln()).abs() < 3e-5, "{x}: {}", ln(x));
        }

        #[test]
        fn it_is_finite_for_any_bits(bits in any::<u32>()) {
            prop_assert!(ln(f32::from_bits(bits)).is_finite());
        }
    }
}
