//! What a template leaves open: each input has a type, a default, a range and a meaning.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::length::Length;

/// An open value of a template. Where a whole string is `${input.NAME}` it becomes the typed value, elsewhere its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "type", rename_all = "snake_case")]
pub enum Input {
    Number { default: f64, min: f64, max: f64, unit: String, meaning: String },
    Integer { default: i64, min: i64, max: i64, unit: String, meaning: String },
    Duration { default: Length, min: Length, max: Length, meaning: String },
    Choice { default: String, choices: Vec<String>, meaning: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadInput {
    #[error("`{0}` is not a number")]
    NoNumber(String),
    #[error("`{0}` is not a whole number")]
    NoInteger(String),
    #[error(transparent)]
    NoLength(#[from] super::length::NoLength),
    #[error("{given} is not within {min} to {max}")]
    OutOfRange { given: String, min: String, max: String },
    #[error("`{given}` is none of {choices}")]
    NoChoice { given: String, choices: String },
}

impl Input {
    /// What the text means, if it is of the type and within the range.
    pub fn read(&self, text: &str) -> Result<Value, BadInput> {
        match self {
            Self::Number { min, max, .. } => {
                let given: f64 = text.parse().map_err(|_| BadInput::NoNumber(text.to_owned()))?;
                within(given, *min, *max).map(Value::from)
            }
            Self::Integer { min, max, .. } => {
                let given: i64 = text.parse().map_err(|_| BadInput::NoInteger(text.to_owned()))?;
                within(given, *min, *max).map(Value::from)
            }
            Self::Duration { min, max, .. } => {
                within(text.parse::<Length>()?, *min, *max).map(|length| Value::from(length.to_string()))
            }
            Self::Choice { choices, .. } => {
                let known = choices.iter().any(|choice| choice == text);
                let no = || BadInput::NoChoice { given: text.to_owned(), choices: choices.join(", ") };
                known.then(|| Value::from(text)).ok_or_else(no)
            }
        }
    }

    /// As it would be written on the command line.
    pub fn default_text(&self) -> String {
        match self {
            Self::Number { default, .. } => default.to_string(),
            Self::Integer { default, .. } => default.to_string(),
            Self::Duration { default, .. } => default.to_string(),
            Self::Choice { default, .. } => default.clone(),
        }
    }

    /// The ends of the range, or every choice: what a test must expand the template with.
    pub fn extremes(&self) -> Vec<String> {
        match self {
            Self::Number { min, max, .. } => vec![min.to_string(), max.to_string()],
            Self::Integer { min, max, .. } => vec![min.to_string(), max.to_string()],
            Self::Duration { min, max, .. } => vec![min.to_string(), max.to_string()],
            Self::Choice { choices, .. } => choices.clone(),
        }
    }

    pub fn meaning(&self) -> &str {
        match self {
            Self::Number { meaning, .. }
            | Self::Integer { meaning, .. }
            | Self::Duration { meaning, .. }
            | Self::Choice { meaning, .. } => meaning,
        }
    }
}

fn within<T: PartialOrd + ToString + Copy>(given: T, min: T, max: T) -> Result<T, BadInput> {
    if given >= min && given <= max {
        Ok(given)
    } else {
        Err(BadInput::OutOfRange { given: given.to_string(), min: min.to_string(), max: max.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_input_takes_its_type_and_range_and_nothing_else() {
        let share =
            Input::Number { default: 0.2, min: 0.0, max: 1.0, unit: String::new(), meaning: "x".into() };
        assert_eq!(share.read("0.5"), Ok(json!(0.5)));
        assert!(matches!(share.read("1.5"), Err(BadInput::OutOfRange { .. })));
        assert!(matches!(share.read("much"), Err(BadInput::NoNumber(_))));
        assert!(matches!(share.read("NaN"), Err(BadInput::OutOfRange { .. })));
        let down = Input::Duration {
            default: Length::s(30),
            min: Length::s(5),
            max: Length::m(2),
            meaning: "x".into(),
        };
        assert_eq!(down.read("90s"), Ok(json!("90s")));
        assert!(down.read("3m").is_err() && down.read("90").is_err());
        let how =
            Input::Choice { default: "a".into(), choices: vec!["a".into(), "b".into()], meaning: "x".into() };
        assert_eq!(how.read("b"), Ok(json!("b")));
        assert_eq!(how.read("c").unwrap_err().to_string(), "`c` is none of a, b");
    }
}
