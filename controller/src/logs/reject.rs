//! A line that says nothing usable: why, and what it looked like without its secrets.

use std::{fmt, sync::LazyLock};

use regex::Regex;
use serde::Serialize;

/// Longest excerpt of a bad line, in characters.
pub const EXCERPT_CHARS_MAX: usize = 120;

/// Bytes of a line looked at for an excerpt, so that masking costs little however long the line is.
const EXCERPT_BYTES_MAX: usize = 4 * EXCERPT_CHARS_MAX;

/// Why a line was not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// Nothing but white space.
    Blank,
    /// A comment or header line beginning with `#`.
    Comment,
    /// The tail of a record (a quoted field alone), without its head.
    Orphan,
    /// No time where one belongs.
    NoTime,
    /// A time that is none.
    BadTime,
    /// No method and target: `"-"` of a timed-out connection, or bytes that are not HTTP.
    NoRequest,
    /// A status that is not three digits.
    BadStatus,
    /// The line ends inside a field.
    Truncated,
    /// Longer than `LINE_BYTES_MAX`.
    TooLong,
    /// The line does not look as the F5 template says.
    NotTemplate,
    /// Not a JSON object.
    NotJson,
    /// A JSON object without one of the fields a record needs.
    MissingField,
    /// Not a line: the source could not be read further (a cut or damaged compressed file, a failing disk).
    Unreadable,
}

impl RejectReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Comment => "comment",
            Self::Orphan => "orphan",
            Self::NoTime => "no_time",
            Self::BadTime => "bad_time",
            Self::NoRequest => "no_request",
            Self::BadStatus => "bad_status",
            Self::Truncated => "truncated",
            Self::TooLong => "too_long",
            Self::NotTemplate => "not_template",
            Self::NotJson => "not_json",
            Self::MissingField => "missing_field",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A bad line to show: where it is and what it looked like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectSample {
    pub file: String,
    /// The first line is 1.
    pub line: u64,
    pub reason: RejectReason,
    /// At most [`EXCERPT_CHARS_MAX`] characters, values that may be secret masked, control characters escaped.
    pub excerpt: String,
}

impl fmt::Display for RejectSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.reason, self.excerpt)
    }
}

/// The head of `line`, fit to be shown and logged.
pub(super) fn excerpt(line: &[u8]) -> String {
    let head = String::from_utf8_lossy(&line[..line.len().min(EXCERPT_BYTES_MAX)]);
    let masked = mask(&head);
    let mut shown = String::new();
    for (n, c) in masked.chars().enumerate() {
        if n == EXCERPT_CHARS_MAX - 1 {
            shown.push('…');
            break;
        }
        shown.push(if c.is_control() { '\u{fffd}' } else { c });
    }
    shown
}

/// Hides the values of query keys and cookies, of JSON keys that sound secret, and the user in a URL.
fn mask(text: &str) -> String {
    static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| pattern(r#"=[^&;\s"]+"#));
    static USER: LazyLock<Regex> = LazyLock::new(|| pattern(r#"//[^/@\s"]+@"#));
    static JSON: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"(?i)("[^"]*(?:cookie|auth|token|secret|passw|session|key)[^"]*"\s*:\s*)(?:"[^"]*"?|[^,}"\s]+)"#,
        )
    });
    static BEARER: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?i)\b(bearer|basic)\s+[^\s"]+"#));
    let text = JSON.replace_all(text, "$1\"***\"");
    let text = BEARER.replace_all(&text, "$1 ***");
    let text = USER.replace_all(&text, "//***@");
    ASSIGNED.replace_all(&text, "=***").into_owned()
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern, compiled by the tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_reach_an_excerpt() {
        let line = br#"x "GET /a?sid=s3cret1&token=s3cret2 HTTP/1.1" "https://me:s3cret3@h/" "JSESSIONID=s3cret4; a=s3cret5""#;
        let shown = excerpt(line);
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("/a?sid=***&token=***"), "{shown}");
        let json =
            br#"{"Cookie": "s3cret1", "x-api-key":"s3cret2", "auth":s3cret3, "h":"Bearer s3cret4", "p":"/x"#;
        let shown = excerpt(json);
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains(r#""p":"/x"#), "{shown}");
    }

    #[test]
    fn a_secret_cut_by_the_excerpt_stays_hidden() {
        let mut line = vec![b'a'; EXCERPT_CHARS_MAX - 12];
        line.extend_from_slice(b"?token=s3cret-and-much-longer-than-the-excerpt");
        assert!(!excerpt(&line).contains("s3"), "{}", excerpt(&line));
    }

    #[test]
    fn excerpts_are_short_and_printable() {
        let shown = excerpt(&[b"\x1b[31m\xff\n".as_slice(), &vec![b'x'; 100_000]].concat());
        assert_eq!(shown.chars().count(), EXCERPT_CHARS_MAX);
        assert!(shown.chars().all(|c| !c.is_control()));
    }
}
