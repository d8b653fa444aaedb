//! Modes, simulation and control fit together.

use jiff::Timestamp;

use crate::experiment::file::{
    ControlKind, Expected, MeaningTier, RunMode, Tier, found::Found, parts::Parts,
};

pub(super) fn check(parts: &Parts, found: &mut Found<'_>) {
    let start = parts.sim.as_ref().map(|sim| sim.start.as_str());
    if let Some(start) = start.filter(|start| start.parse::<Timestamp>().is_err()) {
        let message = format!("`{start}` is no time with an offset, such as 2026-03-02T07:30:00+01:00");
        found.add("sim_start", parts.path("/sim/start"), message);
    }
    tier(parts, found);
    control(parts, found);
}

/// An experiment can run where it is meaningful.
fn tier(parts: &Parts, found: &mut Found<'_>) {
    let Some(tier) = parts.tier else { return };
    let mode = match tier {
        MeaningTier::T1 | MeaningTier::T2 => RunMode::Sim,
        MeaningTier::T3 => RunMode::Local,
        MeaningTier::T4 => RunMode::Container,
        MeaningTier::T5 => RunMode::Live,
    };
    if !parts.modes.is_empty() && !parts.modes.iter().any(|open| open.it == mode) {
        let message = format!("{tier:?} is meaningful in `{}`, which is not in `modes`", mode.name());
        found.add("tier_of_modes", parts.path("/tier"), message);
    }
    let network = parts.sim.as_ref().is_some_and(|sim| sim.tier == Tier::Network);
    if tier == MeaningTier::T2 && !network {
        found.add("tier_of_modes", parts.path("/sim/tier"), "T2 is simulated with `tier: network`");
    }
}

fn control(parts: &Parts, found: &mut Found<'_>) {
    let kind = parts.control.as_ref().map(|control| control.kind).unwrap_or_default();
    let simulated = parts.modes.iter().any(|mode| mode.it == RunMode::Sim);
    if kind == ControlKind::PairedSeed && !simulated && !parts.modes.is_empty() {
        let message =
            "the same seed can be run again without the fault in `sim` only, which is not in `modes`";
        found.add("control_mode", parts.path("/control/kind"), message);
    }
    for prediction in &parts.predictions {
        if kind == ControlKind::None && matches!(prediction.it.value, Expected::Ratio(_)) {
            let path = format!("{}/value", prediction.path);
            found.add("ratio_needs_control", path, "there is no `control` to set it beside");
        }
    }
}
