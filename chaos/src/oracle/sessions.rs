//! When nothing could be started on a host: it had no session, its gate was closed, or everything was stopped.

use std::collections::BTreeMap;

use crate::history::{Event, Function, Kind};

/// Spans of the run's clock, in order and apart from each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Spans(Vec<(f64, f64)>);

impl Spans {
    /// How much of `[from, to)` they cover.
    pub(super) fn within(&self, from_s: f64, to_s: f64) -> f64 {
        let part = |(begin, end): &(f64, f64)| (end.min(to_s) - begin.max(from_s)).max(0.0);
        self.0.iter().map(part).sum()
    }

    /// In how many pieces they leave a part of `[from, to)` uncovered.
    pub(super) fn pieces_left(&self, from_s: f64, to_s: f64) -> usize {
        let (mut pieces, mut left_from) = (0, from_s);
        for (begin, end) in self.0.iter().filter(|(begin, end)| *end > from_s && *begin < to_s) {
            pieces += usize::from(*begin > left_from);
            left_from = left_from.max(*end);
        }
        pieces + usize::from(to_s > left_from)
    }

    /// These and those.
    fn and(&self, other: &Self) -> Self {
        let mut all: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut merged: Vec<(f64, f64)> = Vec::new();
        for (begin, end) in all {
            match merged.last_mut() {
                Some(last) if begin <= last.1 => last.1 = last.1.max(end),
                _ => merged.push((begin, end)),
            }
        }
        Self(merged)
    }
}

/// For each host, when nothing could be started there. Before its first session it is closed; a gate nobody has looked at is
/// open.
pub(super) fn closed(events: &[Event]) -> BTreeMap<&str, Spans> {
    let stopped = stopped(events);
    let mut sessions = spans(events, |event| match event.f {
        Function::LeaseAcquire => Some(true),
        Function::LeaseLost => Some(false),
        _ => None,
    });
    let gates = spans(events, |event| event.flag("free").filter(|_| event.f == Function::Gate));
    for (host, gates) in gates {
        let all = sessions.entry(host).or_default();
        *all = all.and(&gates);
    }
    sessions.into_iter().map(|(host, spans)| (host, spans.and(&stopped))).collect()
}

/// The spans in which something of a host was not so, by the events that say that it is or is not.
fn spans(events: &[Event], says: impl Fn(&Event) -> Option<bool>) -> BTreeMap<&str, Spans> {
    let mut open: BTreeMap<&str, bool> = BTreeMap::new();
    let mut since: BTreeMap<&str, f64> = BTreeMap::new();
    let mut spans: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for event in events {
        let Some(host) = event.k.host.as_deref() else { continue };
        let Some(is_open) = says(event) else { continue };
        if open.insert(host, is_open) == Some(is_open) {
            continue;
        }
        if is_open {
            let from = since.remove(host).unwrap_or(0.0);
            spans.entry(host).or_default().push((from, event.t_s()));
        } else {
            since.insert(host, event.t_s());
        }
    }
    for (host, from) in since {
        spans.entry(host).or_default().push((from, f64::INFINITY));
    }
    spans.into_iter().map(|(host, spans)| (host, Spans(spans))).collect()
}

fn stopped(events: &[Event]) -> Spans {
    let (mut spans, mut since) = (Vec::new(), None);
    for event in events.iter().filter(|event| event.f == Function::Lever) {
        match (event.kind, event.flag("stopped")) {
            (Kind::Invoke, Some(true)) => drop(since.get_or_insert(event.t_s())),
            (Kind::Ok, Some(false)) => spans.extend(since.take().map(|from| (from, event.t_s()))),
            _ => {}
        }
    }
    spans.extend(since.map(|from| (from, f64::INFINITY)));
    Spans(spans)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    #[test]
    fn a_host_is_closed_without_a_session_and_while_everything_is_stopped() {
        let mut told = Told::default();
        told.session(2.0, "h1", 1).cut(10.0, "h1").session(13.0, "h1", 2);
        for (t_s, kind, stopped) in [(12.0, Kind::Invoke, true), (15.0, Kind::Ok, false)] {
            told.add(t_s, Function::Lever, Key::default(), json!({"stopped": stopped})).kind(kind);
        }
        let seconds = |told: &Told, from, to| closed(&told.0)["h1"].within(from, to).round() as i64;
        let spans = [(0.0, 20.0), (3.0, 9.0), (11.0, 14.0)];
        assert_eq!(spans.map(|(from, to)| seconds(&told, from, to)), [7, 0, 3]);
        for (t_s, free) in [(16.0, false), (18.0, true)] {
            let key = Key { host: Some("h1".into()), ..Key::default() };
            told.add(t_s, Function::Gate, key, json!({"free": free}));
        }
        assert_eq!(seconds(&told, 0.0, 20.0), 9);
        let pieces = |from, to| closed(&told.0)["h1"].pieces_left(from, to);
        let all = [(0.0, 20.0), (0.0, 2.0), (15.2, 17.0), (17.5, 21.0)];
        assert_eq!(all.map(|(from, to)| pieces(from, to)), [3, 0, 1, 1]);
    }
}
