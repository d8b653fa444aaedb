//! The few partners that are counted for one instance: those that follow it most often.
//!
//! Who is kept is decided by Space-Saving (Metwally, Agrawal, El Abbadi 2005): a newcomer takes the place of the
//! least frequent one and inherits its weight, so that every frequent partner is among the kept ones in the end. What
//! a rule says is counted apart, from the arrival after it was taken in: no count is inherited or guessed, and the
//! arrival that brought it in, which it followed by construction, does not count for it.

use super::rule::Association;

/// Arrivals after which counts are halved, so that old habits fade.
const ARRIVALS_MAX: f32 = 128.0;

#[derive(Debug, Clone, Copy)]
pub(super) struct Partner {
    pub(super) index: u32,
    weight: f32,
    followed: f32,
    arrivals: f32,
    expected: f32,
    /// Expected for the arrival that is waited upon; `None` for one taken in since.
    pending: Option<f32>,
    has_followed: bool,
}

impl Partner {
    pub(super) fn association(&self) -> Association {
        Association {
            followed: self.followed.into(),
            arrivals: self.arrivals.into(),
            expected: self.expected.into(),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Partners(Vec<Partner>);

impl Partners {
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Partner> {
        self.0.iter()
    }

    /// An arrival begins to be waited upon; `expected` is what each partner's own rhythm says of the span after it.
    pub(super) fn begin(&mut self, expected: impl Fn(u32) -> f64) {
        for partner in &mut self.0 {
            (partner.pending, partner.has_followed) = (Some(expected(partner.index) as f32), false);
        }
    }

    /// `index` followed, for the first time since the arrival.
    pub(super) fn follow(&mut self, index: u32, partners_max: usize) {
        if let Some(partner) = self.0.iter_mut().find(|partner| partner.index == index) {
            partner.weight += 1.0;
            partner.has_followed = true;
            return;
        }
        let mut new = Partner {
            index,
            weight: 1.0,
            followed: 0.0,
            arrivals: 0.0,
            expected: 0.0,
            pending: None,
            has_followed: true,
        };
        if self.0.len() < partners_max {
            self.0.push(new);
        } else if let Some(least) = self.0.iter_mut().min_by(|a, b| a.weight.total_cmp(&b.weight)) {
            new.weight += least.weight;
            *least = new;
        }
    }

    /// The span after the arrival is over: who followed and who did not is counted.
    pub(super) fn settle(&mut self) {
        for partner in &mut self.0 {
            if let Some(expected) = partner.pending.take() {
                partner.arrivals += 1.0;
                partner.expected += expected;
                partner.followed += f32::from(u8::from(partner.has_followed));
            }
            if partner.arrivals > ARRIVALS_MAX {
                partner.weight /= 2.0;
                partner.followed /= 2.0;
                partner.arrivals /= 2.0;
                partner.expected /= 2.0;
            }
        }
    }

    /// The arrival is given up: it says nothing.
    pub(super) fn give_up(&mut self) {
        self.0.iter_mut().for_each(|partner| partner.pending = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One arrival that `followers` follow.
    fn arrival(partners: &mut Partners, followers: &[u32], partners_max: usize) {
        partners.begin(|_| 0.1);
        for index in followers {
            partners.follow(*index, partners_max);
        }
        partners.settle();
    }

    #[test]
    fn the_arrival_that_brings_a_partner_in_does_not_count_for_it() {
        let mut partners = Partners::default();
        arrival(&mut partners, &[7], 4);
        arrival(&mut partners, &[7], 4);
        arrival(&mut partners, &[], 4);
        let found = partners.iter().next().expect("kept").association();
        assert!((found.followed, found.arrivals) == (1.0, 2.0), "{found:?}");
        assert!((found.expected - 0.2).abs() < 1e-6);
    }

    #[test]
    fn the_frequent_stay_whatever_passes_by() {
        let mut partners = Partners::default();
        for i in 0..300 {
            arrival(&mut partners, &[1, 2, 1_000 + i], 4);
        }
        assert_eq!(partners.iter().len(), 4);
        assert!([1, 2].iter().all(|index| partners.iter().any(|partner| partner.index == *index)));
        let first = partners.iter().find(|partner| partner.index == 1).expect("kept").association();
        assert!((first.confidence() - 1.0).abs() < 1e-6 && first.arrivals <= 129.0, "{first:?}");
    }

    #[test]
    fn an_arrival_given_up_says_nothing() {
        let mut partners = Partners::default();
        arrival(&mut partners, &[7], 4);
        partners.begin(|_| 0.1);
        partners.give_up();
        partners.settle();
        assert!(partners.iter().all(|partner| partner.association().arrivals < 0.5));
    }

    #[test]
    fn counts_are_halved_after_128_arrivals() {
        let mut partners = Partners::default();
        let counts = |partners: &Partners| {
            let partner = &partners.0[0];
            [partner.weight, partner.followed, partner.arrivals, (partner.expected * 100.0).round()]
        };
        for _ in 0..129 {
            arrival(&mut partners, &[7], 4);
        }
        assert_eq!(counts(&partners).map(f32::to_bits), [129.0, 128.0, 128.0, 1_280.0].map(f32::to_bits));
        arrival(&mut partners, &[7], 4);
        // 130 times in all, 129 since it was taken in.
        assert_eq!(counts(&partners).map(f32::to_bits), [65.0, 64.5, 64.5, 645.0].map(f32::to_bits));
    }

    #[test]
    fn a_newcomer_inherits_the_weight_of_the_one_whose_place_it_takes() {
        let mut partners = Partners::default();
        for followers in [[1, 2], [1, 2], [1, 3]] {
            arrival(&mut partners, &followers, 2);
        }
        let kept: Vec<_> = partners.iter().map(|partner| (partner.index, partner.weight)).collect();
        assert_eq!(kept, [(1, 3.0), (3, 3.0)]);
    }
}
