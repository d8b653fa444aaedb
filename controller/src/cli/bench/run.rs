//! Makes the fleet, measures one thing after the other, writes the report and the plot.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    args::{Bench, BenchArgs, ForecastArgs},
    fleet::Fleet,
    model::model,
    peer::peer_tick_s,
    queries::p99_ms,
    queue,
    report::{ForecastBench, ScalingRow},
    resident::resident_bytes_max,
    stream::stream_s,
    tick::Desk,
    visits::visits_per_s,
};
use crate::{
    model::{Profile, Scorer},
    report::plot::{Format, PlotError, Scaling, ScalingPoint, ScalingSeries, UnknownFormat, scaling},
};

/// Sizes below the one asked for at which the tick is measured too.
const SIZES: [usize; 5] = [10_000, 30_000, 100_000, 300_000, 1_000_000];

/// Why a bench did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("failed to read the model {}", path.display())]
    Model { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(transparent)]
    PlotName(#[from] UnknownFormat),
    #[error(transparent)]
    Draw(#[from] PlotError),
    #[error("failed to write the plot to {}", path.display())]
    Plot { path: PathBuf, source: io::Error },
    #[error("failed to write the report")]
    Report(#[source] io::Error),
    #[error("failed to start the controller of the bench")]
    App(#[from] crate::app::AppError),
    #[error("failed to use the database of the bench")]
    Store(#[from] crate::store::StoreError),
    #[error("failed to dispatch")]
    Task(#[from] crate::tasks::TaskError),
    #[error("failed to {what}")]
    Start { what: &'static str, source: io::Error },
    #[error("of {wakes} wakes only {sent} were sent in time")]
    Unsent { wakes: usize, sent: usize },
}

/// Runs a bench and writes its report to `out`.
pub fn run(args: &BenchArgs, out: &mut dyn Write, json: bool) -> Result<(), BenchError> {
    match &args.bench {
        Bench::Forecast(args) => forecast(args, out, json).map(drop),
        Bench::Queue(args) => {
            let bench = queue::measure(args)?;
            write_report(&bench, out, json).map_err(BenchError::Report)
        }
    }
}

pub(super) fn forecast(
    args: &ForecastArgs,
    out: &mut dyn Write,
    json: bool,
) -> Result<ForecastBench, BenchError> {
    // A name that says no format is refused before anything is measured.
    let format = args.plot.as_deref().map(Format::of).transpose()?;
    let bench = measure(args)?;
    if let (Some(path), Some(format)) = (&args.plot, format) {
        let bytes = scaling(&curves(&bench))?.encode(format)?;
        std::fs::write(path, bytes).map_err(|source| BenchError::Plot { path: path.clone(), source })?;
    }
    write_report(&bench, out, json).map_err(BenchError::Report)?;
    Ok(bench)
}

fn curves(bench: &ForecastBench) -> Scaling {
    let point = |row: &ScalingRow| ScalingPoint {
        instances: row.instances as u64,
        seconds: row.tick_s,
        bytes: Some(row.bytes),
    };
    let points = bench.scaling.iter().map(point).collect();
    Scaling { series: vec![ScalingSeries { name: "planning tick".to_owned(), points }] }
}

fn measure(args: &ForecastArgs) -> Result<ForecastBench, BenchError> {
    let instances = args.instances as usize;
    let (threads, repeats) = (usize::from(args.threads), usize::from(args.repeats));
    let desk = Desk::new(Scorer::new(model(args.model.as_deref())?), threads, instances);
    let bytes = |instances: usize| instances * size_of::<Profile>();
    // What is only compared with goes first: its memory is given back before the fleet takes its own.
    let bar = progress_bar(instances);
    bar.set_message("streaming");
    let stream_s = stream_s(bytes(instances), threads, repeats);
    bar.set_message("counting");
    let peer_tick_s = peer_tick_s(instances, threads, repeats);
    bar.set_message("making the fleet");
    let mut fleet = Fleet::new(instances, args.seed, |made| bar.set_position(made as u64));
    bar.set_message("planning");
    let sizes = SIZES.into_iter().filter(|size| *size < instances).chain([instances]);
    let ticks: Vec<_> = sizes.map(|size| (size, desk.median_tick(&fleet, size, repeats))).collect();
    let row = |(instances, tick): &(usize, super::tick::Tick)| ScalingRow {
        instances: *instances,
        tick_s: tick.whole_s,
        bytes: bytes(*instances) as u64,
    };
    let scaling = ticks.iter().map(row).collect();
    let (_, tick) = ticks[ticks.len() - 1];
    bar.set_message("asking");
    bar.set_length(args.queries.into());
    bar.set_position(0);
    let api_p99_ms = p99_ms(&fleet, &desk.scorer, args.queries, args.seed, || bar.inc(1));
    bar.set_message("visiting");
    let visits_per_s = visits_per_s(&mut fleet, args.seed);
    bar.finish_and_clear();
    Ok(ForecastBench {
        instances,
        asleep: tick.asleep,
        unlikely: tick.unlikely,
        wakes: tick.wakes,
        threads,
        tick_s: tick.whole_s,
        score_s: tick.score_s,
        plan_s: tick.plan_s,
        bytes_per_instance: size_of::<Profile>(),
        stream_s,
        ratio: tick.whole_s / stream_s,
        peer_tick_s,
        visits_per_s,
        api_p99_ms,
        resident_bytes_max: resident_bytes_max(),
        scaling,
    })
}

/// On stderr, and only where that is a terminal.
fn progress_bar(instances: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(instances as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg:16} {bar:40} {pos}/{len} {elapsed}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn write_report(
    bench: &(impl serde::Serialize + std::fmt::Display),
    out: &mut dyn Write,
    json: bool,
) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, bench)?;
        writeln!(out)
    } else {
        write!(out, "{bench}")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn bench(flags: &str, json: bool) -> String {
        let words = ["reveille", "forecast"].into_iter().chain(flags.split_whitespace());
        let args = Command::try_parse_from(words).expect("valid flags").args;
        let mut out = Vec::new();
        run(&args, &mut out, json).expect("runs");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn every_figure_is_in_the_json() {
        let json = bench("--instances 2000 --repeats 1 --queries 20", true);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["instances"], 2000);
        for key in [
            "tick_s",
            "score_s",
            "bytes_per_instance",
            "stream_s",
            "ratio",
            "visits_per_s",
            "peer_tick_s",
            "api_p99_ms",
            "asleep",
            "unlikely",
        ] {
            assert!(json[key].as_f64().is_some_and(|value| value > 0.0), "{key}: {json}");
        }
        assert!(json["bytes_per_instance"].as_u64().is_some_and(|bytes| bytes <= 512), "{json}");
        let row = &json["scaling"][0];
        assert_eq!((&row["instances"], &row["tick_s"]), (&2000.into(), &json["tick_s"]));
        assert_eq!(row["bytes"].as_u64(), json["bytes_per_instance"].as_u64().map(|bytes| bytes * 2_000));
    }

    #[test]
    fn a_model_that_cannot_be_read_is_named() {
        let args =
            Command::try_parse_from(["reveille", "forecast", "--model", "no/such.json"]).expect("valid");
        let error = run(&args.args, &mut Vec::new(), false).expect_err("there is none");
        assert!(error.to_string().contains("no/such.json"), "{error}");
    }

    #[test]
    fn the_plot_is_written_as_its_name_says() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("scaling.svg");
        let small = "--instances 50 --repeats 1 --queries 2 --plot";
        let table = bench(&format!("{small} {}", path.display()), false);
        assert!(table.contains("a planning tick"), "{table}");
        assert!(std::fs::read_to_string(&path).expect("was written").starts_with("<svg"));
        let words = ["reveille", "forecast", "--plot", "scaling.txt"];
        let args = Command::try_parse_from(words).expect("valid");
        let error = run(&args.args, &mut Vec::new(), false).expect_err("no plot is written like that");
        assert!(matches!(error, BenchError::PlotName(_)), "{error}");
    }
}
