//! The log file the controller follows: what the world wrote since the last time is appended, line by line.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{Live, World};

/// How often lines are handed over, in seconds of the world.
const WRITE_EVERY_S: u64 = 10;

#[derive(Debug)]
pub struct AccessLog(File);

impl AccessLog {
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().create_new(true).append(true).open(path)?))
    }

    /// Plays `world` up to `to_s` and writes what was logged meanwhile. Blocks; a day at a time, so memory stays small.
    pub fn back_fill(&mut self, world: &mut World, to_s: i64) -> io::Result<()> {
        while world.now_s() < to_s {
            world.advance((world.now_s() + 86_400).min(to_s));
            self.0.write_all(world.lines.take().as_bytes())?;
        }
        self.0.flush()
    }

    /// Keeps the file as new as the world until `stop`.
    pub async fn keep(mut self, live: Live, stop: CancellationToken) -> io::Result<()> {
        loop {
            let text = live.enter().lines.take();
            self.0.write_all(text.as_bytes())?;
            tokio::select! {
                () = stop.cancelled() => return self.0.flush(),
                () = live.clock().sleep(Duration::from_secs(WRITE_EVERY_S)) => {}
            }
        }
    }
}
