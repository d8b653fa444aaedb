//! `expand`.

use std::io::Write as _;

use anyhow::Context as _;

use super::{args::ExpandArgs, files::complain};
use crate::{
    cli::args::Output,
    experiment::{
        Verdict,
        file::{Document, Invalid, read_document},
        template::{self, Settings, Template},
    },
};

pub(in crate::cli) fn expand(args: &ExpandArgs, output: Output) -> anyhow::Result<Verdict> {
    let Some(found) = template::find(&args.reference) else {
        anstream::eprintln!(
            "there is no template `{}`; `reveille-chaos templates` shows all",
            args.reference
        );
        return Ok(Verdict::InvalidFile);
    };
    let expanded = match expanded(found, &args.settings.iter().cloned().collect()) {
        Ok(expanded) => expanded,
        Err(invalid) => {
            complain(&invalid);
            return Ok(Verdict::InvalidFile);
        }
    };
    let text = match output {
        Output::Table => expanded.to_yaml().context("failed to write the experiment as YAML")?,
        Output::Json => serde_json::to_string_pretty(&expanded.root)? + "\n",
    };
    match &args.out {
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
        }
        None => anstream::stdout().write_all(text.as_bytes())?,
    }
    Ok(Verdict::Held)
}

/// A document that was read once, so that nothing invalid is ever written.
fn expanded(template: Template, settings: &Settings) -> Result<Document, Invalid> {
    let expanded = template::expand(&template.document()?, settings)?;
    read_document(&expanded)?;
    Ok(expanded)
}
