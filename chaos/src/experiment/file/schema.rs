//! The published JSON Schema of an experiment file, and what it has against a document.

use std::sync::LazyLock;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::{found::Found, node::escaped};

/// The schema as it stands in the repository.
pub const SCHEMA: &str = include_str!("../../../schema/reveille.chaos.v1.json");

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema in the program is JSON");
    jsonschema::draft202012::new(&schema).expect("the schema in the program is one")
});

pub(super) fn check(value: &Value, found: &mut Found<'_>) {
    for error in VALIDATOR.iter_errors(value) {
        report(&error, found);
    }
}

fn report(error: &ValidationError<'_>, found: &mut Found<'_>) {
    let path = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                found.add("unknown_field", format!("{path}/{}", escaped(name)), "there is no such field");
            }
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            found.add("required", format!("{path}/{}", escaped(name)), "is required");
        }
        ValidationErrorKind::FalseSchema => {
            let message = "is not supported: nothing of it would be carried out in a simulation";
            found.add("not_supported", path, message);
        }
        _ => found.add("schema", path, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_one_of_its_draft() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        assert!(jsonschema::meta::is_valid(&schema));
    }
}
