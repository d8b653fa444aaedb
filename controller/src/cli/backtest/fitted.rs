//! A backtest of the fitted model: the model, the replay of the budgets, and what is drawn and written of it.

use serde::Serialize;

use super::{
    args::BacktestArgs,
    model::{Model, ModelUsed, fit_without, model, write},
    plots::{self, Plots},
    report::{Budget, Row},
    run::{BacktestError, progress_bar, write_wakes},
};
use crate::{
    model::{Scorer, features::Group},
    report::backtest::{BudgetRun, FittedReplay, FittedRun, Reliability, Score, Traced, replay_fitted},
};

/// Budgets that a frontier is drawn through beside those asked for, in idle hours per instance and day.
const FRONTIER_H: [f64; 9] = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0];

const GROUPS: [Group; 6] =
    [Group::Rates, Group::Week, Group::Days, Group::Today, Group::Idle, Group::Calendar];

/// What a backtest of the fitted model tells beside its rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FittedPart {
    /// Expected calibration error of the probability of an arrival within 3 h, over every quarter hour slept through.
    pub calibration_error: Option<f64>,
    pub calibration: Vec<Reliability>,
    pub model: ModelUsed,
    /// What each budget cost and brought, the cheapest first.
    pub frontier: Vec<FrontierRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ablation: Option<Vec<AblationRow>>,
}

/// One point of the frontier.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FrontierRow {
    pub idle_hours_per_day: f64,
    pub recall: f64,
}

/// What a group of features is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AblationRow {
    pub left_out: Group,
    /// Recall without it minus recall with it, for each budget asked for; -1 to 1.
    pub recall_change: Vec<f64>,
}

/// Rows, what stands beside them, and the model with the rejects of the trace it was fitted to.
pub(super) struct Found {
    pub rows: Vec<Row>,
    pub part: FittedPart,
    pub model: Model,
}

/// Runs it, and writes wakes, plots and model where the flags say so. `counts` are arrivals and enrolled days.
pub(super) fn run(
    args: &BacktestArgs,
    traced: &[Traced],
    counts: (u64, u64),
) -> Result<Found, BacktestError> {
    let asked = &args.fitted.idle_budget_h;
    if args.emit_wakes.is_some() && asked.len() > 1 {
        return Err(BacktestError::WakesOfManyBudgets { budgets: asked.len() });
    }
    let plots = Plots::of(&args.fitted)?;
    let model = model(args)?;
    if let Some(path) = &args.fitted.emit_model {
        write(path, &model.fitted)?;
    }
    let mut budgets_h = asked.clone();
    if plots.frontier.is_some() {
        budgets_h.extend(FRONTIER_H.iter().filter(|hours| !asked.contains(hours)));
    }
    let scorer = Scorer::new(model.fitted.clone());
    let found = replayed(traced, &scorer, &budgets_h);
    let score = |run: &BudgetRun| Score::new(run.tally, counts.0, counts.1);
    let rows: Vec<Row> = found.budgets.iter().take(asked.len()).map(|run| row(run, score(run))).collect();
    if let (Some(path), Some(run)) = (&args.emit_wakes, found.budgets.first()) {
        write_wakes(path, &run.wakes)
            .map_err(|source| BacktestError::Wakes { path: path.clone(), source })?;
    }
    let mut frontier: Vec<FrontierRow> = found.budgets.iter().map(|run| frontier_row(score(run))).collect();
    frontier.sort_by(|a, b| a.idle_hours_per_day.total_cmp(&b.idle_hours_per_day));
    let ablation = args.fitted.ablation.is_some().then(|| {
        let recall = |run: &BudgetRun| score(run).recall;
        ablation(&model, traced, asked, &rows, &recall)
    });
    let part = FittedPart {
        calibration_error: found.calibration.error(),
        calibration: found.calibration.reliability(),
        model: model.used.clone(),
        frontier,
        ablation,
    };
    plots::draw(&plots, &part, asked, &model.fitted)?;
    Ok(Found { rows, part, model })
}

fn replayed(traced: &[Traced], scorer: &Scorer, budgets_h: &[f64]) -> FittedRun {
    let bar = progress_bar();
    let found = replay_fitted(FittedReplay { traced, scorer, budgets_h }, |done, days| {
        bar.set_length(days as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    found
}

fn row(run: &BudgetRun, score: Score) -> Row {
    let budget = Budget {
        idle_budget_h: run.budget_h,
        threshold_start: run.threshold_start,
        threshold_min: run.threshold_min,
        threshold_max: run.threshold_max,
        threshold_end: run.threshold_end,
    };
    Row { rule: format!("fitted, {} h/day", run.budget_h), budget: Some(budget), score }
}

fn frontier_row(score: Score) -> FrontierRow {
    FrontierRow { idle_hours_per_day: score.idle_hours_per_day, recall: score.recall }
}

/// Fits and replays without each group in turn. A group without which nothing can be learned is not in the answer.
fn ablation(
    model: &Model,
    traced: &[Traced],
    budgets_h: &[f64],
    with: &[Row],
    recall: &dyn Fn(&BudgetRun) -> f64,
) -> Vec<AblationRow> {
    let without = |group: Group| {
        let scorer = Scorer::new(fit_without(&model.histories, &[group])?);
        let found = replayed(traced, &scorer, budgets_h);
        let changes = found.budgets.iter().zip(with).map(|(run, row)| recall(run) - row.score.recall);
        Some(AblationRow { left_out: group, recall_change: changes.collect() })
    };
    GROUPS.into_iter().filter_map(without).collect()
}
