//! F5 BIG-IP lines, by the template of their Request Logging profile.
//!
//! The template is what the administrator typed into the profile: text with `$NAME` or `${NAME}`, where a name is one
//! of F5's keywords or any request header. Compiled once, it becomes literals and fields to walk a line with.

use memchr::memmem;

use super::{
    error::LogsError,
    format::Scratch,
    record::{AccessRecord, split_request},
    reject::RejectReason,
    time::{self, DayCache},
};

/// What a source with `format = "f5"` is read by unless it says otherwise.
pub const TEMPLATE_DEFAULT: &str = r#"$CLIENT_IP - - $DATE_NCSA "$HTTP_METHOD $HTTP_URI $HTTP_VERSION" $HTTP_STATCODE $RESPONSE_SIZE "$Host" "${User-agent}""#;

pub(super) fn template_default() -> String {
    TEMPLATE_DEFAULT.to_owned()
}

/// What a field of the template is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Client,
    Host,
    Agent,
    Method,
    Uri,
    Path,
    Query,
    Request,
    Status,
    Ncsa,
    HttpDate,
    Unix,
    Year,
    YearOfCentury,
    Month,
    MonthName,
    Day,
    Hms,
    Hour,
    Minute,
    Second,
    Offset,
    Skip,
}

const KEYWORDS: usize = Keyword::Skip as usize + 1;

/// F5's names, those of request headers, and plain ones; case does not matter.
fn keyword(name: &str) -> Keyword {
    match name.to_ascii_uppercase().as_str() {
        "CLIENT_IP" => Keyword::Client,
        "HOST" | "HTTP_HOST" | "VIRTUAL_HOST" | "VHOST" => Keyword::Host,
        "USER-AGENT" | "USER_AGENT" => Keyword::Agent,
        "HTTP_METHOD" | "METHOD" => Keyword::Method,
        "HTTP_URI" | "URI" => Keyword::Uri,
        "HTTP_PATH" | "PATH" => Keyword::Path,
        "HTTP_QUERY" | "QUERY" => Keyword::Query,
        "HTTP_REQUEST" | "REQUEST" => Keyword::Request,
        "HTTP_STATCODE" | "HTTP_STATUS" | "STATUS" => Keyword::Status,
        "DATE_NCSA" | "DATE" => Keyword::Ncsa,
        "DATE_HTTP" => Keyword::HttpDate,
        "TIME_UNIX" => Keyword::Unix,
        "DATE_YYYY" => Keyword::Year,
        "DATE_YY" => Keyword::YearOfCentury,
        "DATE_MM" => Keyword::Month,
        "DATE_MON" => Keyword::MonthName,
        "DATE_DD" | "DATE_D" => Keyword::Day,
        "TIME_HMS" => Keyword::Hms,
        "TIME_HH24" | "TIME_HRS" => Keyword::Hour,
        "TIME_MM" => Keyword::Minute,
        "TIME_SS" => Keyword::Second,
        "TIME_OFFSET" => Keyword::Offset,
        _ => Keyword::Skip,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    Field(Keyword),
}

/// A compiled template.
#[derive(Debug, Clone)]
pub(super) struct Template(Vec<Piece>);

impl Template {
    /// Compiles `text`; `key` names the setting in errors.
    pub(super) fn new(text: &str, key: &str) -> Result<Self, LogsError> {
        let pieces = pieces(text).map_err(|problem| LogsError::setting(key, problem))?;
        let has = |wanted: &[Keyword]| wanted.iter().all(|k| pieces.contains(&Piece::Field(*k)));
        let whole = |wanted: &[Keyword]| wanted.iter().any(|k| pieces.contains(&Piece::Field(*k)));
        let date = has(&[Keyword::Day])
            && whole(&[Keyword::Year, Keyword::YearOfCentury])
            && whole(&[Keyword::Month, Keyword::MonthName]);
        let clock = whole(&[Keyword::Hms]) || has(&[Keyword::Hour, Keyword::Minute]);
        if !(whole(&[Keyword::Ncsa, Keyword::HttpDate, Keyword::Unix]) || date && clock) {
            let wanted =
                "holds no time: $DATE_NCSA, $DATE_HTTP, $TIME_UNIX, or date and time parts are needed";
            return Err(LogsError::setting(key, wanted));
        }
        if !whole(&[Keyword::Uri, Keyword::Path, Keyword::Request]) {
            let wanted = "holds no request: $HTTP_URI, $HTTP_PATH or $HTTP_REQUEST is needed";
            return Err(LogsError::setting(key, wanted));
        }
        Ok(Self(pieces))
    }

    pub(super) fn parse<'a>(
        &self,
        line: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<AccessRecord<'a>, RejectReason> {
        let found = self.walk(line).ok_or_else(|| match line.trim_ascii() {
            [] => RejectReason::Blank,
            [b'#', ..] => RejectReason::Comment,
            _ => RejectReason::NotTemplate,
        })?;
        let Scratch { days, text } = scratch;
        let at = found.time(days).ok_or(RejectReason::BadTime)?;
        let (request, method, target) = found.request(text).ok_or(RejectReason::NoRequest)?;
        let status = found.status().ok_or(RejectReason::BadStatus)?;
        let client = found.get(Keyword::Client).unwrap_or_default();
        let (vhost, agent) = (found.get(Keyword::Host), found.get(Keyword::Agent));
        Ok(AccessRecord { at, client, vhost, request, method, target, status, agent })
    }

    /// The fields of `line`, or nothing when it does not look as the template says.
    fn walk<'a>(&self, line: &'a [u8]) -> Option<Found<'a>> {
        let mut found = Found([&[]; KEYWORDS]);
        let mut rest = line;
        for (n, piece) in self.0.iter().enumerate() {
            let taken = match piece {
                Piece::Literal(text) => rest.starts_with(text).then_some(text.len())?,
                Piece::Field(keyword) => {
                    let bytes = field_bytes(*keyword, rest, self.0.get(n + 1), n + 2 == self.0.len())?;
                    found.0[*keyword as usize] = &rest[..bytes];
                    bytes
                }
            };
            rest = &rest[taken..];
        }
        rest.is_empty().then_some(found)
    }
}

/// How many bytes of `rest` a field takes. Dates hold spaces and know their own end; others end where the next
/// literal begins; when that closes the line, only its end counts, so a user agent may hold quotes.
fn field_bytes(keyword: Keyword, rest: &[u8], next: Option<&Piece>, closes: bool) -> Option<usize> {
    if keyword == Keyword::Ncsa {
        return ncsa_bytes(rest);
    }
    if keyword == Keyword::HttpDate {
        return memmem::find(rest, b"GMT").map(|at| at + 3);
    }
    match next {
        None => Some(rest.len()),
        Some(Piece::Literal(text)) if closes => rest.strip_suffix(text.as_slice()).map(<[u8]>::len),
        Some(Piece::Literal(text)) => memmem::find(rest, text),
        Some(Piece::Field(_)) => None,
    }
}

/// `17/May/2015:10:05:03 +0000`, with or without brackets: versions differ.
fn ncsa_bytes(rest: &[u8]) -> Option<usize> {
    if rest.first() == Some(&b'[') {
        return memchr::memchr(b']', rest).map(|at| at + 1);
    }
    DayCache::default().ncsa_prefix(rest).map(|(_, bytes)| bytes)
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (name, after) = if let Some(braced) = rest.strip_prefix("${") {
            braced.split_once('}').ok_or_else(|| format!("has a `${{` without `}}` at {rest:?}"))?
        } else if let Some(plain) = rest.strip_prefix('$') {
            let end = plain.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(plain.len());
            plain.split_at(end)
        } else {
            literal.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[first.len_utf8()..];
            continue;
        };
        check_name(name, after)?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Field(keyword(name)));
        rest = after;
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn check_name(name: &str, after: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("has a `$` without a name".to_owned());
    }
    if matches!(name, "NCSA_COMBINED" | "NCSA_COMMON") {
        return Err(format!("holds ${name}: when it is the whole template, say format = \"combined\""));
    }
    if after.starts_with('$') {
        return Err(format!("has nothing between ${name} and the field after it"));
    }
    Ok(())
}

/// The fields of one line, by keyword.
struct Found<'a>([&'a [u8]; KEYWORDS]);

impl<'a> Found<'a> {
    fn get(&self, keyword: Keyword) -> Option<&'a [u8]> {
        let value = self.0[keyword as usize];
        (!value.is_empty() && value != b"-").then_some(value)
    }

    fn time(&self, days: &mut DayCache) -> Option<jiff::Timestamp> {
        let whole = [Keyword::Ncsa, Keyword::HttpDate, Keyword::Unix];
        if let Some(text) = whole.iter().find_map(|k| self.get(*k)) {
            return time::any_time(days, text);
        }
        let date = jiff::civil::Date::new(self.year()?, self.month()?, self.small(Keyword::Day)?).ok()?;
        let clock_s = match self.get(Keyword::Hms) {
            Some([h0, h1, b':', m0, m1, b':', s0, s1]) => {
                time::clock_s(time::two(*h0, *h1)?, time::two(*m0, *m1)?, time::two(*s0, *s1)?)?
            }
            Some(_) => return None,
            None => {
                let second = self.get(Keyword::Second).map_or(Some(0), |_| self.small(Keyword::Second))?;
                time::clock_s(self.small(Keyword::Hour)?, self.small(Keyword::Minute)?, second)?
            }
        };
        let offset_s = self.get(Keyword::Offset).map_or(Some(0), time::offset_s)?;
        jiff::Timestamp::from_second(time::date_start_s(date) + clock_s - offset_s).ok()
    }

    fn year(&self) -> Option<i16> {
        let number = |k| str::from_utf8(self.get(k)?).ok()?.parse::<i16>().ok();
        number(Keyword::Year).or_else(|| number(Keyword::YearOfCentury).map(|year| 2000 + year))
    }

    fn month(&self) -> Option<i8> {
        let name = self.get(Keyword::MonthName).and_then(|name| time::month(*name.first_chunk()?));
        name.or_else(|| self.small(Keyword::Month))
    }

    fn small(&self, keyword: Keyword) -> Option<i8> {
        str::from_utf8(self.get(keyword)?).ok()?.parse().ok()
    }

    /// `(METHOD target, METHOD, target)`, put together in `text` when the line holds them apart.
    fn request<'t>(&self, text: &'t mut Vec<u8>) -> Option<(&'t [u8], &'t [u8], &'t [u8])>
    where
        'a: 't,
    {
        if let Some(line) = self.get(Keyword::Request) {
            return split_request(line);
        }
        let method = self.get(Keyword::Method).unwrap_or(b"-");
        text.clear();
        text.extend_from_slice(method);
        text.push(b' ');
        text.extend_from_slice(self.get(Keyword::Uri).or_else(|| self.get(Keyword::Path))?);
        if let (None, Some(query)) = (self.get(Keyword::Uri), self.get(Keyword::Query)) {
            text.push(b'?');
            text.extend_from_slice(query);
        }
        Some((text, &text[..method.len()], &text[method.len() + 1..]))
    }

    /// 0 when the template has none.
    fn status(&self) -> Option<u16> {
        let Some(text) = self.get(Keyword::Status) else { return Some(0) };
        let digits = text.split(u8::is_ascii_whitespace).find(|word| !word.starts_with(b"HTTP/"))?;
        let status: u16 = str::from_utf8(digits).ok()?.parse().ok()?;
        (100..1000).contains(&status).then_some(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(template: &str, line: &str) -> Result<String, RejectReason> {
        let template = Template::new(template, "template").expect("a good template");
        let mut scratch = Scratch::default();
        let record = template.parse(line.as_bytes(), &mut scratch)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (request, client) = (text(record.request), text(record.client));
        let (vhost, agent) = (record.vhost.map(text), record.agent.map(text));
        Ok(format!("{} {client} {request} {} {vhost:?} {agent:?}", record.at, record.status))
    }

    #[test]
    fn the_default_template_reads_its_own_lines() {
        let read = "2015-05-17T10:05:03Z 192.0.2.1 GET /a?b=1 302 Some(\"dev1.example.com\") Some(\"a \\\"b\\\" c\")";
        for date in ["[17/May/2015:10:05:03 +0000]", "17/May/2015:12:05:03 +0200"] {
            let line =
                format!(r#"192.0.2.1 - - {date} "GET /a?b=1 HTTP/1.1" 302 17 "dev1.example.com" "a "b" c""#);
            assert_eq!(parse(TEMPLATE_DEFAULT, &line).as_deref(), Ok(read));
        }
    }

    #[test]
    fn plain_names_and_text_around_the_date_are_read() {
        let template = r#"$CLIENT_IP - $USER [$DATE] "$METHOD $URI $HTTP_VERSION" $STATUS $BYTES $VIRTUAL_HOST "$USER_AGENT""#;
        let line =
            r#"2001:db8::1 - jane [17/May/2015:10:05:03 +0000] "POST /login.do HTTP/1.1" 200 5 dev1 "-""#;
        let read = "2015-05-17T10:05:03Z 2001:db8::1 POST /login.do 200 Some(\"dev1\") None";
        assert_eq!(parse(template, line).as_deref(), Ok(read));
    }

    #[test]
    fn key_value_templates_with_a_date_in_parts_are_read() {
        let template = concat!(
            r#"{"timestamp": "$DATE_YYYY-$DATE_MM-${DATE_DD}T${TIME_HMS}.000${TIME_OFFSET}", "client-ip": "${CLIENT_IP}", "#,
            r#""host": "$Host", "method": "$HTTP_METHOD", "path": "$HTTP_PATH", "query": "$HTTP_QUERY", "status": "$HTTP_STATUS"}"#,
        );
        let line = concat!(
            r#"{"timestamp": "2026-03-02T09:14:59.000+0100", "client-ip": "192.0.2.1", "#,
            r#""host": "dev1", "method": "GET", "path": "/a", "query": "b=1", "status": "HTTP/1.1 503 Service Unavailable"}"#,
        );
        let read = "2026-03-02T08:14:59Z 192.0.2.1 GET /a?b=1 503 Some(\"dev1\") None";
        assert_eq!(parse(template, line).as_deref(), Ok(read));
    }

    #[test]
    fn http_dates_request_lines_and_unix_times_are_read() {
        let read = "2026-03-02T08:14:59Z  GET /a 0 None None";
        assert_eq!(
            parse(
                "$DATE_HTTP|$HTTP_REQUEST|$VIRTUAL_NAME",
                "Mon, 02 Mar 2026 08:14:59 GMT|GET /a HTTP/1.1|/Common/vs"
            )
            .as_deref(),
            Ok(read)
        );
        assert_eq!(parse("$TIME_UNIX,$HTTP_REQUEST", "1772439299,GET /a HTTP/1.1").as_deref(), Ok(read));
        let parts = "$DATE_DD $DATE_MON $DATE_YY $TIME_HH24:$TIME_MM:$TIME_SS $HTTP_REQUEST";
        assert_eq!(parse(parts, "02 Mar 26 08:14:59 GET /a HTTP/1.1").as_deref(), Ok(read));
    }

    #[test]
    fn lines_of_another_shape_are_rejected() {
        use RejectReason as R;
        let template = r#"$CLIENT_IP $DATE_NCSA "$HTTP_REQUEST" $HTTP_STATCODE"#;
        for (line, reason) in [
            ("", R::Blank),
            ("# header", R::Comment),
            ("192.0.2.1 whatever", R::NotTemplate),
            (r#"192.0.2.1 [40/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200"#, R::BadTime),
            (r#"192.0.2.1 [17/May/2015:10:05:03 +0000] "-" 200"#, R::NoRequest),
            (r#"192.0.2.1 [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 20"#, R::BadStatus),
            (r#"192.0.2.1 [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" x"#, R::BadStatus),
        ] {
            assert_eq!(parse(template, line), Err(reason), "{line:?}");
        }
    }

    #[test]
    fn templates_that_cannot_work_are_refused_with_the_reason() {
        for (template, why) in [
            ("$CLIENT_IP $HTTP_URI", "holds no time"),
            ("$DATE_NCSA $CLIENT_IP", "holds no request"),
            ("$DATE_YYYY-$DATE_MM-$DATE_DD $HTTP_URI", "holds no time"),
            ("${DATE_NCSA $HTTP_URI", "without `}`"),
            ("$DATE_NCSA $ $HTTP_URI", "without a name"),
            ("$DATE_NCSA $HTTP_METHOD$HTTP_URI", "nothing between $HTTP_METHOD"),
            ("$NCSA_COMBINED", "format = \"combined\""),
        ] {
            let error = Template::new(template, "logs.sources[3].template").unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("sources[3].template"), "{template}: {error}");
        }
    }
}
