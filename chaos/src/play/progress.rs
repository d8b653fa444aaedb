//! How far the play is: a live line on a terminal, a plain one every ten seconds elsewhere.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{Timestamp, tz::TimeZone};
use tokio::time::Instant;

use crate::world::Glance;

const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Goes to standard error.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    plain_next: Instant,
    zone: TimeZone,
    ceiling_percent: f64,
}

impl Progress {
    pub fn new(quiet: bool, zone: TimeZone, ceiling_percent: f64) -> Self {
        let live = !quiet && stderr().is_terminal();
        let bar = live.then(|| {
            let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {percent:>3} %  {msg}");
            let bar = ProgressBar::with_draw_target(Some(1_000), ProgressDrawTarget::stderr());
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, quiet, plain_next: Instant::now(), zone, ceiling_percent }
    }

    /// Something worth a line of its own.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None if self.quiet => {}
            None => anstream::eprintln!("{text}"),
        }
    }

    pub fn show(&mut self, now: Timestamp, share: f64, world: &Glance, wakes: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position((1_000.0 * share) as u64);
            bar.set_message(self.line(now, world, wakes));
        } else if Instant::now() >= self.plain_next {
            self.plain_next = Instant::now() + PLAIN_EVERY;
            self.say(&format!("{:>3.0} %  {}", 100.0 * share, self.line(now, world, wakes)));
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, now: Timestamp, world: &Glance, wakes: usize) -> String {
        let when = now.to_zoned(self.zone.clone());
        let cpu: Vec<String> = world.cpu_percent.iter().map(|cpu| format!("{cpu:>3.0}")).collect();
        format!(
            "{}  asleep {:>2} booting {:>2} awake {:>2}  wakes {wakes:>3}  CPU {} of {:.0} %",
            when.strftime("%a %H:%M"),
            world.asleep,
            world.booting,
            world.serving,
            cpu.join(" "),
            self.ceiling_percent,
        )
    }
}
