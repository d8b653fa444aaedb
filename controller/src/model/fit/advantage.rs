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

#[cfg(test)]
mod tests {
    use super::*;

    /// A wake serves after five minutes and waits for half an hour.
    const CLOCKWORK: Clockwork = Clockwork { idle_gap_s: 7_200, lead_s: 300, window_s: 1_800 };

    /// Five quarter hours, of which the second and the last are worth a wake by a threshold of 0; its user comes so many
    /// seconds after the first began.
    fn sleep(next_s: i64) -> Sleep {
        Sleep { from_s: 90_000, next_s: 90_000 + next_s, scores: vec![-1.0, 1.0, -1.0, -1.0, 0.0] }
    }

    #[test]
    fn waking_is_set_against_waiting_with_the_wakes_that_follow() {
        // At 0.2 an idle hour: ten minutes before the user 1 - 1/30, a quarter hour before that 0.05 less; earlier a wake
        // that nobody comes within costs 0.1, and the next one is made as the scores say.
        let worth = advantages(&sleep(4_200), CLOCKWORK, 0.2, 0.0);
        for (value, expected) in worth.iter().zip([0.0, -0.1, -0.1, -0.05, 0.966_667]) {
            assert!((value - expected).abs() < 1e-5, "{worth:?}");
        }
        let too_late = advantages(&sleep(3_899), CLOCKWORK, 0.2, 0.0);
        assert!((too_late[4] + 0.2 * 299.0 / 3_600.0).abs() < 1e-5, "it does not serve yet: {too_late:?}");
    }

    #[test]
    fn what_is_spent_is_the_idle_time_of_each_wake_until_its_user_or_the_end_of_its_window() {
        let spent = |next_s: i64| play([sleep(next_s)].iter(), CLOCKWORK, 0.0);
        assert_eq!(spent(4_200), Spent { idle_s: 2_400, wakes: 2, warm: 1 });
        assert_eq!(spent(3_899), Spent { idle_s: 2_099, wakes: 2, warm: 0 }, "it does not serve yet");
        assert_eq!(spent(2_700), Spent { idle_s: 1_800, wakes: 1, warm: 1 }, "at the end of the window");
        assert_eq!(spent(i64::MAX - 90_000), Spent { idle_s: 3_600, wakes: 2, warm: 0 });
        assert_eq!(play([sleep(4_200)].iter(), CLOCKWORK, 2.0), Spent::default());
    }
}
