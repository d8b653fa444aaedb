//! The text of a file as a tree: YAML, and JSON as part of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    node::{Mark, Marked},
    problem::Problem,
};

/// A file that could be parsed; what it means is not yet known.
#[derive(Debug, Clone)]
pub struct Document {
    /// What people call it: the path, or the name of a template.
    pub name: String,
    pub root: Marked,
    pub value: Value,
    marks: BTreeMap<String, Mark>,
}

impl Document {
    /// One problem at most: what does not parse has no further fields to look at.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        let root: Marked = serde_saphyr::from_str(text).map_err(|error| {
            let at = error.location();
            Problem {
                file: name.to_owned(),
                mark: at.map(|at| Mark { line: at.line(), column: at.column() }),
                path: String::new(),
                rule: "syntax",
                message: error.without_snippet().to_string(),
            }
        })?;
        Ok(Self::of(name, root))
    }

    pub fn of(name: &str, root: Marked) -> Self {
        Self { name: name.to_owned(), value: root.value(), marks: root.marks(), root }
    }

    /// Where the value at `pointer` stands; of one that is missing, where its nearest parent does.
    pub fn mark(&self, pointer: &str) -> Option<Mark> {
        let mut pointer = pointer;
        loop {
            if let Some(mark) = self.marks.get(pointer) {
                return Some(*mark);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// As YAML, keys in the order of the file.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::SerializeError> {
        serde_saphyr::to_string(&self.root)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "a: 1\nb:\n  - x: yes it is\n  - {y: 2.5, z: null}\n";

    #[test]
    fn every_value_knows_its_line_and_column() {
        let document = Document::parse("f.yaml", TEXT).unwrap();
        assert_eq!(document.value, json!({"a": 1, "b": [{"x": "yes it is"}, {"y": 2.5, "z": null}]}));
        assert_eq!(document.mark("/b/1/y"), Some(Mark { line: 4, column: 9 }));
        let parent = document.mark("/b/1/missing/deeper");
        assert_eq!(parent, document.mark("/b/1"));
        assert_eq!(parent.map(|mark| mark.line), Some(4));
    }

    #[test]
    fn json_is_read_as_well_and_what_is_written_is_read_again() {
        let document = Document::parse("f.json", r#"{"b": {"c": [1, "two", true]}, "a": null}"#).unwrap();
        let again = Document::parse("f.yaml", &document.to_yaml().unwrap()).unwrap();
        assert_eq!(again.value, document.value);
        assert!(document.to_yaml().unwrap().starts_with("b:"), "the order of the file is kept");
    }

    #[test]
    fn a_file_that_does_not_parse_names_its_line() {
        let problem = Document::parse("f.yaml", "a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert_eq!(problem.rule, "syntax");
        assert!(problem.mark.is_some_and(|mark| mark.line >= 2), "{problem}");
        let twice = Document::parse("f.yaml", "a: 1\na: 2\n").unwrap_err();
        assert_eq!(twice.mark.map(|mark| mark.line), Some(2), "{twice}");
    }
}
