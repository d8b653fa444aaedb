//! Lines per second of the Combined parser, beside the same job done with the `regex` crate, and of whole mining.
//!
//! `cargo bench --bench mining`. Both parsers get the same lines and must agree on every one before anything is timed.

use std::{fmt::Write as _, hint::black_box, io::Write as _, ops::ControlFlow};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use regex::bytes::{Captures, Regex};
use reveille_controller::logs::{
    DayCache, LogFormat, LogsConfig, Miner, SourceConfig, parse_combined, read_source,
};

const LINES: u64 = 100_000;

/// Different hosts in the lines.
const HOSTS: u64 = 5_000;

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "python-requests/2.32.3",
    "curl/8.5.0",
];

const PATHS: [&str; 5] = [
    "/api/now/table/incident?sysparm_limit=20&sysparm_query=active%3Dtrue",
    "/wake_my_instance.do?magic=1&sid=0123456789abcdef",
    "/login.do",
    "/styles/polaris.min.css",
    "/xmlhttp.do",
];

/// Lines of 30 days in order of time, hosts and requests mixed by a fixed sequence.
fn text() -> String {
    let mut text = String::new();
    let start = Timestamp::constant(1_790_000_000, 0);
    for n in 0..LINES {
        let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let pick = |shift: u32, of: usize| (mixed >> shift) as usize % of;
        let at = start + jiff::SignedDuration::from_secs((n * 30 * 86_400 / LINES) as i64);
        let (host, agent, path) = (mixed >> 20 & 0xffff_ffff, AGENTS[pick(7, 4)], PATHS[pick(11, 5)]);
        let _ = writeln!(
            text,
            "dev{}.example.com:443 192.0.2.{} - - [{}] \"GET {path} HTTP/1.1\" 200 {} \"-\" \"{agent}\"",
            host % HOSTS,
            pick(40, 250),
            at.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            pick(3, 60_000),
        );
    }
    text
}

/// Vhost, client, time, request, status and agent by one expression: how most tools read such a line.
fn expression() -> Regex {
    let text = r#"^(?:(\S+) )?(\S+) \S+ \S+ \[(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) [+-]\d{4}\] "(\S+ [^"]*?)(?: HTTP/[\d.]+)?" (\d{3}) \S+ "[^"]*" "([^"]*)""#;
    regex::bytes::RegexBuilder::new(text).unicode(false).build().expect("a constant pattern")
}

fn field<'l>(found: &Captures<'l>, group: usize) -> &'l [u8] {
    found.get(group).map_or(b"", |field| field.as_bytes())
}

/// Seconds since 1970 of the captured time, as a checked calendar date.
fn second(found: &Captures<'_>) -> Option<i64> {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let number = |group| str::from_utf8(field(found, group)).ok()?.parse::<i16>().ok();
    let small = |group| i8::try_from(number(group)?).ok();
    let month = MONTHS.iter().position(|name| *name == field(found, 4))? as i8 + 1;
    let date =
        jiff::civil::DateTime::new(number(5)?, month, small(3)?, small(6)?, small(7)?, small(8)?, 0).ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

fn agree(lines: &[&[u8]], expression: &Regex) {
    let mut days = DayCache::default();
    for line in lines {
        let ours = parse_combined(line, &mut days).expect("a record");
        let found = expression.captures(line).expect("a match");
        assert_eq!(second(&found), Some(ours.at.as_second()));
        assert_eq!(ours.vhost, Some(field(&found, 1)));
        assert_eq!((ours.client, ours.request), (field(&found, 2), field(&found, 9)));
        assert_eq!(ours.agent, Some(field(&found, 11)));
    }
}

fn parsers(criterion: &mut Criterion) {
    let text = text();
    let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    let expression = expression();
    agree(&lines, &expression);

    let mut group = criterion.benchmark_group("combined line");
    group.throughput(Throughput::Elements(LINES));
    group.sample_size(20);
    group.bench_function("ours", |bencher| {
        let mut days = DayCache::default();
        bencher.iter(|| {
            for line in &lines {
                let _ = black_box(parse_combined(black_box(line), &mut days));
            }
        });
    });
    group.bench_function("regex", |bencher| {
        bencher.iter(|| {
            for line in &lines {
                let found = expression.captures(black_box(line));
                let found =
                    found.map(|f| (second(&f), field(&f, 1), field(&f, 2), field(&f, 9), field(&f, 11)));
                black_box(found);
            }
        });
    });
    group.finish();
}

fn mining(criterion: &mut Criterion) {
    let text = text();
    let mut plain = tempfile::NamedTempFile::new().expect("a temporary file");
    plain.write_all(text.as_bytes()).expect("room for it");
    let mut packed = tempfile::NamedTempFile::new().expect("a temporary file");
    packed.write_all(&zstd::encode_all(text.as_bytes(), 3).expect("in memory")).expect("room for it");
    let miner = Miner::new(&LogsConfig::default()).expect("defaults that work");
    let source = SourceConfig::new("bench", LogFormat::Combined);

    let mut group = criterion.benchmark_group("lines to sightings");
    group.throughput(Throughput::Elements(LINES));
    group.sample_size(20);
    for (name, file) in [("plain", plain.path()), ("zstd", packed.path())] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let counts = read_source(&miner, &source, file, None, &mut |batch| {
                    black_box(batch);
                    ControlFlow::Continue(())
                });
                assert_eq!(counts.expect("a readable file").records, LINES);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, parsers, mining);
criterion_main!(benches);
