//! One host in a storm, second by second: who starts, what it uses, what it gets.

use super::{
    policy::{Policy, Seen},
    spec::{CEILING, SECONDS_MAX, Storm},
};
use crate::world::boot::Boot;

/// How a storm went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Played {
    pub makespan_s: f64,
    /// Seconds above the ceiling that the background alone would not have been above.
    pub above_s: f64,
    /// From its start until it serves, on average.
    pub wall_s: f64,
    /// Most of the cores in use, 0-1.
    pub peak: f64,
}

/// Plays a storm to its end. `is_capped`: the starts run in a CPU group that the policy sizes.
pub fn play(storm: &Storm, policy: &mut dyn Policy, is_capped: bool) -> Played {
    let ceiling = CEILING * storm.cores;
    let mut waiting = storm.boots.iter().enumerate().peekable();
    let mut running: Vec<(usize, usize, Boot, usize)> = Vec::new();
    let (mut above_s, mut peak, mut walls) = (0, 0.0_f64, Vec::new());
    let mut used = 0.0;
    let mut second = 0;
    for background in &storm.before {
        used = *background;
        policy.measured(used, &[], 1.0);
    }
    while (waiting.peek().is_some() || !running.is_empty()) && second < SECONDS_MAX {
        while let Some((index, (class, boot))) = waiting.peek() {
            let seen =
                Seen { second, cores: storm.cores, cores_used: used, running: running.len(), class: *class };
            if !policy.admits(&seen) {
                break;
            }
            policy.started(*index, *class);
            running.push((*index, *class, boot.clone(), second));
            waiting.next();
        }
        let background = storm.background[second];
        let wanted: Vec<f64> = running.iter().map(|(.., boot, _)| boot.demand_cores()).collect();
        let wanted_sum: f64 = wanted.iter().sum();
        // What does not fit on the host is shared by all alike.
        let mut granted =
            if wanted_sum + background > storm.cores { storm.cores / (wanted_sum + background) } else { 1.0 };
        if is_capped && wanted_sum > 0.0 {
            granted = (policy.group_cores(storm.cores) / wanted_sum).min(granted);
        }
        let by_start: Vec<f64> = wanted.iter().map(|wanted| wanted * granted).collect();
        used = (by_start.iter().sum::<f64>() + background).min(storm.cores);
        above_s += u32::from(used > ceiling + 1e-9 && background <= ceiling);
        peak = peak.max(used / storm.cores);
        second += 1;
        policy.measured(used, &by_start, if is_capped { granted } else { 1.0 });
        running.retain_mut(|(index, _, boot, since)| {
            let is_over = boot.advance(granted);
            if is_over {
                policy.ended(*index);
                walls.push((second - *since) as f64);
            }
            !is_over
        });
    }
    Played {
        makespan_s: second as f64,
        above_s: f64::from(above_s),
        wall_s: walls.iter().sum::<f64>() / walls.len().max(1) as f64,
        peak,
    }
}
