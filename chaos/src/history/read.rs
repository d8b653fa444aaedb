//! Reads a history back and refuses one that is not in order.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use super::{Event, Header, event::FORMAT};

/// A whole history in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub header: Header,
    pub events: Vec<Event>,
}

#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("failed to read {path}", path = path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} line {line} is not an event", path = path.display())]
    NotAnEvent {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
    #[error("{path} does not begin with a header of format {FORMAT}", path = path.display())]
    NoHeader { path: PathBuf },
    #[error("{path} line {line} is out of order: event {i} after {before}", path = path.display())]
    OutOfOrder { path: PathBuf, line: usize, i: u64, before: u64 },
}

impl History {
    pub fn read(path: &Path) -> Result<Self, HistoryError> {
        let io = |source| HistoryError::Io { path: path.into(), source };
        let mut lines = BufReader::new(File::open(path).map_err(io)?).lines();
        let first = lines.next().transpose().map_err(io)?.unwrap_or_default();
        let header: Option<Header> = serde_json::from_str(&first).ok().filter(|h: &Header| h.h == FORMAT);
        let header = header.ok_or_else(|| HistoryError::NoHeader { path: path.into() })?;
        let mut events: Vec<Event> = Vec::new();
        for (at, text) in lines.enumerate() {
            let line = at + 2;
            let text = text.map_err(io)?;
            let event: Event = serde_json::from_str(&text).map_err(|source| HistoryError::NotAnEvent {
                path: path.into(),
                line,
                source,
            })?;
            if let Some(last) = events.last().filter(|last| event.i <= last.i || event.t < last.t) {
                return Err(HistoryError::OutOfOrder { path: path.into(), line, i: event.i, before: last.i });
            }
            events.push(event);
        }
        Ok(Self { header, events })
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use reveille_proto::clock::Clock;
    use serde_json::json;

    use super::{
        super::{Entry, Function, Key, Kind, Recorder},
        *,
    };

    fn header() -> Header {
        Header {
            h: FORMAT.into(),
            run: "r".into(),
            experiment: "demo".into(),
            seed: 7,
            commit: "0".into(),
            config_sha256: "0".into(),
            clock: "scaled".into(),
            tz: "UTC".into(),
        }
    }

    fn entry(instance: &str) -> Entry {
        let key = Key { instance: Some(instance.into()), ..Key::default() };
        Entry::new("h1", Kind::Ok, Function::Poll, key).value(json!({"serving": false}))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_recorded_is_read_back_in_order_and_on_the_runs_clock() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("history.jsonl");
        let clock = Clock::scaled(Timestamp::UNIX_EPOCH, 1_000.0);
        let recorder = Recorder::create(&path, &header(), clock.clone(), TimeZone::UTC).expect("created");
        assert_eq!(recorder.record(entry("dev1")), 0);
        clock.sleep(std::time::Duration::from_secs(60)).await;
        assert_eq!(recorder.clone().record(entry("dev2").cause(Some(0))), 1);
        recorder.finish().expect("written");
        let history = History::read(&path).expect("readable");
        assert_eq!((history.header, history.events.len()), (header(), 2));
        let second = &history.events[1];
        assert!((60.0..62.0).contains(&second.t_s()), "{}", second.t_s());
        assert_eq!((second.cause, second.flag("serving")), (Some(0), Some(false)));
        assert!(second.wall.starts_with("1970-01-01T00:01:0"), "{}", second.wall);
    }

    #[test]
    fn bad_histories_name_file_and_line() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("h.jsonl");
        std::fs::write(&path, "{}\n").expect("written");
        assert!(matches!(History::read(&path), Err(HistoryError::NoHeader { .. })));
        let head = serde_json::to_string(&header()).expect("serializable");
        std::fs::write(&path, format!("{head}\nnonsense\n")).expect("written");
        let error = History::read(&path).expect_err("not an event").to_string();
        assert!(error.ends_with("h.jsonl line 2 is not an event"), "{error}");
    }
}
