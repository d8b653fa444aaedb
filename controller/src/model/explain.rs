//! Why the model says what it says of one instance: what each group of features adds to the score.

use serde::Serialize;

use super::{
    features::{COUNT, Features, GROUPS, Group, NAMES, Scene},
    fitted::Fitted,
    profile::Profile,
    scorer::Scorer,
};

/// Fewer others than this say nothing about what is usual.
const OTHERS_MIN: usize = 10;

/// What one group of features adds to the score of an instance, against what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contribution {
    pub group: Group,
    /// What its features add to the score on the way from what is usual, see [`Fitted::contributions`], in units of
    /// the score: above 0 speaks for a wake.
    pub adds: f32,
    /// The feature of the group that adds most in the same direction.
    pub strongest: &'static str,
}

/// What is usual at the moment of `scene`: the mean of the features of `others`. With fewer than ten of them, the
/// features of an instance that nothing is known of.
pub fn usual<'a>(scorer: &Scorer, scene: &Scene, others: impl Iterator<Item = &'a Profile>) -> Features {
    let mut sums = [0.0f64; COUNT];
    let mut count = 0;
    for profile in others {
        let features = scorer.features(profile, scene);
        if features.iter().all(|feature| feature.is_finite()) {
            sums.iter_mut().zip(features).for_each(|(sum, feature)| *sum += f64::from(feature));
            count += 1;
        }
    }
    if count < OTHERS_MIN {
        return scorer.features(&Profile::default(), scene);
    }
    sums.map(|sum| (sum / count as f64) as f32)
}

/// What every group adds to the score of `fitted`, the strongest first.
pub fn contributions(fitted: &Fitted, features: &Features, usual: &Features) -> Vec<Contribution> {
    let adds = fitted.contributions(features, usual);
    let mut groups = GROUPS.to_vec();
    groups.sort_unstable();
    groups.dedup();
    let of = |group: Group| {
        let members = || (0..COUNT).filter(move |i| GROUPS[*i] == group);
        let sum: f32 = members().map(|i| adds[i]).sum();
        let along = |i: &usize| adds[*i] * sum.signum();
        let strongest = members().max_by(|a, b| along(a).total_cmp(&along(b)));
        Contribution { group, adds: sum, strongest: strongest.map_or("", |i| NAMES[i]) }
    };
    let mut found: Vec<_> = groups.into_iter().map(of).collect();
    found.sort_by(|a, b| b.adds.abs().total_cmp(&a.adds.abs()));
    found
}

impl Group {
    /// What the group looks at.
    pub fn words(self) -> &'static str {
        match self {
            Self::Rates => "how often it comes at this time of day",
            Self::Week => "how often it comes at this time on such days of the week",
            Self::Days => "on which days it is used",
            Self::Today => "how today has gone so far",
            Self::Idle => "how long it has slept",
            Self::Calendar => "what everybody does at this hour",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Moment, head::Head, population::Population};

    fn scorer() -> Scorer {
        let mut head = Head::default();
        for (weight, group) in head.weights.iter_mut().zip(GROUPS) {
            *weight = if *group == Group::Rates { 0.5 } else { 0.01 };
        }
        Scorer::new(Fitted {
            wake: head.clone(),
            network: None,
            screen: None,
            within_1h: head.clone(),
            within_3h: head.clone(),
            within_24h: head,
            population: Population::default(),
            frontier: Vec::new(),
        })
    }

    const NOW_S: i64 = 1_772_528_400;

    fn came(every_days: i64, hours_later: i64) -> Profile {
        let mut profile = Profile::default();
        for back in (1..=60).rev().filter(|back| back % every_days == 0) {
            profile.see_second(NOW_S - back * 86_400 + hours_later * 3_600, 0, 7_200);
        }
        profile
    }

    #[test]
    fn what_a_group_adds_sums_up_to_the_difference_of_the_scores() {
        let scorer = scorer();
        let scene = scorer.scene(Moment::of_second(NOW_S, 0));
        let others: Vec<_> = (0..12).map(|n| came(2 + n % 3, 1 + n % 9)).collect();
        let usual = usual(&scorer, &scene, others.iter());
        let features = scorer.features(&came(1, 1), &scene);
        let head = &scorer.fitted().wake;
        let found = contributions(scorer.fitted(), &features, &usual);
        let adds: f32 = found.iter().map(|found| found.adds).sum();
        assert!((adds - (head.score(&features) - head.score(&usual))).abs() < 1e-3, "{found:?}");
        assert_eq!(found[0].group, Group::Rates, "{found:?}");
        assert!(found[0].adds > 0.0 && NAMES.contains(&found[0].strongest));
        assert!(found.windows(2).all(|pair| pair[0].adds.abs() >= pair[1].adds.abs()));
    }

    #[test]
    fn alone_it_is_compared_with_one_that_nothing_is_known_of() {
        let scorer = scorer();
        let scene = scorer.scene(Moment::of_second(NOW_S, 0));
        let nobody = scorer.features(&Profile::default(), &scene);
        let one = came(1, 1);
        let few = usual(&scorer, &scene, std::iter::repeat_n(&one, OTHERS_MIN - 1));
        assert_eq!(few.map(f32::to_bits), nobody.map(f32::to_bits));
        let enough = usual(&scorer, &scene, std::iter::repeat_n(&one, OTHERS_MIN));
        assert_eq!(enough.map(f32::to_bits), scorer.features(&one, &scene).map(f32::to_bits));
    }

    #[test]
    fn the_strongest_of_a_group_is_the_one_that_adds_most_in_its_direction() {
        let mut fitted = Fitted::default();
        let place = |name: &str| NAMES.iter().position(|other| *other == name).expect("a feature");
        for (name, weight) in
            [("ahead_5d", 1.0), ("ahead_15d", -3.0), ("present_5d", -1.5), ("days_3", 0.5), ("days_7", 2.0)]
        {
            fitted.wake.weights[place(name)] = weight;
        }
        let found = contributions(&fitted, &[1.0; COUNT], &[0.0; COUNT]);
        let found: Vec<_> = found.iter().map(|found| (found.group, found.adds, found.strongest)).collect();
        assert_eq!(found[..2], [(Group::Rates, -3.5, "ahead_15d"), (Group::Days, 2.5, "days_7")]);
        assert!(found.len() == 6 && found[2..].iter().all(|(_, adds, _)| *adds == 0.0), "{found:?}");
    }

    #[test]
    fn what_is_usual_is_the_mean_of_the_others() {
        let scorer = scorer();
        let scene = scorer.scene(Moment::of_second(NOW_S, 0));
        let (daily, rare) = (came(1, 1), came(7, 3));
        let others = std::iter::repeat_n(&daily, 9).chain(std::iter::repeat_n(&rare, 3));
        let found = usual(&scorer, &scene, others);
        let (daily, rare) = (scorer.features(&daily, &scene), scorer.features(&rare, &scene));
        for (i, usual) in found.iter().enumerate() {
            assert!((usual - (0.75 * daily[i] + 0.25 * rare[i])).abs() < 1e-5, "{}", NAMES[i]);
        }
    }

    #[test]
    fn every_group_says_what_it_looks_at() {
        let words: std::collections::BTreeSet<_> = GROUPS.iter().map(|group| group.words()).collect();
        assert_eq!(words.len(), 6);
        assert!(words.contains("how long it has slept"));
    }
}
