//! `reveille wakes`

use clap::{Args, Subcommand};
use comfy_table::{Cell, ColumnConstraint};
use reqwest::Method;
use reveille_proto::WakeId;

use super::{
    Exit,
    failure::Failure,
    screen::{Screen, judged, more, or_dash, rows_or, table},
    session::Session,
};
use crate::api::view::{WakePage, WakeStoryView, WakeView};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct WakesArgs {
    #[command(subcommand)]
    command: Option<WakesCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum WakesCommand {
    /// List wakes, newest first (the default)
    List(ListArgs),
    /// Show a wake with every move it made
    Show { id: WakeId },
    /// Call a wake off; one that runs ends when its agent says so
    Cancel { id: WakeId },
    /// End a wake now, without waiting for its agent
    Force { id: WakeId },
    /// Ask anew for the instance of a wake that did not end well
    Retry { id: WakeId },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only wakes in this state: queued, dispatched, calling, starting, ended
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only wakes of this instance
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// Only wakes for this reason: forecast, demand, operator, experiment
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Most wakes to show
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
}

pub(super) async fn run(session: &Session, args: WakesArgs) -> Result<Exit, Failure> {
    match args.command {
        None => list(session, args.list).await,
        Some(WakesCommand::List(args)) => list(session, args).await,
        Some(WakesCommand::Show { id }) => {
            let answer = session.client.get(&["wakes", &id.to_string()], &[]).await?;
            session.show(&answer, render_story)
        }
        Some(WakesCommand::Cancel { id }) => step_in(session, id, "cancel").await,
        Some(WakesCommand::Force { id }) => step_in(session, id, "force").await,
        Some(WakesCommand::Retry { id }) => step_in(session, id, "retry").await,
    }
}

/// A wake is answered with in each case; a retry's answer says more, which is passed over.
async fn step_in(session: &Session, id: WakeId, what: &str) -> Result<Exit, Failure> {
    let answer = session.client.send_body(Method::POST, &["wakes", &id.to_string(), what], &()).await?;
    session.show(&answer, |wake: &WakeView, _| {
        format!("wake {} is {}: {}", wake.wake_id, wake.state, wake.detail)
    })
}

async fn list(session: &Session, args: ListArgs) -> Result<Exit, Failure> {
    let mut query = vec![("page_size", args.limit.to_string())];
    query.extend(args.state.map(|state| ("state", state)));
    query.extend(args.instance.map(|instance| ("instance", instance)));
    query.extend(args.reason.map(|reason| ("reason", reason)));
    query.extend(args.page_token.map(|token| ("page_token", token)));
    let answer = session.client.get(&["wakes"], &query).await?;
    session.show(&answer, render)
}

fn render(page: &WakePage, screen: &Screen) -> String {
    let mut table = table(["wake", "instance", "reason", "due", "state"]);
    for wake in &page.items {
        table.add_row([
            Cell::new(&wake.wake_id),
            Cell::new(&wake.instance_id),
            Cell::new(&wake.reason),
            Cell::new(screen.time_short(wake.due_at)),
            state(wake),
        ]);
    }
    // An id that is broken over two lines cannot be copied.
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    format!("{}{}", rows_or(&table, "no wakes"), more(&page.next_page_token))
}

/// How far it is, or how it ended and what it was good for.
fn state(wake: &WakeView) -> Cell {
    let Some(end) = wake.end.as_deref() else { return Cell::new(&wake.state) };
    let verdict = wake.verdict.as_deref();
    let good = match (end, verdict) {
        (_, Some("missed" | "failed")) => Some(false),
        ("cancelled" | "expired", _) | (_, Some("unused")) => None,
        ("woken" | "already_awake", _) => Some(true),
        _ => Some(false),
    };
    let text = verdict.map_or_else(|| end.to_owned(), |verdict| format!("{end}, {verdict}"));
    judged(&text, good)
}

pub(super) fn render_story(story: &WakeStoryView, screen: &Screen) -> String {
    let wake = &story.wake;
    let mut facts = table(["wake", &wake.wake_id]);
    let rows = [
        ("instance", wake.instance_id.clone()),
        ("host", or_dash(wake.host_id.as_deref())),
        ("reason", format!("{}, by {}", wake.reason, wake.requested_by)),
        ("why here", wake.detail.clone()),
        ("due", screen.time(wake.due_at)),
        ("place in the queue", or_dash(wake.queue_position.map(|place| place.to_string()).as_deref())),
        ("expected to serve", screen.time_opt(wake.expected_serving_at)),
        ("to serve", screen.time_opt(wake.serve_at)),
        ("called", screen.time_opt(wake.called_at)),
        ("serving", screen.time_opt(wake.serving_at)),
        ("ended", screen.time_opt(wake.ended_at)),
    ];
    for (name, value) in rows {
        facts.add_row([name, &value]);
    }
    facts.add_row([Cell::new("state"), state(wake)]);
    let mut moves = table(["at", "event", "from", "to", "in words"]);
    for moved in &story.transitions {
        let from = or_dash(Some(&moved.from));
        moves.add_row([&screen.time(moved.at), &moved.event, &from, &moved.to, &moved.detail]);
    }
    for late in &story.late {
        let at = screen.time(late.at);
        let said = format!("{}: {}", late.outcome, late.detail);
        moves.add_row([at.as_str(), "late result", "-", "-", &said]);
    }
    format!("{facts}\n{moves}")
}
