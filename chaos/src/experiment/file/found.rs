//! Gathers what is wrong while a document is looked at, with the place of each finding.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::{
    document::Document,
    node::escaped,
    problem::{Invalid, Problem},
};

#[derive(Debug)]
pub(in crate::experiment) struct Found<'a> {
    document: &'a Document,
    problems: Vec<Problem>,
}

impl<'a> Found<'a> {
    pub(in crate::experiment) fn new(document: &'a Document) -> Self {
        Self { document, problems: Vec::new() }
    }

    /// `path` is a JSON pointer; what is missing is found at its nearest parent.
    pub(in crate::experiment) fn add(
        &mut self,
        rule: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
    ) {
        let path = path.into();
        self.problems.push(Problem {
            file: self.document.name.clone(),
            mark: self.document.mark(&path),
            path,
            rule,
            message: message.into(),
        });
    }

    /// Whether something is wrong with the value at `path` or below.
    pub(in crate::experiment) fn below(&self, path: &str) -> bool {
        self.problems.iter().any(|problem| {
            problem.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The value as its type. What the schema let pass and the type does not is told here.
    pub(in crate::experiment) fn typed<T: DeserializeOwned>(
        &mut self,
        path: &str,
        value: &Value,
    ) -> Option<T> {
        match serde_path_to_error::deserialize(value) {
            Ok(typed) => Some(typed),
            Err(_) if self.below(path) => None,
            Err(error) => {
                let steps: String = error.path().iter().map(step).collect();
                self.add("shape", format!("{path}{steps}"), error.inner().to_string());
                None
            }
        }
    }

    /// `Err` with everything in the order of the lines, if there is anything.
    pub(in crate::experiment) fn finish(mut self) -> Result<(), Invalid> {
        if self.problems.is_empty() {
            return Ok(());
        }
        self.problems.sort_by_key(|problem| problem.mark.map(|mark| (mark.line, mark.column)));
        self.problems.dedup();
        Err(Invalid { problems: self.problems })
    }
}

fn step(segment: &Segment) -> String {
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", escaped(key)),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    }
}
