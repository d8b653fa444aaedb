//! What a command found out, on standard output: for people or for programs.

use std::io::Write as _;

use serde::Serialize;

use super::args::Output;

pub(super) fn tell<T: Serialize + ?Sized>(
    output: Output,
    told: &T,
    render: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    let text = match output {
        Output::Table => render(),
        Output::Json => serde_json::to_string_pretty(told)? + "\n",
    };
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(())
}
