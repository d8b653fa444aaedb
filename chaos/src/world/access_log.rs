//! The log file the controller follows: what the world wrote since the last time is appended, line by line.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{Live, World, feed::Feed};

/// How often lines are handed over, in seconds of the world.
const WRITE_EVERY_S: u64 = 10;

#[derive(Debug)]
pub struct AccessLog {
    file: File,
    feed: Feed,
}

impl AccessLog {
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).open(path)?;
        Ok(Self { file, feed: Feed::default() })
    }

    /// Plays `world` up to `to_s` and writes what was logged meanwhile. Blocks; a day at a time, so memory stays small.
    pub fn back_fill(&mut self, world: &mut World, to_s: i64) -> io::Result<()> {
        while world.now_s() < to_s {
            world.advance((world.now_s() + 86_400).min(to_s));
            self.file.write_all(world.lines.take().as_bytes())?;
        }
        self.file.flush()
    }

    /// As [`Self::back_fill`], without a line of the last `missing_s` seconds; gives how many lines are missing.
    pub fn back_fill_but(&mut self, world: &mut World, to_s: i64, missing_s: i64) -> io::Result<u64> {
        self.back_fill(world, to_s - missing_s)?;
        let before = world.lines.count();
        while world.now_s() < to_s {
            world.advance((world.now_s() + 86_400).min(to_s));
            drop(world.lines.take());
        }
        Ok(world.lines.count() - before)
    }

    /// Keeps the file as new as the world until `stop`.
    pub async fn keep(mut self, live: Live, stop: CancellationToken) -> io::Result<()> {
        loop {
            let bytes = self.feed.through(&mut live.enter());
            self.file.write_all(&bytes)?;
            tokio::select! {
                () = stop.cancelled() => return self.file.flush(),
                () = live.clock().sleep(Duration::from_secs(WRITE_EVERY_S)) => {}
            }
        }
    }
}
