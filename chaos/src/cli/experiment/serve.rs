//! `serve`: one run, whose steps somebody else takes.

use std::{io::Write as _, net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    args::{ModeName, ServeArgs},
    files::read,
};
use crate::{
    cli::{args::Output, tell::tell},
    experiment::{
        Verdict,
        file::{Experiment, RunMode},
        plan::Unlocked,
        run::{Climb, Entry, Run, RunSpec, local_replay, runs_in, write},
        serve::{ServeSpec, serve as serve_run, serve_kept},
    },
    local::{Lease, LocalSpec, Place},
    sim::room,
};

/// Serves until the last step was taken, or the lease has run out.
pub(in crate::cli) async fn serve(args: ServeArgs, output: Output) -> anyhow::Result<Verdict> {
    let Some(experiment) = read(&args.file) else { return Ok(Verdict::InvalidFile) };
    let id = experiment.reveille().id.clone();
    let mode = args.mode.mode();
    runs_in(mode, &experiment).map_err(|why| anyhow::anyhow!("{id} cannot be run: {why}"))?;
    let entry = entry(&args, experiment, mode)?;
    if mode != RunMode::Sim {
        return keep(args, entry, output).await;
    }
    let dir = room::directory().context("failed to make a directory")?;
    let replay = entry.replay(args.seed, "");
    let spec = spec(&args, entry, dir.path(), replay);
    let patience = Duration::from_secs(args.patience_s);
    let conducted = serve_run(spec, patience, |address| say(address, output)).await?;
    if let Some(dir) = &args.journals {
        write(dir, &conducted)?;
    }
    let run = Run::of(&conducted.journal);
    tell(output, &run, || run.render())?;
    Ok(run.verdict)
}

/// The experiment on the rung that is meant.
fn entry(args: &ServeArgs, experiment: Experiment, mode: RunMode) -> anyhow::Result<Entry> {
    let entry = Entry::first(args.file.display().to_string(), experiment);
    let Some(dir) = &args.ladder else { return Ok(entry) };
    let climb = Climb { journals: dir.clone(), rung: args.rung };
    let on: Unlocked = climb.stand(&entry.experiment, mode, false)?.map_err(anyhow::Error::msg)?;
    Ok(Entry { on, climb: Some(climb), ..entry })
}

fn spec(args: &ServeArgs, entry: Entry, dir: &Path, replay: String) -> ServeSpec {
    let Entry { experiment, on, .. } = entry;
    let run = RunSpec { seed: args.seed, on, replay };
    ServeSpec { experiment, run, listen: args.listen, dir: dir.to_owned() }
}

/// Keeps a local world for as long as somebody gives orders or renews the lease.
async fn keep(args: ServeArgs, entry: Entry, output: Output) -> anyhow::Result<Verdict> {
    let place = Place::make()?;
    let program = std::env::current_exe().context("failed to find this program")?;
    let in_containers = args.mode == ModeName::Container;
    let local = LocalSpec { program, speed: args.local.speed, in_containers };
    let replay = local_replay(&entry, args.seed, &local);
    let spec = spec(&args, entry, place.path(), replay);
    let lease = Lease::new(args.local.lease);
    end_when_told(&lease)?;
    let kept = serve_kept(spec, local, lease, |address| say(address, output)).await?;
    place.clear().context("the directory of the world was left behind")?;
    if let Some(dir) = &args.journals {
        kept.remains.write(dir)?;
    }
    let Some(conducted) = kept.conducted else {
        // Whoever listened is gone.
        tracing::warn!("nobody has renewed the lease: everything has been ended");
        return Ok(Verdict::Inconclusive);
    };
    if let Some(dir) = &args.journals {
        write(dir, &conducted)?;
    }
    let run = Run::of(&conducted.journal);
    tell(output, &run, || run.render())?;
    Ok(run.verdict)
}

/// SIGINT and SIGTERM end everything in order. A terminal that is gone does not: that is what the lease is for.
fn end_when_told(lease: &Lease) -> anyhow::Result<()> {
    let context = "failed to listen for signals";
    let mut interrupt = signal(SignalKind::interrupt()).context(context)?;
    let mut terminate = signal(SignalKind::terminate()).context(context)?;
    let mut hangup = signal(SignalKind::hangup()).context(context)?;
    let lease = lease.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => lease.end(),
                _ = terminate.recv() => lease.end(),
                _ = hangup.recv() => {}
            }
        }
    });
    Ok(())
}

/// Where nobody listens any more, nobody has to be told.
fn say(address: SocketAddr, output: Output) {
    let mut told = anstream::stdout();
    if !address.ip().is_loopback() {
        anstream::eprintln!(
            "reveille-chaos: whoever reaches {address} can take the steps: the API asks nobody who they are"
        );
    }
    let url = format!("http://{address}");
    let written = match output {
        Output::Json => writeln!(told, "{}", json!({"listen": address, "harness_url": url})),
        Output::Table => {
            writeln!(told, "the installation stands; take the steps with REVEILLE_HARNESS_URL={url}")
        }
    };
    written.and_then(|()| told.flush()).ok();
}
