//! Targets: each choice makes sense, fits the kind, and is used.

use crate::experiment::file::{Choose, Mode, found::Found, parts::Parts};

pub(super) fn check(parts: &Parts, found: &mut Found<'_>) {
    for (name, at) in &parts.targets {
        let by = parts.faults.iter().map(|fault| &fault.it.target);
        let by = by.chain(parts.noise.iter().map(|noise| &noise.it.target));
        let readable = parts.faults.len() == parts.fault_ids.len();
        if readable && !by.into_iter().any(|target| target == name) {
            found.add("target_unused", &at.path, "no fault has this target");
        }
        let Some(target) = &at.it else { continue };
        for (noun, choose) in target.select.nouns() {
            let path = format!("{}/select/{noun}", at.path);
            if !target.kind.nouns().contains(&noun) {
                let nouns = target.kind.nouns().join(", ");
                let nouns = if nouns.is_empty() { "nothing".to_owned() } else { nouns };
                let message = format!("a target of this kind is narrowed by {nouns}");
                found.add("noun_of_kind", &path, message);
            }
            if let Some(message) = wrong_choice(choose) {
                found.add("choice", &path, message);
            }
        }
    }
}

fn wrong_choice(choose: &Choose) -> Option<&'static str> {
    let named = !choose.names.is_empty();
    match (choose.mode, choose.value) {
        (Mode::One | Mode::All, Some(_)) => Some("`one` and `all` take no value"),
        (Mode::One | Mode::All | Mode::Percent | Mode::RandomMaxPercent, _) if named => {
            Some("only `fixed` takes names")
        }
        (Mode::Fixed, Some(_)) if named => Some("`fixed` takes a value or names, not both"),
        (Mode::Fixed, None) if !named => Some("`fixed` needs a value or names"),
        (Mode::Fixed, Some(value)) if value < 1.0 || value.fract() > 0.0 => {
            Some("the value of `fixed` is a whole number from 1")
        }
        (Mode::Percent | Mode::RandomMaxPercent, None) => Some("needs a value in percent"),
        (Mode::Percent | Mode::RandomMaxPercent, Some(value)) if value <= 0.0 || value > 100.0 => {
            Some("the value is more than 0 and at most 100 percent")
        }
        _ => None,
    }
}
