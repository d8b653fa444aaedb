//! How long it takes to read as many bytes as the profiles have from memory: no tick can be faster.

use std::{hint::black_box, thread};

use tokio::time::Instant;

/// Seconds to sum up `bytes` bytes once, with so many threads; the best of `repeats`, as the machine can do no worse.
pub(super) fn stream_s(bytes: usize, threads: usize, repeats: usize) -> f64 {
    let words: Vec<u64> = (0..(bytes / 8).max(1) as u64).collect();
    let share = words.len().div_ceil(threads.max(1));
    let once = || {
        let began = Instant::now();
        let sum = thread::scope(|scope| {
            let parts: Vec<_> = words
                .chunks(share)
                .map(|part| scope.spawn(move || part.iter().fold(0u64, |sum, word| sum.wrapping_add(*word))))
                .collect();
            parts.into_iter().map(|part| part.join().unwrap_or_default()).fold(0u64, u64::wrapping_add)
        });
        black_box(sum);
        began.elapsed().as_secs_f64()
    };
    (0..repeats.max(1)).map(|_| once()).fold(f64::INFINITY, f64::min)
}
