//! `demo` and `run`.

use std::io::Write as _;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::args::{DemoArgs, FaultName, Output, RunArgs, WorldArgs};
use crate::{
    experiment::Verdict,
    experiment::catalogue::{
        FaultKind,
        endpoint::{HttpError, SlowWake},
    },
    play::{self, FaultSpec, PlaySpec, Played, Progress, table},
    world::WorldSpec,
};

pub(super) async fn demo(args: DemoArgs, output: Output) -> anyhow::Result<Verdict> {
    let played = SignedDuration::from_hours(24 * i64::from(args.days));
    let spec = PlaySpec { played, ..spec("demo", args.world) };
    play_and_print(&spec, output).await
}

pub(super) async fn run(args: RunArgs, output: Output) -> anyhow::Result<Verdict> {
    let hours = f64::from(args.hours);
    let what = args.fault.map(|fault| match fault {
        FaultName::HttpError => {
            FaultKind::EndpointHttpError(HttpError { share: args.share, ..HttpError::default() })
        }
        FaultName::SlowWake => {
            FaultKind::EndpointSlowWake(SlowWake { factor: args.factor, ..SlowWake::default() })
        }
    });
    let fault = what.map(|what| FaultSpec {
        what,
        from_s: seconds(args.fault_at.unwrap_or(hours / 4.0)),
        for_s: seconds(args.fault_for.unwrap_or(hours / 2.0)),
    });
    let name = match args.fault {
        None => "run",
        Some(FaultName::HttpError) => "http-error",
        Some(FaultName::SlowWake) => "slow-wake",
    };
    let played = SignedDuration::from_hours(args.hours.into());
    let spec = PlaySpec { played, fault, ..spec(name, args.world) };
    play_and_print(&spec, output).await
}

fn seconds(hours: f64) -> i64 {
    (hours * 3600.0) as i64
}

fn spec(name: &'static str, args: WorldArgs) -> PlaySpec {
    let world = WorldSpec { seed: args.seed, instances: args.instances.into(), ..WorldSpec::default() };
    let plain = PlaySpec::new(name, world);
    PlaySpec { speed: args.speed.unwrap_or(plain.speed), keep: args.keep, ..plain }
}

async fn play_and_print(spec: &PlaySpec, output: Output) -> anyhow::Result<Verdict> {
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_signal.cancel();
        }
    });
    let mut progress =
        Progress::new(output == Output::Json, spec.world.zone.clone(), spec.world.cpu_ceiling_percent);
    let played = play::play(spec, &mut progress, stop).await?;
    print(&played, output)?;
    Ok(played.verdict)
}

fn print(played: &Played, output: Output) -> anyhow::Result<()> {
    let text = match output {
        Output::Table => table::render(played),
        Output::Json => serde_json::to_string_pretty(played)? + "\n",
    };
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(())
}
