//! Reads the trace, replays it, writes the wakes and the report.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    args::{BacktestArgs, TraceClock},
    report::{BacktestReport, Row},
    trace::{self, Trace, TraceError},
};
use crate::{
    model::{Rule, calendar::day_of, rule::BadRule},
    report::backtest::{Replay, ReplayedWake, Score, Traced, replay, shift_to_local},
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
    #[error("failed to write wakes to {}", path.display())]
    Wakes { path: PathBuf, source: io::Error },
    #[error("failed to write the report")]
    Report(#[source] io::Error),
}

/// Runs a backtest and writes its report to `out`. Rows of the trace that could not be read are in the report: the
/// caller's exit code says whether there were any.
pub fn run(args: &BacktestArgs, out: &mut dyn Write, json: bool) -> Result<BacktestReport, BacktestError> {
    let (names, rules): (Vec<String>, Vec<Rule>) =
        args.rules().map_err(BacktestError::Rule)?.into_iter().unzip();
    if args.emit_wakes.is_some() && rules.len() > 1 {
        return Err(BacktestError::WakesOfManyRules { rules: rules.len() });
    }
    let mut trace = trace::read(&args.trace)?;
    let traced = traced(args, &mut trace);
    let bar = progress_bar();
    let runs = replay(&Replay { traced: &traced, rules: &rules, lead_time_s: args.lead_s }, |done, days| {
        bar.set_length(days as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    if let (Some(path), Some((_, wakes))) = (&args.emit_wakes, runs.first()) {
        write_wakes(path, wakes).map_err(|source| BacktestError::Wakes { path: path.clone(), source })?;
    }
    let arrivals = traced.iter().map(|t| t.arrivals_enrolled() as u64).sum();
    let enrolled_days = traced.iter().map(|t| t.enrolled_days().len() as u64).sum();
    let rows: Vec<Row> = names
        .into_iter()
        .zip(&runs)
        .map(|(rule, (tally, _))| Row { rule, score: Score::new(*tally, arrivals, enrolled_days) })
        .collect();
    let report = BacktestReport {
        trace: args.trace.clone(),
        clock: if args.clock == TraceClock::Local { "local" } else { "utc" },
        instances: traced.len(),
        sightings: traced.iter().map(Traced::sightings).sum(),
        visits: traced.iter().map(Traced::visits).sum(),
        arrivals,
        enrolled_days,
        first: rows.first().map(|row| row.score),
        rows,
        rejected: trace.rejected,
        rejected_first: trace.rejected_first,
    };
    write_report(&report, out, json).map_err(BacktestError::Report)?;
    Ok(report)
}

fn traced(args: &BacktestArgs, trace: &mut Trace) -> Vec<Traced> {
    let after_day = args.after.map(day_of);
    let traced = std::mem::take(&mut trace.sightings).into_iter().filter_map(|(instance, sightings)| {
        let sightings_s = match args.clock {
            TraceClock::Utc => sightings.into_iter().map(|(at_s, _)| at_s).collect(),
            TraceClock::Local => shift_to_local(sightings),
        };
        Traced::new(instance, sightings_s, args.min_active, after_day)
    });
    traced.collect()
}

/// On stderr, and only where that is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("replaying days {bar:40} {pos}/{len} {eta}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn write_wakes(path: &Path, wakes: &[ReplayedWake]) -> io::Result<()> {
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
