//! What the wake endpoints did: a file per instance, a line per accepted call, appended in one write.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One accepted call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    pub at_ms: i64,
    pub endpoint: String,
    pub wake: Option<String>,
    pub idem: Option<String>,
}

/// The directory of the files. Several processes append and read at once.
#[derive(Debug, Clone)]
pub struct Effects(PathBuf);

impl Effects {
    pub fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self(dir.to_owned()))
    }

    /// Takes effect: from the moment this has returned, and not before.
    pub fn append(&self, instance: &str, effect: &Effect) -> io::Result<()> {
        let mut line = serde_json::to_vec(effect)?;
        line.push(b'\n');
        OpenOptions::new().create(true).append(true).open(self.file(instance))?.write_all(&line)
    }

    /// All accepted calls of an instance, in order.
    pub fn of(&self, instance: &str) -> io::Result<Vec<Effect>> {
        let file = match File::open(self.file(instance)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let parse = |line: io::Result<String>| Ok(serde_json::from_str(&line?)?);
        BufReader::new(file).lines().map(parse).collect()
    }

    /// Whether the instance has booted since its first accepted call.
    pub fn serves(&self, instance: &str, boot_ms: i64, now: Timestamp) -> io::Result<bool> {
        let first = self.of(instance)?.into_iter().next();
        Ok(first.is_some_and(|effect| effect.at_ms + boot_ms <= now.as_millisecond()))
    }

    /// How many calls each of these instances accepted.
    pub fn counts<'a>(
        &self,
        instances: impl Iterator<Item = &'a str>,
    ) -> io::Result<BTreeMap<String, usize>> {
        instances.map(|instance| Ok((instance.to_owned(), self.of(instance)?.len()))).collect()
    }

    fn file(&self, instance: &str) -> PathBuf {
        self.0.join(format!("{instance}.jsonl"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_serves_its_boot_time_after_its_first_call() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let effects = Effects::open(&dir.path().join("effects")).expect("made");
        let at = |ms| Timestamp::from_millisecond(ms).expect("in range");
        let effect = |at_ms| Effect { at_ms, endpoint: "portal".into(), wake: None, idem: None };
        assert!(!effects.serves("dev001", 100, at(5_000)).expect("readable"));
        effects.append("dev001", &effect(1_000)).expect("written");
        effects.append("dev001", &effect(4_950)).expect("written");
        assert!(!effects.serves("dev001", 100, at(1_099)).expect("readable"));
        assert!(effects.serves("dev001", 100, at(1_100)).expect("readable"));
        let counts = effects.counts(["dev001", "dev002"].into_iter()).expect("readable");
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [2, 0]);
    }
}
