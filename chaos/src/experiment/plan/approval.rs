//! A person's word for the real installation, for one experiment as it stands and until a day.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use super::freeze::sha256_of;
use crate::experiment::file::Experiment;

/// What an approval file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// As `plan` shows it: what is changed afterwards is approved by nobody.
    pub experiment_sha256: String,
    pub approved_by: String,
    /// From when on it says nothing any more.
    pub until: Timestamp,
}

/// Why a file approves nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotApproved {
    #[error("failed to read the approval {path}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} is no approval")]
    NoApproval { path: PathBuf, source: serde_json::Error },
    #[error("{path} names nobody in `approved_by`")]
    Nobody { path: PathBuf },
    #[error("{path} approves another experiment (`experiment_sha256` of this one is {this})")]
    Another { path: PathBuf, this: String },
    #[error("{path} was given until {until}")]
    Over { path: PathBuf, until: Timestamp },
    #[error(transparent)]
    Plan(#[from] super::PlanError),
}

impl Approval {
    /// Reads a file and looks whether it approves `experiment` at `now`.
    ///
    /// # Errors
    /// When it does not, with the reason.
    pub fn of_file(path: &Path, experiment: &Experiment, now: Timestamp) -> Result<Self, NotApproved> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| NotApproved::Unreadable { path: path.to_owned(), source })?;
        let approval: Self = serde_json::from_str(&text)
            .map_err(|source| NotApproved::NoApproval { path: path.to_owned(), source })?;
        let this = sha256_of(experiment)?;
        if approval.approved_by.trim().is_empty() {
            return Err(NotApproved::Nobody { path: path.to_owned() });
        }
        if approval.experiment_sha256 != this {
            return Err(NotApproved::Another { path: path.to_owned(), this });
        }
        if approval.until <= now {
            return Err(NotApproved::Over { path: path.to_owned(), until: approval.until });
        }
        Ok(approval)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::experiment::template;

    #[test]
    fn it_is_of_one_experiment_by_somebody_and_until_a_day() {
        let experiment = template::find("EP-02").expect("is there").read().expect("is valid");
        let sha256 = sha256_of(&experiment).expect("hashed");
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("approval.json");
        let now: Timestamp = "2026-03-02T08:00:00Z".parse().expect("a time");
        let of = |sha256: &str, by: &str, until: &str| {
            let told = json!({"experiment_sha256": sha256, "approved_by": by, "until": until});
            std::fs::write(&path, told.to_string()).expect("written");
            Approval::of_file(&path, &experiment, now)
        };
        let later = "2026-03-02T08:00:01Z";
        assert_eq!(of(&sha256, "ann", later).expect("approved").approved_by, "ann");
        assert!(matches!(of(&sha256, " ", later), Err(NotApproved::Nobody { .. })));
        assert!(matches!(of(&sha256, "ann", "2026-03-02T08:00:00Z"), Err(NotApproved::Over { .. })));
        let another = of("00", "ann", later).expect_err("of something else");
        assert!(another.to_string().contains(&sha256), "{another}");
        std::fs::write(&path, "yes").expect("written");
        let no = Approval::of_file(&path, &experiment, now);
        assert!(matches!(no, Err(NotApproved::NoApproval { .. })));
        let gone = Approval::of_file(&dir.path().join("none"), &experiment, now);
        assert!(matches!(gone, Err(NotApproved::Unreadable { .. })));
    }
}
