//! Reads what is stored, replays it, shows what came of it.

use std::{cmp::Ordering::Equal, io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{Timestamp, tz::TimeZone};
use reveille_proto::clock::Clock;

use super::{
    args::WhatifArgs,
    plot::PlotFile,
    policy,
    report::{FrontierRow, Side, WhatifReport, changes},
    span::span,
    stored::Stored,
    table::render,
};
use crate::{
    app::FITTED_LEAD_S,
    calendars::{Reach, read_calendars},
    cli::{Exit, database, failure::Failure, screen::Screen},
    config::Config,
    model::{DayCalendar, Scorer, calendar::date_of},
    policy::{Mode, Policy},
    report::{
        plot::Terminal,
        whatif::{Card, Contender, HostSpec, WARM_UP_DAYS, WhatIf, whatif},
    },
    store::{Database, Store},
};

/// Budgets the frontier is drawn through, in idle hours per instance and day.
const FRONTIER_H: [f64; BUDGETS] = [0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0];

const BUDGETS: usize = 7;

/// Work that is done by then needs no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

/// The throttle starts nothing at the ceiling, and still it is passed.
const ABOVE_CEILING: &str = "who finds an instance asleep has it started by the platform at once, beside the wakes: that \
                             is what brings a host above its ceiling";

const DAY_S: i64 = 86_400;

pub(in crate::cli) async fn run(screen: &Screen, args: &WhatifArgs) -> Result<Exit, Failure> {
    let config = Config::load(args.file.config.as_deref())?;
    let report = replayed(args, config, Clock::system().now()).await?;
    if screen.is_json() {
        Screen::print(&serde_json::to_string_pretty(&report).map_err(Failure::internal)?)?;
    } else {
        Screen::print(&render(&report, terminal()))?;
    }
    Ok(Exit::Ok)
}

/// Where it is shown: plain text unless it is a terminal that wants colours.
fn terminal() -> Terminal {
    let is_terminal = std::io::stdout().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let columns = comfy_table::Table::new().width().filter(|_| is_terminal).unwrap_or(100);
    Terminal { columns, styled: is_terminal && !no_color }
}

/// Everything but showing it.
pub(super) async fn replayed(
    args: &WhatifArgs,
    config: Config,
    now: Timestamp,
) -> Result<WhatifReport, Failure> {
    let plot = args.frontier.as_deref().map(PlotFile::of).transpose()?;
    let database = database::of(&config, args.database.as_deref())?;
    let store = database::open(&database).await?;
    // What it holds on to is too large for the futures of all commands.
    let read = Box::pin(read(args, &config, &store, now, &database)).await;
    store.close().await;
    let work = read?;
    let report = tokio::task::spawn_blocking(move || work.report()).await.map_err(Failure::internal)?;
    if let Some(plot) = plot {
        plot.write(&report)?;
    }
    Ok(report)
}

async fn read(
    args: &WhatifArgs,
    config: &Config,
    store: &Store,
    now: Timestamp,
    database: &Database,
) -> Result<Work, Failure> {
    let mut stored = Stored::read(store, config).await?;
    let new = policy::read(&args.policy, &stored.policy)?;
    let known = stored.on_record(now).ok_or_else(|| {
        Failure::No(format!("no visits are stored in {database}: there is nothing to replay"))
    })?;
    let (from_day, to_day) = span(args.from, args.to, known).map_err(Failure::Input)?;
    let midnight = |day: i32| Timestamp::from_second(i64::from(day) * DAY_S).unwrap_or(now);
    let hosts = stored.hosts(store, midnight(from_day), midnight(to_day)).await?;
    if stored.model.fitted_at.is_some_and(|at| at > midnight(from_day)) {
        stored.notes.push(
            "the weights were fitted to some of these very days: expect a little less of days to come"
                .to_owned(),
        );
    }
    let zone = TimeZone::get(&config.model.time_zone).unwrap_or(TimeZone::UTC);
    let reach = Reach { from_day: from_day - WARM_UP_DAYS - 1, until_day: to_day + 2 };
    let (days, bad) = read_calendars(&config.calendars, &zone, reach).map_err(Failure::file)?;
    stored.notes.extend(bad.iter().map(|event| format!("an event of a calendar is left out: {event}")));
    stored.notes.extend(modes(&stored.policy, &new));
    let database = database.to_string();
    Ok(Work { config: config.clone(), stored, new, hosts, days, from_day, to_day, database })
}

/// Zeros are surprising when nobody says why.
fn modes(current: &Policy, new: &Policy) -> Vec<String> {
    let why = |policy: &Policy| match (policy.mode, policy.paused) {
        (Mode::ForecastOnly, _) => Some("is `mode = \"forecast-only\"`"),
        (_, true) => Some("has `paused = true`"),
        _ => None,
    };
    let told = |name: &str, policy: &Policy| {
        why(policy).map(|why| format!("the {name} policy {why}: it wakes nobody"))
    };
    [told("current", current), told("new", new)].into_iter().flatten().collect()
}

/// What is replayed, away from the database.
struct Work {
    config: Config,
    stored: Stored,
    new: Policy,
    hosts: Vec<HostSpec>,
    days: DayCalendar,
    from_day: i32,
    to_day: i32,
    database: String,
}

impl Work {
    fn report(self) -> WhatifReport {
        let scorer = Scorer::new(self.stored.fitted.clone());
        let contenders = self.contenders();
        let bar = Bar::new();
        let input = WhatIf {
            stories: &self.stored.stories,
            hosts: &self.hosts,
            scorer: &scorer,
            abstain: self.config.model.abstain,
            days: &self.days,
            throttle: &self.config.throttle,
            window_s: self.config.plan.window_s.into(),
            idle_gap_s: self.config.visits.idle_gap_s.into(),
            fitted_lead_s: FITTED_LEAD_S,
            from_day: self.from_day,
            to_day: self.to_day,
        };
        let cards = whatif(input, &contenders, |done, days| bar.tell(done, days));
        bar.finish();
        self.told(cards)
    }

    /// The two policies, then the budgets.
    fn contenders(&self) -> [Contender; 2 + BUDGETS] {
        let current = &self.stored.policy;
        // Where no host is known there is nothing to wait for.
        let throttled = !self.hosts.is_empty();
        let budget = |idle_budget_h: f64| Policy {
            mode: Mode::Act,
            paused: false,
            fleet_wakes_per_hour_max: u32::MAX,
            wakes_per_day_max: 0,
            idle_budget_h,
            ..current.clone()
        };
        std::array::from_fn(|index| match index {
            0 => Contender { policy: current.clone(), throttled },
            1 => Contender { policy: self.new.clone(), throttled },
            _ => Contender { policy: budget(FRONTIER_H[index - 2]), throttled: false },
        })
    }

    fn told(self, [current, new, budgets @ ..]: [Card; 2 + BUDGETS]) -> WhatifReport {
        let mut frontier: Vec<_> = FRONTIER_H.into_iter().zip(budgets).map(frontier_row).collect();
        frontier.sort_by(|a, b| {
            a.idle_h_per_instance_day.partial_cmp(&b.idle_h_per_instance_day).unwrap_or(Equal)
        });
        let mut notes = self.stored.notes;
        if [&current, &new].iter().any(|card| card.hosts.iter().any(|host| host.above_ceiling_s > 0)) {
            notes.push(ABOVE_CEILING.to_owned());
        }
        WhatifReport {
            database: self.database,
            from: date_of(self.from_day),
            to: date_of(self.to_day),
            instances: self.stored.stories.len(),
            model: self.stored.model,
            changes: changes(&self.stored.policy, &self.new),
            current: Side { policy: self.stored.policy, card: current },
            new: Side { policy: self.new, card: new },
            frontier,
            notes,
        }
    }
}

fn frontier_row((idle_budget_h, card): (f64, Card)) -> FrontierRow {
    let Card { idle_h_per_instance_day, found_awake_share, .. } = card;
    FrontierRow { idle_budget_h, idle_h_per_instance_day, found_awake_share }
}

/// On stderr, only where that is a terminal, and only when it takes its time.
struct Bar {
    bar: ProgressBar,
    began: tokio::time::Instant,
}

impl Bar {
    fn new() -> Self {
        let style = ProgressStyle::with_template("replaying days {bar:40} {pos}/{len} {eta}");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, began: tokio::time::Instant::now() }
    }

    fn tell(&self, done: usize, days: usize) {
        if self.bar.is_hidden() && self.began.elapsed() >= PROGRESS_AFTER {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_length(days as u64);
        self.bar.set_position(done as u64);
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
