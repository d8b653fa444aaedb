//! `report`.

use super::args::ReportArgs;
use crate::{
    cli::{
        args::Output,
        tell::{tell, write},
    },
    experiment::{
        Verdict,
        report::{Journals, Report},
    },
    sim::written::{Cases, junit::junit},
};

pub(in crate::cli) fn report(args: &ReportArgs, output: Output) -> anyhow::Result<Verdict> {
    let journals = Journals::read(&args.dir)?;
    let report = Report::of(&journals);
    write(args.html.as_deref(), || Ok(report.page()))?;
    write(args.markdown.as_deref(), || Ok(report.markdown()))?;
    write(args.junit.as_deref(), || Ok(junit(&Cases::from(&journals))?))?;
    tell(output, &report, || report.render())?;
    Ok(report.verdict)
}
