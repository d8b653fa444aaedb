//! Reads the trace, replays it, writes the wakes and the report.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    args::{BacktestArgs, TraceClock},
    fitted::{self, Found},
    report::{BacktestReport, Row},
    trace::{self, Trace, TraceError},
};
use crate::{
    model::{Rule, calendar::day_of, rule::BadRule},
    report::{
        backtest::{Replay, ReplayedWake, Score, Tally, Traced, offsets_s, replay, shift_to_local},
        plot::{PlotError, UnknownFormat},
    },
};

/// Why a backtest did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("failed to take the rule from the flags")]
    Rule(#[source] BadRule),
    #[error("wakes can be written for one rule only, but {rules} are asked for; give one threshold")]
    WakesOfManyRules { rules: usize },
    #[error("wakes can be written for one budget only, but {budgets} are asked for")]
    WakesOfManyBudgets { budgets: usize },
    #[error("an ablation is drawn for 1, 2 and 4 h: ask for them with --idle-budget-h 1,2,4")]
    AblationBudgets,
    #[error("no arrival on an enrolled day of {} can be fitted to; give a longer trace", path.display())]
    NothingToFit { path: PathBuf },
    #[error("failed to open model {}", path.display())]
    OpenModel { path: PathBuf, source: io::Error },
    #[error("failed to read model {}", path.display())]
    BadModel { path: PathBuf, source: serde_json::Error },
    #[error("failed to take the format of a plot from its name")]
    PlotFormat(#[source] UnknownFormat),
    #[error("failed to draw {}", path.display())]
    Plot { path: PathBuf, source: PlotError },
    #[error("failed to write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("failed to write wakes to {}", path.display())]
    Wakes { path: PathBuf, source: io::Error },
    #[error("failed to write the report")]
    Report(#[source] io::Error),
}

/// Runs a backtest and writes its report to `out`. Rows of the trace that could not be read are in the report: the
/// caller's exit code says whether there were any.
pub fn run(args: &BacktestArgs, out: &mut dyn Write, json: bool) -> Result<BacktestReport, BacktestError> {
    let by_rule = args.fitted.idle_budget_h.is_empty();
    let rules = if by_rule { checked_rules(args)? } else { Vec::new() };
    let mut trace = trace::read(&args.trace)?;
    let traced = traced(args, &mut trace);
    let arrivals = traced.iter().map(|t| t.arrivals_enrolled() as u64).sum();
    let enrolled_days = traced.iter().map(|t| t.enrolled_days().len() as u64).sum();
    let (rows, fitted) = if by_rule {
        (by_rules(args, rules, &traced, (arrivals, enrolled_days))?, None)
    } else {
        let Found { rows, part, model } = fitted::run(args, &traced, (arrivals, enrolled_days))?;
        trace.rejected += model.rejects.rejected;
        trace.rejected_first.extend(model.rejects.rejected_first);
        (rows, Some(part))
    };
    let report = BacktestReport {
        trace: args.trace.clone(),
        clock: if args.clock == TraceClock::Local { "local" } else { "utc" },
        instances: traced.len(),
        sightings: traced.iter().map(Traced::sightings).sum(),
        visits: traced.iter().map(Traced::visits).sum(),
        arrivals,
        enrolled_days,
        first: rows.first().map(|row| row.score),
        fitted,
        rows,
        rejected: trace.rejected,
        rejected_first: trace.rejected_first,
    };
    write_report(&report, out, json).map_err(BacktestError::Report)?;
    Ok(report)
}

fn checked_rules(args: &BacktestArgs) -> Result<Vec<(String, Rule)>, BacktestError> {
    let rules = args.rules().map_err(BacktestError::Rule)?;
    if args.emit_wakes.is_some() && rules.len() > 1 {
        return Err(BacktestError::WakesOfManyRules { rules: rules.len() });
    }
    Ok(rules)
}

/// Replays the rules; `counts` are arrivals and enrolled days.
fn by_rules(
    args: &BacktestArgs,
    rules: Vec<(String, Rule)>,
    traced: &[Traced],
    counts: (u64, u64),
) -> Result<Vec<Row>, BacktestError> {
    let (names, rules): (Vec<String>, Vec<Rule>) = rules.into_iter().unzip();
    let bar = progress_bar();
    let runs = replay(&Replay { traced, rules: &rules, lead_time_s: args.lead_s }, |done, days| {
        bar.set_length(days as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    if let (Some(path), Some((_, wakes))) = (&args.emit_wakes, runs.first()) {
        write_wakes(path, wakes).map_err(|source| BacktestError::Wakes { path: path.clone(), source })?;
    }
    let row = |(rule, (tally, _)): (String, &(Tally, Vec<ReplayedWake>))| Row {
        rule,
        budget: None,
        score: Score::new(*tally, counts.0, counts.1),
    };
    Ok(names.into_iter().zip(&runs).map(row).collect())
}

pub(super) fn traced(args: &BacktestArgs, trace: &mut Trace) -> Vec<Traced> {
    let after_day = args.after.map(day_of);
    let traced = std::mem::take(&mut trace.sightings).into_iter().filter_map(|(instance, mut sightings)| {
        // By the user's own clock nothing is left for profiles to be shifted by.
        let (sightings_s, offsets_s) = match args.clock {
            TraceClock::Utc => {
                let offsets_s = offsets_s(&mut sightings);
                (sightings.into_iter().map(|(at_s, _)| at_s).collect(), offsets_s)
            }
            TraceClock::Local => (shift_to_local(sightings), Vec::new()),
        };
        let traced = Traced::new(instance, sightings_s, args.min_active, after_day)?;
        Some(traced.with_offsets_s(offsets_s))
    });
    traced.collect()
}

/// On stderr, and only where that is a terminal.
pub(super) fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("replaying days {bar:40} {pos}/{len} {eta}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// For work of unknown length: what is being done, on stderr, and only where that is a terminal.
pub(super) fn spinner() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

pub(super) fn write_wakes(path: &Path, wakes: &[ReplayedWake]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "entity,utc_epoch")?;
    for wake in wakes {
        writeln!(file, "{},{}", wake.instance, wake.at_s)?;
    }
    file.flush()
}

fn write_report(report: &BacktestReport, out: &mut dyn Write, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, report)?;
        writeln!(out)
    } else {
        write!(out, "{report}")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/presence_small.csv.gz");

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: BacktestArgs,
    }

    fn backtest(trace: &str, flags: &str, json: bool) -> Result<(BacktestReport, String), BacktestError> {
        let words = ["backtest", trace].into_iter().chain(flags.split_whitespace());
        let args = Command::try_parse_from(words).expect("valid flags").args;
        let mut out = Vec::new();
        let report = run(&args, &mut out, json)?;
        Ok((report, String::from_utf8(out).expect("UTF-8")))
    }

    /// The figures as the scorer prints them.
    fn figures(report: &BacktestReport, row: usize) -> String {
        let score = report.rows[row].score;
        let precision = score.precision.expect("has wakes");
        let Score { recall, idle_hours_per_day, wakes_per_day, manual_per_day, .. } = score;
        format!("{recall:.3} {precision:.3} {idle_hours_per_day:.2} {wakes_per_day:.2} {manual_per_day:.3}")
    }

    /// Expected: `python3 prewake.py presence_small.csv.gz [--clock local]`, rows `seed >= 4/30 days`,
    /// `seed >= 8/30 days` and `weekday/weekend share >= 0.1`.
    #[test]
    fn the_scorers_own_rows_are_reproduced() {
        for (clock, four, eight, share) in [
            (
                "utc",
                "0.186 0.148 1.41 0.51 0.321",
                "0.004 0.111 0.04 0.01 0.393",
                "0.372 0.139 3.02 1.09 0.247",
            ),
            (
                "local",
                "0.182 0.146 1.38 0.50 0.320",
                "0.004 0.115 0.04 0.01 0.390",
                "0.367 0.139 2.95 1.07 0.248",
            ),
        ] {
            let flags = format!("--clock {clock} --rule daily --min-days 4,8");
            let (report, _) = backtest(SMALL, &flags, false).expect("runs");
            assert_eq!([figures(&report, 0), figures(&report, 1)], [four, eight], "{clock}");
            let flags = format!("--clock {clock} --rule split --min-share 0.1");
            let (report, _) = backtest(SMALL, &flags, false).expect("runs");
            assert_eq!(figures(&report, 0), share, "{clock}");
        }
    }

    /// Expected: `python3 prewake.py presence_small.csv.gz [--clock local] --wakes FILE` with the file written here.
    #[test]
    fn the_wakes_written_are_worth_what_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("wakes.csv");
        for (clock, arrivals, wakes, expected) in [
            ("utc", 2_274, 4_861, "0.364 0.174 2.31 0.84 0.251"),
            ("local", 2_281, 4_821, "0.358 0.173 2.27 0.83 0.251"),
        ] {
            let flags = format!(
                "--clock {clock} --min-share 0.2 --lead-s 300 --lookahead-h 3 --emit-wakes {}",
                path.display()
            );
            let (report, _) = backtest(SMALL, &flags, false).expect("runs");
            assert_eq!(figures(&report, 0), expected);
            assert_eq!((report.instances, report.arrivals), (6, arrivals));
            let written = std::fs::read_to_string(&path).expect("was written");
            assert!(written.starts_with("entity,utc_epoch\n"));
            assert_eq!(written.lines().count() - 1, wakes);
        }
    }

    #[test]
    fn only_days_from_the_date_on_count() {
        let (all, _) = backtest(SMALL, "--min-share 0.5", false).expect("runs");
        let (some, _) = backtest(SMALL, "--min-share 0.5 --after 2020-01-01", false).expect("runs");
        assert!(0 < some.enrolled_days && some.enrolled_days < all.enrolled_days);
        assert!(some.arrivals < all.arrivals && some.visits == all.visits);
    }

    #[test]
    fn json_has_the_figures_on_top_and_by_row() {
        let (report, json) = backtest(SMALL, "--min-days 8,14 --after 2022-01-01", true).expect("runs");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        for key in ["recall", "precision", "idle_hours_per_day", "wakes_per_day", "manual_per_day"] {
            assert_eq!(json[key], json["rows"][0][key], "{key}");
        }
        assert_eq!(json["rows"][1]["rule"], "weekday/weekend >= 14/30 days");
        assert_eq!(json["enrolled_days"], report.enrolled_days);
    }

    #[test]
    fn bad_rows_are_in_the_report() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "entity,utc,tz\na,1500000000,0\na,x,0\n").expect("written");
        let (report, text) = backtest(&file.path().to_string_lossy(), "", false).expect("runs");
        assert_eq!((report.rejected, report.sightings), (1, 1));
        assert!(text.contains(":3: field `utc` is \"x\""), "{text}");
        assert!(text.contains("rows left out: 1;"), "{text}");
    }

    #[test]
    fn wakes_of_several_rules_are_not_mixed() {
        let error = backtest(SMALL, "--min-days 1,2 --emit-wakes wakes.csv", false).expect_err("refused");
        assert!(matches!(error, BacktestError::WakesOfManyRules { rules: 2 }));
    }
}
