//! A first look at a profile: whether a whole score could reach a threshold at all.
//!
//! A score reads a profile from one end to the other and weighs every stay; most instances of a fleet are at most times
//! nowhere near a wake. The first look only counts, in a tenth of the time, and lets pass whatever might be woken.

use serde::{Deserialize, Serialize};

use super::{
    logarithm::ln,
    profile::{Profile, day_of_quarter},
    scene::Scene,
    stays::QUARTERS_PER_DAY,
};

/// Numbers of a first look.
pub const COUNT: usize = 9;

/// Stays near this time of day in the last two weeks, in the last nine, and at all; days used of the last 7 and 28;
/// how long it has slept, that squared; whether it was used today and yesterday.
pub type Glance = [f32; COUNT];

/// A bound on the score by a straight line through the numbers of a first look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Screen {
    /// The lowest threshold it was fitted for: with a lower one there is no telling at a first look.
    pub lowest: f32,
    pub intercept: f32,
    pub weights: Glance,
}

impl Screen {
    /// What the score is at most, but for the rare ones that the fit left out.
    pub fn bound(&self, glance: &Glance) -> f32 {
        self.weights.iter().zip(glance).map(|(weight, number)| weight * number).sum::<f32>() + self.intercept
    }
}

const DAY: u16 = QUARTERS_PER_DAY as u16;
/// From two hours before now's time of day on ...
const BEFORE: u16 = 8;
/// ... for so many quarter hours it is near.
const NEAR: u16 = 24;
const REACH: i32 = 65_000;

/// The first look at a profile; the instance must be asleep. Stays after the moment are not looked at.
pub fn glance(profile: &Profile, scene: &Scene) -> Glance {
    let moment = scene.moment();
    let stays = profile.stays();
    let to_now = moment.quarter.saturating_sub(stays.base());
    // 16 bits hold what has to be told apart; what lies farther back counts as farthest.
    let (to_now, shift) =
        (to_now.clamp(0, REACH) as u16, to_now.saturating_sub(REACH).clamp(0, REACH) as u16);
    let known = stays.starts().partition_point(|start| start.saturating_sub(shift) <= to_now);
    let (mut recent, mut lately, mut all) = (0u16, 0u16, 0u16);
    for start in &stays.starts()[..known] {
        let of_now = to_now - start.saturating_sub(shift);
        // Where in its day, counted back from the end of what is near.
        let near = u16::from((of_now + NEAR - BEFORE) % DAY < NEAR);
        recent += near & u16::from(of_now < 14 * DAY);
        lately += near & u16::from(of_now < 63 * DAY);
        all += near;
    }
    let idle_h = match known.checked_sub(1).and_then(|last| stays.get(last)) {
        Some(last) => (moment.quarter - last.end).max(0) as f32 / 4.0,
        None => 2_000.0,
    };
    let idle = ln(1.0 + idle_h.min(2_000.0));
    let days = profile.days_before(moment.day());
    let used = |days_back: u32| ((days & ((1 << days_back) - 1)).count_ones()) as f32;
    let last_day = known.checked_sub(1).and_then(|last| stays.get(last)).map(|last| day_of_quarter(last.end));
    let flag = |yes: bool| f32::from(u8::from(yes));
    [
        ln(1.0 + f32::from(recent)),
        ln(1.0 + f32::from(lately)),
        ln(1.0 + f32::from(all)),
        ln(1.0 + used(7)),
        ln(1.0 + used(28)),
        idle,
        idle * idle,
        flag(last_day.is_some_and(|day| day >= moment.day())),
        flag(days & 1 == 1),
    ]
}
