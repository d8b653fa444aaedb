//! What an agent still has in hand, by its journal: wakes that are not over, and results nobody has acknowledged.

use std::{collections::BTreeMap, io, path::Path};

use serde_json::Value;

/// The wakes that are left in the journal of an agent's state directory. Reads beside the agent, which appends whole lines.
pub fn in_journal(state_dir: &Path) -> io::Result<Vec<String>> {
    let text = match std::fs::read_to_string(state_dir.join("journal.jsonl")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let mut is_settled: BTreeMap<String, bool> = BTreeMap::new();
    for line in text.lines() {
        let Ok(record) = serde_json::from_str::<Value>(line) else { continue };
        let named = |value: &Value| value.as_str().map(str::to_owned);
        match record["event"].as_str() {
            Some("received") => {
                named(&record["order"]["wake"]).map(|wake| is_settled.insert(wake, false));
            }
            Some("acked") => {
                named(&record["wake"]).map(|wake| is_settled.insert(wake, true));
            }
            Some("kept") => {
                let acked = record["entry"]["acked"] == true;
                named(&record["entry"]["order"]["wake"]).map(|wake| is_settled.insert(wake, acked));
            }
            _ => {}
        }
    }
    Ok(is_settled.into_iter().filter(|(_, settled)| !settled).map(|(wake, _)| wake).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_acknowledged_is_left() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(in_journal(dir.path()).expect("none yet"), [""; 0]);
        let lines = [
            r#"{"format":"f","journal_id":"j"}"#,
            r#"{"event":"received","order":{"wake":"a"}}"#,
            r#"{"event":"received","order":{"wake":"b"}}"#,
            r#"{"event":"done","wake":"a"}"#,
            r#"{"event":"acked","wake":"a"}"#,
            r#"{"event":"kept","entry":{"order":{"wake":"c"},"acked":true}}"#,
            r#"{"event":"kept","entry":{"order":{"wake":"d"},"acked":false}}"#,
            r#"{"event":"received","order":{"wake":"a"}}"#,
            "torn",
        ];
        std::fs::write(dir.path().join("journal.jsonl"), lines.join("\n")).expect("written");
        assert_eq!(in_journal(dir.path()).expect("readable"), ["a", "b", "d"]);
    }
}
