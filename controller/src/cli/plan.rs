//! `reveille plan`

use clap::Args;
use comfy_table::Cell;

use super::{
    Exit,
    failure::Failure,
    screen::{Screen, more, number, rows_or, table},
    session::Session,
};
use crate::api::view::{OmissionPage, PlanView};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Show whom it leaves out, and why
    #[arg(long)]
    omissions: bool,
    /// Most omissions to show
    #[arg(long, value_name = "N", default_value_t = 100, requires = "omissions")]
    limit: u32,
    #[arg(long, value_name = "TOKEN", requires = "omissions")]
    page_token: Option<String>,
}

pub(super) async fn run(session: &Session, args: &PlanArgs) -> Result<Exit, Failure> {
    if args.omissions {
        let mut query = vec![("page_size", args.limit.to_string())];
        query.extend(args.page_token.clone().map(|token| ("page_token", token)));
        let answer = session.client.get(&["plan", "omissions"], &query).await?;
        return session.show(&answer, render_omissions);
    }
    let answer = session.client.get(&["plan"], &[]).await?;
    session.show(&answer, render)
}

fn render(plan: &PlanView, screen: &Screen) -> String {
    let mut wakes = table(["instance", "host", "start at", "serve at", "likely", "why"]);
    for wake in &plan.wakes {
        wakes.add_row([
            Cell::new(&wake.instance_id),
            Cell::new(&wake.host_id),
            Cell::new(screen.time_short(wake.due_at)),
            Cell::new(screen.time_short(wake.serve_at)),
            number(format!("{:.0} %", 100.0 * wake.probability)),
            Cell::new(&wake.why),
        ]);
    }
    let mut omitted = table(["left out", "because"]);
    for (reason, count) in &plan.omitted {
        omitted.add_row([number(count), Cell::new(reason)]);
    }
    let head = format!(
        "Plan {} of {}, up to {}, {}, by model {}",
        plan.plan_id,
        screen.time(plan.made_at),
        screen.time(plan.horizon_end),
        plan.mode,
        plan.model_version
    );
    let wakes = rows_or(&wakes, "nobody is to be woken");
    if plan.omissions == 0 {
        return format!("{head}\n{wakes}");
    }
    format!(
        "{head}\n{wakes}\n{omitted}\n`reveille plan --omissions` names those left out for a reason of their own"
    )
}

fn render_omissions(page: &OmissionPage, _: &Screen) -> String {
    let mut table = table(["instance", "reason", "in words"]);
    for item in &page.items {
        table.add_row([&item.instance_id, &item.reason, &item.detail]);
    }
    format!(
        "{}{}",
        rows_or(&table, "nobody is left out for a reason of their own; `reveille plan` counts the others"),
        more(&page.next_page_token)
    )
}
