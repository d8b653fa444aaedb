//! The plots of a backtest, written to the files the flags name.

use std::{fs, path::PathBuf};

use super::{
    fitted::{AblationRow, FittedPart},
    fitted_args::FittedArgs,
    run::BacktestError,
};
use crate::{
    model::Fitted,
    report::{
        backtest::Reliability,
        plot::{self, ABLATION_IDLE_HOURS, Drawing, Format, PlotError},
    },
};

type File = (PathBuf, Format);

/// Files to draw to; their formats are known before the long work begins.
pub(super) struct Plots {
    pub(super) frontier: Option<File>,
    calibration: Option<File>,
    ablation: Option<File>,
}

impl Plots {
    pub(super) fn of(args: &FittedArgs) -> Result<Self, BacktestError> {
        let file = |path: Option<&PathBuf>| -> Result<Option<File>, BacktestError> {
            path.map(|path| Ok((path.clone(), Format::of(path).map_err(BacktestError::PlotFormat)?)))
                .transpose()
        };
        let is_asked = |hours: u32| args.idle_budget_h.contains(&hours.into());
        if matches!(args.ablation, Some(Some(_))) && !ABLATION_IDLE_HOURS.into_iter().all(is_asked) {
            return Err(BacktestError::AblationBudgets);
        }
        Ok(Self {
            frontier: file(args.frontier.as_ref())?,
            calibration: file(args.calibration.as_ref())?,
            ablation: file(args.ablation.as_ref().and_then(Option::as_ref))?,
        })
    }
}

/// Draws what was asked for.
pub(super) fn draw(
    plots: &Plots,
    part: &FittedPart,
    budgets_h: &[f64],
    fitted: &Fitted,
) -> Result<(), BacktestError> {
    if let Some(file) = &plots.frontier {
        write(file, plot::frontier(&frontier(part, fitted)))?;
    }
    if let Some(file) = &plots.calibration {
        write(file, plot::calibration(&calibration(part)))?;
    }
    if let (Some(file), Some(rows)) = (&plots.ablation, &part.ablation) {
        write(file, plot::ablation(&ablation(rows, budgets_h)))?;
    }
    Ok(())
}

fn frontier(part: &FittedPart, fitted: &Fitted) -> plot::Frontier {
    let point = |idle_hours_per_instance_day, found_awake_share| plot::FrontierPoint {
        idle_hours_per_instance_day,
        found_awake_share,
    };
    let replayed = part.frontier.iter().map(|row| point(row.idle_hours_per_day, row.recall)).collect();
    // What is beyond the dearest point replayed would only make the plot wide.
    let end_h = part.frontier.last().map_or(0.0, |row| row.idle_hours_per_day * 1.05);
    let promised = fitted.frontier.iter().filter(|known| known.idle_h_per_day <= end_h);
    let promised = promised.map(|known| point(known.idle_h_per_day, known.recall)).collect();
    let series = [("replayed", replayed), ("where it was fitted", promised)];
    plot::Frontier {
        series: series
            .into_iter()
            .map(|(name, points)| plot::FrontierSeries { name: name.to_owned(), points })
            .collect(),
        points: Vec::new(),
        current: None,
    }
}

fn calibration(part: &FittedPart) -> plot::Calibration {
    let bin = |bin: &Reliability| plot::CalibrationBin {
        predicted_mean: bin.predicted_mean,
        observed_share: bin.observed_share,
        count: bin.count,
    };
    plot::Calibration {
        name: "an arrival within 3 h".to_owned(),
        bins: part.calibration.iter().map(bin).collect(),
    }
}

/// Budgets that were not asked for were not measured.
fn ablation(rows: &[AblationRow], budgets_h: &[f64]) -> plot::Ablation {
    let row = |row: &AblationRow| {
        let at = |hours: u32| {
            let place = budgets_h.iter().position(|budget_h| (budget_h - f64::from(hours)).abs() < 1e-9);
            place.and_then(|place| row.recall_change.get(place)).map_or(f64::NAN, |change| change * 100.0)
        };
        plot::AblationRow {
            left_out: format!("{:?}", row.left_out).to_lowercase(),
            recall_change_points: ABLATION_IDLE_HOURS.map(at),
        }
    };
    plot::Ablation { rows: rows.iter().map(row).collect() }
}

fn write((path, format): &File, drawing: Result<Drawing, PlotError>) -> Result<(), BacktestError> {
    let failed = |source| BacktestError::Plot { path: path.clone(), source };
    let bytes = drawing.map_err(failed)?.encode(*format).map_err(failed)?;
    fs::write(path, bytes).map_err(|source| BacktestError::Write { path: path.clone(), source })
}
