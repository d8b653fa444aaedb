//! Reads every source, folds, reports.

use std::{
    error::Error,
    fs,
    io::{self, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::SignedDuration;

use super::{
    args::MineArgs,
    history::Histories,
    report::{FileReport, MineReport},
    table,
};
use crate::logs::{
    Counts, LogsConfig, LogsError, Miner, RejectReason, RejectSample, SourceConfig, read_watched,
    source_files,
};

/// How long reading may take before progress is shown.
const SILENT_MAX: Duration = Duration::from_secs(2);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum MineError {
    #[error("the log settings cannot be used")]
    Logs(#[from] LogsError),
    #[error("there is nothing to read: name log files, or configure `logs.sources`")]
    NoSources,
    #[error("the report could not be written")]
    Output(#[from] io::Error),
}

/// Reads the logs and writes the report to `out`, as a table or as `json`.
///
/// A source that is missing or damaged does not stop the others; it is told in the report, which then is not
/// [`MineReport::is_complete`]. With `progress`, a bar is drawn on standard error when that is a terminal.
pub fn run(
    args: &MineArgs,
    config: LogsConfig,
    out: &mut dyn Write,
    json: bool,
    progress: bool,
) -> Result<MineReport, MineError> {
    let config = args.applied(config);
    if config.sources.is_empty() {
        return Err(MineError::NoSources);
    }
    let report = mine(args, &config, progress)?;
    if json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        table::write(&report, out)?;
    }
    Ok(report)
}

fn mine(args: &MineArgs, config: &LogsConfig, progress: bool) -> Result<MineReport, MineError> {
    let miner = Miner::new(config)?;
    let listed: Vec<_> = config.sources.iter().map(|source| (source, source_files(source))).collect();
    let files = || listed.iter().flat_map(|(_, files)| files.iter().flatten());
    let bar = progress.then(|| Bar::new(files().map(file_bytes).sum()));
    let mut histories = Histories::new(SignedDuration::from_mins(i64::from(args.gap_minutes)));
    let mut reports = Vec::new();
    for (source, files) in &listed {
        match files {
            Ok(files) => {
                reports.extend(
                    files.iter().map(|file| read(&miner, source, file, bar.as_ref(), &mut histories)),
                );
            }
            Err(error) => reports.push(FileReport {
                file: source.path.clone(),
                error: Some(chain(error)),
                ..FileReport::default()
            }),
        }
    }
    histories.finish();
    Ok(MineReport::new(reports, &histories, args.top))
}

fn read(
    miner: &Miner,
    source: &SourceConfig,
    file: &Path,
    bar: Option<&Bar>,
    histories: &mut Histories,
) -> FileReport {
    let mut samples = Vec::new();
    let unwatched = AtomicU64::new(0);
    let bytes_read = bar.map_or(&unwatched, |bar| &bar.bytes_read);
    let read = read_watched(miner, source, file, None, bytes_read, &mut |batch| {
        histories.add(batch.sightings);
        samples.extend(batch.samples);
        if let Some(bar) = bar {
            bar.draw();
        }
        ControlFlow::Continue(())
    });
    let file = PathBuf::from(file).to_string_lossy().into_owned();
    let (counts, error) = match read {
        Ok(counts) => (counts, cut_short(&samples)),
        Err(problem) => (Counts::default(), Some(chain(&problem))),
    };
    FileReport { file, counts, samples, error }
}

/// Why a file that could be opened was not read to its end.
fn cut_short(samples: &[RejectSample]) -> Option<String> {
    let cut = samples.iter().find(|sample| sample.reason == RejectReason::Unreadable)?;
    Some(format!("could not be read beyond line {}, what was read counts: {}", cut.line, cut.excerpt))
}

/// Size of a regular file, or 0.
fn file_bytes(file: &PathBuf) -> u64 {
    fs::metadata(file).map_or(0, |found| found.len())
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Progress in bytes of the files, silent at first.
struct Bar {
    bar: ProgressBar,
    bytes_read: AtomicU64,
}

impl Bar {
    fn new(bytes: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::hidden());
        let template = "{bytes}/{total_bytes} [{bar:40}] {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, bytes_read: AtomicU64::new(0) }
    }

    fn draw(&self) {
        if self.bar.is_hidden() && self.bar.elapsed() > SILENT_MAX {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(self.bytes_read.load(Ordering::Relaxed));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use serde_json::Value;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        }
    }

    fn args(files: Vec<PathBuf>) -> MineArgs {
        let instance_from = Some("client".parse().unwrap());
        MineArgs { files, format: None, template: None, instance_from, gap_minutes: 120, top: 2 }
    }

    fn line(client: u32, time: &str, request: &str) -> String {
        format!("192.0.2.{client} - - [17/May/2015:{time} +0000] \"{request} HTTP/1.1\" 200 5 \"-\" \"x\"\n")
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn mined(args: &MineArgs, json: bool) -> (MineReport, String) {
        let mut out = Vec::new();
        let report = run(args, LogsConfig::default(), &mut out, json, true).unwrap();
        (report, String::from_utf8(out).unwrap())
    }

    #[test]
    fn table_and_json_tell_the_same_numbers() {
        let folder = Folder::new();
        let text = [
            line(1, "10:00:00", "GET /wake_my_instance.do?sid=1"),
            line(1, "10:30:00", "POST /login.do"),
            line(1, "12:30:00", "GET /"),
            line(2, "23:59:59", "GET /"),
            " \"curl\"\n".to_owned(),
        ];
        let file = folder.put("a.log", text.concat().as_bytes());
        let (report, json) = mined(&args(vec![file.clone()]), true);
        let total = &report.total;
        assert!(report.is_complete());
        assert_eq!((total.counts.lines, total.counts.records, total.counts.rejected()), (5, 4, 1));
        assert_eq!((total.instances, total.visits, total.visits_asked), (2, 3, 1));
        assert_eq!(total.counts.sightings.wake_request, 1);
        assert_eq!(total.first_at.unwrap().to_string(), "2015-05-17T10:00:00Z");
        assert_eq!(total.last_at.unwrap().to_string(), "2015-05-17T23:59:59Z");
        assert_eq!(total.top[0].instance.as_str(), "192.0.2.1");
        assert_eq!((total.top[0].visits, total.top[0].active_quarters, total.top[0].active_days), (2, 3, 1));

        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json, serde_json::to_value(&report).unwrap());
        assert_eq!(json["files"][0]["rejects"]["orphan"], 1);
        assert_eq!(json["total"]["visits"], 3);

        let (again, table) = mined(&args(vec![file]), false);
        assert_eq!(again, report);
        for part in [
            "rejects: orphan 1",
            ":5: orphan:  \"curl\"",
            "visits         3 (1 found",
            "2015-05-17T23:59:59Z",
        ] {
            assert!(table.contains(part), "{part} is not in:\n{table}");
        }
    }

    #[test]
    fn lines_of_another_format_are_told_from_none_and_from_some() {
        let folder = Folder::new();
        let bad = folder.put("bad.log", b"{\"time\": 1}\n");
        let good = folder.put("good.log", line(1, "10:00:00", "GET /").as_bytes());
        let empty = folder.put("empty.log", b"");
        let all_rejected = |files| mined(&args(files), true).0.is_all_rejected();
        assert!(all_rejected(vec![bad.clone(), empty.clone()]));
        assert!(!all_rejected(vec![bad, good]));
        assert!(!all_rejected(vec![empty]));
    }

    #[test]
    fn the_same_lines_read_twice_are_the_same_visits() {
        let folder = Folder::new();
        let text =
            [line(1, "10:00:00", "GET /"), line(1, "10:00:00", "GET /a"), line(2, "11:00:00", "GET /")]
                .concat();
        let plain = folder.put("a.log", text.as_bytes());
        let packed = folder.put("a.log.1", &gzip(&text));
        let (once, _) = mined(&args(vec![plain.clone()]), true);
        let (twice, _) = mined(&args(vec![plain, packed]), true);
        assert_eq!(twice.files[1].counts, once.files[0].counts);
        assert_eq!((twice.total.visits, &twice.total.top), (once.total.visits, &once.total.top));
    }

    #[test]
    fn missing_and_cut_files_do_not_stop_the_others() {
        let folder = Folder::new();
        let text: String =
            (0..5_000).map(|n| line(n % 250, "10:00:00", &format!("GET /{:x}", n * 7_919))).collect();
        let packed = gzip(&text);
        let cut = folder.put("cut.gz", &packed[..packed.len() / 2]);
        let good = folder.put("good.log", line(1, "10:00:00", "GET /").as_bytes());
        let missing = folder.0.path().join("missing.log");
        let (report, table) = mined(&args(vec![missing, cut, good]), false);

        assert!(!report.is_complete());
        let [missing, cut, good] = report.files.as_slice() else { panic!("three files") };
        assert!(missing.error.as_ref().unwrap().contains("No such file"), "{:?}", missing.error);
        assert_eq!(cut.counts.unreadable, 1);
        assert!(cut.counts.records > 500 && cut.counts.records < 5_000, "{:?}", cut.counts);
        assert!(cut.samples.iter().any(|sample| sample.reason == RejectReason::Unreadable));
        assert!(cut.error.is_some());
        assert_eq!((good.counts.records, &good.error), (1, &None));
        assert!(table.contains("could not open"), "{table}");
        assert_eq!(report.total.counts.records, cut.counts.records + 1);
    }

    #[test]
    fn nothing_to_read_and_bad_settings_are_errors() {
        let mut out = Vec::new();
        let mut failed = |args: &MineArgs, config| {
            let error = run(args, config, &mut out, false, false).unwrap_err();
            chain(&error)
        };
        assert!(failed(&args(Vec::new()), LogsConfig::default()).contains("name log files"));
        let config = LogsConfig { wake_request: vec!["(".into()], ..LogsConfig::default() };
        assert!(failed(&args(vec!["a".into()]), config).contains("logs.wake_request[0]"));
    }
}
