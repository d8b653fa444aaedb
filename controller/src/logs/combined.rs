//! Apache and nginx Common and Combined lines, with the virtual host first, last, or absent; by hand, for speed.
//!
//! `[vhost[:port] ]client ident user [time] "request" status bytes[ "referer" "agent"[ more...]]`

use memchr::{memchr, memchr_iter};

use super::{
    record::{AccessRecord, split_request},
    reject::RejectReason,
    time::DayCache,
};

/// Trailing fields looked at for a virtual host.
const TRAILING_FIELDS_MAX: usize = 8;

/// One line, without its line end, as a record borrowed from it.
pub fn parse_combined<'a>(line: &'a [u8], days: &mut DayCache) -> Result<AccessRecord<'a>, RejectReason> {
    let bracket = time_bracket(line).ok_or_else(|| headless(line))?;
    let (vhost, client) = who(&line[..bracket]).ok_or(RejectReason::NoTime)?;
    let rest = &line[bracket + 1..];
    let Some((at, time_bytes)) = days.ncsa_prefix(rest) else {
        let cut = memchr(b']', rest).is_none() && rest.len() < 26;
        return Err(if cut { RejectReason::Truncated } else { RejectReason::BadTime });
    };
    let rest = after(&rest[time_bytes..], b"] \"", RejectReason::BadTime)?;
    let request_end = closing_quote(rest).ok_or(RejectReason::Truncated)?;
    let (request_line, rest) = (&rest[..request_end], &rest[request_end + 1..]);
    let (status, rest) = status(rest)?;
    let (request, method, target) = split_request(request_line).ok_or(RejectReason::NoRequest)?;
    let (agent, trailing) = agent(rest)?;
    let vhost = vhost.or_else(|| trailing_vhost(trailing));
    Ok(AccessRecord { at, client, vhost, request, method, target, status, agent })
}

/// Where the time begins: the first `[` after a space (a virtual host may be `[::1]:443`).
fn time_bracket(line: &[u8]) -> Option<usize> {
    memchr_iter(b'[', line).find(|at| at.checked_sub(1).is_some_and(|before| line[before] == b' '))
}

/// Why a line without a time is none.
fn headless(line: &[u8]) -> RejectReason {
    match line.trim_ascii() {
        [] => RejectReason::Blank,
        [b'#', ..] => RejectReason::Comment,
        [b'"', ..] => RejectReason::Orphan,
        _ => RejectReason::NoTime,
    }
}

/// Virtual host and client from `[vhost ]client ident user `. The ident is `-` in practice, which tells them apart:
/// user names may hold spaces.
fn who(head: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let first_end = memchr(b' ', head)?;
    let (first, rest) = (&head[..first_end], &head[first_end + 1..]);
    let second_end = memchr(b' ', rest)?;
    let (second, rest) = (&rest[..second_end], &rest[second_end + 1..]);
    if first.is_empty() {
        return None;
    }
    let four_words = second != b"-" && memchr(b' ', rest).is_some_and(|at| at + 1 < rest.len());
    Some(if four_words { (Some(first), second) } else { (None, first) })
}

fn after<'a>(text: &'a [u8], prefix: &[u8], otherwise: RejectReason) -> Result<&'a [u8], RejectReason> {
    text.strip_prefix(prefix).ok_or(if prefix.starts_with(text) {
        RejectReason::Truncated
    } else {
        otherwise
    })
}

/// The quote that ends a field: not escaped by a backslash, and followed by a space or the end of the line.
fn closing_quote(text: &[u8]) -> Option<usize> {
    memchr_iter(b'"', text).find(|at| {
        let ends = text.get(at + 1).is_none_or(|next| *next == b' ');
        let escapes = text[..*at].iter().rev().take_while(|b| **b == b'\\').count();
        ends && escapes % 2 == 0
    })
}

/// Status from ` 200 1234...`, and what follows the byte count.
fn status(rest: &[u8]) -> Result<(u16, &[u8]), RejectReason> {
    let rest = after(rest, b" ", RejectReason::BadStatus)?;
    let end = memchr(b' ', rest).unwrap_or(rest.len());
    let [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = rest[..end] else {
        let cut = end == rest.len() && end < 3 && rest.iter().all(u8::is_ascii_digit);
        return Err(if cut { RejectReason::Truncated } else { RejectReason::BadStatus });
    };
    let status = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
    let rest = rest.get(end + 1..).unwrap_or_default();
    let bytes_end = memchr(b' ', rest).unwrap_or(rest.len());
    Ok((status, rest.get(bytes_end + 1..).unwrap_or_default()))
}

/// User agent from `"referer" "agent" more`, and the rest. Common lines end before.
fn agent(rest: &[u8]) -> Result<(Option<&[u8]>, &[u8]), RejectReason> {
    let Some(referer) = rest.strip_prefix(b"\"") else { return Ok((None, rest)) };
    let end = closing_quote(referer).ok_or(RejectReason::Truncated)?;
    let rest = referer.get(end + 2..).unwrap_or_default();
    let Some(agent) = rest.strip_prefix(b"\"") else { return Ok((None, rest)) };
    let end = closing_quote(agent).ok_or(RejectReason::Truncated)?;
    let known = &agent[..end];
    Ok(((known != b"-").then_some(known), agent.get(end + 2..).unwrap_or_default()))
}

/// The first trailing field that looks like a host name. Cookies, durations, ids and addresses do not.
fn trailing_vhost(mut rest: &[u8]) -> Option<&[u8]> {
    for _ in 0..TRAILING_FIELDS_MAX {
        let (field, next) = match rest {
            [] => return None,
            [b'"', quoted @ ..] => {
                let end = closing_quote(quoted)?;
                (&quoted[..end], quoted.get(end + 2..).unwrap_or_default())
            }
            bare => {
                let end = memchr(b' ', bare).unwrap_or(bare.len());
                (&bare[..end], bare.get(end + 1..).unwrap_or_default())
            }
        };
        if names_host(field) {
            return Some(field);
        }
        rest = next;
    }
    None
}

/// Letters, digits, dots and hyphens (then perhaps a port), with a dot inside and a letter in the last label.
fn names_host(field: &[u8]) -> bool {
    let name = match memchr(b':', field) {
        Some(colon) if field[colon + 1..].iter().all(u8::is_ascii_digit) => &field[..colon],
        Some(_) => return false,
        None => field,
    };
    let Some(dot) = memchr::memrchr(b'.', name) else { return false };
    let label = &name[dot + 1..];
    dot > 0
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
        && label.first().is_some_and(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<AccessRecord<'_>, RejectReason> {
        parse_combined(line.as_bytes(), &mut DayCache::default())
    }

    fn text(bytes: &[u8]) -> &str {
        str::from_utf8(bytes).expect("utf-8")
    }

    const HEAD: &str = "192.0.2.1 - - [17/May/2015:10:05:03 +0000] ";

    #[test]
    fn a_combined_line_says_who_when_and_what() {
        let line =
            format!(r#"{HEAD}"GET /a?b=1 HTTP/1.1" 404 203 "http://r/" "Mozilla/5.0 (X11; \"quoted\")""#);
        let record = parse(&line).expect("a record");
        assert_eq!(record.at.to_string(), "2015-05-17T10:05:03Z");
        assert_eq!(text(record.client), "192.0.2.1");
        assert_eq!((text(record.method), text(record.target)), ("GET", "/a?b=1"));
        assert_eq!(text(record.request), "GET /a?b=1");
        assert_eq!((record.status, record.vhost), (404, None));
        assert_eq!(record.agent.map(text), Some(r#"Mozilla/5.0 (X11; \"quoted\")"#));
    }

    #[test]
    fn common_lines_have_no_agent() {
        let line = format!(r#"{HEAD}"GET / HTTP/1.0" 200 -"#);
        assert_eq!(parse(&line).expect("a record").agent, None);
        let dash = format!(r#"{HEAD}"GET / HTTP/1.0" 200 5 "-" "-""#);
        assert_eq!(parse(&dash).expect("a record").agent, None);
    }

    #[test]
    fn the_virtual_host_may_stand_first() {
        let tail = r#"[17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "a" "other.example.com""#;
        for (head, vhost, client) in [
            ("dev1.example.com:443 192.0.2.1 - - ", "dev1.example.com:443", "192.0.2.1"),
            ("dev1.example.com 2001:db8::1 - jane ", "dev1.example.com", "2001:db8::1"),
            ("[2001:db8::2]:443 2001:db8::1 - - ", "[2001:db8::2]:443", "2001:db8::1"),
        ] {
            let line = format!("{head}{tail}");
            let record = parse(&line).expect("a record");
            assert_eq!((record.vhost.map(text), text(record.client)), (Some(vhost), client));
        }
        let spaced = format!("192.0.2.1 - jane doe {tail}");
        let record = parse(&spaced).expect("a record");
        assert_eq!((record.vhost.map(text), text(record.client)), (Some("other.example.com"), "192.0.2.1"));
        let ident = format!("192.0.2.1 identd jane {tail}");
        assert_eq!(text(parse(&ident).expect("a record").client), "192.0.2.1");
    }

    #[test]
    fn the_virtual_host_may_stand_last() {
        let with = |trailing: &str| {
            let line = format!(r#"{HEAD}"GET / HTTP/1.1" 200 5 "-" "agent"{trailing}"#);
            parse(&line).expect("a record").vhost.map(|v| text(v).to_owned())
        };
        assert_eq!(with(r#" "dev1.example.com""#).as_deref(), Some("dev1.example.com"));
        assert_eq!(
            with(r#" "SID=ab.cd" 0.012 10.20.0.1:16001 dev1.example.com:8443"#).as_deref(),
            Some("dev1.example.com:8443")
        );
        assert_eq!(with(r#" "-" 0.012 10.20.0.1:16001 "2001:db8::1" 1.2.3.4"#), None);
        assert_eq!(with(r#" "unterminated.example.com"#), None);
    }

    #[test]
    fn bad_lines_say_what_is_wrong() {
        use RejectReason as R;
        for (line, reason) in [
            (String::new(), R::Blank),
            ("  \t".into(), R::Blank),
            ("#Fields: date time".into(), R::Comment),
            (r#" "curl/7.54.0""#.into(), R::Orphan),
            ("once upon a time".into(), R::NoTime),
            ("x [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 5".into(), R::NoTime),
            (
                r#"192.0.2.1 - - [yesterday, rather late in the evening] "GET / HTTP/1.1" 200 5"#.into(),
                R::BadTime,
            ),
            ("192.0.2.1 - - [17/May/20".into(), R::Truncated),
            ("192.0.2.1 - - [17/May/2015:10:05:03 +0000".into(), R::Truncated),
            (format!("{HEAD}GET / HTTP/1.1 200 5"), R::BadTime),
            (format!(r#"{HEAD}"GET /ver"#), R::Truncated),
            (format!(r#"{HEAD}"GET / HTTP/1.1""#), R::Truncated),
            (format!(r#"{HEAD}"GET / HTTP/1.1" 2"#), R::Truncated),
            (format!(r#"{HEAD}"GET / HTTP/1.1" OK 5"#), R::BadStatus),
            (format!(r#"{HEAD}"GET / HTTP/1.1" 2000 5"#), R::BadStatus),
            (format!(r#"{HEAD}"-" 408 0 "-" "-""#), R::NoRequest),
            (format!(r#"{HEAD}"" 400 0 "-" "-""#), R::NoRequest),
            (format!(r#"{HEAD}"\x16\x03\x01 \x02" 400 0 "-" "-""#), R::NoRequest),
            (format!(r#"{HEAD}"GET / HTTP/1.1" 200 5 "http://r"#), R::Truncated),
            (format!(r#"{HEAD}"GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 (com"#), R::Truncated),
        ] {
            assert_eq!(parse(&line).map(|_| ()), Err(reason), "{line:?}");
        }
    }

    #[test]
    fn quotes_inside_a_field_do_not_end_it() {
        let line = format!(r#"{HEAD}"GET /say"hi"?q=\" HTTP/1.1" 200 5 "a"b" "c\\""#);
        let record = parse(&line).expect("a record");
        assert_eq!(text(record.target), r#"/say"hi"?q=\""#);
        assert_eq!(record.agent.map(text), Some(r"c\\"));
    }

    #[test]
    fn no_bytes_whatever_break_the_parser() {
        let line = r#"dev1.example.com 192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 5 "-" "a" 7"#;
        for end in 0..line.len() {
            let _ = parse(&line[..end]);
            let mut broken = line.as_bytes().to_vec();
            broken[end] = 0xff;
            let _ = parse_combined(&broken, &mut DayCache::default());
        }
        let utf8 = format!("{HEAD}\"GET /caf\u{e9} HTTP/1.1\" 200 5");
        assert_eq!(text(parse(&utf8).expect("a record").target), "/caf\u{e9}");
    }
}
