//! The one image: made by a script from the distribution's packages, where it is not there yet.

use std::{io::Write as _, process::Stdio};

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// It is part of this program, so that an installed one has it too.
const BUILD: &str = include_str!("../../images/build");

/// Name of the image, which is there when this returns. The first time on a machine that takes minutes.
pub async fn ensure_image() -> anyhow::Result<String> {
    let mut script =
        tempfile::NamedTempFile::new().context("failed to make a file for the image's script")?;
    script.write_all(BUILD.as_bytes()).context("failed to write the image's script")?;
    let made = Command::new("bash")
        .arg(script.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("failed to start the image's script")?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        bail!("failed to make the image: {}\n{}", made.status, last.join("\n"));
    }
    Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
}
