//! The flags of a backtest of the fitted model: budgets, where the model comes from, and what is drawn.

use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;

/// With budgets, the fitted model decides by quarter hours in place of a rule.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Fitted model")]
pub struct FittedArgs {
    /// Let the fitted model decide, and spend so many idle hours per instance and day; several give a row each
    #[arg(long, value_name = "HOURS", value_delimiter = ',', value_parser = budget_h,
          conflicts_with_all = ["rule", "min_days", "min_share", "lookahead_h", "lead_s"])]
    pub idle_budget_h: Vec<f64>,
    /// Fit the model to this other trace
    #[arg(long, value_name = "TRACE", requires = "idle_budget_h", conflicts_with = "model")]
    pub fit: Option<PathBuf>,
    /// Take the model from this file
    #[arg(long, value_name = "FILE", requires = "idle_budget_h")]
    pub model: Option<PathBuf>,
    /// Fit only to what was seen before this date; give --after as well to score what follows
    #[arg(long, value_name = "DATE", requires = "fit")]
    pub fit_before: Option<Date>,
    /// Keep the threshold that the model says the budget costs, whatever is spent: what the model is worth, apart from
    /// keeping a budget
    #[arg(long, requires = "idle_budget_h")]
    pub steady: bool,
    /// Wake those, too, who usually follow one that just arrived: whether co-visits pay on this trace
    #[arg(long, requires = "idle_budget_h")]
    pub covisits: bool,
    /// Draw recall against idle hours to this file (.svg or .png)
    #[arg(long, value_name = "FILE", requires = "idle_budget_h")]
    pub frontier: Option<PathBuf>,
    /// Draw how far forecasts come true to this file (.svg or .png)
    #[arg(long, value_name = "FILE", requires = "idle_budget_h")]
    pub calibration: Option<PathBuf>,
    /// Fit again without each group of features and tell the change of recall; draw it to FILE if one is given
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, requires = "fit", conflicts_with = "model")]
    pub ablation: Option<Option<PathBuf>>,
    /// Write the fitted model to this file, for --model
    #[arg(long, value_name = "FILE", requires = "fit", conflicts_with = "model")]
    pub emit_model: Option<PathBuf>,
}

/// Idle hours per instance and day. A day has 24.
fn budget_h(text: &str) -> Result<f64, String> {
    let hours: f64 = text.parse().map_err(|_| "not a number of hours".to_owned())?;
    if hours > 0.0 && hours <= 24.0 { Ok(hours) } else { Err("must be above 0 and at most 24".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::BacktestArgs;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: BacktestArgs,
    }

    fn parse(flags: &str) -> Result<BacktestArgs, clap::Error> {
        let words = ["backtest", "trace.csv"].into_iter().chain(flags.split_whitespace());
        Command::try_parse_from(words).map(|command| command.args)
    }

    #[test]
    fn budgets_and_rules_do_not_mix() {
        let args = parse("--idle-budget-h 1,2.5 --fit o.csv --ablation").expect("valid flags");
        assert_eq!(args.fitted.idle_budget_h, [1.0, 2.5]);
        assert_eq!(args.fitted.ablation, Some(None));
        assert!(parse("--idle-budget-h 1 --fit o.csv --ablation=a.svg").is_ok());
        for flags in [
            "--idle-budget-h 1 --min-days 4",
            "--idle-budget-h 1 --lead-s 60",
            "--idle-budget-h 0",
            "--idle-budget-h nan",
            "--idle-budget-h 25",
            "--idle-budget-h 1 --fit o.csv --model m.json",
            "--idle-budget-h 1 --fit-before 2020-01-01",
            "--idle-budget-h 1 --model m.json --ablation",
            "--fit o.csv",
            "--frontier f.svg",
        ] {
            assert!(parse(flags).is_err(), "{flags}");
        }
    }
}
