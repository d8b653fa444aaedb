//! `reveille train`: fits the model to a database, with or without a controller running on it.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reveille_proto::clock::Clock;

use super::{
    Exit,
    args::ConfigFile,
    database,
    failure::Failure,
    screen::{Screen, number, table},
};
use crate::{
    config::Config,
    model::Quality,
    tasks::{self, LearnStatus, TrainLimits},
};

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    /// Directory of an embedded database [default: the configuration's database]
    #[arg(long, value_name = "DIR")]
    database: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) async fn run(screen: &Screen, args: &TrainArgs) -> Result<Exit, Failure> {
    let config = Config::load(args.file.config.as_deref())?;
    let store = database::open(&database::of(&config, args.database.as_deref())?).await?;
    let spinner = spinner();
    let shown = spinner.clone();
    let progress = move |what: &str| shown.set_message(what.to_owned());
    let now = Clock::system().now();
    let learned = tasks::learn_told(&store, &config, now, &TrainLimits::default(), progress).await;
    spinner.finish_and_clear();
    store.close().await;
    let learned = learned.map_err(Failure::internal)?;
    if screen.is_json() {
        Screen::print(&serde_json::to_string(&learned).map_err(Failure::internal)?)?;
    } else {
        Screen::print(&render(&learned))?;
    }
    Ok(if learned.rejected.is_some() { Exit::No } else { Exit::Ok })
}

/// On stderr, and only where that is a terminal.
fn spinner() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn render(learned: &LearnStatus) -> String {
    let LearnStatus { version, instances, .. } = learned;
    let mut lines = vec![match &learned.rejected {
        Some(why) => format!("version {version} was rejected, the one before goes on: {why}"),
        None => format!("version {version} serves, with {instances} instances"),
    }];
    if let Some(origin) = learned.origin {
        lines.push(match &learned.kept_because {
            Some(why) => format!("weights: {origin}, because {why}"),
            None => format!("weights: {origin}"),
        });
    }
    lines.extend(learned.quality.as_ref().map(render_quality));
    lines.join("\n")
}

/// What was fitted beside what was in service, on the days kept back.
fn render_quality(quality: &Quality) -> String {
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    let rows = [
        (
            "log-loss, 3 h",
            format!("{:.4}", quality.log_loss),
            format!("{:.4}", quality.log_loss_in_service),
            format!("{:.4}", quality.log_loss_constant),
        ),
        (
            "calibration error",
            format!("{:.3}", quality.calibration_error),
            format!("{:.3}", quality.calibration_error_in_service),
            String::new(),
        ),
        ("found awake", share(quality.recall), share(quality.recall_in_service), String::new()),
        (
            "idle h/day",
            format!("{:.2}", quality.idle_h_per_day),
            format!("{:.2}", quality.idle_h_per_day_in_service),
            String::new(),
        ),
        ("drift", format!("{:.2}", quality.drift), String::new(), String::new()),
    ];
    let mut table = table(["on days kept back", "fitted", "in service", "constant"]);
    for (name, fitted, in_service, constant) in rows {
        table.add_row([name.into(), number(fitted), number(in_service), number(constant)]);
    }
    format!("\n{table}\n\njudged on {} instance-days of {} days", quality.instance_days, quality.days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelKind, Origin};

    #[test]
    fn what_was_refused_is_told_beside_what_serves() {
        let quality = Quality { log_loss: 0.31234, log_loss_in_service: 0.2, days: 14, ..Quality::default() };
        let told = render(&LearnStatus {
            version: 4,
            kind: ModelKind::Fitted,
            instances: 20,
            rejected: None,
            origin: Some(Origin::Version { version: 3 }),
            kept_because: Some("the weights fitted were refused".into()),
            quality: Some(quality),
        });
        for part in [
            "version 4 serves, with 20 instances",
            "weights: those of version 3, because the weights fitted were refused",
            "0.3123",
            "of 14 days",
        ] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
    }
}
