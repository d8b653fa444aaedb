//! When a receiver asks to be told again: `Retry-After` in seconds or as a date.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Seconds from now; `None` when it does not say, or says nothing that can be read.
pub(super) fn retry_after_s(headers: &HeaderMap, now: Timestamp) -> Option<u32> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wanted_s = if let Ok(seconds) = text.parse::<u64>() { seconds } else { until_s(text, now)? };
    Some(u32::try_from(wanted_s).unwrap_or(u32::MAX))
}

fn until_s(date_text: &str, now: Timestamp) -> Option<u64> {
    let at = httpdate::parse_http_date(date_text).ok()?;
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    // A date that is past is no time to wait.
    Some(at.duration_since(now).map_or(0, |wait| wait.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = "2026-03-02T08:00:00Z".parse().expect("a time");
        let said = |text: &'static str| {
            let headers = [(RETRY_AFTER, text.parse().expect("a header"))].into_iter().collect();
            retry_after_s(&headers, now)
        };
        assert_eq!(said("7"), Some(7));
        assert_eq!(said("Mon, 02 Mar 2026 08:01:30 GMT"), Some(90));
        assert_eq!(said("Mon, 02 Mar 2026 07:00:00 GMT"), Some(0));
        assert_eq!(said("99999999999"), Some(u32::MAX));
        assert_eq!(said("soon"), None);
        assert_eq!(retry_after_s(&HeaderMap::new(), now), None);
    }
}
