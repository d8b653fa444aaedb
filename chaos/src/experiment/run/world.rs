//! From the world of an experiment file to one that can be played, and from its frozen targets to hosts and instances.

use rand::{RngExt, rngs::StdRng};

use crate::{
    experiment::{
        catalogue::Refused,
        file::{Experiment, Fault, Length, Profile, TargetKind},
        plan,
    },
    sim::{
        Plan, Planned,
        plan::{Ask, default_look_every_s},
    },
    world::{index_of, stream},
};

/// Stream of the seed that the people of a workload are drawn from.
const STREAM: u64 = 940;
/// Nobody asks before everything has been started.
pub(super) const FIRST_ASK_S: u32 = 120;
/// How many times its mean a boot may use at its peak.
const PEAKS: [f64; 3] = [1.1, 1.25, 1.4];
/// How much above its mean the background may go.
const SPIKE: f64 = 0.15;

/// The installation, with nobody who asks and no fault.
pub(super) fn of(experiment: &Experiment, seed: u64) -> Result<Plan, String> {
    let ours = experiment.reveille();
    let (fleet, controller) = (&ours.world.fleet, &ours.world.controller);
    let (start_hour, begins_s) = (start(experiment)?.hour() as u32, begins_s(experiment)?);
    // What the file says of the whole: so much of the host for so long.
    let boot_s = fleet.boot.p50.as_secs_f64();
    let boot_core_s = fleet.boot.cpu_per_boot * fleet.cores as f64 * boot_s;
    let hosts = fleet.hosts as usize;
    let plan = Plan {
        hosts,
        instances: hosts * fleet.instances_per_host as usize,
        host_wakes_max: controller.per_host_limit as u32,
        cores: fleet.cores as f64,
        cpu_ceiling_percent: 100.0 * controller.cpu_limit,
        background: (fleet.background, fleet.background + SPIKE),
        boot_core_s,
        boot_s: boot_s as u32,
        boot_cores_max: PEAKS.map(|peak| peak * fleet.boot.cpu_per_boot * fleet.cores as f64).to_vec(),
        wake_cost: (fleet.boot.cpu_per_boot * fleet.cores as f64, boot_s as u32),
        start_hour,
        played_s: begins_s + seconds(ours.sim.horizon),
        look_every_s: default_look_every_s(),
        asks: Vec::new(),
        faults: Vec::new(),
        foreseen: ours.faults.iter().filter_map(|fault| fault.what().ok()).collect(),
        ..Plan::calm(seed)
    };
    if controller.replicas > 1 {
        return Err("several controllers cannot be simulated yet".to_owned());
    }
    plan.check().map(|()| plan)
}

fn start(experiment: &Experiment) -> Result<jiff::Zoned, String> {
    let start = &experiment.reveille().sim.start;
    let start: jiff::Timestamp = start.parse().map_err(|error| format!("`sim.start` is no time: {error}"))?;
    let zone = jiff::tz::TimeZone::get("Europe/Zurich").unwrap_or(jiff::tz::TimeZone::UTC);
    Ok(start.to_zoned(zone))
}

/// Worlds begin at a full hour, so that there is something to see at the start of the file: so many seconds later.
pub(super) fn begins_s(experiment: &Experiment) -> Result<u32, String> {
    let start = start(experiment)?;
    Ok(60 * start.minute() as u32 + start.second() as u32)
}

/// Somebody asks, `count` times from `from_s` on and for `for_s` seconds.
pub(super) fn asks(
    experiment: &Experiment,
    plan: &Plan,
    count: u64,
    (from_s, for_s): (u32, u32),
) -> Vec<Ask> {
    let workload = &experiment.reveille().world.workload;
    let mut rng = stream(plan.seed, STREAM + u64::from(from_s > FIRST_ASK_S));
    let for_s = if workload.profile == Profile::Rush { 60 } else { for_s.max(1) };
    let ask = |rng: &mut StdRng| Ask {
        at_s: from_s + rng.random_range(0..for_s),
        instance: rng.random_range(0..plan.instances),
    };
    let mut asks: Vec<Ask> = (0..count).map(|_| ask(&mut rng)).collect();
    asks.sort_by_key(|ask| ask.at_s);
    asks
}

/// A fault as it is played from `now_s` on: once for each of its turns.
pub(super) fn turns(fault: &Fault, frozen: &plan::Plan, now_s: u32) -> Result<Vec<Planned>, Refused> {
    let what = fault.what()?;
    let (mut hosts, mut instances) = (Vec::new(), Vec::new());
    if let Some(target) = frozen.targets.get(&fault.target) {
        match target.kind {
            TargetKind::Instance => {
                instances.extend(target.resolved.iter().filter_map(|name| index_of(name)));
            }
            TargetKind::Host | TargetKind::Agent | TargetKind::Link => {
                hosts.extend(target.resolved.iter().filter_map(|name| host_index(name)));
            }
            _ => {}
        }
    }
    let every = fault.schedule.every.unwrap_or_default();
    let turn = |turn: u64| Planned {
        at_s: now_s + seconds(every.times(turn)),
        for_s: seconds(fault.schedule.r#for),
        hosts: hosts.clone(),
        instances: instances.clone(),
        what: what.clone(),
    };
    Ok((0..fault.schedule.repeat).map(turn).collect())
}

/// The index of the host with this name, or of the agent or link of that host.
fn host_index(name: &str) -> Option<usize> {
    let number: usize = name.rsplit('-').next()?.parse().ok()?;
    number.checked_sub(1)
}

/// Whole seconds, rounded up.
pub(super) fn seconds(length: Length) -> u32 {
    u32::try_from(length.as_ms().div_ceil(1_000)).unwrap_or(u32::MAX)
}
