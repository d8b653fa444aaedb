//! When an endpoint asks to be called again: `Retry-After` in seconds or as a date, within a bound of our own.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// Seconds from now, `max_s` at most; `None` when it does not say or what it says is nothing.
///
/// A date is taken against the answer's own `Date`: the endpoint's clock need not be ours.
pub(super) fn retry_after_s(headers: &HeaderMap, now: Timestamp, max_s: u32) -> Option<u32> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wanted_s = if is_number {
        // One that is too large for us is still a wish for a long time.
        text.parse().unwrap_or(u64::MAX)
    } else {
        until_s(headers, text, now)?
    };
    Some(u32::try_from(wanted_s).unwrap_or(u32::MAX).min(max_s))
}

fn until_s(headers: &HeaderMap, date_text: &str, now: Timestamp) -> Option<u64> {
    let at = httpdate::parse_http_date(date_text).ok()?;
    let now = date(headers, &DATE).unwrap_or_else(|| system_time(now));
    // A date that is past is no time to wait.
    Some(at.duration_since(now).map_or(0, |wait| wait.as_secs()))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

fn system_time(now: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(headers: &[(&'static str, &str)]) -> Option<u32> {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().expect("a header"))
        };
        let now = "2026-03-02T08:00:00Z".parse().expect("valid");
        retry_after_s(&headers.iter().map(pair).collect(), now, 600)
    }

    #[test]
    fn seconds_and_dates_are_understood_and_bounded() {
        assert_eq!(said(&[("retry-after", "7")]), Some(7));
        assert_eq!(said(&[("retry-after", "99999999999")]), Some(600));
        assert_eq!(said(&[("retry-after", "99999999999999999999999999")]), Some(600), "more than fits");
        assert_eq!(said(&[("retry-after", "-5")]), None);
        assert_eq!(said(&[("retry-after", "Mon, 02 Mar 2026 08:01:30 GMT")]), Some(90));
        assert_eq!(said(&[("retry-after", "Mon, 02 Mar 2026 07:00:00 GMT")]), Some(0), "it is past");
        let skewed = ("date", "Mon, 02 Mar 2026 08:01:00 GMT");
        assert_eq!(said(&[("retry-after", "Mon, 02 Mar 2026 08:01:30 GMT"), skewed]), Some(30));
        assert_eq!(said(&[("retry-after", "soon")]), None);
        assert_eq!(said(&[]), None);
    }
}
