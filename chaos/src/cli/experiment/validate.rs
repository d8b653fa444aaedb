//! `validate`.

use std::{fmt::Write as _, path::Path};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::{args::ValidateArgs, files::below};
use crate::{
    cli::{args::Output, tell::tell},
    experiment::{
        Verdict,
        file::{Document, Invalid, Problem, read_document},
        template::{expand, extremes, is_template},
    },
};

/// A file and what is wrong with it.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    valid: bool,
    /// How often a template was expanded to be sure; 0 for an experiment.
    expansions: usize,
    problems: Vec<Problem>,
}

pub(in crate::cli) fn validate(args: &ValidateArgs, output: Output) -> anyhow::Result<Verdict> {
    let mut checked = Vec::new();
    for path in &args.files {
        for file in below(path)? {
            checked.push(check(&file));
        }
    }
    anyhow::ensure!(!checked.is_empty(), "there is no YAML or JSON file among what was given");
    tell(output, &checked, || render(&checked))?;
    let valid = checked.iter().all(|file| file.valid);
    Ok(if valid { Verdict::Held } else { Verdict::InvalidFile })
}

fn check(path: &Path) -> Checked {
    let file = path.display().to_string();
    let unreadable = |error: std::io::Error| Problem {
        file: file.clone(),
        mark: None,
        path: String::new(),
        rule: "readable",
        message: format!("cannot be read: {error}"),
    };
    let text = std::fs::read_to_string(path).map_err(|error| Invalid::from(unreadable(error)));
    match text.and_then(|text| expansions(&file, &text)) {
        Ok(expansions) => Checked { file, valid: true, expansions, problems: Vec::new() },
        Err(invalid) => Checked { file, valid: false, expansions: 0, problems: invalid.problems },
    }
}

/// How many experiments were made of the file, all of them good.
fn expansions(name: &str, text: &str) -> Result<usize, Invalid> {
    let document = Document::parse(name, text)?;
    if !is_template(&document.value) {
        return read_document(&document).map(|_| 0);
    }
    let mut all = vec![crate::experiment::template::Settings::new()];
    all.extend(extremes(&document)?);
    for settings in &all {
        read_document(&expand(&document, settings)?)?;
    }
    Ok(all.len())
}

fn render(checked: &[Checked]) -> String {
    let (good, bad) = (
        Style::new().fg_color(Some(AnsiColor::Green.into())),
        Style::new().fg_color(Some(AnsiColor::Red.into())),
    );
    let mut text = String::new();
    for file in checked {
        let (style, word) = if file.valid { (good, "valid") } else { (bad, "invalid") };
        let of =
            if file.expansions > 0 { format!(", expanded {} times", file.expansions) } else { String::new() };
        writeln!(text, "{style}{word}{style:#} {}{of}", file.file).expect("a string takes everything");
        for problem in &file.problems {
            writeln!(text, "  {problem}").expect("a string takes everything");
        }
    }
    let valid = checked.iter().filter(|file| file.valid).count();
    writeln!(text, "{valid} of {} files are valid", checked.len()).expect("a string takes everything");
    text
}
