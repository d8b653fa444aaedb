//! Lies of the disk, for the tests of the sweep itself: what was done before it was safely kept must be found.

use std::{fs, io, path::Path};

/// What is taken from the files of a process that has just died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// The agent's journal forgets that calls were about to be made: as if they were made first and written down later.
    CallsBeforeJournal,
    /// The controller's database is empty: as if nothing had been committed that was acknowledged.
    AnswersBeforeCommit,
}

impl Plant {
    pub(super) fn spoil(self, dir: &Path, node: &str) -> io::Result<()> {
        match self {
            Self::CallsBeforeJournal => forget_calls(&dir.join(node).join("journal.jsonl")),
            Self::AnswersBeforeCommit => {
                for file in ["reveille.db", "reveille.db-wal", "reveille.db-shm"] {
                    fs::remove_file(dir.join("controller").join(file)).or_else(unless_missing)?;
                }
                Ok(())
            }
        }
    }
}

fn unless_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn forget_calls(journal: &Path) -> io::Result<()> {
    let text = fs::read_to_string(journal)?;
    let tells = |line: &&str| {
        let event = serde_json::from_str::<serde_json::Value>(line).ok();
        event.is_none_or(|event| event["event"] != "calling")
    };
    let kept: Vec<&str> = text.lines().filter(tells).collect();
    fs::write(journal, kept.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_without_its_calls_keeps_everything_else() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("agent-1")).expect("made");
        let journal = dir.path().join("agent-1").join("journal.jsonl");
        let head = "{\"format\":\"f\"}\n{\"event\":\"received\"}\n";
        fs::write(&journal, format!("{head}{{\"event\":\"calling\",\"attempt\":1}}\n")).expect("written");
        Plant::CallsBeforeJournal.spoil(dir.path(), "agent-1").expect("spoilt");
        assert_eq!(fs::read_to_string(&journal).expect("readable"), head);
        Plant::AnswersBeforeCommit.spoil(dir.path(), "controller").expect("nothing to take");
    }
}
