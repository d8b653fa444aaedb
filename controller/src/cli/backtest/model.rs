//! Where the fitted model of a backtest comes from: fitted to another trace, or read from a file.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use jiff::civil::Date;
use serde::{Serialize, de::Error as _};
use sha2::{Digest, Sha256};

use super::{
    args::BacktestArgs,
    run::{BacktestError, spinner, traced},
    trace::{self, Trace},
};
use crate::{
    model::{
        Fitted,
        calendar::day_of,
        features::Group,
        fit::{Clockwork, FitRule, History, fit},
        population::Population,
    },
    report::backtest::{BOOT_S, IDLE_S, Traced, WINDOW_S},
};

/// Which model decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelUsed {
    /// `fitted` to the trace `data`, `read` from the file `data`, or `embedded` in the program.
    pub source: &'static str,
    pub data: PathBuf,
    /// Only what was seen before was fitted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Date>,
    /// The beginning of the SHA-256 of the model as JSON: the same figures, the same version.
    pub version: String,
}

/// A model, and the histories it was fitted to if it was.
#[derive(Debug)]
pub(super) struct Model {
    pub fitted: Fitted,
    pub used: ModelUsed,
    pub histories: Vec<History>,
    /// Rows of the trace fitted to that were left out.
    pub rejects: Trace,
}

/// The model the flags ask for.
pub(super) fn model(args: &BacktestArgs) -> Result<Model, BacktestError> {
    match (&args.fitted.fit, &args.fitted.model) {
        (Some(trace), _) => fitted_to(args, trace),
        (None, Some(path)) => read(path),
        (None, None) => Ok(embedded()),
    }
}

/// The model Reveille begins with.
fn embedded() -> Model {
    let fitted = Fitted::embedded().clone();
    let used =
        ModelUsed { source: "embedded", data: PathBuf::new(), before: None, version: version(&fitted) };
    Model { fitted, used, histories: Vec::new(), rejects: Trace::default() }
}

fn fitted_to(args: &BacktestArgs, path: &Path) -> Result<Model, BacktestError> {
    let mut rejects = trace::read(path)?;
    let before = args.fitted.fit_before;
    if let Some(date) = before {
        let end_s = i64::from(day_of(date)) * 86_400;
        for sightings in rejects.sightings.values_mut() {
            sightings.retain(|(at_s, _)| *at_s < end_s);
        }
    }
    let all = BacktestArgs { after: None, ..args.clone() };
    let histories: Vec<History> = traced(&all, &mut rejects).iter().map(Traced::history).collect();
    let fitted =
        fit_part(&histories, &[], 1).ok_or_else(|| BacktestError::NothingToFit { path: path.to_owned() })?;
    let used = ModelUsed { source: "fitted", data: path.to_owned(), before, version: version(&fitted) };
    Ok(Model { fitted, used, histories, rejects })
}

/// Fits to one part of so many of the past, with some groups of features left out. `None` when nothing can be learned.
pub(super) fn fit_part(histories: &[History], without: &[Group], parts: usize) -> Option<Fitted> {
    let clockwork = Clockwork { idle_gap_s: IDLE_S, lead_s: BOOT_S, window_s: WINDOW_S };
    let whole = FitRule::new(clockwork);
    let (rows, quarters) = (whole.rows / parts, whole.quarters / parts);
    let rule = FitRule { rows, quarters, without: without.to_vec(), ..whole };
    let spinner = spinner();
    let fitted = fit(histories, &rule, &Population::default(), |step| spinner.set_message(step.to_owned()));
    spinner.finish_and_clear();
    fitted
}

fn read(path: &Path) -> Result<Model, BacktestError> {
    let text = fs::read(path).map_err(|source| BacktestError::OpenModel { path: path.to_owned(), source })?;
    let bad = |source| BacktestError::BadModel { path: path.to_owned(), source };
    let fitted: Fitted = serde_json::from_slice(&text).map_err(bad)?;
    fitted.check().map_err(|problem| bad(serde_json::Error::custom(problem)))?;
    let used = ModelUsed { source: "read", data: path.to_owned(), before: None, version: version(&fitted) };
    Ok(Model { fitted, used, histories: Vec::new(), rejects: Trace::default() })
}

/// Writes the model so that `--model` reads the same one.
pub(super) fn write(path: &Path, fitted: &Fitted) -> Result<(), BacktestError> {
    let written = fs::File::create(path).and_then(|mut file| {
        serde_json::to_writer_pretty(&mut file, fitted)?;
        writeln!(file)
    });
    written.map_err(|source| BacktestError::Write { path: path.to_owned(), source })
}

fn version(fitted: &Fitted) -> String {
    let json = serde_json::to_vec(fitted).unwrap_or_default();
    let digest = Sha256::digest(json);
    digest.iter().take(6).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
