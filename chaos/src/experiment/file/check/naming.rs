//! Id, layer and template tell the same.

use crate::experiment::file::{found::Found, parts::Parts};

/// What an id of a layer begins with.
const PREFIXES: [(&str, &str); 9] = [
    ("EP", "endpoint"),
    ("AG", "agent"),
    ("LK", "link"),
    ("CT", "controller"),
    ("ST", "store"),
    ("CK", "clock"),
    ("HO", "host"),
    ("DA", "data"),
    ("OP", "operator"),
];

pub(super) fn check(parts: &Parts, found: &mut Found<'_>) {
    let Some(layer) = &parts.layer else { return };
    let prefix = parts.id.as_deref().and_then(|id| id.split('-').next());
    let meant = PREFIXES.iter().find(|(known, _)| Some(*known) == prefix);
    if let Some((prefix, meant)) = meant.filter(|(_, meant)| meant != layer) {
        let message = format!("an id with {prefix} is of the layer {meant}, and the layer is {layer}");
        found.add("id_of_layer", parts.path("/id"), message);
    }
    let of = parts.template_ref.as_deref().and_then(|name| name.split('.').next());
    if let Some(of) = of.filter(|of| of != layer) {
        let message = format!("the template is of the layer {of}, and the layer is {layer}");
        found.add("template_of_layer", parts.path("/template/ref"), message);
    }
}
