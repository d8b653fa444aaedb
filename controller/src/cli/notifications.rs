//! `reveille notifications`

use clap::{Args, Subcommand};
use comfy_table::Cell;

use super::{
    Exit,
    failure::Failure,
    screen::{Screen, judged, more, number, or_dash, rows_or, table},
    session::Session,
};
use crate::api::view::{NotificationPage, NotificationView};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct NotificationsArgs {
    #[command(subcommand)]
    command: Option<NotificationsCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum NotificationsCommand {
    /// List notifications, newest first (the default)
    List(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only notifications in this state: pending, delivered, `given_up`
    #[arg(
        long,
        value_name = "STATE",
        help = "Only notifications in this state: pending, delivered, given_up"
    )]
    state: Option<String>,
    /// Only those for this receiver: the name of a webhook, or smtp
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// Only those of this instance
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// Most notifications to show
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
}

pub(super) async fn run(session: &Session, args: NotificationsArgs) -> Result<Exit, Failure> {
    let args = match args.command {
        Some(NotificationsCommand::List(args)) => args,
        None => args.list,
    };
    let mut query = vec![("page_size", args.limit.to_string())];
    let filters = [
        ("state", args.state),
        ("receiver", args.receiver),
        ("instance", args.instance),
        ("page_token", args.page_token),
    ];
    query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value?))));
    session.show(&session.client.get(&["notifications"], &query).await?, render)
}

fn render(page: &NotificationPage, screen: &Screen) -> String {
    let mut table = table(["at", "event", "instance", "receiver", "state", "tries", "last error"]);
    for one in &page.items {
        table.add_row([
            Cell::new(screen.time_short(one.created_at)),
            Cell::new(&one.event),
            Cell::new(or_dash(one.instance_id.as_deref())),
            Cell::new(&one.receiver),
            state(one, screen),
            number(one.attempts),
            Cell::new(or_dash(one.last_error.as_deref())),
        ]);
    }
    format!("{}{}", rows_or(&table, "no notifications"), more(&page.next_page_token))
}

fn state(one: &NotificationView, screen: &Screen) -> Cell {
    match (one.state.as_str(), one.due_at) {
        ("delivered", _) => judged("delivered", Some(true)),
        ("given_up", _) => judged("given up", Some(false)),
        (_, Some(due_at)) if one.attempts > 0 => {
            judged(&format!("pending, again {}", screen.time_short(due_at)), None)
        }
        (other, _) => judged(other, None),
    }
}
