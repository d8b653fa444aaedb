//! The keeper's socket for the processes it has started: what an agent measures, and what a controller meets on the way to its
//! database, is asked for here. One question and one answer on a connection, a line each.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream as BlockingStream,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reveille_agent::load::{LoadError, Pressures, Sample, Source};
use reveille_proto::waits::{Asked, Gate};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader as AsyncBufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;

use crate::{play::load::HostLoad, world::Live};

/// A keeper that says nothing for so long is none.
const PATIENCE: Duration = Duration::from_secs(10);

const GATE: &str = "gate";
const LOAD: &str = "load";
const TOO_SOON: &str = "too soon";

fn word(asked: Asked) -> &'static str {
    match asked {
        Asked::Statement => "statement",
        Asked::Transaction => "transaction",
        Asked::Answer => "answer",
    }
}

fn asked(word: &str) -> Option<Asked> {
    [Asked::Statement, Asked::Transaction, Asked::Answer].into_iter().find(|asked| self::word(*asked) == word)
}

/// What is asked about.
#[derive(Clone)]
struct Desk {
    live: Live,
    gate: Gate,
    /// By agent, since its last start.
    loads: Arc<Mutex<BTreeMap<String, HostLoad>>>,
}

/// Answers at `path` until `stop`.
pub(super) fn serve(path: &Path, live: Live, gate: Gate, stop: CancellationToken) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    let desk = Desk { live, gate, loads: Arc::default() };
    let answering = async move {
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            let desk = desk.clone();
            tokio::spawn(async move {
                if let Err(error) = desk.answer(socket).await {
                    tracing::debug!(%error, "a process was not answered");
                }
            });
        }
    };
    tokio::spawn(stop.run_until_cancelled_owned(answering));
    Ok(())
}

impl Desk {
    async fn answer(&self, socket: UnixStream) -> io::Result<()> {
        let (from, mut to) = socket.into_split();
        let mut from = AsyncBufReader::new(from);
        let mut line = String::new();
        from.read_line(&mut line).await?;
        let parts: Vec<&str> = line.split_whitespace().collect();
        let answer = match parts[..] {
            [GATE, what] => {
                let Some(asked) = asked(what) else { return Err(io::ErrorKind::InvalidData.into()) };
                let mut nothing = [0; 1];
                tokio::select! {
                    passed = (self.gate)(asked) => match passed {
                        Ok(()) => "ok".to_owned(),
                        Err(error) => format!("{:?}", error.kind()),
                    },
                    // Who asked is gone.
                    _ = from.read(&mut nothing) => return Ok(()),
                }
            }
            [LOAD, host, agent, turn] => self.load(host, agent, turn),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        to.write_all(format!("{answer}\n").as_bytes()).await
    }

    fn load(&self, host: &str, agent: &str, turn: &str) -> String {
        let Ok(host) = host.parse() else { return TOO_SOON.to_owned() };
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        if turn == "first" {
            loads.remove(agent);
        }
        let load = loads.entry(agent.to_owned()).or_insert_with(|| HostLoad::new(self.live.clone(), host));
        load.sample().map_or_else(|_| TOO_SOON.to_owned(), |sample| written(&sample))
    }
}

/// A number that is none is written as such.
fn written(sample: &Sample) -> String {
    let pressures = sample.pressures.unwrap_or_default();
    let told = [
        sample.cpu_percent,
        sample.cores,
        pressures.memory_percent.unwrap_or(0.0),
        pressures.io_percent.unwrap_or(0.0),
        pressures.memory60_percent.unwrap_or(0.0),
        pressures.io60_percent.unwrap_or(0.0),
    ];
    told.map(|number| number.to_string()).join(" ")
}

fn read(line: &str) -> Option<Sample> {
    let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
    let [cpu_percent, cores, memory, io, memory60, io60] = numbers.ok()?[..] else { return None };
    let pressures = Pressures {
        memory_percent: Some(memory),
        io_percent: Some(io),
        memory60_percent: Some(memory60),
        io60_percent: Some(io60),
        ..Pressures::default()
    };
    Some(Sample { cpu_percent, cores, pressures: Some(pressures), ..Sample::default() })
}

/// What an agent measures: the load of its host, as the keeper's world has it.
#[derive(Debug)]
pub(super) struct KeptLoad {
    desk: PathBuf,
    host: usize,
    agent: String,
    is_first: bool,
}

impl KeptLoad {
    pub(super) fn new(desk: PathBuf, host: usize, agent: String) -> Self {
        Self { desk, host, agent, is_first: true }
    }

    fn ask(&self) -> io::Result<String> {
        let mut socket = BlockingStream::connect(&self.desk)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let turn = if self.is_first { "first" } else { "next" };
        writeln!(socket, "{LOAD} {} {} {turn}", self.host, self.agent)?;
        let mut line = String::new();
        BufReader::new(socket).read_line(&mut line)?;
        Ok(line)
    }
}

impl Source for KeptLoad {
    fn sample(&mut self) -> Result<Sample, LoadError> {
        let path = || self.desk.clone();
        let line = self.ask().map_err(|source| LoadError::Read { path: path(), source })?;
        if line.trim_end() == TOO_SOON {
            return Err(LoadError::TooSoon);
        }
        let sample = read(&line);
        let sample = sample.ok_or_else(|| LoadError::Parse { path: path(), problem: line.clone() })?;
        self.is_first = false;
        Ok(sample)
    }
}

/// What a controller meets on the way to its database.
pub(super) fn gate(desk: PathBuf) -> Gate {
    let desk = Arc::new(desk);
    Arc::new(move |asked| {
        let desk = Arc::clone(&desk);
        Box::pin(async move { pass(&desk, asked).await })
    })
}

async fn pass(desk: &Path, asked: Asked) -> io::Result<()> {
    let mut socket = UnixStream::connect(desk).await?;
    socket.write_all(format!("{GATE} {}\n", word(asked)).as_bytes()).await?;
    let mut answer = String::new();
    AsyncBufReader::new(socket).read_line(&mut answer).await?;
    match answer.trim_end() {
        "ok" => Ok(()),
        "ConnectionRefused" => {
            Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the database refuses connections"))
        }
        _ => Err(io::Error::new(io::ErrorKind::ConnectionReset, "the connection was lost before the answer")),
    }
}

#[cfg(test)]
mod tests {
    use reveille_proto::clock::Clock;

    use super::*;
    use crate::world::{World, WorldSpec};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn questions_of_both_kinds_are_answered() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("desk");
        let spec = WorldSpec { instances: 3, ..WorldSpec::default() };
        let clock = Clock::scaled(spec.starts_at().expect("in range"), 1.0);
        let live = Live::new(World::new(spec).expect("readable"), clock);
        let closed: Gate = Arc::new(|asked| {
            Box::pin(async move {
                match asked {
                    Asked::Statement => Ok(()),
                    Asked::Transaction => Err(io::ErrorKind::ConnectionRefused.into()),
                    Asked::Answer => Err(io::ErrorKind::ConnectionReset.into()),
                }
            })
        });
        let stop = CancellationToken::new();
        serve(&path, live, closed, stop.clone()).expect("served");
        let gate = gate(path.clone());
        gate(Asked::Statement).await.expect("open");
        let refused = gate(Asked::Transaction).await.expect_err("refused");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let lost = gate(Asked::Answer).await.expect_err("lost");
        assert_eq!(lost.kind(), io::ErrorKind::ConnectionReset);
        let sample = tokio::task::spawn_blocking(move || KeptLoad::new(path, 0, "agent-1".into()).sample());
        let sample = sample.await.expect("no panic").expect("measured");
        assert!(sample.cores > 0.0 && sample.cpu_percent >= 0.0, "{sample:?}");
    }

    #[test]
    fn what_is_no_number_stays_none() {
        let sample = Sample { cpu_percent: f64::NAN, cores: 8.0, ..Sample::default() };
        let read = read(&written(&sample)).expect("a sample");
        assert!(read.cpu_percent.is_nan() && (read.cores - 8.0).abs() < f64::EPSILON);
    }
}
