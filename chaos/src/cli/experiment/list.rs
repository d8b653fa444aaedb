//! `templates` and `list`.

use comfy_table::{ContentArrangement, Table};
use reveille_controller::report::STYLE;
use serde::Serialize;

use super::{
    args::ListArgs,
    files::{below, complain},
};
use crate::{
    cli::{args::Output, tell::tell},
    experiment::{
        Verdict,
        file::{Experiment, Invalid, Layer, MeaningTier, Quadrant, ReadError, RunMode, read_file},
        template::library,
    },
};

/// One experiment in a few words.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    layer: Layer,
    tier: MeaningTier,
    quadrant: Quadrant,
    modes: Vec<RunMode>,
    /// What the experiment claims.
    hypothesis: String,
    invariants: Vec<String>,
    file: String,
}

impl Row {
    fn of(file: String, experiment: &Experiment) -> Self {
        let ours = experiment.reveille();
        Self {
            id: ours.id.clone(),
            layer: ours.layer,
            tier: ours.tier(),
            quadrant: ours.quadrant,
            modes: ours.modes.clone(),
            hypothesis: experiment.title.clone(),
            invariants: ours.invariants.clone(),
            file,
        }
    }
}

pub(in crate::cli) fn templates(output: Output) -> anyhow::Result<Verdict> {
    let read = library().iter().map(|template| (template.file.to_owned(), template.read()));
    show(read.collect(), output)
}

pub(in crate::cli) fn list(args: &ListArgs, output: Output) -> anyhow::Result<Verdict> {
    let Some(dir) = &args.dir else { return templates(output) };
    let mut read = Vec::new();
    for path in below(dir)? {
        let experiment = match read_file(&path) {
            Ok(experiment) => Ok(experiment),
            Err(ReadError::Invalid(invalid)) => Err(invalid),
            Err(error) => return Err(error.into()),
        };
        read.push((path.display().to_string(), experiment));
    }
    show(read, output)
}

fn show(read: Vec<(String, Result<Experiment, Invalid>)>, output: Output) -> anyhow::Result<Verdict> {
    let (mut rows, mut verdict) = (Vec::new(), Verdict::Held);
    for (file, experiment) in read {
        match experiment {
            Ok(experiment) => rows.push(Row::of(file, &experiment)),
            Err(invalid) => {
                complain(&invalid);
                verdict = Verdict::InvalidFile;
            }
        }
    }
    rows.sort_by(|a, b| (a.layer, &a.id).cmp(&(b.layer, &b.id)));
    tell(output, &rows, || table(&rows))?;
    Ok(verdict)
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["id", "layer", "quadrant", "tier", "modes", "what it claims"]);
    for row in rows {
        let modes: Vec<&str> = row.modes.iter().map(|mode| mode.name()).collect();
        table.add_row([
            row.id.clone(),
            format!("{:?}", row.layer).to_lowercase(),
            row.quadrant.short().to_owned(),
            format!("{:?}", row.tier),
            modes.join(" "),
            row.hypothesis.clone(),
        ]);
    }
    format!("{table}\n{} experiments\n", rows.len())
}
