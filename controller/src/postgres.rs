//! A private PostgreSQL server for tests, benches and experiments: on a free port of loopback, gone when its owner is.

use std::{
    fmt::Write,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long a new server may take until it takes connections.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Makes a cluster and runs it until the standard input is closed, which happens however the owner ends; then nothing of
/// it is left. The server is stopped hard: there is nothing to keep.
const LIFE: &str = r#"
bin=$1 dir=$2 port=$3 fsync=$4
"$bin/initdb" -D "$dir/data" -A trust -U postgres -E UTF8 --no-locale --no-sync >"$dir/log" 2>&1 &&
"$bin/postgres" -D "$dir/data" -h 127.0.0.1 -p "$port" -c unix_socket_directories= -c max_connections=300 \
  -c fsync="$fsync" </dev/null >>"$dir/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT "$(head -n 1 "$dir/data/postmaster.pid")"
wait "$server"
rm -rf "$dir"
"#;

/// A running server. Its superuser is `postgres`, without a password.
#[derive(Debug)]
pub struct Server {
    port: u16,
    dir: PathBuf,
    life: Child,
}

impl Server {
    /// Starts one; `None` where PostgreSQL is not installed. Without `durable` a commit does not wait for the disk.
    pub fn start(durable: bool) -> io::Result<Option<Self>> {
        let Some(bin) = binaries() else { return Ok(None) };
        let user = unprivileged()?;
        let dir = private_dir(user)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = Command::new("sh");
        command.args(["-c", LIFE, "sh"]).arg(bin).arg(&dir).arg(port.to_string());
        command.arg(if durable { "on" } else { "off" }).current_dir(&dir);
        // A signal from the terminal is for the owner; the server goes when the owner does.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        if let Some((uid, gid)) = user {
            command.gid(gid).uid(uid);
        }
        let mut life = command.spawn()?;
        wait_until_ready(&mut life, &dir.join("log"))?;
        Ok(Some(Self { port, dir, life }))
    }

    /// Stops every process of the server, as if its disk had gone: connections stay open and nothing answers.
    /// It goes on when the result is dropped.
    pub fn hang(&self) -> io::Result<Hung> {
        let pid_file = fs::read_to_string(self.dir.join("data").join("postmaster.pid"))?;
        let first = pid_file.lines().next().and_then(|line| line.trim().parse().ok());
        let first: i32 = first.ok_or_else(|| io::Error::other("the server's process is not known"))?;
        // The first one, stopped before the others are looked for, starts no more of them.
        let mut hung = Hung { pids: Vec::new() };
        hung.stop(first)?;
        for pid in children(first)? {
            hung.stop(pid)?;
        }
        Ok(hung)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where `database` is found.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.life.stdin.take());
        self.life.wait().ok();
        // Nothing of it is left by now, unless its shell was killed.
        fs::remove_dir_all(&self.dir).ok();
    }
}

/// A server that hangs.
#[derive(Debug)]
pub struct Hung {
    pids: Vec<i32>,
}

impl Hung {
    fn stop(&mut self, pid: i32) -> io::Result<()> {
        self.pids.push(pid);
        kill(Pid::from_raw(pid), Signal::SIGSTOP).map_err(io::Error::from)
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        for pid in &self.pids {
            // One that is gone needs nothing.
            kill(Pid::from_raw(*pid), Signal::SIGCONT).ok();
        }
    }
}

/// The processes a process has started.
fn children(parent: i32) -> io::Result<Vec<i32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // The name in brackets may hold anything; state and parent follow it.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if of == Some(parent) {
            children.push(pid);
        }
    }
    Ok(children)
}

/// The directory with `initdb` and `postgres`: the newest that is installed, or one of the path.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<_> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path())))
        .collect();
    installed.sort_unstable();
    let installed = installed.into_iter().rev().map(|(_, path)| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = installed.chain(std::env::split_paths(&path));
    found.find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
}

/// Whom to run it as: PostgreSQL refuses root. `None` when nobody has to be changed to.
fn unprivileged() -> io::Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let of = |name: &str| {
        let mut fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = fields.find(|fields| fields.first() == Some(&name))?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    of("postgres")
        .or_else(|| of("nobody"))
        .map(Some)
        .ok_or_else(|| io::Error::other("no user but root is there"))
}

/// A new directory. One of a process that had the same number and was killed is left where it is.
fn private_dir(user: Option<(u32, u32)>) -> io::Result<PathBuf> {
    let mut number = 0;
    let dir = loop {
        let dir = std::env::temp_dir().join(format!("reveille-postgres-{}-{number}", std::process::id()));
        match fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => break made.map(|()| dir)?,
        }
    };
    if let Some((uid, gid)) = user {
        chown(&dir, Some(uid), Some(gid))?;
    }
    Ok(dir)
}

#[expect(clippy::disallowed_methods, reason = "nothing but its log says when the server is ready")]
fn wait_until_ready(life: &mut Child, log: &Path) -> io::Result<()> {
    let mut told = String::new();
    for _ in 0..START_TIMEOUT.as_millis() / POLL.as_millis() {
        told = fs::read_to_string(log).unwrap_or_default();
        if told.contains("ready to accept connections") {
            return Ok(());
        }
        if told.contains("FATAL") || told.contains("initdb: error") || life.try_wait()?.is_some() {
            break;
        }
        std::thread::sleep(POLL);
    }
    drop(life.stdin.take());
    let mut problem = String::from("the PostgreSQL server did not start");
    for line in told.lines().rev().take(5) {
        write!(problem, "; {line}").ok();
    }
    Err(io::Error::other(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_on_loopback_and_leaves_nothing() {
        let Some(server) = Server::start(false).unwrap() else {
            eprintln!("SKIPPED: a private server (PostgreSQL is not here)");
            return;
        };
        let (port, dir) = (server.port, server.dir.clone());
        assert!(dir.is_dir());
        assert!(server.url("x").ends_with(&format!("@127.0.0.1:{port}/x")));
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        drop(server);
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_err();
        assert!(!dir.exists());
    }
}
