//! People who ask for more than usual, or for what is on its way already.

use std::collections::{BTreeMap, VecDeque};

use rand::RngExt as _;
use reveille_proto::v1::Reason;

use super::super::play::Play;
use crate::{experiment::catalogue::controller::Overload, world::index_of};

/// Who comes in a rush, by the fault's place: the second of the play and the instance, in order.
pub(super) type Rushes = BTreeMap<usize, VecDeque<(u32, usize)>>;

/// As long until somebody looks again for what is due by forecast, in seconds.
const LOOK_AGAIN_S: u32 = 60;

/// Beyond those of the plan, so many times as many people ask.
pub(super) fn rush(play: &mut Play, place: usize, fault: &Overload) -> Option<u32> {
    let (now_s, instances) = (play.now_s(), play.stage.spec.world.instances);
    let extra = ((fault.factor - 1.0) * play.asks_planned() as f64).round() as usize;
    let within_s = ((fault.within.as_ms() / 1_000) as u32).clamp(1, play.planned(place).for_s.max(1));
    let rng = play.rng(place);
    let mut rush: Vec<(u32, usize)> =
        (0..extra).map(|_| (now_s + rng.random_range(0..within_s), rng.random_range(0..instances))).collect();
    rush.sort_unstable();
    play.own.rushes.insert(place, rush.into());
    rush_on(play, place)
}

/// Those whose second has come ask. Gives after how many seconds the next one does.
pub(super) fn rush_on(play: &mut Play, place: usize) -> Option<u32> {
    let now_s = play.now_s();
    loop {
        let next = play.own.rushes.get_mut(&place)?.front().copied();
        let (at_s, instance) = next?;
        if at_s > now_s {
            return Some(at_s - now_s);
        }
        play.own.rushes.get_mut(&place)?.pop_front();
        play.ask(instance);
        play.count(place, true);
    }
}

/// Two people ask for what is due by forecast in this second. Gives after how many seconds something is due again.
pub(super) async fn at_once(play: &mut Play, place: usize) -> u32 {
    let starts_ms = play.stage.starts_at.as_millisecond();
    let now_s = i64::from(play.now_s());
    let wakes = play.wakes().await;
    let mut next_s = now_s + i64::from(LOOK_AGAIN_S);
    for wake in wakes {
        let due_s = (wake.due_at_ms - starts_ms).div_euclid(1_000);
        if wake.reason() != Reason::Forecast || !wake.end.is_empty() || due_s < now_s {
            continue;
        }
        if due_s > now_s {
            next_s = next_s.min(due_s);
            continue;
        }
        let Some(instance) = index_of(&wake.instance_id) else { continue };
        for _ in 0..2 {
            play.ask(instance);
            play.count(place, true);
        }
    }
    u32::try_from(next_s - now_s).unwrap_or(LOOK_AGAIN_S).max(1)
}
