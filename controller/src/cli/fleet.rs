//! `reveille hosts`, `reveille instances` and `reveille controllers`

use clap::Args;
use comfy_table::Cell;

use super::{
    Exit,
    failure::Failure,
    screen::{Screen, dash, judged, more, number, or_dash, rows_or, table},
    session::Session,
};
use crate::api::view::{ControllerView, HostView, InstancePage, Items};

#[derive(Debug, Args)]
pub(super) struct InstancesArgs {
    /// Most instances to show
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    #[arg(long, value_name = "TOKEN")]
    page_token: Option<String>,
}

pub(super) async fn instances(session: &Session, args: &InstancesArgs) -> Result<Exit, Failure> {
    let mut query = vec![("page_size", args.limit.to_string())];
    query.extend(args.page_token.clone().map(|token| ("page_token", token)));
    let answer = session.client.get(&["instances"], &query).await?;
    session.show(&answer, render_instances)
}

fn render_instances(page: &InstancePage, screen: &Screen) -> String {
    let mut table = table(["instance", "host", "cohort", "zone", "last seen", "forecast"]);
    for item in &page.items {
        table.add_row([
            item.instance_id.clone(),
            or_dash(item.host_id.as_deref()),
            or_dash(Some(&item.cohort)),
            item.time_zone.clone(),
            screen.time_opt(item.last_seen_at),
            if item.opted_out { "opted out".into() } else { "yes".into() },
        ]);
    }
    let nothing = "no instances yet: none was seen in a log or listed by an agent";
    format!("{}{}", rows_or(&table, nothing), more(&page.next_page_token))
}

pub(super) async fn hosts(session: &Session) -> Result<Exit, Failure> {
    let answer = session.client.get(&["hosts"], &[]).await?;
    session.show(&answer, render_hosts)
}

pub(super) async fn controllers(session: &Session) -> Result<Exit, Failure> {
    let answer = session.client.get(&["controllers"], &[]).await?;
    session.show(&answer, render_controllers)
}

fn render_controllers(controllers: &Items<ControllerView>, screen: &Screen) -> String {
    let mut table = table(["controller", "version", "agents", "started", "last seen", ""]);
    for controller in &controllers.items {
        let (leads, answers) = (controller.leads, controller.answers);
        let what = [(leads, "leads"), (answers, "answers here")];
        let what: Vec<&str> = what.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
        table.add_row([
            controller.controller_id.clone(),
            controller.version.clone(),
            controller.grpc_address.clone(),
            screen.time(controller.started_at),
            screen.time(controller.seen_at),
            what.join(", "),
        ]);
    }
    rows_or(&table, "no controllers")
}

fn render_hosts(hosts: &Items<HostView>, screen: &Screen) -> String {
    let mut table = table(["host", "class", "cores", "CPU", "wakes", "instances", "gate"]);
    for host in &hosts.items {
        let gate = if host.connected || host.gate == "elsewhere" {
            let text = if host.gate_detail.is_empty() { &host.gate } else { &host.gate_detail };
            judged(text, matches!(host.gate.as_str(), "open" | "elsewhere").then_some(true))
        } else {
            judged(&format!("not connected since {}", screen.time(host.last_seen_at)), Some(false))
        };
        table.add_row([
            Cell::new(&host.host_id),
            Cell::new(or_dash(Some(&host.host_class))),
            number(host.cores),
            number(host.cpu_percent.map_or_else(dash, |cpu| format!("{cpu:.0} %"))),
            number(format!("{} of {}", host.active_wakes, host.wakes_limit)),
            number(host.instances),
            gate,
        ]);
    }
    rows_or(&table, "no hosts yet: no agent has connected")
}
