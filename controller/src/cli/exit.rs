//! Published exit codes.

use std::process::ExitCode;

/// How a command ended. The numbers are part of the interface; those from 64 follow `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    No = 1,
    Usage = 2,
    Input = 64,
    Unreachable = 69,
    Internal = 70,
    NotPermitted = 77,
}

/// Every code with its meaning, as `--help` shows them.
pub const EXITS: [(Exit, &str); 7] = [
    (Exit::Ok, "done"),
    (Exit::No, "understood, and the answer is no: no such thing, the wake failed, the queue is full"),
    (Exit::Usage, "the command line is wrong"),
    (Exit::Input, "a file, a configuration or a value is wrong"),
    (Exit::Unreachable, "no controller answers at the address"),
    (Exit::Internal, "Reveille itself failed"),
    (Exit::NotPermitted, "the token is missing or wrong"),
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The last part of `--help`.
pub(super) fn help() -> String {
    let lines = EXITS.map(|(exit, meaning)| format!("  {:>2}  {meaning}", exit as u8));
    format!("Exit codes:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_help_once() {
        let help = help();
        for (exit, meaning) in EXITS {
            let line = format!("  {:>2}  {meaning}", exit as u8);
            assert_eq!(help.lines().filter(|l| *l == line).count(), 1, "{line}");
        }
    }
}
