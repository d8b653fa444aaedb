//! The flags of `reveille backtest`, and the rules they ask for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::civil::Date;

use super::fitted_args::FittedArgs;
use crate::model::{
    Rule, Split,
    lead::LEAD_TIME_MAX_S,
    rule::{BadRule, LOOKAHEAD_H_MAX},
};

/// Replay a presence trace (rows `entity,utc[,tz minutes]`) on past data only, and score the wakes.
#[derive(Debug, Clone, Args)]
pub struct BacktestArgs {
    /// The trace, CSV with a header line, plain or gzip
    pub trace: PathBuf,
    /// Whose hours and days count: UTC, or the user's own by the offset in the trace
    #[arg(long, value_enum, default_value_t)]
    pub clock: TraceClock,
    /// Days with activity among the last 30 that an instance must have to be planned for
    #[arg(long, value_name = "DAYS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=30))]
    pub min_active: u16,
    /// Compare every day with every day, or weekdays with weekdays and weekend days with weekend days
    #[arg(long, value_enum, default_value_t)]
    pub rule: RuleKind,
    /// Wake where active in the hour on this many of 30 days; several, separated by commas, give a row each
    #[arg(long, value_name = "DAYS", value_delimiter = ',', conflicts_with = "min_share",
          value_parser = clap::value_parser!(u16).range(1..=30))]
    pub min_days: Vec<u16>,
    /// Wake where active in the hour on this share of the days, 0 to 1; several give a row each
    #[arg(long, value_name = "SHARE", value_delimiter = ',')]
    pub min_share: Vec<f64>,
    /// Clock hours, from the one planned, in which activity counts
    #[arg(long, value_name = "HOURS", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=i64::from(LOOKAHEAD_H_MAX)))]
    pub lookahead_h: u8,
    /// How long before each whole hour wakes start, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0,
          value_parser = clap::value_parser!(i64).range(0..=LEAD_TIME_MAX_S))]
    pub lead_s: i64,
    /// Score only days from this date on
    #[arg(long, value_name = "DATE")]
    pub after: Option<Date>,
    /// Write the wakes to this file as `entity,utc_epoch`, in seconds of the chosen clock
    #[arg(long, value_name = "FILE")]
    pub emit_wakes: Option<PathBuf>,
    #[command(flatten)]
    pub fitted: FittedArgs,
}

/// Which clock hours and days are taken by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TraceClock {
    #[default]
    Utc,
    Local,
}

/// Which days are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RuleKind {
    Daily,
    #[default]
    Split,
}

impl BacktestArgs {
    /// The rules asked for, each with a name for its row; without a threshold, the default one.
    pub fn rules(&self) -> Result<Vec<(String, Rule)>, BadRule> {
        let kind = match self.rule {
            RuleKind::Daily => "daily",
            RuleKind::Split => "weekday/weekend",
        };
        let hours = if self.lookahead_h == 1 { String::new() } else { format!(" {} h", self.lookahead_h) };
        let days = self
            .min_days
            .iter()
            .map(|days| (format!("{kind}{hours} >= {days}/30 days"), f64::from(*days) / 30.0));
        let shares = self.min_share.iter().map(|share| (format!("{kind}{hours} share >= {share}"), *share));
        let mut thresholds: Vec<(String, f64)> = days.chain(shares).collect();
        if thresholds.is_empty() {
            thresholds.push((format!("{kind}{hours} >= 4/30 days"), Rule::default().min_share));
        }
        let rule = |(name, min_share)| {
            let rule = Rule {
                split: if self.rule == RuleKind::Daily { Split::None } else { Split::WeekdayWeekend },
                min_share,
                lookahead_h: self.lookahead_h,
                min_active_days: self.min_active,
                ..Rule::default()
            };
            rule.check().map(|()| (name, rule))
        };
        thresholds.into_iter().map(rule).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

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
    fn each_threshold_is_a_row() {
        let args = parse("--rule daily --min-days 1,2,8 --lookahead-h 3").expect("valid flags");
        let rules = args.rules().expect("within bounds");
        assert_eq!(rules.len(), 3);
        assert_eq!(rules[2].0, "daily 3 h >= 8/30 days");
        assert!((rules[2].1.min_share - 8.0 / 30.0).abs() < 1e-15);
        assert_eq!((rules[2].1.split, rules[2].1.lookahead_h), (Split::None, 3));
        assert_eq!(parse("").unwrap().rules().unwrap()[0].1, Rule::default());
    }

    #[test]
    fn bad_flags_are_refused() {
        for flags in ["--min-days 0", "--min-days 31", "--lookahead-h 0", "--lead-s 3601", "--after soon"] {
            assert!(parse(flags).is_err(), "{flags}");
        }
        assert!(parse("--min-days 4 --min-share 0.1").is_err());
        let error = parse("--min-share 1.5").unwrap().rules().expect_err("a share over 1");
        assert_eq!(error.field, "min_share");
    }
}
