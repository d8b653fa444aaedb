//! How long a failed attempt waits before the next.

use jiff::SignedDuration;

use crate::wake::RetryRule;

/// Exponential with full jitter: a uniform draw from `[0, min(max, base * 2^(failures-1))]`, and at least what the
/// endpoint asked for (capped at `backoff_max_s`). `jitter` in `[0, 1)` is the draw.
///
/// Full jitter is the variant that spreads a herd most in the comparison of the AWS Architecture Blog,
/// "Exponential Backoff And Jitter" (2015).
pub fn backoff(rule: &RetryRule, failures: u32, retry_after_s: Option<u32>, jitter: f64) -> SignedDuration {
    let doublings = failures.saturating_sub(1).min(20);
    let ceiling_s =
        u64::from(rule.backoff_base_s).saturating_mul(1 << doublings).min(rule.backoff_max_s.into());
    let drawn_ms = (jitter.clamp(0.0, 1.0) * ceiling_s as f64 * 1000.0) as i64;
    let asked_ms = i64::from(retry_after_s.unwrap_or(0).min(rule.backoff_max_s)) * 1000;
    // A little above zero, so that a draw of nothing is not a hot loop.
    SignedDuration::from_millis(drawn_ms.max(asked_ms).max(500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_is_capped() {
        let rule = RetryRule { backoff_base_s: 10, backoff_max_s: 60, ..RetryRule::default() };
        let at_most = |failures| backoff(&rule, failures, None, 1.0).as_secs();
        assert_eq!([1, 2, 3, 4, 30].map(at_most), [10, 20, 40, 60, 60]);
        assert_eq!(backoff(&rule, 3, None, 0.5).as_secs(), 20);
    }

    #[test]
    fn the_endpoints_advice_is_followed_within_bounds() {
        let rule = RetryRule { backoff_base_s: 10, backoff_max_s: 60, ..RetryRule::default() };
        assert_eq!(backoff(&rule, 1, Some(45), 0.0).as_secs(), 45);
        assert_eq!(backoff(&rule, 1, Some(86_400), 0.0).as_secs(), 60);
        assert_eq!(backoff(&rule, 1, None, 0.0).as_millis(), 500);
    }
}
