//! From a template to an experiment: every `${input.NAME}` becomes a value that is within the input's range.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::experiment::file::{Document, Input, Invalid, Marked, NAME, Node, found::Found, node::escaped};

/// Values as they are given on the command line, by the name of the input.
pub type Settings = BTreeMap<String, String>;

const OPEN: &str = "${input.";

/// Whether a document declares inputs, rather than to hold values or none.
pub fn is_template(root: &Value) -> bool {
    let declared = inputs_path(root).and_then(|path| root.pointer(&path)).and_then(Value::as_object);
    declared.is_some_and(|inputs| inputs.values().any(Value::is_object))
}

/// The inputs a template declares. `Err` when a declaration is not one, or its default is not within its range.
pub fn inputs(document: &Document) -> Result<BTreeMap<String, Input>, Invalid> {
    let mut found = Found::new(document);
    let mut read = BTreeMap::new();
    let Some(path) = inputs_path(&document.value) else { return Ok(read) };
    for (name, value) in document.value.pointer(&path).and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}/{}", escaped(name));
        let Some(input) = found.typed::<Input>(&path, value) else { continue };
        if let Err(error) = input.read(&input.default_text()) {
            found.add("input_default", format!("{path}/default"), error.to_string());
        }
        read.insert(name.clone(), input);
    }
    let used = used(&document.root);
    for name in read.keys().filter(|name| !used.contains(name.as_str())) {
        found.add("input_unused", format!("{path}/{}", escaped(name)), "nothing in the file uses this input");
    }
    found.finish()?;
    Ok(read)
}

/// As [`expand`] without settings.
pub fn expand_with_defaults(document: &Document) -> Result<Document, Invalid> {
    expand(document, &Settings::new())
}

/// The experiment with these settings, and the defaults of all other inputs. Places stay those of the template.
pub fn expand(document: &Document, settings: &Settings) -> Result<Document, Invalid> {
    let inputs = inputs(document)?;
    let mut found = Found::new(document);
    let path = inputs_path(&document.value).unwrap_or_default();
    for name in settings.keys().filter(|name| !inputs.contains_key(*name)) {
        let known = inputs.keys().cloned().collect::<Vec<_>>().join(", ");
        found.add("input_known", &path, format!("there is no input `{name}`: {known}"));
    }
    let mut values = BTreeMap::new();
    for (name, input) in &inputs {
        let text = settings.get(name).cloned().unwrap_or_else(|| input.default_text());
        match input.read(&text) {
            Ok(value) => {
                values.insert(name.clone(), value);
            }
            Err(error) => found.add("input_range", format!("{path}/{}", escaped(name)), error.to_string()),
        }
    }
    found.finish()?;
    let mut root = document.root.clone();
    close(&mut root, &values);
    let expanded = Document::of(&document.name, root);
    let mut found = Found::new(&expanded);
    leftovers(&expanded, &mut found);
    found.finish()?;
    Ok(expanded)
}

/// Every input once at each end of its range, all others at their default.
pub fn extremes(document: &Document) -> Result<Vec<Settings>, Invalid> {
    let inputs = inputs(document)?;
    let ends = inputs.iter().flat_map(|(name, input)| {
        input.extremes().into_iter().map(|end| Settings::from([(name.clone(), end)]))
    });
    Ok(ends.collect())
}

/// A finding for each `${input.NAME}` that nothing was put in for.
pub(in crate::experiment) fn leftovers(document: &Document, found: &mut Found<'_>) {
    for (path, name) in open_places(&document.root, "") {
        found.add("input_known", path, format!("the template declares no input `{name}`"));
    }
}

fn inputs_path(root: &Value) -> Option<String> {
    let extensions = root.get("extensions")?.as_array()?;
    let ours = extensions.iter().position(|one| one.get("name").and_then(Value::as_str) == Some(NAME))?;
    Some(format!("/extensions/{ours}/template/inputs"))
}

fn used(root: &Marked) -> BTreeSet<String> {
    open_places(root, "").into_iter().map(|(_, name)| name).collect()
}

/// Where an input stands, and its name.
fn open_places(marked: &Marked, path: &str) -> Vec<(String, String)> {
    match &marked.node {
        Node::Text(text) => names(text).map(|name| (path.to_owned(), name.to_owned())).collect(),
        Node::List(items) => {
            let below = |(index, item)| open_places(item, &format!("{path}/{index}"));
            items.iter().enumerate().flat_map(below).collect()
        }
        Node::Map(entries) => {
            let below =
                |(key, child): &(String, Marked)| open_places(child, &format!("{path}/{}", escaped(key)));
            entries.iter().flat_map(below).collect()
        }
        Node::Null | Node::Bool(_) | Node::Number(_) => Vec::new(),
    }
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(OPEN).skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

fn close(marked: &mut Marked, values: &BTreeMap<String, Value>) {
    match &mut marked.node {
        Node::Text(text) => {
            if text.contains(OPEN) {
                marked.node = filled(text, values);
            }
        }
        Node::List(items) => items.iter_mut().for_each(|item| close(item, values)),
        Node::Map(entries) => {
            for (key, child) in entries {
                if key == "inputs" && declares(child) {
                    chosen(child, values);
                } else {
                    close(child, values);
                }
            }
        }
        Node::Null | Node::Bool(_) | Node::Number(_) => {}
    }
}

fn declares(inputs: &Marked) -> bool {
    matches!(&inputs.node, Node::Map(entries) if entries.iter().any(|(_, input)| matches!(input.node, Node::Map(_))))
}

/// Declarations become the values that were chosen.
fn chosen(inputs: &mut Marked, values: &BTreeMap<String, Value>) {
    let Node::Map(entries) = &mut inputs.node else { return };
    for (name, input) in entries {
        if let Some(value) = values.get(name) {
            input.node = node(value);
        }
    }
}

/// A string that is an input and nothing else becomes the typed value; inside a longer one it is written out.
fn filled(text: &str, values: &BTreeMap<String, Value>) -> Node {
    let whole = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix('}'));
    if let Some(value) = whole.and_then(|name| values.get(name)) {
        return node(value);
    }
    let mut filled = text.to_owned();
    for (name, value) in values {
        let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        filled = filled.replace(&format!("{OPEN}{name}}}"), &written);
    }
    Node::Text(filled)
}

fn node(value: &Value) -> Node {
    match value {
        Value::Number(number) => Node::Number(number.clone()),
        Value::String(text) => Node::Text(text.clone()),
        Value::Bool(bool) => Node::Bool(*bool),
        Value::Null | Value::Array(_) | Value::Object(_) => Node::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "
title: 'slow by ${input.factor}'
extensions:
  - name: reveille.chaos/v1
    template:
      ref: endpoint.slow_wake
      version: 1
      inputs:
        factor: {type: number, default: 4, min: 1, max: 10, unit: times, meaning: how slow}
        fault_s: {type: integer, default: 60, min: 10, max: 90, unit: s, meaning: how long}
    faults:
      - {params: {factor: '${input.factor}'}, schedule: {for: '${input.fault_s}s'}}
";

    fn template() -> Document {
        Document::parse("t.yaml", TEXT).unwrap()
    }

    fn settings(name: &str, value: &str) -> Settings {
        Settings::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn inputs_become_typed_values_alone_and_text_among_others() {
        let expanded = expand(&template(), &settings("factor", "2.5")).unwrap();
        let ours = &expanded.value["extensions"][0];
        assert_eq!(expanded.value["title"], "slow by 2.5");
        assert_eq!(ours["faults"][0]["params"]["factor"], json!(2.5));
        assert_eq!(ours["faults"][0]["schedule"]["for"], "60s");
        assert_eq!(ours["template"]["inputs"], json!({"factor": 2.5, "fault_s": 60}));
        assert!(is_template(&template().value) && !is_template(&expanded.value));
    }

    #[test]
    fn a_setting_out_of_range_or_of_no_input_is_refused_with_its_place() {
        let problems = expand(&template(), &settings("factor", "11")).unwrap_err().problems;
        assert_eq!(
            (problems[0].rule, problems[0].path.as_str()),
            ("input_range", "/extensions/0/template/inputs/factor")
        );
        assert_eq!(problems[0].mark.map(|mark| mark.line), Some(9));
        let problems = expand(&template(), &settings("speed", "1")).unwrap_err().problems;
        assert_eq!(problems[0].rule, "input_known");
    }

    #[test]
    fn an_input_nobody_declared_or_nobody_uses_is_found() {
        let open = TEXT.replace("'slow by ${input.factor}'", "'slow by ${input.speed}'");
        let problems = expand_with_defaults(&Document::parse("t", &open).unwrap()).unwrap_err().problems;
        assert_eq!((problems[0].rule, problems[0].path.as_str()), ("input_known", "/title"));
        let unused = TEXT.replace("${input.fault_s}s", "60s");
        let problems = inputs(&Document::parse("t", &unused).unwrap()).unwrap_err().problems;
        assert_eq!(problems[0].rule, "input_unused");
        let wrong = TEXT.replace("default: 60", "default: 600");
        let problems = inputs(&Document::parse("t", &wrong).unwrap()).unwrap_err().problems;
        assert_eq!(problems[0].rule, "input_default");
    }

    #[test]
    fn each_end_of_each_input_is_tried_once() {
        let ends: Vec<String> = extremes(&template()).unwrap().iter().map(|one| format!("{one:?}")).collect();
        assert_eq!(ends.len(), 4);
        assert!(ends.contains(&r#"{"fault_s": "90"}"#.to_owned()), "{ends:?}");
    }
}
