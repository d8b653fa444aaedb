//! The command against a small database: tables, JSON, the plot, and every way in which it says no.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::{
    HostId, InstanceId,
    edge::{Hello, InventoryItem},
};

use super::{args::WhatifArgs, report::WhatifReport, run::replayed, table::render};
use crate::{
    cli::{Exit, failure::Failure},
    config::Config,
    logs::{Batch, Counts, Position},
    policy::{Mode, Policy},
    report::plot::Terminal,
    store::{HostLoad, PolicyChange, Store},
    visits::{Sighting, SightingKind},
};

/// A Monday.
const START: &str = "2026-01-05T00:00:00Z";
const DAYS: i32 = 49;

fn day(day: i32) -> Timestamp {
    START.parse::<Timestamp>().expect("a timestamp") + SignedDuration::from_hours(24) * day
}

struct Home {
    dir: tempfile::TempDir,
    config: Config,
}

impl Home {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("reveille.db")).await.expect("opens");
        store.close().await;
        Self { dir, config: Config::default() }
    }

    async fn store(&self) -> Store {
        Store::open(&self.dir.path().join("reveille.db")).await.expect("opens")
    }

    /// Twelve instances, in use on every workday morning.
    async fn in_use(&self) -> Vec<InstanceId> {
        let store = self.store().await;
        let names: Vec<_> = (0..12).map(|n| InstanceId::new(format!("dev{n}")).expect("an id")).collect();
        for (n, id) in names.iter().enumerate() {
            let comes = (0..DAYS).filter(|day| day % 7 < 5).flat_map(|on| {
                let minute = 8 * 60 + (n as i64 * 13 + i64::from(on) * 7) % 45;
                let arrival = day(on) + SignedDuration::from_mins(minute);
                [0, 60, 120].map(|later| arrival + SignedDuration::from_mins(later))
            });
            let sighting = |at| Sighting { instance: id.clone(), at, kind: SightingKind::Visit };
            let batch = Batch {
                sightings: comes.map(sighting).collect(),
                counts: Counts::default(),
                samples: Vec::new(),
                source: format!("{id}.log"),
                position: Position { fingerprint: "f".into(), offset: 1, line: 1 },
            };
            store.visits_absorb(&batch, SignedDuration::from_hours(2), day(DAYS)).await.expect("kept");
        }
        store.close().await;
        names
    }

    /// They live on one host of four cores, and `mode = "act"` was set at run time.
    async fn lived_in() -> Self {
        let home = Self::new().await;
        let names = home.in_use().await;
        let store = home.store().await;
        let item = |id: &InstanceId| InventoryItem {
            instance: id.clone(),
            cohort: "dev".into(),
            driver: "http".into(),
        };
        let hello = Hello {
            protocol_version: 1,
            agent_version: "0".into(),
            host: HostId::new("h1").expect("an id"),
            host_class: "small".into(),
            zone: String::new(),
            cores: 4.0,
            journal_id: "j1".into(),
            inventory: names.iter().map(item).collect(),
            unfinished: Vec::new(),
            cpu_ceiling_percent: None,
            wakes_max: None,
            epoch: 0,
        };
        store.host_hello(&hello, "c1", 1, day(0)).await.expect("kept");
        for hour in 0..40 {
            let at = day(20) + SignedDuration::from_hours(hour);
            let percent = if hour % 4 == 0 { 80.0 } else { 12.5 };
            let host = hello.host.clone();
            let load = HostLoad { host, samples: 60, cpu_percent_max: percent, over_ceiling: 0 };
            store.host_load_add(&load, at).await.expect("kept");
        }
        let change = PolicyChange {
            changed_at: day(1),
            changed_by: "ann".into(),
            key: "mode".into(),
            old_value: "\"forecast-only\"".into(),
            new_value: "\"act\"".into(),
        };
        store.policy_change(&change).await.expect("kept");
        store.close().await;
        home
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    fn args(&self, policy: &str) -> WhatifArgs {
        WhatifArgs {
            policy: self.write("new.toml", policy),
            from: None,
            to: None,
            frontier: None,
            database: Some(self.dir.path().to_owned()),
            file: crate::cli::args::ConfigFile { config: None },
        }
    }

    async fn whatif(&self, args: &WhatifArgs) -> Result<WhatifReport, Failure> {
        replayed(args, self.config.clone(), day(DAYS)).await
    }
}

#[tokio::test]
async fn two_policies_stand_side_by_side() {
    let mut home = Home::lived_in().await;
    home.config.policy = Policy { idle_budget_h: 0.25, ..Policy::default() };
    let plot = home.dir.path().join("frontier.png");
    let args = WhatifArgs { frontier: Some(plot.clone()), ..home.args("idle_budget_h = 3\n") };
    let report = home.whatif(&args).await.expect("replays");
    assert_eq!(report.current.policy.mode, Mode::Act, "set at run time");
    assert_eq!(report.new.policy, Policy { idle_budget_h: 3.0, ..report.current.policy.clone() });
    assert_eq!((report.from, report.to), ("2026-01-22".parse().unwrap(), "2026-02-21".parse().unwrap()));
    let (current, new) = (&report.current.card, &report.new.card);
    assert_eq!((current.arrivals, new.arrivals), (12 * 22, 12 * 22));
    assert!(current.idle_h < new.idle_h && current.wakes < new.wakes, "{report:#?}");
    assert!(6 * 22 < current.found_awake && current.found_awake < new.found_awake, "{report:#?}");
    assert_eq!(new.hosts.len(), 1);
    assert!((new.hosts[0].background_percent - 12.5).abs() < 1e-9, "a quiet hour: {:?}", new.hosts);
    let ends = (report.frontier.first().unwrap(), report.frontier.last().unwrap());
    assert!(report.frontier.is_sorted_by_key(|row| row.idle_h_per_instance_day), "{:?}", report.frontier);
    assert!(ends.0.found_awake_share < ends.1.found_awake_share, "{:?}", report.frontier);
    assert!(
        report.notes.iter().any(|note| note.contains("no model is in service yet")),
        "{:?}",
        report.notes
    );

    let text = render(&report, Terminal { columns: 100, styled: false });
    for part in ["12 instances", "idle_budget_h", "0.25", "found awake", "CPU max", "current policy"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["new"]["found_awake"], new.found_awake);
    assert_eq!(json["changes"][0]["key"], "idle_budget_h");
    assert_eq!(json["frontier"].as_array().map(Vec::len), Some(7));
    assert!(std::fs::read(plot).expect("written").starts_with(b"\x89PNG"));
    assert_eq!(home.whatif(&args).await.expect("replays"), report, "the same each time");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_said() {
    let home = Home::lived_in().await;
    let refused = async |args: &WhatifArgs| {
        let error = home.whatif(args).await.expect_err("refused");
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        (error.exit(), format!("{error}{cause}"))
    };
    let good = home.args("mode = \"act\"\n");
    let far = WhatifArgs { from: Some("2027-01-01".parse().unwrap()), ..good.clone() };
    let (exit, told) = refused(&far).await;
    assert!(exit == Exit::Input && told.contains("from 2026-01-05 to 2026-02-20"), "{told}");
    let gone = WhatifArgs { policy: "no/such.toml".into(), ..good.clone() };
    let (exit, told) = refused(&gone).await;
    assert!(exit == Exit::Input && told.contains("no/such.toml"), "{told}");
    let typo = home.args("mode = \"act\"\nidle_budged_h = 3\n");
    let (exit, told) = refused(&typo).await;
    assert!(exit == Exit::Input && told.contains("new.toml:2: unknown field `idle_budged_h`"), "{told}");
    let good = home.args("mode = \"act\"\n");
    let nowhere = WhatifArgs { database: Some("no/such/dir".into()), ..good.clone() };
    let (exit, told) = refused(&nowhere).await;
    assert!(exit == Exit::Input && told.contains("there is no database"), "{told}");
    let unnamed = WhatifArgs { frontier: Some("frontier.pdf".into()), ..good.clone() };
    let (exit, told) = refused(&unnamed).await;
    assert!(exit == Exit::Input && told.contains(".svg or .png"), "{told}");
    let empty = Home::new().await;
    let error = empty.whatif(&empty.args("")).await.expect_err("nothing to replay");
    assert!(error.exit() == Exit::No && error.to_string().contains("no visits are stored"), "{error}");
}

#[tokio::test]
async fn without_hosts_nothing_waits() {
    let home = Home::new().await;
    home.in_use().await;
    let report = home.whatif(&home.args("mode = \"act\"\n")).await.expect("replays");
    let card = &report.new.card;
    assert!(card.wakes > 0 && card.wakes_delayed == 0 && card.hosts.is_empty(), "{card:?}");
    assert!(
        report.notes.iter().any(|note| note.contains("no agent has told of a host")),
        "{:?}",
        report.notes
    );
}

#[tokio::test]
async fn policies_that_wake_nobody_are_pointed_out() {
    let home = Home::lived_in().await;
    let report = home.whatif(&home.args("mode = \"forecast-only\"\n")).await.expect("replays");
    assert_eq!((report.new.card.wakes, report.new.card.found_awake), (0, 0));
    assert!(report.current.card.wakes > 0);
    let told = report.notes.iter().filter(|note| note.contains("it wakes nobody"));
    assert_eq!(told.count(), 1, "{:?}", report.notes);
}
