//! `planted`: whether the proving ground finds the defects that are planted for it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args as ClapArgs;

use super::{
    args::Output,
    bench::progress,
    sim::jobs,
    tell::{tell, write},
};
use crate::{
    experiment::Verdict,
    history::History,
    planted::{
        DEFECTS, Defect,
        hunt::{HuntSpec, hunt},
        kept::{Kept, play_in},
        report,
    },
    sim::room,
};

#[derive(Debug, ClapArgs)]
pub struct PlantedArgs {
    /// Only this defect; may be given several times.
    #[arg(long, value_name = "ID", value_parser = defect)]
    pub only: Vec<&'static Defect>,
    /// Seeds after which a defect counts as not found.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub seeds_max: u64,
    /// Real seconds to make the plan of a defect small.
    #[arg(long, default_value_t = 60)]
    pub shrink_s: u64,
    /// Defects at a time; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: Option<u16>,
    /// Keep the plan of each defect that is found in this directory.
    #[arg(long, value_name = "DIR")]
    pub corpus: Option<PathBuf>,
    /// Write the page of all that is kept.
    #[arg(long, value_name = "FILE", requires = "corpus")]
    pub write_docs: Option<PathBuf>,
    /// Play a kept plan again with its defect, and tell what happened.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "corpus"])]
    pub replay: Option<PathBuf>,
    /// With `--replay`: write the run as a page for a browser.
    #[arg(long, value_name = "FILE", requires = "replay")]
    pub html: Option<PathBuf>,
}

fn defect(id: &str) -> Result<&'static Defect, String> {
    let ids = || DEFECTS.iter().map(|defect| defect.id).collect::<Vec<_>>().join(", ");
    Defect::named(id).ok_or_else(|| format!("there is none of that name; there are {}", ids()))
}

pub(super) async fn planted(args: PlantedArgs, output: Output) -> anyhow::Result<Verdict> {
    if let Some(path) = args.replay {
        return replay(path, args.html, output).await;
    }
    let spec = HuntSpec {
        defects: if args.only.is_empty() { DEFECTS.iter().collect() } else { args.only },
        seeds_max: args.seeds_max,
        shrink: Duration::from_secs(args.shrink_s),
        jobs: jobs(args.jobs),
    };
    let bar = progress(spec.defects.len() as u64, "{elapsed_precise} {bar:30} defect {pos} of {len}, {msg}");
    let (shown, corpus) = (bar.clone(), args.corpus.clone());
    let work = move || {
        hunt(&spec, &|hunted| {
            // What was found is not to be lost with the rest.
            let kept = corpus.as_ref().zip(hunted.found.as_ref()).map(|(corpus, found)| found.write(corpus));
            let is_found = if hunted.found.is_some() { "found" } else { "not found" };
            let told = kept.and_then(Result::err).map_or(String::new(), |error| format!(", {error:#}"));
            shown.set_message(format!("{} {is_found}{told}", hunted.defect.id));
            shown.inc(1);
        })
    };
    let hunted = tokio::task::spawn_blocking(work).await.context("the hunt panicked");
    bar.finish_and_clear();
    let hunted = hunted?;
    if let Some((corpus, docs)) = args.corpus.as_ref().zip(args.write_docs.as_ref()) {
        write(Some(docs), || Ok(report::page(corpus, &corpus.display().to_string())))?;
    }
    tell(output, &hunted, || hunted.render())?;
    Ok(hunted.verdict())
}

async fn replay(path: PathBuf, html: Option<PathBuf>, output: Output) -> anyhow::Result<Verdict> {
    let work = move || {
        let kept = Kept::read(Path::new(&path))?;
        let defect =
            Defect::named(&kept.defect).with_context(|| format!("there is no defect {}", kept.defect))?;
        let directory = room::directory().context("failed to make a directory")?;
        let outcome = play_in(directory.path(), &kept.plan, Some(defect))?;
        write(html.as_deref(), || {
            let history = History::read(&directory.path().join("history.jsonl"))?;
            Ok(outcome.page(&history, &format!("reveille-chaos planted --replay {}", path.display())))
        })?;
        anyhow::Ok(outcome)
    };
    let outcome = tokio::task::spawn_blocking(work).await.context("the run panicked")??;
    tell(output, &outcome, || outcome.render())?;
    Ok(outcome.verdict)
}
