//! A document taken apart: each part typed by itself, so that one that cannot be read hides nothing about the others.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    extension::{Control, Coverage, Guard, MeaningTier, NAME},
    fault::{Fault, Noise},
    found::Found,
    hypothesis::Prediction,
    node::escaped,
    radius::{Max, RunMode, Rung, Windows},
    sim::Sim,
    target::Target,
    toolkit::Activity,
    world::World,
};

/// A part and where it stands.
#[derive(Debug)]
pub(super) struct At<T> {
    pub(super) path: String,
    pub(super) it: T,
}

/// What is missing or cannot be read is left out; the schema has told of it.
#[derive(Debug)]
pub(super) struct Parts {
    /// Pointer of our extension.
    pub(super) base: String,
    pub(super) id: Option<String>,
    pub(super) layer: Option<String>,
    pub(super) tier: Option<MeaningTier>,
    pub(super) template_ref: Option<String>,
    pub(super) modes: Vec<At<RunMode>>,
    pub(super) sim: Option<Sim>,
    pub(super) world: Option<World>,
    pub(super) targets: BTreeMap<String, At<Option<Target>>>,
    pub(super) faults: Vec<At<Fault>>,
    /// Also of faults that could not be read.
    pub(super) fault_ids: Vec<At<String>>,
    pub(super) noise: Vec<At<Noise>>,
    pub(super) predictions: Vec<At<Prediction>>,
    pub(super) guards: Vec<At<Guard>>,
    pub(super) invariants: Vec<At<String>>,
    pub(super) max: Option<Max>,
    pub(super) budget: Vec<At<String>>,
    pub(super) windows: Option<Windows>,
    pub(super) ladder: Vec<At<Rung>>,
    pub(super) control: Option<Control>,
    pub(super) coverage: Option<Coverage>,
    pub(super) probes: Vec<At<Activity>>,
    pub(super) method: Vec<At<Activity>>,
    pub(super) rollbacks: Vec<At<Activity>>,
}

impl Parts {
    /// `None`, and a finding, when the document carries no extension of ours or more than one.
    pub(super) fn of(root: &Value, found: &mut Found<'_>) -> Option<Self> {
        let base = the_extension(root, found)?;
        let at = |path: &str| root.pointer(&format!("{base}{path}"));
        let text = |path: &str| at(path).and_then(Value::as_str).map(str::to_owned);
        let (id, layer, template_ref) = (text("/id"), text("/layer"), text("/template/ref"));
        let fault_ids = raw_ids(root, &format!("{base}/faults"));
        let mut read = Typing { root, found, base: &base };
        Some(Self {
            tier: read.one("/tier"),
            modes: read.all_or_none("/modes"),
            sim: read.one("/sim"),
            world: read.one("/world"),
            targets: read.targets(),
            faults: read.each("/faults"),
            noise: read.each("/noise"),
            predictions: read.each("/hypothesis/predicts"),
            guards: read.each("/guards"),
            invariants: read.each("/invariants"),
            max: read.one("/blast_radius/max"),
            budget: read.keys("/blast_radius/budget"),
            windows: read.one("/blast_radius/windows"),
            ladder: read.each("/blast_radius/ladder"),
            control: read.one("/control"),
            coverage: read.one("/coverage"),
            probes: read.each_of_root("/steady-state-hypothesis/probes"),
            method: read.each_of_root("/method"),
            rollbacks: read.each_of_root("/rollbacks"),
            id,
            layer,
            template_ref,
            fault_ids,
            base,
        })
    }

    /// A pointer inside the extension.
    pub(super) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.base)
    }

    /// The world, or the one that is meant when the file has none.
    pub(super) fn world(&self) -> World {
        self.world.clone().unwrap_or_default()
    }
}

fn the_extension(root: &Value, found: &mut Found<'_>) -> Option<String> {
    let all = root.get("extensions").and_then(Value::as_array)?;
    let is_ours = |extension: &Value| extension.get("name").and_then(Value::as_str) == Some(NAME);
    let ours: Vec<usize> = (0..all.len()).filter(|index| is_ours(&all[*index])).collect();
    match ours.as_slice() {
        [one] => Some(format!("/extensions/{one}")),
        [] => {
            found.add("one_extension", "/extensions", format!("no extension is named `{NAME}`"));
            None
        }
        [_, second, ..] => {
            let path = format!("/extensions/{second}");
            found.add("one_extension", path, format!("a second extension is named `{NAME}`"));
            None
        }
    }
}

fn raw_ids(root: &Value, list: &str) -> Vec<At<String>> {
    let items = root.pointer(list).and_then(Value::as_array).into_iter().flatten().enumerate();
    let id = |(index, item): (usize, &Value)| {
        let id = item.get("id").and_then(Value::as_str)?;
        Some(At { path: format!("{list}/{index}/id"), it: id.to_owned() })
    };
    items.filter_map(id).collect()
}

/// Reads parts of a document and leaves out what does not fit.
struct Typing<'a, 'b, 'c> {
    root: &'a Value,
    found: &'a mut Found<'c>,
    base: &'b str,
}

impl Typing<'_, '_, '_> {
    fn one<T: DeserializeOwned>(&mut self, path: &str) -> Option<T> {
        let path = format!("{}{path}", self.base);
        let value = self.root.pointer(&path)?;
        self.found.typed(&path, value)
    }

    fn each<T: DeserializeOwned>(&mut self, path: &str) -> Vec<At<T>> {
        let path = format!("{}{path}", self.base);
        self.each_of_root(&path)
    }

    /// A list that is judged as a whole: with one item that cannot be read, nothing is known of it.
    fn all_or_none<T: DeserializeOwned>(&mut self, path: &str) -> Vec<At<T>> {
        let there = self.root.pointer(&format!("{}{path}", self.base)).and_then(Value::as_array);
        let there = there.map_or(0, Vec::len);
        let read = self.each(path);
        if read.len() == there { read } else { Vec::new() }
    }

    fn each_of_root<T: DeserializeOwned>(&mut self, list: &str) -> Vec<At<T>> {
        let items = self.root.pointer(list).and_then(Value::as_array).into_iter().flatten();
        let mut read = Vec::new();
        for (index, item) in items.enumerate() {
            let path = format!("{list}/{index}");
            read.extend(self.found.typed(&path, item).map(|it| At { path, it }));
        }
        read
    }

    fn keys(&mut self, path: &str) -> Vec<At<String>> {
        let path = format!("{}{path}", self.base);
        let keys = self.root.pointer(&path).and_then(Value::as_object).into_iter().flatten();
        keys.map(|(key, _)| At { path: format!("{path}/{}", escaped(key)), it: key.clone() }).collect()
    }

    fn targets(&mut self) -> BTreeMap<String, At<Option<Target>>> {
        let path = format!("{}/targets", self.base);
        let targets = self.root.pointer(&path).and_then(Value::as_object).into_iter().flatten();
        let mut read = BTreeMap::new();
        for (name, value) in targets {
            let path = format!("{path}/{}", escaped(name));
            let it = self.found.typed(&path, value);
            read.insert(name.clone(), At { path, it });
        }
        read
    }
}
