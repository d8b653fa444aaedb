//! What waking at a quarter hour is worth against waiting for the next, on the past as it went.

use super::history::Clockwork;

/// Quarter hours without a break in which one instance slept, and what ended the sleep.
#[derive(Debug, Clone)]
pub struct Sleep {
    pub from_s: i64,
    /// The arrival that ended it; `i64::MAX` when none is known.
    pub next_s: i64,
    /// The score of each quarter hour from `from_s` on.
    pub scores: Vec<f32>,
}

/// Value of waking minus value of waiting, for each quarter hour: an arrival that finds the instance awake is worth
/// 1, an idle hour costs `price`. After either choice the policy goes on as it does now: it wakes from `threshold`
/// on. Past the next arrival both futures are the same, so only the sleep itself is looked at, backward.
pub fn advantages(sleep: &Sleep, clockwork: Clockwork, price: f64, threshold: f32) -> Vec<f32> {
    let mut value_after = 0.0;
    let mut values = vec![0.0; sleep.scores.len()];
    let mut advantages = vec![0.0; sleep.scores.len()];
    let hold = (clockwork.window_s / 900) as usize;
    for i in (0..sleep.scores.len()).rev() {
        let wait_s = sleep.next_s.saturating_sub(sleep.from_s + i as i64 * 900);
        let wake = if wait_s <= clockwork.window_s {
            f64::from(u8::from(wait_s >= clockwork.lead_s)) - price * wait_s as f64 / 3_600.0
        } else {
            let then = values.get(i + hold).copied().unwrap_or(0.0);
            then - price * clockwork.window_s as f64 / 3_600.0
        };
        advantages[i] = (wake - value_after) as f32;
        value_after = if sleep.scores[i] >= threshold { wake } else { value_after };
        values[i] = value_after;
    }
    advantages
}

/// What a threshold would have cost and brought: idle seconds, wakes, and arrivals that found the instance awake.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    pub idle_s: i64,
    pub wakes: u64,
    pub warm: u64,
}

/// Plays the policy over the sleeps.
pub fn play<'a>(sleeps: impl Iterator<Item = &'a Sleep>, clockwork: Clockwork, threshold: f32) -> Spent {
    let mut spent = Spent::default();
    let hold = (clockwork.window_s / 900) as usize;
    for sleep in sleeps {
        let mut i = 0;
        while i < sleep.scores.len() {
            if sleep.scores[i] < threshold {
                i += 1;
                continue;
            }
            spent.wakes += 1;
            let wait_s = sleep.next_s.saturating_sub(sleep.from_s + i as i64 * 900);
            if wait_s <= clockwork.window_s {
                spent.idle_s += wait_s;
                spent.warm += u64::from(wait_s >= clockwork.lead_s);
                break;
            }
            spent.idle_s += clockwork.window_s;
            i += hold;
        }
    }
    spent
}
