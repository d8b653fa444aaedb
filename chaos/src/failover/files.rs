//! What the members are told: configurations, tokens, and the commands that start them.

use std::{
    fs::OpenOptions,
    hash::{BuildHasher as _, RandomState},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;

use super::{lease::QUESTION, world::AGENTS};
use crate::{crash::NODE, world::instance_id};

pub(super) const HTTP_PORT: u16 = 7411;
pub(super) const GRPC_PORT: u16 = 7412;
/// Where a member finds its own directory, the tokens and this program.
pub(super) const HOME: &str = "/ground";
pub(super) const TOKENS: &str = "/tokens";
pub(super) const PROGRAM: &str = "/reveille-chaos";
/// In the watcher's directory: what it has seen of the lease.
pub(super) const LEASE_LOG: &str = "lease";

const HOST_WAKES_MAX: u32 = 16;

/// Runs until it is killed; what it needs to know a superuser of the container may do.
const DATABASE: &str = r#"
exec >>/ground/log 2>&1
bin=$(echo /usr/lib/postgresql/*/bin) data=/var/lib/postgresql/ground
as="setpriv --reuid=postgres --regid=postgres --init-groups"
if [ ! -e $data/made ]; then
  install -d -o postgres -g postgres -m 700 $data &&
    $as $bin/initdb -D $data/cluster -A trust -U postgres -E UTF8 --no-locale &&
    echo 'host all all all trust' >>$data/cluster/pg_hba.conf && touch $data/made || exit 1
fi
exec $as $bin/postgres -D $data/cluster -c listen_addresses='*' -c unix_socket_directories= -c max_connections=100
"#;

pub(super) fn database_script() -> String {
    DATABASE.to_owned()
}

/// Asks for the lease as often as it is told to, and begins anew when the database comes back.
pub(super) fn watcher_script(database: &str) -> String {
    format!(
        "exec >>{HOME}/{LEASE_LOG} 2>>{HOME}/log; export PGCONNECT_TIMEOUT=1; while :; do \
         psql -h {database} -U postgres -d postgres -XAtq -F '|' -f {HOME}/question.sql; sleep 0.05; done"
    )
}

/// This program as a node of its own; a signal to the container is one to it.
pub(super) fn node_script(args: &str) -> String {
    format!("exec >>{HOME}/log 2>&1; exec {PROGRAM} {NODE} {args}")
}

/// Tokens all controllers and agents share, readable by their owner only.
pub(super) fn write_tokens(dir: &Path) -> anyhow::Result<()> {
    make_dir(dir)?;
    for name in ["operator.token", "agent.token"] {
        // The standard library seeds its hasher from the operating system.
        let drawn = || RandomState::new().hash_one(std::process::id());
        let token = format!("{:016x}{:016x}{:016x}\n", drawn(), drawn(), drawn());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(dir.join(name)).and_then(|mut file| file.write_all(token.as_bytes()));
        written.with_context(|| format!("failed to write {name}"))?;
    }
    Ok(())
}

pub(super) fn write_controller(dir: &Path, database: &str) -> anyhow::Result<()> {
    let text = format!(
        "[listen]\nhttp = \"0.0.0.0:{HTTP_PORT}\"\ngrpc = \"0.0.0.0:{GRPC_PORT}\"\n\
         [auth]\noperator_token_file = \"{TOKENS}/operator.token\"\nagent_token_file = \"{TOKENS}/agent.token\"\n\
         [store]\ndata_dir = \"{HOME}/data\"\ndatabase_url = \"postgres://postgres@{database}/postgres\"\n\
         [policy]\nhost_wakes_max = {HOST_WAKES_MAX}\n\
         [wake]\ntimeout_s = 10\nbackoff_base_s = 1\nbackoff_max_s = 2\ndeadline_grace_s = 10\nattempts_max = 10\n\
         dispatch_interval_ms = 100\ndemand_expiry_s = 600\n\
         [throttle]\nlimit_start = {HOST_WAKES_MAX}\n\
         [fleet]\nload_interval_ms = 200\n"
    );
    make_dir(dir)?;
    write(&dir.join("controller.toml"), &text)
}

/// The agent of one host knows all controllers, and every fourth instance is its own.
pub(super) fn write_agent(
    dir: &Path,
    agent: usize,
    controllers: &[String],
    endpoint: SocketAddr,
    instances: usize,
) -> anyhow::Result<()> {
    let ids: Vec<String> =
        (agent..instances).step_by(AGENTS).map(|index| format!("\"{}\"", instance_id(index))).collect();
    let addresses: Vec<String> =
        controllers.iter().map(|name| format!("\"http://{name}:{GRPC_PORT}\"")).collect();
    let (ids, addresses, host) = (ids.join(", "), addresses.join(", "), agent + 1);
    let text = format!(
        "host_id = \"host-{host}\"\nstate_dir = \"{HOME}/state\"\n\
         [controller]\naddress = [{addresses}]\ntoken_file = \"{TOKENS}/agent.token\"\nreconnect_backoff_max_s = 2\n\
         [guard]\nwakes_max = {HOST_WAKES_MAX}\n\
         [load]\ninterval_ms = 200\n\
         [[instance_templates]]\nids = [{ids}]\n\
         [instance_templates.driver]\nkind = \"http\"\n\
         url = \"http://{endpoint}/wake/{{instance}}?wake={{wake_id}}\"\nrequest_timeout_s = 5\n\
         [instance_templates.readiness]\nkind = \"http\"\nurl = \"http://{endpoint}/i/{{instance}}/\"\n\
         interval_ms = 100\n"
    );
    make_dir(dir)?;
    write(&dir.join("agent.toml"), &text)
}

pub(super) fn write_watcher(dir: &Path) -> anyhow::Result<()> {
    make_dir(dir)?;
    write(&dir.join("question.sql"), QUESTION)?;
    // There before it is followed.
    write(&dir.join(LEASE_LOG), "")
}

pub(super) fn make_dir(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}
