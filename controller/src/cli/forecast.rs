//! `reveille forecast`

use clap::Args;

use super::{
    Exit,
    failure::Failure,
    screen::{Screen, more, number, rows_or, table},
    session::Session,
};
use crate::api::view::ForecastPage;

#[derive(Debug, Args)]
pub(super) struct ForecastArgs {
    /// Start of the span, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// Length of the span, as in 90m or "1h 30m" [default: 1h]
    #[arg(long, value_name = "DURATION")]
    within: Option<jiff::SignedDuration>,
    /// Leave out arrivals that are less likely, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    min_probability: f64,
    /// Only this instance
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// Most forecasts to show
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
}

pub(super) async fn run(session: &Session, args: &ForecastArgs) -> Result<Exit, Failure> {
    let mut query = vec![("page_size", args.limit.to_string())];
    // Asked for by name, it is shown however unlikely.
    let min_probability = if args.instance.is_some() { 0.0 } else { args.min_probability };
    query.push(("min_probability", min_probability.to_string()));
    query.extend(args.at.map(|at| ("at", at.to_string())));
    query.extend(args.within.map(|within| ("within", within.to_string())));
    query.extend(args.instance.clone().map(|instance| ("instance", instance)));
    query.extend(args.page_token.clone().map(|token| ("page_token", token)));
    let answer = session.client.get(&["forecast"], &query).await?;
    session.show(&answer, render)
}

fn render(page: &ForecastPage, screen: &Screen) -> String {
    let mut items: Vec<_> = page.items.iter().collect();
    items.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let mut table = table(["instance", "likely", "why"]);
    for item in items {
        let likely = number(format!("{:.0} %", 100.0 * item.probability));
        table.add_row([comfy_table::Cell::new(&item.instance_id), likely, comfy_table::Cell::new(&item.why)]);
    }
    let minutes = page.within_s / 60;
    let head = format!("Within {minutes} min of {}, by model {}", screen.time(page.at), page.model_version);
    format!("{head}\n{}{}", rows_or(&table, "nobody is that likely to come"), more(&page.next_page_token))
}
