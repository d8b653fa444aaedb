//! `reveille explain`

use std::{io::IsTerminal, path::PathBuf};

use clap::Args;
use comfy_table::Cell;

use super::{
    Exit,
    failure::Failure,
    screen::{Screen, number, rows_or, table},
    session::Session,
};
use crate::{
    api::view::ExplainView,
    report::plot::{Format, Terminal, Week, week, week_text},
};

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The instance
    instance: String,
    /// As if it were this time, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// Draw its week to this file, .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

pub(super) async fn run(session: &Session, args: &ExplainArgs) -> Result<Exit, Failure> {
    let format = args.plot.as_deref().map(Format::of).transpose().map_err(Failure::file)?;
    let query: Vec<_> = args.at.map(|at| ("at", at.to_string())).into_iter().collect();
    let answer = session.client.get(&["instances", &args.instance, "explain"], &query).await?;
    if let (Some(path), Some(format)) = (&args.plot, format) {
        let drawing = week(&its_week(&answer.read()?)).map_err(Failure::internal)?;
        let bytes = drawing.encode(format).map_err(Failure::internal)?;
        std::fs::write(path, bytes).map_err(|error| {
            let context = format!("failed to write the plot to {}", path.display());
            Failure::File(anyhow::Error::new(error).context(context))
        })?;
    }
    session.show(&answer, render)
}

fn its_week(told: &ExplainView) -> Week {
    Week {
        instance: told.instance_id.clone(),
        first_day: told.first_day,
        arrival_probability: told.week.iter().map(|known| known.unwrap_or(f64::NAN)).collect(),
        planned_wakes: told.planned_wakes.clone(),
        past_arrivals: told.past_arrivals.clone(),
    }
}

fn render(told: &ExplainView, screen: &Screen) -> String {
    let head = format!(
        "{} at {}, by model {}, in {}\n{}",
        told.instance_id,
        screen.time(told.at),
        told.model_version,
        told.time_zone,
        told.habit
    );
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let likely = format!(
        "comes within 1 h: {}, 3 h: {}, 24 h: {}",
        percent(told.within_1h),
        percent(told.within_3h),
        percent(told.within_24h)
    );
    let verdict = match (told.model_wakes, told.waits) {
        (true, _) => "a wake is worth it",
        (false, true) => "a quarter hour later is soon enough",
        (false, false) => "waiting is better",
    };
    let worth = format!(
        "a wake now is expected to spare {:.1} min for {:.1} idle h; score {:.2}, woken from {:.2} on: {verdict}",
        told.saved_s / 60.0,
        told.idle_h,
        told.score,
        told.threshold
    );
    let plan = told.plan.as_ref().map_or_else(String::new, |plan| format!("\nthe newest plan: {plan}"));
    let mut reasons = table(["adds", "because of", "mostly"]);
    for reason in &told.reasons {
        let adds = number(format!("{:+.2}", reason.adds));
        reasons.add_row([adds, Cell::new(&reason.words), Cell::new(&reason.strongest)]);
    }
    let mut next = table(["next likely", "within the hour"]);
    for slot in &told.next {
        next.add_row([Cell::new(screen.time_short(slot.at)), number(percent(slot.probability))]);
    }
    let next = rows_or(&next, "no time of the coming week is likely");
    format!("{head}\n{likely}\n{worth}{plan}\n{reasons}\n{next}\n{}", week_text(&its_week(told), terminal()))
}

/// Where it is shown: plain text unless it is a terminal that wants colours.
fn terminal() -> Terminal {
    let is_terminal = std::io::stdout().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let columns = comfy_table::Table::new().width().filter(|_| is_terminal).unwrap_or(100);
    Terminal { columns, styled: is_terminal && !no_color }
}
