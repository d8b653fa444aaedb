//! Python packages in an environment of their own, in a directory that goes with the test.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

pub(crate) struct Python {
    dir: TempDir,
}

impl Python {
    /// `Err` says what this machine lacks.
    pub(crate) fn install(packages: &[&str]) -> Result<Self, String> {
        let dir = TempDir::new().expect("a temporary directory can be made");
        let environment = dir.path().join("environment");
        let mut python = Command::new("python3");
        end_well(python.args(["-m", "venv"]).arg(&environment))?;
        let mut pip = Command::new(environment.join("bin/pip"));
        end_well(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(packages))?;
        Ok(Self { dir })
    }

    /// The same; where this machine lacks something, `what` is told to be skipped.
    pub(crate) fn install_or_skip(packages: &[&str], what: &str) -> Option<Self> {
        let installed = Self::install(packages);
        installed
            .inspect_err(|why| eprintln!("SKIPPED: {what} ({})", why.lines().next().unwrap_or_default()))
            .ok()
    }

    /// Where the programs of the packages leave what they write.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.dir().join("environment/bin").join(name)
    }

    /// Runs a program of the packages on a file.
    pub(crate) fn run(&self, program: &str, args: &[&str], file: &Path) -> Result<(), String> {
        let mut command = Command::new(self.program(program));
        command.current_dir(self.dir()).args(args).arg(file);
        end_well(&mut command).map(drop)
    }
}

/// `Err` is what a command said that did not end well.
pub(crate) fn end_well(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Err(format!("{command:?} ended with {}\n{}", output.status, said.join("\n")))
}
