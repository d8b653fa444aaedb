//! `reveille models`

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use comfy_table::Cell;
use reqwest::Method;

use super::{
    Exit,
    failure::Failure,
    screen::{Screen, dash, judged, number, or_dash, rows_or, table},
    session::Session,
};
use crate::{
    api::view::{Items, ModelView, ModelWeightsView},
    model::{Metrics, Origin, Quality},
};

#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Versions of the model, newest first (the default)
    List {
        /// Most versions to show
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// One version, with what it weighs
    Show { version: u64 },
    /// Put a version back in service and pin it: no newer one takes its place
    Serve { version: u64 },
    /// Let newer versions serve again
    Unpin,
}

pub(super) async fn run(session: &Session, args: ModelsArgs) -> Result<Exit, Failure> {
    let client = &session.client;
    match args.command.unwrap_or(ModelsCommand::List { limit: 20 }) {
        ModelsCommand::List { limit } => {
            let query = [("page_size", limit.to_string())];
            session.show(&client.get(&["models"], &query).await?, render_list)
        }
        ModelsCommand::Show { version } => {
            session.show(&client.get(&["models", &version.to_string()], &[]).await?, render_one)
        }
        ModelsCommand::Serve { version } => {
            let path = ["models", &version.to_string(), "serve"];
            let answer = client.send_body(Method::POST, &path, &serde_json::json!({})).await?;
            session.show(&answer, |model: &ModelView, _| {
                let version = model.version;
                format!("version {version} serves and is pinned; `reveille models unpin` lets newer ones serve again")
            })
        }
        ModelsCommand::Unpin => {
            let answer = client.send_body(Method::POST, &["models", "unpin"], &serde_json::json!({})).await?;
            session.show(&answer, |model: &ModelView, _| {
                format!("version {} serves until a newer one is fitted", model.version)
            })
        }
    }
}

fn metrics(model: &ModelView) -> Metrics {
    serde_json::from_value(model.metrics.clone()).unwrap_or_default()
}

/// Of the weights the version has: its own, or those of the version before, which were judged beside them.
fn quality_of_weights(metrics: &Metrics) -> (String, String) {
    let figures = metrics.quality.map(|quality: Quality| match metrics.origin {
        Some(Origin::Training) | None => (quality.log_loss, quality.calibration_error),
        Some(Origin::Version { .. } | Origin::Embedded) => {
            (quality.log_loss_in_service, quality.calibration_error_in_service)
        }
    });
    figures.map_or_else(
        || (dash(), dash()),
        |(log_loss, calibration_error)| (format!("{log_loss:.4}"), format!("{calibration_error:.3}")),
    )
}

fn status(model: &ModelView) -> Cell {
    let text = if model.pinned { format!("{}, pinned", model.status) } else { model.status.clone() };
    let good = match model.status.as_str() {
        "serving" => Some(true),
        "rejected" => Some(false),
        _ => None,
    };
    judged(&text, good)
}

fn weights_from(metrics: &Metrics) -> String {
    match metrics.origin {
        Some(Origin::Training) => "own".into(),
        Some(Origin::Version { version }) => format!("of {version}"),
        Some(Origin::Embedded) => "embedded".into(),
        None => dash(),
    }
}

fn render_list(models: &Items<ModelView>, screen: &Screen) -> String {
    let mut table = table([
        "version",
        "status",
        "kind",
        "weights",
        "trained",
        "data",
        "instances",
        "log-loss",
        "calibration",
        "why",
    ]);
    for model in &models.items {
        let metrics = metrics(model);
        let (log_loss, calibration) = quality_of_weights(&metrics);
        let day =
            |at: Option<jiff::Timestamp>| at.map_or_else(dash, |at| at.strftime("%Y-%m-%d").to_string());
        table.add_row([
            number(model.version),
            status(model),
            Cell::new(&model.kind),
            Cell::new(weights_from(&metrics)),
            Cell::new(screen.time_short(model.trained_at)),
            Cell::new(format!("{} to {}", day(model.data_from), day(model.data_to))),
            number(model.instances),
            number(log_loss),
            number(calibration),
            Cell::new(or_dash(Some(&model.detail))),
        ]);
    }
    rows_or(&table, "nothing was fitted yet")
}

fn render_one(shown: &ModelWeightsView, screen: &Screen) -> String {
    let list = render_list(&Items { items: vec![shown.model.clone()] }, screen);
    let heads: Vec<&BTreeMap<String, f64>> = ["wake", "within_1h", "within_3h", "within_24h"]
        .iter()
        .filter_map(|head| shown.weights.get(*head))
        .collect();
    let Some(first) = heads.first() else { return list };
    let mut weights = table(["feature", "wake", "1 h", "3 h", "24 h"]);
    for name in first.keys() {
        let figures =
            heads.iter().map(|head| head.get(name).map_or_else(dash, |weight| format!("{weight:.4}")));
        weights.add_row(std::iter::once(Cell::new(name)).chain(figures.map(number)));
    }
    let mut frontier = table(["idle h/day", "found awake", "wakes/day", "threshold"]);
    for point in &shown.frontier {
        frontier.add_row([
            number(format!("{:.2}", point.idle_h_per_day)),
            number(format!("{:.1} %", 100.0 * point.recall)),
            number(format!("{:.2}", point.wakes_per_day)),
            number(format!("{:.3}", point.threshold)),
        ]);
    }
    format!("{list}\n\n{frontier}\n\n{weights}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_weights_that_serve() {
        let quality = Quality {
            log_loss: 0.3,
            log_loss_in_service: 0.2,
            calibration_error: 0.06,
            calibration_error_in_service: 0.01,
            ..Quality::default()
        };
        let of =
            |origin| quality_of_weights(&Metrics { origin, quality: Some(quality), ..Metrics::default() });
        assert_eq!(of(Some(Origin::Training)), ("0.3000".into(), "0.060".into()));
        assert_eq!(of(Some(Origin::Version { version: 3 })), ("0.2000".into(), "0.010".into()));
        assert_eq!(quality_of_weights(&Metrics::default()), ("-".into(), "-".into()));
    }
}
