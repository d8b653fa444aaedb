//! `serve`.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use serde_json::json;

use super::{args::ServeArgs, files::read};
use crate::{
    cli::{args::Output, tell::tell},
    experiment::{
        Verdict,
        run::{Run, runs_in_a_simulation, write},
        serve::{ServeSpec, serve as serve_run},
    },
    sim::room,
};

/// Serves until the last step was taken.
pub(in crate::cli) async fn serve(args: ServeArgs, output: Output) -> anyhow::Result<Verdict> {
    let Some(experiment) = read(&args.file) else { return Ok(Verdict::InvalidFile) };
    let id = &experiment.reveille().id;
    runs_in_a_simulation(&experiment)
        .map_err(|why| anyhow::anyhow!("{id} cannot be run in a simulation: {why}"))?;
    let dir = room::directory().context("failed to make a directory")?;
    let replay =
        format!("reveille-chaos run {} --seeds {}..{}", args.file.display(), args.seed, args.seed + 1);
    let spec = ServeSpec {
        experiment,
        seed: args.seed,
        listen: args.listen,
        patience: Duration::from_secs(args.patience_s),
        dir: dir.path().to_owned(),
        replay,
    };
    let conducted = serve_run(spec, |address| say(address, output)).await?;
    if let Some(dir) = &args.journals {
        write(dir, &conducted)?;
    }
    let run = Run::of(&conducted.journal);
    tell(output, &run, || run.render())?;
    Ok(run.verdict)
}

fn say(address: SocketAddr, output: Output) {
    if !address.ip().is_loopback() {
        anstream::eprintln!(
            "reveille-chaos: whoever reaches {address} can take the steps: the API asks nobody who they are"
        );
    }
    let url = format!("http://{address}");
    match output {
        Output::Json => anstream::println!("{}", json!({"listen": address, "harness_url": url})),
        Output::Table => {
            anstream::println!("the installation stands; take the steps with REVEILLE_HARNESS_URL={url}");
        }
    }
}
