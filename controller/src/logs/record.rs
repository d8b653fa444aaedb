//! What one line says, borrowed from it.

use jiff::Timestamp;

/// One request, as the log tells it. Bytes, because logs hold what clients sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessRecord<'a> {
    pub at: Timestamp,
    /// Address of the client; empty when the line has none.
    pub client: &'a [u8],
    /// As written, perhaps with a port.
    pub vhost: Option<&'a [u8]>,
    /// `METHOD path?query`: what the wake and log-in patterns look at.
    pub request: &'a [u8],
    pub method: &'a [u8],
    /// `path?query`, or an absolute URL when the client sent one.
    pub target: &'a [u8],
    /// 100-999, or 0 when the line has none.
    pub status: u16,
    pub agent: Option<&'a [u8]>,
}

impl<'a> AccessRecord<'a> {
    /// The path and query without scheme and authority.
    pub fn path_and_query(&self) -> &'a [u8] {
        split_absolute(self.target).map_or(self.target, |(_, path)| path)
    }

    /// The virtual host, or else the authority of an absolute target.
    pub fn host(&self) -> Option<&'a [u8]> {
        self.vhost.or_else(|| split_absolute(self.target).map(|(authority, _)| authority))
    }
}

/// Authority and path of `scheme://authority/path`.
fn split_absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    if target.first() == Some(&b'/') {
        return None;
    }
    let (_, rest) = split_at_once(target, b"://")?;
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    Some(rest.split_at(end))
}

fn split_at_once<'a>(text: &'a [u8], by: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(text, by)?;
    Some((&text[..at], &text[at + by.len()..]))
}

/// `METHOD target VERSION` as `(request, method, target)`; the version may be missing (HTTP/0.9), and a target may
/// hold spaces (clients that do not escape).
pub(super) fn split_request(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = memchr::memchr(b' ', line)?;
    let request = match memchr::memrchr(b' ', line) {
        Some(last) if last > space && line[last + 1..].starts_with(b"HTTP/") => &line[..last],
        _ => line,
    };
    let (method, target) = (&request[..space], &request[space + 1..]);
    let named =
        !method.is_empty() && method.iter().all(|b| b.is_ascii_alphabetic() || *b == b'-' || *b == b'_');
    (named && !target.is_empty()).then_some((request, method, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_is_split_into_method_and_target() {
        let split = |line: &'static str| {
            let (request, method, target) = split_request(line.as_bytes())?;
            let text = |bytes| str::from_utf8(bytes).expect("ascii");
            Some((text(request), text(method), text(target)))
        };
        assert_eq!(split("GET /a?b=c HTTP/1.1"), Some(("GET /a?b=c", "GET", "/a?b=c")));
        assert_eq!(split("GET /a b HTTP/2.0"), Some(("GET /a b", "GET", "/a b")));
        assert_eq!(split("GET /"), Some(("GET /", "GET", "/")));
        for nothing in ["-", "", "GET", "GET ", " /x", "\\x16\\x03 \\x01"] {
            assert_eq!(split(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn an_absolute_target_gives_host_and_path() {
        let record = |target: &'static [u8], vhost: Option<&'static [u8]>| AccessRecord {
            at: Timestamp::UNIX_EPOCH,
            client: b"",
            vhost,
            request: b"",
            method: b"GET",
            target,
            status: 200,
            agent: None,
        };
        let absolute = record(b"http://dev1.example.com:80/a?u=http://x/y", None);
        assert_eq!(absolute.host(), Some(&b"dev1.example.com:80"[..]));
        assert_eq!(absolute.path_and_query(), b"/a?u=http://x/y");
        let relative = record(b"/go?u=http://x/y", Some(b"dev2"));
        assert_eq!(
            (relative.host(), relative.path_and_query()),
            (Some(&b"dev2"[..]), &b"/go?u=http://x/y"[..])
        );
        assert_eq!(record(b"http://dev3", None).host(), Some(&b"dev3"[..]));
    }
}
