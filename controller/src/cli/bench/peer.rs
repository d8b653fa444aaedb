//! What counting alone would cost: thirty days of clock hours as bits, and on how many of them this hour was used.

use std::{hint::black_box, thread};

use tokio::time::Instant;

const DAYS: usize = 30;
/// Thirty days of 24 bits.
pub(super) const RING_BYTES: usize = DAYS * 3;

type Ring = [u8; RING_BYTES];

/// Seconds to rescore `count` rings for one hour with so many threads; the median of `repeats`.
pub(super) fn peer_tick_s(count: usize, threads: usize, repeats: usize) -> f64 {
    let rings: Vec<Ring> = (0..count).map(ring).collect();
    let mut took: Vec<f64> = (0..repeats.max(1)).map(|hour| rescored_s(&rings, hour % 24, threads)).collect();
    took.sort_by(f64::total_cmp);
    took[took.len() / 2]
}

fn rescored_s(rings: &[Ring], hour: usize, threads: usize) -> f64 {
    let mask = mask(hour);
    let share = rings.len().div_ceil(threads.max(1)).max(1);
    let began = Instant::now();
    let likely: usize = thread::scope(|scope| {
        let count = |part: &[Ring]| part.iter().filter(|ring| days_used(ring, &mask) >= 4).count();
        let parts: Vec<_> = rings.chunks(share).map(|part| scope.spawn(move || count(part))).collect();
        parts.into_iter().map(|part| part.join().unwrap_or_default()).sum()
    });
    black_box(likely);
    began.elapsed().as_secs_f64()
}

/// A made-up past.
fn ring(n: usize) -> Ring {
    let mixed = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    std::array::from_fn(|byte| (mixed >> (byte % 8 * 7)) as u8 & 0b0101_0010)
}

/// The bit of `hour` on each day.
fn mask(hour: usize) -> Ring {
    std::array::from_fn(|byte| if byte % 3 == hour / 8 { 1 << (hour % 8) } else { 0 })
}

fn days_used(ring: &Ring, mask: &Ring) -> u32 {
    let ((ring, ring_tail), (mask, mask_tail)) = (ring.as_chunks::<8>(), mask.as_chunks::<8>());
    let whole =
        ring.iter().zip(mask).map(|(r, m)| (u64::from_le_bytes(*r) & u64::from_le_bytes(*m)).count_ones());
    let tail = ring_tail.iter().zip(mask_tail).map(|(r, m)| (r & m).count_ones());
    whole.sum::<u32>() + tail.sum::<u32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_one_bit_a_day() {
        for hour in [0, 7, 8, 23] {
            assert_eq!(days_used(&[0xff; RING_BYTES], &mask(hour)), 30, "{hour}");
            assert_eq!(days_used(&mask((hour + 1) % 24), &mask(hour)), 0, "{hour}");
        }
    }
}
