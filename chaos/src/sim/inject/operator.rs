//! People who run it: they change limits, stop everything, and slip.

use std::time::Duration;

use serde_json::json;
use tonic::Code;

use super::super::play::Play;
use crate::{
    experiment::catalogue::{FaultKind, operator::Slip},
    history::{Entry, Function, Key, Kind},
};

/// As long as somebody waits for an answer before trying again.
const PATIENCE: Duration = Duration::from_secs(5);
/// What was decided before an answer left has passed everybody who looks by then.
const ON_ITS_WAY: Duration = Duration::from_millis(10);
/// A controller that is down is tried again after so many seconds.
const AGAIN_S: u32 = 5;

/// What the controller was told. Nothing where it is not known what it knows.
#[derive(Debug, Default)]
pub(super) struct Desk {
    said: Option<Said>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Said {
    host_wakes_max: Option<u64>,
    cpu_ceiling_percent: Option<f64>,
    stopped: Option<bool>,
    /// What judges go by: the loosest that may be in force.
    told: (u64, f64),
}

/// What the policy should be now, and whose fault it is.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    host_wakes_max: u64,
    cpu_ceiling_percent: f64,
    stopped: bool,
    changed_by: Option<usize>,
    stopped_by: Option<usize>,
}

fn usual(play: &Play) -> Wanted {
    Wanted {
        host_wakes_max: play.stage.spec.host_wakes_max.into(),
        cpu_ceiling_percent: play.stage.spec.world.cpu_ceiling_percent,
        stopped: false,
        changed_by: None,
        stopped_by: None,
    }
}

fn wanted(play: &Play) -> Wanted {
    let mut wanted = usual(play);
    for place in play.places_on() {
        match &play.planned(place).what {
            FaultKind::ControllerConfigChange(fault) => {
                wanted.host_wakes_max = fault.per_host_limit;
                wanted.cpu_ceiling_percent = (1_000.0 * fault.cpu_limit).round() / 10.0;
                wanted.changed_by = Some(place);
            }
            FaultKind::OperatorKillSwitch(_) => (wanted.stopped, wanted.stopped_by) = (true, Some(place)),
            _ => {}
        }
    }
    wanted
}

fn said(play: &Play) -> Said {
    let usual = usual(play);
    play.own.desk.said.unwrap_or(Said {
        host_wakes_max: Some(usual.host_wakes_max),
        cpu_ceiling_percent: Some(usual.cpu_ceiling_percent),
        stopped: Some(false),
        told: (usual.host_wakes_max, usual.cpu_ceiling_percent),
    })
}

/// Whether the policy is as it should be.
pub(in super::super) fn is_in_line(play: &Play) -> bool {
    let (wanted, said) = (wanted(play), said(play));
    said.host_wakes_max == Some(wanted.host_wakes_max)
        && said.cpu_ceiling_percent == Some(wanted.cpu_ceiling_percent)
        && said.stopped == Some(wanted.stopped)
}

/// Makes the policy what it should be. Where the controller does not answer, it is tried again at the next look.
pub(in super::super) async fn follow(play: &mut Play) {
    let (wanted, mut known) = (wanted(play), said(play));
    if known.stopped != Some(wanted.stopped) {
        known.stopped = None;
        note_lever(play, Kind::Invoke, wanted.stopped);
        if set(play, "stopped", &wanted.stopped.to_string()).await == Ok(()) {
            known.stopped = Some(wanted.stopped);
            note_lever(play, Kind::Ok, wanted.stopped);
            wanted.stopped_by.into_iter().for_each(|place| play.count(place, true));
        }
        play.own.desk.said = Some(known);
    }
    if known.host_wakes_max != Some(wanted.host_wakes_max) {
        known.host_wakes_max = None;
        let limits = (in_force(play, wanted.host_wakes_max), known.told.1);
        tell_raised(play, &mut known, limits);
        if set(play, "host_wakes_max", &wanted.host_wakes_max.to_string()).await == Ok(()) {
            known.host_wakes_max = Some(wanted.host_wakes_max);
            wanted.changed_by.into_iter().for_each(|place| play.count(place, true));
            tell_lowered(play, &mut known, limits).await;
        }
        play.own.desk.said = Some(known);
    }
    if known.cpu_ceiling_percent != Some(wanted.cpu_ceiling_percent) {
        known.cpu_ceiling_percent = None;
        let ceiling = wanted.cpu_ceiling_percent;
        let limits = (known.told.0, ceiling);
        tell_raised(play, &mut known, limits);
        if set(play, "cpu_ceiling_percent", &ceiling.to_string()).await == Ok(()) {
            known.cpu_ceiling_percent = Some(ceiling);
            wanted.changed_by.into_iter().for_each(|place| play.count(place, true));
            tell_lowered(play, &mut known, limits).await;
        }
        play.own.desk.said = Some(known);
    }
}

/// Hands in a value that makes no sense. Gives when to try again, where nobody answered.
pub(super) async fn slip(play: &mut Play, place: usize, what: Slip) -> Option<u32> {
    let (key, value) = match what {
        Slip::Limit400 => ("host_wakes_max", "400"),
        Slip::Cpu700 => ("cpu_ceiling_percent", "700"),
        Slip::WindowZero | Slip::ZoneTypo => return None,
    };
    match set(play, key, value).await {
        Ok(()) => {
            play.count(place, true);
            play.found(format!("the controller took {value} for `{key}`"));
            let mut known = said(play);
            (known.host_wakes_max, known.cpu_ceiling_percent) = (None, None);
            play.own.desk.said = Some(known);
            follow(play).await;
            None
        }
        Err(Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange) => {
            play.count(place, true);
            let refused = Entry::new("operator", Kind::Fail, Function::ConfigSet, Key::default());
            play.stage.recorder.record(refused.value(json!({"refused": key, "value": value})));
            None
        }
        Err(_) => Some(AGAIN_S),
    }
}

/// The limit that a value of the policy comes to: none named is two for each core.
fn in_force(play: &Play, host_wakes_max: u64) -> u64 {
    let by_cores = (2.0 * play.stage.spec.world.cores).ceil() as u64;
    if host_wakes_max == 0 { by_cores } else { host_wakes_max }
}

async fn set(play: &mut Play, key: &str, value: &str) -> Result<(), Code> {
    let answer = tokio::time::timeout(PATIENCE, play.stage.watch.control().set_policy(key, value)).await;
    answer.map_or(Err(Code::DeadlineExceeded), |answer| answer.map_err(|status| status.code()))
}

fn note_lever(play: &Play, kind: Kind, stopped: bool) {
    let entry = Entry::new("operator", kind, Function::Lever, Key::default());
    play.stage.recorder.record(entry.value(json!({"stopped": stopped})));
}

/// What is raised may be used as soon as it is asked for.
fn tell_raised(play: &Play, known: &mut Said, now: (u64, f64)) {
    let loosest = (known.told.0.max(now.0), known.told.1.max(now.1));
    tell(play, known, loosest);
}

/// What is lowered binds once the answer is there: not what was decided before, and is still on its way.
async fn tell_lowered(play: &Play, known: &mut Said, now: (u64, f64)) {
    tokio::time::sleep(ON_ITS_WAY).await;
    tell(play, known, now);
}

fn tell(play: &Play, known: &mut Said, limits: (u64, f64)) {
    if known.told == limits {
        return;
    }
    known.told = limits;
    let value = json!({"host_wakes_max": limits.0, "cpu_ceiling_percent": limits.1});
    let entry = Entry::new("operator", Kind::Ok, Function::ConfigSet, Key::default());
    play.stage.recorder.record(entry.value(value));
}
