//! `reveille mine` against a count of the same logs made in another way: one regular expression a line, no fold.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use jiff::{Timestamp, fmt::strtime};
use regex::bytes::{Captures, Regex, RegexBuilder};
use serde_json::{Value, json};

use crate::harness::{Stage, programs};

/// Names a directory with whole logs (`*.log.gz`) to count as well. Not `REVEILLE_...`: those are the controller's keys.
const REAL_LOGS: &str = "ROAD_REAL_LOGS";

/// A gap of the default 120 minutes ends a visit.
const GAP_S: i64 = 7200;

const BOTS: &str = "kube-probe|ELB-HealthChecker|GoogleHC|Googlebot|bingbot|YandexBot|Baiduspider|DuckDuckBot|AhrefsBot|\
                    SemrushBot|Applebot|Pingdom|UptimeRobot|StatusCake|Site24x7|Zabbix";

/// Client, time, method, target, user agent.
const LINE: &str = r#"(?x)^(\S+)\ \S+\ .*?\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\ [+-]\d{4})\]
    \ "([A-Za-z_-]+)\ (.+?)(?:\ HTTP/[\d.]+)?"\ \d{3}\ \S+
    (?:\ "(?:[^"\\]|\\.)*"\ "((?:[^"\\]|\\.)*)"(?:\ .*)?)?$"#;

/// What the real logs have too little of.
const RARE: &str = r#"192.0.2.1 - - [01/Mar/2026:08:00:00 +0100] "GET /wake_my_instance.do?id=1 HTTP/1.1" 302 0 "-" "Mozilla/5.0"
192.0.2.1 - jane [01/Mar/2026:07:10:00 +0000] "POST /app/login.do?next=/ HTTP/1.1" 200 99 "-" "Mozilla/5.0"
192.0.2.1 - - [01/Mar/2026:09:09:59 +0000] "GET /list HTTP/1.1" 200 99 "-" "Mozilla/5.0"
192.0.2.1 - - [01/Mar/2026:11:09:59 +0000] "GET /list HTTP/1.1" 200 99 "-" "Mozilla/5.0"
192.0.2.2 - - [01/Mar/2026:08:00:00 +0000] "GET /healthz HTTP/1.1" 200 2 "-" "Go-http-client/1.1"
192.0.2.3 - - [01/Mar/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 2 "-" "Mozilla/5.0 (compatible; Pingdom.com_bot)"
192.0.2.4 - - [28/Feb/2026:23:59:59 -0500] "POST /wake/dev1 HTTP/1.1" 202 2
 "curl/8.0"
192.0.2.5 - - [01/Mar/2026:08:00:00 +0000] "GET /cut HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11
"#;

/// One file, counted here.
#[derive(Debug, Default)]
struct Count {
    by_name: BTreeMap<&'static str, u64>,
    seen: Seen,
}

/// When each client was seen, in seconds since 1970.
type Seen = BTreeMap<String, BTreeSet<i64>>;

struct Counter {
    line: Regex,
    orphan: Regex,
    bot: Regex,
    health: Regex,
    wake_request: Regex,
    login: Regex,
}

impl Counter {
    fn new() -> Self {
        let regex = |pattern: &str| Regex::new(pattern).expect("a good pattern");
        Self {
            line: regex(LINE),
            orphan: regex(r#"^\s*""#),
            bot: RegexBuilder::new(BOTS).case_insensitive(true).build().expect("a good pattern"),
            health: regex(r"^/(healthz|livez|readyz)(\?|$)"),
            wake_request: regex(r"^(GET|POST) /wake_my_instance\.do\b|^POST /wake([/?]|$)"),
            login: regex(r"^POST /([^?]*/)?login(\.do)?(\?|$)"),
        }
    }

    fn count(&self, text: &[u8]) -> Count {
        let mut count = Count::default();
        for line in text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n') {
            let name = match self.line.captures(line) {
                Some(found) => self.record(&found, &mut count.seen),
                None if self.orphan.is_match(line) => "orphan",
                // An odd number of quotes cuts a line into an even number of pieces.
                None if line.split(|byte| *byte == b'"').count() % 2 == 0 => "truncated",
                None => panic!("this count has no name for the line {:?}", String::from_utf8_lossy(line)),
            };
            *count.by_name.entry(name).or_default() += 1;
        }
        count
    }

    /// What a record is; a person is noted.
    fn record(&self, found: &Captures<'_>, seen: &mut Seen) -> &'static str {
        let (method, target) = (&found[3], &found[4]);
        if found.get(5).is_some_and(|agent| self.bot.is_match(agent.as_bytes())) {
            return "ignored_agent";
        }
        if self.health.is_match(target) {
            return "ignored_path";
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let at = strtime::parse("%d/%b/%Y:%H:%M:%S %z", text(&found[2])).expect("the time of an access log");
        let at = at.to_timestamp().expect("a time with its offset").as_second();
        seen.entry(text(&found[1])).or_default().insert(at);
        let request = [method, b" ", target].concat();
        if self.wake_request.is_match(&request) {
            "wake_request"
        } else if self.login.is_match(&request) {
            "login"
        } else {
            "visit"
        }
    }
}

impl Count {
    fn of(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.by_name.get(name)).sum()
    }

    /// As `reveille mine` shows it.
    fn shown(&self) -> Value {
        let rejects = ["orphan", "truncated"].into_iter().filter(|name| self.by_name.contains_key(name));
        let rejects: serde_json::Map<_, _> =
            rejects.map(|name| (name.into(), self.of(&[name]).into())).collect();
        let records = ["ignored_agent", "ignored_path", "wake_request", "login", "visit"];
        json!({
            "lines": self.by_name.values().sum::<u64>(),
            "records": self.of(&records),
            "rejects": rejects,
            "ignored_agent": self.of(&["ignored_agent"]),
            "ignored_path": self.of(&["ignored_path"]),
            "sightings": {
                "visit": self.of(&["visit"]),
                "login": self.of(&["login"]),
                "wake_request": self.of(&["wake_request"]),
            },
        })
    }
}

fn visits(times: &BTreeSet<i64>) -> usize {
    let gaps = times.iter().zip(times.iter().skip(1)).filter(|(before, after)| **after - **before >= GAP_S);
    1 + gaps.count()
}

fn quarters(times: &BTreeSet<i64>) -> usize {
    times.iter().map(|second| second.div_euclid(900)).collect::<BTreeSet<_>>().len()
}

fn days(times: &BTreeSet<i64>) -> usize {
    times.iter().map(|second| second.div_euclid(86_400)).collect::<BTreeSet<_>>().len()
}

/// The whole of `found` restricted to the keys of `expected`.
fn restricted(found: &Value, expected: &Value) -> Value {
    let keys = expected.as_object().expect("an object").keys();
    keys.map(|key| (key.clone(), found[key].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn assert_agrees(found: &Value, expected: &Value, of: &str) {
    assert_eq!(&restricted(found, expected), expected, "{of}");
}

async fn mined(stage: &Stage, files: &[PathBuf]) -> Value {
    let mut command = stage.command(&programs().reveille);
    command.args(["mine", "--format", "combined", "--instance-from", "client", "--top", "1000000"]);
    let answer = command.args(["--output", "json"]).args(files).output().await.expect("the program starts");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    serde_json::from_slice(&answer.stdout).expect("JSON")
}

/// Counts `files` in both ways.
async fn both_counts_agree(stage: &Stage, files: &[PathBuf]) {
    let report = mined(stage, files).await;
    let counter = Counter::new();
    let mut all = Seen::new();
    assert_eq!(report["files"].as_array().map(Vec::len), Some(files.len()));
    for (file, found) in files.iter().zip(report["files"].as_array().expect("a list")) {
        let count = counter.count(&text(file));
        let name = file.display().to_string();
        assert_eq!(found["file"], name.as_str());
        assert_agrees(found, &count.shown(), &name);
        for (client, times) in count.seen {
            all.entry(client).or_default().extend(times);
        }
    }
    totals_agree(&report["total"], &all);
}

fn totals_agree(total: &Value, all: &Seen) {
    let time =
        |second: Option<i64>| Timestamp::from_second(second.expect("somebody came")).expect("in range");
    let first = all.values().filter_map(|times| times.first().copied()).min();
    let last = all.values().filter_map(|times| times.last().copied()).max();
    let expected = json!({
        "instances": all.len(),
        "visits": all.values().map(visits).sum::<usize>(),
        "first_at": time(first).to_string(),
        "last_at": time(last).to_string(),
    });
    assert_agrees(total, &expected, "total");
    let top = total["top"].as_array().expect("a list");
    assert_eq!(top.len(), all.len(), "every instance is listed");
    for one in top {
        let instance = one["instance"].as_str().expect("a name");
        let times = all.get(instance).unwrap_or_else(|| panic!("{instance} was not seen"));
        let (visits, active_quarters, active_days) = (visits(times), quarters(times), days(times));
        let expected =
            json!({"visits": visits, "active_quarters": active_quarters, "active_days": active_days});
        assert_agrees(one, &expected, instance);
    }
}

/// The text of a log, plain or gzip.
fn text(file: &Path) -> Vec<u8> {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("failed to read {}: {error}", file.display()));
    let mut text = Vec::new();
    if file.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).expect("gzip");
        return text;
    }
    bytes
}

/// The compressed logs in a directory, by name.
fn logs(dir: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(dir).unwrap_or_else(|error| panic!("failed to look into {}: {error}", dir.display()));
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let mut logs: Vec<PathBuf> = paths.filter(|path| path.to_string_lossy().ends_with(".log.gz")).collect();
    assert!(!logs.is_empty(), "no logs in {}", dir.display());
    logs.sort();
    logs
}

#[tokio::test]
async fn cuts_of_real_logs_are_counted_as_another_count_does() {
    let stage = Stage::enter().await;
    let rare = stage.path("rare.access");
    fs::write(&rare, RARE).expect("a file");
    let mut files = logs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"));
    files.push(rare);
    both_counts_agree(&stage, &files).await;
}

/// So that the two counts above cannot agree on nothing.
#[test]
fn the_cuts_hold_what_is_to_be_counted() {
    let counter = Counter::new();
    let rare = counter.count(RARE.as_bytes());
    for name in ["orphan", "truncated", "ignored_agent", "ignored_path", "wake_request", "login", "visit"] {
        assert!(rare.by_name.contains_key(name), "{name}");
    }
    // One gap is a second short of two hours, the next is two hours.
    assert_eq!(visits(&rare.seen["192.0.2.1"]), 2);
    let files = logs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"));
    let orphans = files.iter().map(|file| counter.count(&text(file)).of(&["orphan"])).sum::<u64>();
    assert!(orphans > 50, "{orphans} orphan lines");
}

#[tokio::test]
async fn whole_logs_are_counted_as_another_count_does() {
    let Some(dir) = std::env::var_os(REAL_LOGS) else {
        eprintln!("SKIPPED: whole logs ({REAL_LOGS} names no directory)");
        return;
    };
    let stage = Stage::enter().await;
    both_counts_agree(&stage, &logs(Path::new(&dir))).await;
}
