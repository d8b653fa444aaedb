//! The two policies: the one in force, and the one a file makes of it.

use std::{collections::BTreeMap, path::Path};

use toml::Spanned;

use crate::{cli::failure::Failure, policy::Policy, store::PolicyRow};

/// The configuration's policy with what was set at run time above it, as the controller has it, and the keys that it
/// would leave out.
pub(super) fn in_force(configured: &Policy, set: &[PolicyRow]) -> (Policy, Vec<String>) {
    let mut policy = configured.clone();
    let mut left_out = Vec::new();
    for row in set {
        match policy.set(&row.key, &row.value) {
            Ok(next) => policy = next,
            Err(error) => left_out.push(error.to_string()),
        }
    }
    (policy, left_out)
}

/// The policy `path` describes, above the one in force. Errors name file, line and key.
pub(super) fn read(path: &Path, current: &Policy) -> Result<Policy, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let context = format!("failed to read the policy {}", path.display());
        Failure::File(anyhow::Error::new(error).context(context))
    })?;
    parse(&text, current)
        .map_err(|(line, problem)| Failure::Input(format!("{}:{line}: {}", path.display(), problem.trim())))
}

/// The policy, or a line and what is wrong there.
fn parse(text: &str, current: &Policy) -> Result<Policy, (usize, String)> {
    let failed = |error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        (line(text, at), error.message().to_owned())
    };
    let told: Policy = toml::from_str(text).map_err(failed)?;
    let keys: BTreeMap<Spanned<String>, toml::Value> = toml::from_str(text).map_err(failed)?;
    let mut entries: serde_json::Map<_, _> = current.entries().into_iter().collect();
    for (key, value) in told.entries() {
        if keys.keys().any(|known| *known.get_ref() == key) {
            entries.insert(key, value);
        }
    }
    let policy: Policy = serde_json::from_value(entries.into()).map_err(|error| (1, error.to_string()))?;
    policy.check().map_err(|(key, problem)| {
        let at = keys.keys().find(|known| known.get_ref() == key).map_or(0, |known| known.span().start);
        (line(text, at), format!("`{key}` {problem}"))
    })?;
    Ok(policy)
}

/// The line that holds the byte `at`, from 1 on.
fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Mode;

    #[test]
    fn keys_left_out_stay_as_they_are() {
        let current = Policy { mode: Mode::Act, idle_budget_h: 1.0, host_wakes_max: 3, ..Policy::default() };
        let new =
            parse("# more\nidle_budget_h = 4\nquiet_dates = [\"2026-12-25\"]\n", &current).expect("good");
        assert_eq!((new.mode, new.host_wakes_max, new.quiet_dates.len()), (Mode::Act, 3, 1));
        assert_eq!(new.idle_budget_h.to_bits(), 4.0_f64.to_bits());
        assert_eq!(parse("", &current), Ok(current));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let wrong = |text: &str| parse(text, &Policy::default()).expect_err(text);
        let (line, problem) = wrong("mode = \"act\"\n\nidle_budged_h = 4\n");
        assert!(line == 3 && problem.contains("unknown field `idle_budged_h`"), "{line} {problem}");
        let (line, problem) = wrong("mode = \"act\"\nidle_budget_h = 40\n");
        assert!(line == 2 && problem.starts_with("`idle_budget_h` must be within"), "{line} {problem}");
        let (line, problem) = wrong("mode = \"act\"\nhost_wakes_max = \"many\"\n");
        assert!(line == 2 && problem.contains("invalid type"), "{line} {problem}");
        assert_eq!(wrong("\npaused = \n").0, 2);
    }

    #[test]
    fn what_was_set_at_run_time_stands_above_the_configuration() {
        let row = |key: &str, value: &str| PolicyRow {
            key: key.into(),
            value: value.into(),
            changed_at: jiff::Timestamp::UNIX_EPOCH,
            changed_by: "ann".into(),
        };
        let rows = [row("mode", "\"act\""), row("gone", "1"), row("host_wakes_max", "2")];
        let (policy, left_out) = in_force(&Policy::default(), &rows);
        assert_eq!((policy.mode, policy.host_wakes_max), (Mode::Act, 2));
        assert!(left_out.len() == 1 && left_out[0].contains("`gone`"), "{left_out:?}");
    }
}
