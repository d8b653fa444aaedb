//! `reveille policy`

use clap::{Args, Subcommand};
use reqwest::Method;

use super::{
    Exit,
    failure::Failure,
    screen::{Screen, or_dash, rows_or, table},
    session::Session,
};
use crate::api::view::{Items, PolicyChangeView, PolicySetBody, PolicyView};

#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: Option<PolicyCommand>,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Show the policy in force (the default)
    Get,
    /// Change one key, in force at once
    Set {
        key: String,
        /// The new value
        #[arg(help = r#"As TOML would write it: 8, act, true, 2026-12-25, '["dev1", "dev2"]'"#)]
        value: String,
    },
    /// Take one key back to what the configuration says, in force at once
    Unset { key: String },
    /// Who changed what, newest first
    Changes {
        /// Most changes to show
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
}

pub(super) async fn run(session: &Session, args: PolicyArgs) -> Result<Exit, Failure> {
    let client = &session.client;
    match args.command.unwrap_or(PolicyCommand::Get) {
        PolicyCommand::Get => session.show(&client.get(&["policy"], &[]).await?, render),
        PolicyCommand::Set { key, value } => {
            let body = PolicySetBody { value: value.into() };
            let answer = client.send_body(Method::PUT, &["policy", &key], &body).await?;
            session.show(&answer, render)
        }
        PolicyCommand::Unset { key } => {
            let answer = client.send_body(Method::DELETE, &["policy", &key], &()).await?;
            session.show(&answer, render)
        }
        PolicyCommand::Changes { limit } => {
            let query = [("page_size", limit.to_string())];
            session.show(&client.get(&["policy", "changes"], &query).await?, render_changes)
        }
    }
}

fn render(policy: &PolicyView, screen: &Screen) -> String {
    let mut table = table(["key", "value", "changed", "by"]);
    for entry in &policy.entries {
        let by = or_dash(entry.changed_by.as_deref());
        table.add_row([&entry.key, &entry.value.to_string(), &screen.time_opt(entry.changed_at), &by]);
    }
    table.to_string()
}

fn render_changes(changes: &Items<PolicyChangeView>, screen: &Screen) -> String {
    let mut table = table(["at", "by", "key", "from", "to"]);
    for change in &changes.items {
        let at = screen.time(change.changed_at);
        table.add_row([&at, &change.changed_by, &change.key, &change.old_value, &change.new_value]);
    }
    rows_or(&table, "nothing was changed yet")
}
