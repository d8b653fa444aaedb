//! JSON lines, by a mapping of their keys.

use std::ops::Range;

use serde_json::Value;

use super::{
    config::JsonFields,
    error::LogsError,
    format::Scratch,
    record::{AccessRecord, split_request},
    reject::RejectReason,
    time,
};

/// A compiled field mapping.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    time: Key,
    client: Key,
    vhost: Key,
    method: Key,
    target: Key,
    status: Key,
    agent: Key,
}

impl Mapping {
    /// Checks `fields`; `key` names the section in errors.
    pub(super) fn new(fields: &JsonFields, key: &str) -> Result<Self, LogsError> {
        for (name, value) in [("time", &fields.time), ("target", &fields.target)] {
            if value.is_empty() {
                return Err(LogsError::setting(format!("{key}.{name}"), "is empty"));
            }
        }
        Ok(Self {
            time: Key::new(&fields.time),
            client: Key::new(&fields.client),
            vhost: Key::new(&fields.vhost),
            method: Key::new(&fields.method),
            target: Key::new(&fields.target),
            status: Key::new(&fields.status),
            agent: Key::new(&fields.agent),
        })
    }

    pub(super) fn parse<'a>(
        &self,
        line: &[u8],
        scratch: &'a mut Scratch,
    ) -> Result<AccessRecord<'a>, RejectReason> {
        if line.trim_ascii().is_empty() {
            return Err(RejectReason::Blank);
        }
        let Ok(object @ Value::Object(_)) = serde_json::from_slice::<Value>(line) else {
            return Err(RejectReason::NotJson);
        };
        let Scratch { days, text } = scratch;
        text.clear();
        let at = match self.time.find(&object).ok_or(RejectReason::MissingField)? {
            Value::Number(number) => number.as_f64().and_then(time::epoch),
            Value::String(written) => time::any_time(days, written.as_bytes()),
            _ => None,
        };
        let at = at.ok_or(RejectReason::BadTime)?;
        let request = self.put_request(&object, text)?;
        let client = self.client.put(&object, text).unwrap_or_default();
        let vhost = self.vhost.put(&object, text);
        let agent = self.agent.put(&object, text);
        let status = self.status(&object).ok_or(RejectReason::BadStatus)?;

        let text = text.as_slice();
        let (request, method, target) = split_request(&text[request]).ok_or(RejectReason::NoRequest)?;
        let (vhost, agent) = (vhost.map(|at| &text[at]), agent.map(|at| &text[at]));
        Ok(AccessRecord { at, client: &text[client], vhost, request, method, target, status, agent })
    }

    /// Puts `METHOD target` into `text`. A target that is a whole request line needs no method.
    fn put_request(&self, object: &Value, text: &mut Vec<u8>) -> Result<Range<usize>, RejectReason> {
        let target = self.target.find(object).and_then(Value::as_str).ok_or(RejectReason::MissingField)?;
        let method = self.method.find(object).and_then(Value::as_str);
        if matches!(target, "" | "-") {
            return Err(RejectReason::NoRequest);
        }
        let start = text.len();
        if target.starts_with('/') || split_request(target.as_bytes()).is_none() {
            text.extend_from_slice(method.unwrap_or("-").as_bytes());
            text.push(b' ');
        }
        text.extend_from_slice(target.as_bytes());
        Ok(start..text.len())
    }

    /// A number or a text of digits; 0 when there is none.
    fn status(&self, object: &Value) -> Option<u16> {
        let status = match self.status.find(object) {
            None | Some(Value::Null) => return Some(0),
            Some(Value::Number(number)) => u16::try_from(number.as_u64()?).ok()?,
            Some(Value::String(text)) => text.parse().ok()?,
            Some(_) => return None,
        };
        (status == 0 || (100..1000).contains(&status)).then_some(status)
    }
}

/// A name, or a path of names.
#[derive(Debug, Clone)]
struct Key {
    whole: String,
    path: Vec<String>,
}

impl Key {
    fn new(text: &str) -> Self {
        Self { whole: text.to_owned(), path: text.split('.').map(str::to_owned).collect() }
    }

    /// The value under the name as it stands, or else under the dotted path.
    fn find<'v>(&self, object: &'v Value) -> Option<&'v Value> {
        let dotted = || self.path.iter().try_fold(object, |value, name| value.get(name));
        object.get(&self.whole).or_else(dotted)
    }

    /// Appends a text that says something to `text`, and says where.
    fn put(&self, object: &Value, text: &mut Vec<u8>) -> Option<Range<usize>> {
        let value = self.find(object)?.as_str().filter(|value| !matches!(*value, "" | "-"))?;
        let start = text.len();
        text.extend_from_slice(value.as_bytes());
        Some(start..text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(fields: &str, line: &str) -> Result<String, RejectReason> {
        let fields: JsonFields = toml::from_str(fields).expect("a mapping");
        let mapping = Mapping::new(&fields, "fields").expect("a good mapping");
        let mut scratch = Scratch::default();
        let record = mapping.parse(line.as_bytes(), &mut scratch)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (method, target, client) = (text(record.method), text(record.target), text(record.client));
        let (vhost, agent) = (record.vhost.map(text), record.agent.map(text));
        Ok(format!("{} {client} {method} {target} {} {vhost:?} {agent:?}", record.at, record.status))
    }

    #[test]
    fn the_default_names_are_read() {
        let line = r#"{"time":"2026-03-02T08:14:59Z","client":"192.0.2.1","vhost":"dev1","method":"GET","target":"/a?b=\u0031","status":200,"agent":"x\"y"}"#;
        let read = r#"2026-03-02T08:14:59Z 192.0.2.1 GET /a?b=1 200 Some("dev1") Some("x\"y")"#;
        assert_eq!(parse("", line).as_deref(), Ok(read));
    }

    #[test]
    fn dotted_paths_request_lines_and_epochs_are_read() {
        let fields = "time = \"ts\"\ntarget = \"http.request\"\nvhost = \"http.headers.host\"\nstatus = \"http.status\"\n";
        let line = r#"{"ts":1772439299250,"http":{"request":"GET /a HTTP/1.1","status":"503","headers":{"host":"dev1"}}}"#;
        let read = r#"2026-03-02T08:14:59.25Z  GET /a 503 Some("dev1") None"#;
        assert_eq!(parse(fields, line).as_deref(), Ok(read));
        let flat = r#"{"ts":"1772439299.25","http.request":"/a","http.status":null,"http.headers.host":"-"}"#;
        assert_eq!(parse(fields, flat).as_deref(), Ok("2026-03-02T08:14:59.25Z  - /a 0 None None"));
    }

    #[test]
    fn lines_without_what_a_record_needs_are_rejected() {
        use RejectReason as R;
        for (line, reason) in [
            (" ", R::Blank),
            ("{\"time\":", R::NotJson),
            ("[1]", R::NotJson),
            (r#"{"target":"/a"}"#, R::MissingField),
            (r#"{"time":1772439299}"#, R::MissingField),
            (r#"{"time":1772439299,"target":7}"#, R::MissingField),
            (r#"{"time":"soon","target":"/a"}"#, R::BadTime),
            (r#"{"time":true,"target":"/a"}"#, R::BadTime),
            (r#"{"time":1772439299,"target":"-"}"#, R::NoRequest),
            (r#"{"time":1772439299,"target":"/a","status":"OK"}"#, R::BadStatus),
            (r#"{"time":1772439299,"target":"/a","status":99}"#, R::BadStatus),
        ] {
            assert_eq!(parse("", line), Err(reason), "{line:?}");
        }
    }
}
