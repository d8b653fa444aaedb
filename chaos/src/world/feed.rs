//! The way of lines into the log: some come twice, some late, some never, some are of nobody.

use std::collections::BTreeMap;

use super::{
    World,
    lines::{VHOST_SUFFIX, WAKE_REQUEST_PATH},
    spec::index_of,
};
use crate::experiment::catalogue::{
    FaultKind,
    data::{Duplicate, Late, Poison, Poisoned},
    operator::{Lie, MeasurementLie},
};

/// Between two lines of a bot or a monitor about the same instance, in seconds.
const POISON_EVERY_S: i64 = 60;
/// The same for lines of a megabyte.
const HUGE_EVERY_S: i64 = 600;
const HUGE_BYTES: usize = 1 << 20;
/// Between two visits nobody made, in seconds.
const LIE_EVERY_S: i64 = 60;

#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Lines that come later, by the second and in order.
    late: BTreeMap<(i64, u64), String>,
    sequence: u64,
    /// When lines of nobody are mixed in again.
    poison_at_s: i64,
    /// When visits nobody made are.
    lie_at_s: i64,
}

impl Feed {
    /// What is written now of what was logged since the last time.
    pub(super) fn through(&mut self, world: &mut World) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in world.lines.take().lines() {
            let ((host, instance), now_s) = (about(world, line), world.now_s());
            if !line.contains(WAKE_REQUEST_PATH) && lies(world, Lie::NoHits, host, instance) {
                continue;
            }
            let late = world.faults.meets_line(Late::INFO.name, host, instance);
            if let Some((FaultKind::DataLate(fault), drawn)) = late {
                let at_s = now_s + (drawn * fault.by.as_secs_f64()) as i64;
                self.late.insert((at_s, self.sequence), line.to_owned());
                self.sequence += 1;
                continue;
            }
            put(&mut bytes, line);
            if world.faults.meets(Duplicate::INFO.name, host, instance).is_some() {
                put(&mut bytes, line);
            }
        }
        self.late_ones(world, &mut bytes);
        self.poison(world, &mut bytes);
        self.lie(world, &mut bytes);
        bytes
    }

    /// Whoever was woken is visited, by nobody.
    fn lie(&mut self, world: &mut World, bytes: &mut Vec<u8>) {
        if world.now_s() < self.lie_at_s {
            return;
        }
        for index in 0..world.spec().instances {
            let host = world.instance(index).host;
            if world.instance(index).serving() && lies(world, Lie::AllHits, host, index) {
                let now_s = world.now_s();
                world.lines.visit(now_s, index, super::instance_id(index).as_str());
                bytes.extend(world.lines.take().into_bytes());
            }
        }
        self.lie_at_s = world.now_s() + LIE_EVERY_S;
    }

    /// Those whose time has come; all of them when nothing is late any more.
    fn late_ones(&mut self, world: &World, bytes: &mut Vec<u8>) {
        let is_late = world.faults.is_on(Late::INFO.name);
        while let Some(first) = self.late.first_entry() {
            if is_late && first.key().0 > world.now_s() {
                return;
            }
            put(bytes, &first.remove());
        }
    }

    fn poison(&mut self, world: &mut World, bytes: &mut Vec<u8>) {
        if world.now_s() < self.poison_at_s {
            return;
        }
        let mut every_s = POISON_EVERY_S;
        for index in 0..world.spec().instances {
            let host = world.instance(index).host;
            let is_about = |share: f64| (index as f64) < share * world.spec().instances as f64;
            let kind = Poison::INFO.name;
            let on = world.faults.seen_on_host(kind, host).into_iter().find_map(|fault| match fault {
                FaultKind::DataPoison(fault) if is_about(fault.share) => Some(fault.what),
                _ => None,
            });
            let Some(what) = on.filter(|_| world.faults.meets(kind, host, index).is_some()) else { continue };
            if what == Poisoned::HugeField {
                every_s = HUGE_EVERY_S;
            }
            bytes.extend(line_of_nobody(world, what, index));
        }
        self.poison_at_s = world.now_s() + every_s;
    }
}

fn put(bytes: &mut Vec<u8>, line: &str) {
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
}

/// Whether what is counted of an instance is this lie.
fn lies(world: &mut World, says: Lie, host: usize, instance: usize) -> bool {
    let is_this =
        |fault: &FaultKind| matches!(fault, FaultKind::OperatorMeasurementLie(lie) if lie.says == says);
    world.faults.meets_if(MeasurementLie::INFO.name, host, instance, is_this)
}

/// Host and instance a line is about; the first ones where it is about none.
fn about(world: &World, line: &str) -> (usize, usize) {
    let (before, _) = line.split_once(VHOST_SUFFIX).unwrap_or_default();
    let name = before.rsplit('"').next().unwrap_or_default();
    let index = index_of(name).filter(|index| *index < world.spec().instances).unwrap_or(0);
    (world.spec().host_of(index), index)
}

fn line_of_nobody(world: &mut World, what: Poisoned, index: usize) -> Vec<u8> {
    let (now_s, instance) = (world.now_s(), super::instance_id(index));
    match what {
        Poisoned::Bot => world.lines.bot(now_s, instance.as_str()),
        Poisoned::UptimeMonitor => world.lines.monitor(now_s, instance.as_str()),
        Poisoned::HugeField | Poisoned::InvalidUtf8 | Poisoned::FakeWakeUrl => {
            world.lines.visit(now_s, index, instance.as_str());
        }
    }
    let line = world.lines.take();
    match (what, line.rsplit_once("Mozilla")) {
        (Poisoned::HugeField, Some((head, tail))) => {
            [head.as_bytes(), "x".repeat(HUGE_BYTES).as_bytes(), tail.as_bytes()].concat()
        }
        (Poisoned::InvalidUtf8, Some((head, tail))) => {
            [head.as_bytes(), &b"\xff\xfe\xc3\x28"[..], tail.as_bytes()].concat()
        }
        _ => line.into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        fault::{Bite, Span},
        world::{WorldSpec, stream},
    };

    fn world(kind: &str, params: &Value) -> World {
        let mut world = World::new(WorldSpec { instances: 10, ..WorldSpec::default() }).expect("readable");
        let what = FaultKind::read(kind, params.as_object().expect("an object")).expect("a kind");
        world.faults.put(0, Bite::new(Span::new(0, i64::MAX), what, stream(1, 77)));
        world.faults.follow(0);
        world
    }

    fn hours(hours: i64, kind: &str, params: &Value) -> (World, Vec<u8>, u64) {
        let (mut world, mut feed) = (world(kind, params), Feed::default());
        let to_s = world.now_s() + 3_600 * hours;
        let mut bytes = Vec::new();
        while world.now_s() < to_s {
            let next_s = world.now_s() + 60;
            world.advance(next_s);
            bytes.extend(feed.through(&mut world));
        }
        world.faults.end(0, to_s);
        world.faults.follow(to_s);
        bytes.extend(feed.through(&mut world));
        let hits = world.faults.proofs()[0].hits;
        (world, bytes, hits)
    }

    fn lines(bytes: &[u8]) -> u64 {
        bytes.split(|byte| *byte == b'\n').skip(1).count() as u64
    }

    #[test]
    fn a_lie_hides_visits_or_makes_them_up() {
        let written = |says: &str| {
            let mut world = world("operator.measurement_lie", &json!({"says": says}));
            world.lines.visit(world.now_s(), 0, "dev001");
            world.lines.wake_request(world.now_s(), 1, "dev002");
            let bytes = Feed::default().through(&mut world);
            String::from_utf8(bytes).expect("text").lines().count()
        };
        assert_eq!(written("no_hits"), 1, "who asked is seen");
        assert_eq!(written("all_hits"), 2, "nothing serves, so nobody can have come");
    }

    #[test]
    fn lines_come_twice() {
        let (world, bytes, hits) = hours(24, "data.duplicate", &json!({"share": 0.5}));
        assert!(hits > 10, "{hits}");
        assert_eq!(lines(&bytes), world.lines.count() + hits);
    }

    #[test]
    fn lines_come_late_and_all_of_them_in_the_end() {
        let (world, bytes, hits) = hours(24, "data.late", &json!({"share": 0.5}));
        assert!(hits > 10, "{hits}");
        assert_eq!(lines(&bytes), world.lines.count());
        let mut on_time = World::new(world.spec().clone()).expect("readable");
        on_time.advance(world.now_s());
        assert_ne!(on_time.lines.take().as_bytes(), bytes);
    }

    #[test]
    fn lines_of_nobody_are_mixed_in() {
        for (what, mark) in [
            ("bot", &b"Googlebot"[..]),
            ("uptime_monitor", &b"Uptime-Kuma"[..]),
            ("huge_field", &[b'x'; 1_000][..]),
            ("invalid_utf8", &b"\xff\xfe"[..]),
        ] {
            let (world, bytes, hits) = hours(3, "data.poison", &json!({"what": what, "share": 0.2}));
            assert!(hits >= 36, "{what}: {hits}");
            assert_eq!(lines(&bytes), world.lines.count(), "{what}");
            assert!(bytes.windows(mark.len()).any(|part| part == mark), "{what}");
        }
    }
}
