//! Lets hot loops use the wide registers of the machine they run on.
#![expect(clippy::inline_always, reason = "what is not inlined is not compiled for the wide registers")]

/// Work whose loops gain by wide registers. `run`, and every function with a loop that it calls, must say
/// `#[inline(always)]`: only what is inlined is compiled for them.
pub(super) trait Work {
    type Output;

    fn run(self) -> Self::Output;
}

/// Runs `work`, compiled for registers of 256 bits and the counting of bits where the machine has them. What it computes
/// is the same to the bit: no operation is fused or put into another order.
#[inline(always)]
pub(super) fn widely<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("popcnt") {
        #[target_feature(enable = "avx2,popcnt")]
        fn with_avx2<W: Work>(work: W) -> W::Output {
            work.run()
        }
        // SAFETY: all that the function asks of its caller is that the machine has AVX2 and POPCNT, as was just found.
        #[expect(unsafe_code, reason = "whether a feature is there is known at run time only")]
        return unsafe { with_avx2(work) };
    }
    work.run()
}
