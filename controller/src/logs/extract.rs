//! How the instance is found in a record.

use regex::bytes::Regex;

use super::{
    config::{ExtractConfig, InstanceFrom},
    error::LogsError,
    patterns,
    record::AccessRecord,
};

/// A compiled [`ExtractConfig`].
#[derive(Debug, Clone)]
pub(super) struct Finder {
    place: Place,
    strip_suffix: Vec<u8>,
    lower_case: bool,
}

#[derive(Debug, Clone)]
enum Place {
    Vhost,
    PathSegment(usize),
    QueryKey(Vec<u8>),
    Client,
    Regex(Regex, usize),
}

impl Finder {
    pub(super) fn new(config: &ExtractConfig) -> Result<Self, LogsError> {
        let place = match config.from {
            InstanceFrom::Vhost => Place::Vhost,
            InstanceFrom::Client => Place::Client,
            InstanceFrom::PathSegment if config.segment == 0 => {
                return Err(LogsError::setting("logs.extract.segment", "is 0; the first segment is 1"));
            }
            InstanceFrom::PathSegment => Place::PathSegment(config.segment),
            InstanceFrom::QueryKey if config.key.is_empty() => {
                return Err(LogsError::setting("logs.extract.key", "is empty; `query-key` needs a name"));
            }
            InstanceFrom::QueryKey => Place::QueryKey(config.key.clone().into_bytes()),
            InstanceFrom::Regex => grouped(&config.pattern)?,
        };
        let mut strip_suffix = config.strip_suffix.clone().into_bytes();
        if config.lower_case {
            strip_suffix.make_ascii_lowercase();
        }
        Ok(Self { place, strip_suffix, lower_case: config.lower_case })
    }

    /// Writes the name of the record's instance into `name`; false when it names none.
    pub(super) fn find(&self, record: &AccessRecord<'_>, name: &mut Vec<u8>) -> bool {
        let Some(found) = self.place.find(record) else { return false };
        name.clear();
        name.extend_from_slice(found);
        if self.lower_case {
            name.make_ascii_lowercase();
        }
        if !self.strip_suffix.is_empty() {
            let Some(kept) = name.strip_suffix(self.strip_suffix.as_slice()).map(<[u8]>::len) else {
                return false;
            };
            name.truncate(kept);
        }
        !name.is_empty() && name != b"-"
    }
}

fn grouped(pattern: &str) -> Result<Place, LogsError> {
    let key = "logs.extract.pattern";
    let regex = patterns::compile(pattern, key)?;
    let group = regex.capture_names().position(|name| name == Some("instance")).unwrap_or(1);
    if group >= regex.captures_len() {
        return Err(LogsError::setting(key, "has no group that names the instance, such as `^/dev/([^/]+)`"));
    }
    Ok(Place::Regex(regex, group))
}

impl Place {
    fn find<'r>(&self, record: &AccessRecord<'r>) -> Option<&'r [u8]> {
        match self {
            Self::Vhost => record.host().map(without_port),
            Self::Client => Some(record.client),
            Self::PathSegment(n) => path(record).split(|b| *b == b'/').nth(*n),
            Self::QueryKey(key) => query_value(record, key),
            Self::Regex(regex, group) => {
                let captures = regex.captures(record.path_and_query())?;
                captures.get(*group).map(|found| found.as_bytes())
            }
        }
    }
}

fn path<'r>(record: &AccessRecord<'r>) -> &'r [u8] {
    let target = record.path_and_query();
    let end = memchr::memchr2(b'?', b'#', target).unwrap_or(target.len());
    &target[..end]
}

fn query_value<'r>(record: &AccessRecord<'r>, key: &[u8]) -> Option<&'r [u8]> {
    let target = record.path_and_query();
    let query = &target[memchr::memchr(b'?', target)? + 1..];
    query.split(|b| *b == b'&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix(b"="))
}

/// `host` of `host:443`, `[::1]:443` and `host.` (a fully qualified name).
fn without_port(host: &[u8]) -> &[u8] {
    if let Some(address) = host.strip_prefix(b"[") {
        return memchr::memchr(b']', address).map_or(host, |end| &address[..end]);
    }
    let name = match memchr::memrchr(b':', host) {
        Some(colon) if memchr::memchr(b':', &host[..colon]).is_none() => &host[..colon],
        _ => host,
    };
    name.strip_suffix(b".").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn found(config: &str, vhost: Option<&str>, target: &str) -> Option<String> {
        let config: ExtractConfig = toml::from_str(config).expect("a section");
        let record = AccessRecord {
            at: Timestamp::UNIX_EPOCH,
            client: b"2001:DB8::1",
            vhost: vhost.map(str::as_bytes),
            request: b"",
            method: b"GET",
            target: target.as_bytes(),
            status: 200,
            agent: None,
        };
        let mut name = b"left over".to_vec();
        let finder = Finder::new(&config).expect("a good section");
        finder.find(&record, &mut name).then(|| String::from_utf8(name).expect("utf-8"))
    }

    #[test]
    fn a_virtual_host_loses_port_case_and_suffix() {
        for host in ["dev1.example.com", "DEV1.Example.com:443", "dev1.example.com."] {
            assert_eq!(found("", Some(host), "/").as_deref(), Some("dev1.example.com"), "{host}");
            let strip = "strip_suffix = \".Example.com\"";
            assert_eq!(found(strip, Some(host), "/").as_deref(), Some("dev1"), "{host}");
        }
        assert_eq!(found("strip_suffix = \".example.com\"", Some("www.other.org"), "/"), None);
        assert_eq!(found("lower_case = false", Some("Dev1"), "/").as_deref(), Some("Dev1"));
        assert_eq!(found("", Some("[2001:db8::2]:443"), "/").as_deref(), Some("2001:db8::2"));
        assert_eq!(found("", Some("2001:db8::2"), "/").as_deref(), Some("2001:db8::2"));
        assert_eq!(found("", None, "http://dev7:80/a").as_deref(), Some("dev7"));
        assert_eq!(found("", Some("-"), "/"), None);
        assert_eq!(found("", None, "/"), None);
    }

    #[test]
    fn path_segments_count_from_one() {
        let segment = |n: usize| format!("from = \"path-segment\"\nsegment = {n}");
        assert_eq!(found(&segment(1), None, "/dev1/a/b?c=/d").as_deref(), Some("dev1"));
        assert_eq!(found(&segment(2), None, "/x/dev2?c=/d").as_deref(), Some("dev2"));
        assert_eq!(found(&segment(2), None, "/x?c=/d"), None);
        assert_eq!(found(&segment(1), None, "/"), None);
        assert_eq!(found(&segment(1), None, "http://h/dev3").as_deref(), Some("dev3"));
    }

    #[test]
    fn a_query_key_is_found_by_its_whole_name() {
        let config = "from = \"query-key\"\nkey = \"id\"";
        assert_eq!(found(config, None, "/a?sid=1&id=dev1&id=dev2").as_deref(), Some("dev1"));
        assert_eq!(found(config, None, "/a?id="), None);
        assert_eq!(found(config, None, "/id=dev1"), None);
    }

    #[test]
    fn a_pattern_gives_its_named_or_first_group() {
        let named = "from = \"regex\"\npattern = '^/(x|y)/(?<instance>[^/]+)'";
        assert_eq!(found(named, None, "/x/dev1/z").as_deref(), Some("dev1"));
        assert_eq!(
            found("from = \"regex\"\npattern = 'dev=(\\w+)'", None, "/?dev=d1").as_deref(),
            Some("d1")
        );
        assert_eq!(found("from = \"client\"", None, "/").as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn sections_that_cannot_work_name_their_key() {
        for (config, key) in [
            ("from = \"path-segment\"\nsegment = 0", "logs.extract.segment"),
            ("from = \"query-key\"", "logs.extract.key"),
            ("from = \"regex\"\npattern = '^/('", "logs.extract.pattern"),
            ("from = \"regex\"\npattern = '^/dev'", "logs.extract.pattern"),
        ] {
            let error = Finder::new(&toml::from_str(config).unwrap()).unwrap_err().to_string();
            assert!(error.contains(key), "{config}: {error}");
        }
    }
}
