//! Choosing from a list: the same list, seed and name always give the same choice.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use sha2::{Digest as _, Sha256};

use crate::experiment::file::{Choose, Mode};

/// A generator of its own for each seed and name, so that one target's draw does not move another's.
pub(super) fn generator(seed: u64, name: &str) -> StdRng {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(name.as_bytes());
    StdRng::from_seed(hash.finalize().into())
}

/// In the order of the list. Without a choice it is all of them.
pub(super) fn choose(all: &[String], how: Option<&Choose>, rng: &mut StdRng) -> Vec<String> {
    let Some(how) = how else { return all.to_vec() };
    if !how.names.is_empty() {
        return all.iter().filter(|name| how.names.contains(name)).cloned().collect();
    }
    let value = how.value.unwrap_or_default();
    let share = |percent: f64| (all.len() as f64 * percent / 100.0).ceil() as usize;
    let count = match how.mode {
        Mode::All => all.len(),
        Mode::One => 1,
        Mode::Fixed => value as usize,
        Mode::Percent => share(value),
        Mode::RandomMaxPercent => share(rng.random_range(0.0..=value)).max(1),
    };
    pick(all, count, rng)
}

/// So many of the list, each as likely as the other.
pub(super) fn pick(all: &[String], count: usize, rng: &mut StdRng) -> Vec<String> {
    let mut places: Vec<usize> = (0..all.len()).collect();
    places.shuffle(rng);
    places.truncate(count);
    places.sort_unstable();
    places.into_iter().map(|place| all[place].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(mode: Mode, value: Option<f64>) -> Choose {
        Choose { mode, value, names: Vec::new() }
    }

    #[test]
    fn a_choice_depends_on_the_seed_and_on_the_name_alone() {
        let all: Vec<String> = (0..60).map(|n| format!("dev{n}")).collect();
        let draw =
            |seed, name| choose(&all, Some(&choice(Mode::Percent, Some(25.0))), &mut generator(seed, name));
        assert_eq!(draw(1, "victims"), draw(1, "victims"));
        assert_ne!(draw(1, "victims"), draw(2, "victims"));
        assert_ne!(draw(1, "victims"), draw(1, "others"));
        assert_eq!(draw(1, "victims").len(), 15);
    }

    #[test]
    fn every_mode_takes_as_many_as_it_says() {
        let all: Vec<String> = (0..7).map(|n| format!("h{n}")).collect();
        let count = |mode, value| choose(&all, Some(&choice(mode, value)), &mut generator(3, "x")).len();
        assert_eq!(count(Mode::One, None), 1);
        assert_eq!(count(Mode::All, None), 7);
        assert_eq!(count(Mode::Fixed, Some(3.0)), 3);
        assert_eq!(count(Mode::Percent, Some(1.0)), 1, "a share that is not zero hits somebody");
        assert!((1..=4).contains(&count(Mode::RandomMaxPercent, Some(50.0))));
        let names = Choose { names: vec!["h5".into(), "nobody".into()], ..choice(Mode::Fixed, None) };
        assert_eq!(choose(&all, Some(&names), &mut generator(3, "x")), ["h5"]);
    }
}
