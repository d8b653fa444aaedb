//! `plan`.

use std::path::Path;

use anyhow::Context as _;
use reveille_proto::clock::Clock;

use super::{args::PlanArgs, files::read};
use crate::{
    cli::{args::Output, tell::tell},
    experiment::{
        Verdict,
        plan::{Approval, Evidence, freeze},
    },
};

pub(in crate::cli) fn plan(args: &PlanArgs, output: Output) -> anyhow::Result<Verdict> {
    let Some(experiment) = read(&args.file) else { return Ok(Verdict::InvalidFile) };
    let mut evidence = match &args.journals {
        Some(dir) => Evidence::of_journals(&experiment, dir)?,
        None => args.evidence.as_deref().map(evidence).transpose()?.unwrap_or_default(),
    };
    if let Some(path) = &args.approval {
        Approval::of_file(path, &experiment, Clock::system().now())?;
        evidence.approved = true;
    }
    let plan = freeze(&experiment, args.seed, &evidence)?;
    if let Some(path) = &args.out {
        let json = serde_json::to_string_pretty(&plan)? + "\n";
        std::fs::write(path, json).with_context(|| format!("failed to write {}", path.display()))?;
    }
    tell(output, &plan, || plan.render())?;
    Ok(Verdict::Held)
}

fn evidence(path: &Path) -> anyhow::Result<Evidence> {
    let failed = || format!("failed to read the evidence in {}", path.display());
    let text = std::fs::read_to_string(path).with_context(failed)?;
    serde_json::from_str(&text).with_context(failed)
}
