//! A backtest of the fitted model: the model, the replay of the budgets, and what is drawn and written of it.

use serde::Serialize;

use super::{
    args::BacktestArgs,
    model::{Model, ModelUsed, fit_part, model, write},
    plots::{self, Plots},
    report::{Budget, Row},
    run::{BacktestError, progress_bar, write_wakes},
};
use crate::{
    model::{CovisitRule, Scorer, features::Group},
    report::backtest::{BudgetRun, FittedReplay, FittedRun, Reliability, Score, Traced, replay_fitted},
};

/// Budgets that a frontier is drawn through beside those asked for, in idle hours per instance and day.
const FRONTIER_H: [f64; 9] = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0];

/// The past is cut into so many parts for an ablation, one of which is fitted to: too few rows to bend the score by, so
/// that the groups are compared by straight lines.
const ABLATION_PARTS: usize = 8;

const GROUPS: [Group; 6] =
    [Group::Rates, Group::Week, Group::Days, Group::Today, Group::Idle, Group::Calendar];

/// What a backtest of the fitted model tells beside its rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FittedPart {
    /// Expected calibration error of the probability of an arrival within 3 h, over every quarter hour slept through.
    pub calibration_error: Option<f64>,
    pub calibration: Vec<Reliability>,
    pub model: ModelUsed,
    /// Whether those were woken, too, who usually follow one that just arrived.
    pub covisits: bool,
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
    /// Recall without it minus recall with it when the hours asked for are spent, for each budget; -1 to 1.
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
    let covisits = args.fitted.covisits.then(CovisitRule::default);
    let found = replayed(traced, &scorer, &budgets_h, args.fitted.steady, covisits);
    let score = |run: &BudgetRun| Score::new(run.tally, counts.0, counts.1);
    let rows: Vec<Row> = found.budgets.iter().take(asked.len()).map(|run| row(run, score(run))).collect();
    if let (Some(path), Some(run)) = (&args.emit_wakes, found.budgets.first()) {
        write_wakes(path, &run.wakes)
            .map_err(|source| BacktestError::Wakes { path: path.clone(), source })?;
    }
    let mut frontier: Vec<FrontierRow> = found.budgets.iter().map(|run| frontier_row(score(run))).collect();
    frontier.sort_by(|a, b| a.idle_hours_per_day.total_cmp(&b.idle_hours_per_day));
    let ablation = args.fitted.ablation.is_some().then(|| {
        ablation(&model, asked, |scorer| {
            let budgets_h: Vec<f64> = asked.iter().chain(&FRONTIER_H).copied().collect();
            // The same threshold throughout: groups of features are compared, not how a budget is kept.
            let runs = replayed(traced, scorer, &budgets_h, true, None).budgets;
            let mut frontier: Vec<FrontierRow> = runs.iter().map(|run| frontier_row(score(run))).collect();
            frontier.sort_by(|a, b| a.idle_hours_per_day.total_cmp(&b.idle_hours_per_day));
            frontier
        })
    });
    let part = FittedPart {
        calibration_error: found.calibration.error(),
        calibration: found.calibration.reliability(),
        model: model.used.clone(),
        covisits: args.fitted.covisits,
        frontier,
        ablation,
    };
    plots::draw(&plots, &part, asked, &model.fitted)?;
    Ok(Found { rows, part, model })
}

fn replayed(
    traced: &[Traced],
    scorer: &Scorer,
    budgets_h: &[f64],
    steady: bool,
    covisits: Option<CovisitRule>,
) -> FittedRun {
    let bar = progress_bar();
    let found = replay_fitted(FittedReplay { traced, scorer, budgets_h, steady, covisits }, |done, days| {
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

/// Fits and replays without each group in turn, and once with all of them: on a part of the past, so that all of it
/// takes about as long as one whole fit. A group without which nothing can be learned is not in the answer.
fn ablation(
    model: &Model,
    budgets_h: &[f64],
    replayed: impl Fn(&Scorer) -> Vec<FrontierRow>,
) -> Vec<AblationRow> {
    let frontier = |without: &[Group]| {
        let fitted = fit_part(&model.histories, without, ABLATION_PARTS)?;
        Some(replayed(&Scorer::new(fitted)))
    };
    let Some(with_all) = frontier(&[]) else { return Vec::new() };
    let without = |group: Group| {
        let without = frontier(&[group])?;
        let change = |hours: &f64| recall_at(&without, *hours) - recall_at(&with_all, *hours);
        Some(AblationRow { left_out: group, recall_change: budgets_h.iter().map(change).collect() })
    };
    GROUPS.into_iter().filter_map(without).collect()
}

/// Recall at so many hours spent, between the points by the logarithm of the hours: budgets are not kept to the hour, and
/// what was overspent is no merit of the model. Outside of the points, that of the nearest.
fn recall_at(frontier: &[FrontierRow], hours: f64) -> f64 {
    let after = frontier.partition_point(|row| row.idle_hours_per_day < hours);
    match (after.checked_sub(1).and_then(|i| frontier.get(i)), frontier.get(after)) {
        (Some(low), Some(high)) => {
            let span = (high.idle_hours_per_day / low.idle_hours_per_day).ln();
            let share = if span > 0.0 { (hours / low.idle_hours_per_day).ln() / span } else { 0.0 };
            low.recall + (high.recall - low.recall) * share
        }
        (Some(only), None) | (None, Some(only)) => only.recall,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Read, path::Path};

    use clap::Parser;

    use super::super::{BacktestArgs, BacktestError, BacktestReport, run};

    const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/presence_small.csv.gz");
    /// Fitted to the one person of the first years, scored on the others of the last.
    const SPLIT: &str = "--fit-before 2014-01-01 --after 2025-01-01";

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: BacktestArgs,
    }

    fn backtest(flags: &str, json: bool) -> Result<(BacktestReport, String), BacktestError> {
        let words = ["backtest", SMALL].into_iter().chain(flags.split_whitespace());
        let args = Command::try_parse_from(words).expect("valid flags").args;
        let mut out = Vec::new();
        let report = run(&args, &mut out, json)?;
        Ok((report, String::from_utf8(out).expect("UTF-8")))
    }

    /// Arrivals, enrolled days, wakes, hits, warm arrivals, idle seconds.
    type Counts = [i64; 6];

    /// The published scorer's definitions, counted anew from the files alone.
    fn counted(wakes: &Path, after_s: i64) -> Counts {
        const DAY_S: i64 = 86_400;
        let mut text = String::new();
        let file = std::fs::File::open(SMALL).expect("the fixture");
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip");
        let pairs = |text: &str| -> BTreeMap<String, Vec<i64>> {
            let mut found: BTreeMap<String, Vec<i64>> = BTreeMap::new();
            for line in text.lines().skip(1) {
                let mut fields = line.split(',');
                let name = fields.next().expect("a name").to_owned();
                let at_s = fields.next().expect("a time").parse().expect("seconds");
                found.entry(name).or_default().push(at_s);
            }
            for times in found.values_mut() {
                times.sort_unstable();
            }
            found
        };
        let wakes = pairs(&std::fs::read_to_string(wakes).expect("was written"));
        let mut counts = [0; 6];
        for (name, seen) in pairs(&text) {
            let starts: Vec<i64> = (0..seen.len())
                .filter(|i| *i == 0 || seen[*i] - seen[*i - 1] >= 7_200)
                .map(|i| seen[i])
                .collect();
            let mut days: Vec<i64> = seen.iter().map(|at_s| at_s.div_euclid(DAY_S)).collect();
            days.dedup();
            let enrolled = |at_s: i64| {
                let day = at_s.div_euclid(DAY_S);
                let active = days.iter().filter(|d| (day - 30..day).contains(*d)).count();
                active >= 5
                    && day >= days[0] + 30
                    && day * DAY_S >= after_s
                    && day <= days[days.len() - 1] + 1
            };
            counts[0] += starts.iter().filter(|at_s| enrolled(**at_s)).count() as i64;
            let all_days = days[0]..=days[days.len() - 1] + 1;
            counts[1] += all_days.filter(|day| enrolled(day * DAY_S)).count() as i64;
            let mut hold_s = i64::MIN;
            for wake_s in wakes.get(&name).into_iter().flatten() {
                let awake = seen.iter().any(|at_s| (wake_s - 7_199..=*wake_s).contains(at_s));
                assert!(enrolled(*wake_s) && *wake_s >= hold_s && !awake, "{name} {wake_s}");
                counts[2] += 1;
                let wait_s = starts.iter().find(|at_s| *at_s > wake_s).map_or(i64::MAX, |at_s| at_s - wake_s);
                counts[3] += i64::from(wait_s <= 10_800);
                counts[4] += i64::from((300..=10_800).contains(&wait_s));
                counts[5] += wait_s.min(10_800);
                hold_s = wake_s + wait_s.min(10_800);
            }
        }
        counts
    }

    #[test]
    fn the_wakes_written_are_worth_what_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let (model, wakes) = (dir.path().join("model.json"), dir.path().join("wakes.csv"));
        let drawn = ["frontier.svg", "calibration.png"].map(|name| dir.path().join(name));
        let flags = format!(
            "--idle-budget-h 1 --fit {SMALL} {SPLIT} --emit-wakes {} --emit-model {} --frontier {} --calibration {}",
            wakes.display(),
            model.display(),
            drawn[0].display(),
            drawn[1].display(),
        );
        let (report, json) = backtest(&flags, true).expect("runs");
        let score = report.rows[0].score;
        // 2025-01-01.
        let counts = counted(&wakes, 1_735_689_600);
        let said =
            [report.arrivals, report.enrolled_days, score.tally.wakes, score.tally.hits, score.tally.warm];
        assert_eq!(said.map(u64::cast_signed), counts[..5]);
        assert_eq!(score.tally.idle_s.cast_signed(), counts[5]);
        assert!((score.recall - counts[4] as f64 / counts[0] as f64).abs() < 1e-12);
        // Few people for a year: the budget is kept roughly.
        assert!((0.7..1.3).contains(&score.idle_hours_per_day), "{}", score.idle_hours_per_day);

        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        for key in ["recall", "precision", "idle_hours_per_day", "wakes_per_day", "manual_per_day"] {
            assert_eq!(json[key], json["rows"][0][key], "{key}");
        }
        assert!(json["calibration_error"].as_f64().expect("a number") < 0.2);
        assert_eq!(json["rows"][0]["idle_budget_h"], 1.0);
        assert!(json["frontier"].as_array().expect("points").len() > 8);
        assert!(drawn.iter().all(|path| std::fs::metadata(path).expect("was drawn").len() > 1_000));

        let flags = format!("--idle-budget-h 1 --model {} --after 2025-01-01", model.display());
        let (again, text) = backtest(&flags, false).expect("runs");
        assert_eq!(again.rows, report.rows, "the model was written and read whole");
        assert!(text.contains(", read from "), "{text}");
        assert!(text.contains("calibration error"), "{text}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_before_the_work() {
        let error = backtest("--idle-budget-h 1,2 --model m.json --emit-wakes w.csv", false);
        assert!(matches!(error, Err(BacktestError::WakesOfManyBudgets { budgets: 2 })), "{error:?}");
        let error = backtest("--idle-budget-h 1 --model m.json --frontier f.gif", false);
        assert!(matches!(error, Err(BacktestError::PlotFormat(_))), "{error:?}");
        let error = backtest("--idle-budget-h 1 --model /no/such/model", false);
        assert!(matches!(error, Err(BacktestError::OpenModel { .. })), "{error:?}");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "{\"wake\": 3}").expect("written");
        let error = backtest(&format!("--idle-budget-h 1 --model {}", file.path().display()), false);
        assert!(matches!(error, Err(BacktestError::BadModel { .. })), "{error:?}");
        let error = backtest(&format!("--idle-budget-h 1 --fit {SMALL} --fit-before 2008-01-01"), false);
        assert!(matches!(error, Err(BacktestError::NothingToFit { .. })), "{error:?}");
    }
}
