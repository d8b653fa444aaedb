//! A score that bends: a linear one, and on top what a layer of hinges adds.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined is not compiled for wide registers: see `wide`"
)]

use serde::{Deserialize, Serialize};

use super::{
    features::{COUNT, Features, NAMES},
    wide::{Work, widely},
};

/// Farther than so many spreads from the mean a feature counts no more: one never seen must not decide alone.
const FAR: f32 = 5.0;

/// Numbers a sum is made of at once.
const BLOCK: usize = 8;

/// Blocks of hinges that are worked out at once: as many as keep additions from waiting for each other.
const BLOCKS: usize = 4;
const PANEL: usize = BLOCKS * BLOCK;

/// A network with one hidden layer of rectified linear units, beside which a linear score stays.
///
/// `score = intercept + z * linear + sum over hinges of adds * max(0, z * weights + intercept of the hinge)`, where `z`
/// are the features less their mean, over their spread, at most 5 either way.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    pub intercept: f32,
    pub mean: Features,
    /// 1 over the spread; 0 for a feature that is not used.
    pub per_spread: Features,
    pub linear: Features,
    hinges: Vec<Hinge>,
    panels: Vec<Panel>,
}

/// One unit: nothing on one side, a slope on the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Hinge {
    pub intercept: f32,
    pub weights: Features,
    /// What the score gains by one unit of it.
    pub adds: f32,
}

impl Hinge {
    /// Whether it can change a score by more than nothing: some learn to be shut, and numbers as small as theirs are
    /// slow to work with.
    fn matters(&self) -> bool {
        let most = FAR * self.weights.iter().map(|weight| weight.abs()).sum::<f32>() + self.intercept;
        most > 0.0 && (most * self.adds).abs() > 1e-4
    }
}

/// A number for each hinge of a panel.
type Wide = [[f32; BLOCK]; BLOCKS];

/// Hinges side by side; those that are missing add nothing.
#[derive(Debug, Clone, PartialEq)]
struct Panel {
    intercepts: Wide,
    adds: Wide,
    /// By feature.
    weights: Vec<Wide>,
}

impl Panel {
    fn new(hinges: &[Hinge]) -> Self {
        let wide = |number: &dyn Fn(&Hinge) -> f32| -> Wide {
            let of = |n: usize| hinges.get(n).map_or(0.0, number);
            std::array::from_fn(|block| std::array::from_fn(|lane| of(block * BLOCK + lane)))
        };
        Self {
            intercepts: wide(&|hinge| hinge.intercept),
            adds: wide(&|hinge| hinge.adds),
            weights: (0..COUNT).map(|i| wide(&|hinge| hinge.weights[i])).collect(),
        }
    }
}

/// What the hinges of a panel add to a score.
struct PanelSum<'a> {
    panel: &'a Panel,
    z: &'a Features,
}

impl Work for PanelSum<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let Self { panel, z } = self;
        // Each block by its name: so they stay in registers.
        let [mut a, mut b, mut c, mut d] = panel.intercepts;
        for (weights, z) in panel.weights.iter().zip(z) {
            add(&mut a, &weights[0], *z);
            add(&mut b, &weights[1], *z);
            add(&mut c, &weights[2], *z);
            add(&mut d, &weights[3], *z);
        }
        let mut sums = [0.0; BLOCK];
        for (open, adds) in [a, b, c, d].iter().zip(&panel.adds) {
            for lane in 0..BLOCK {
                sums[lane] += open[lane].max(0.0) * adds[lane];
            }
        }
        sums.iter().sum()
    }
}

#[inline(always)]
fn add(to: &mut [f32; BLOCK], weights: &[f32; BLOCK], times: f32) {
    for lane in 0..BLOCK {
        to[lane] += weights[lane] * times;
    }
}

impl Network {
    /// A straight line, to be bent by [`Network::with_hinges`].
    pub fn line(intercept: f32, mean: Features, per_spread: Features, linear: Features) -> Self {
        Self { intercept, mean, per_spread, linear, hinges: Vec::new(), panels: Vec::new() }
    }

    pub fn with_hinges(self, mut hinges: Vec<Hinge>) -> Self {
        hinges.retain(Hinge::matters);
        Self { panels: hinges.chunks(PANEL).map(Panel::new).collect(), hinges, ..self }
    }

    pub fn hinges(&self) -> &[Hinge] {
        &self.hinges
    }

    /// The features as the network sees them.
    pub fn standardised(&self, features: &Features) -> Features {
        std::array::from_fn(|i| ((features[i] - self.mean[i]) * self.per_spread[i]).clamp(-FAR, FAR))
    }

    pub fn score(&self, features: &Features) -> f32 {
        let z = self.standardised(features);
        let hinges: f32 = self.panels.iter().map(|panel| widely(PanelSum { panel, z: &z })).sum();
        self.intercept + dot(&self.linear, &z) + hinges
    }

    /// What each feature adds to the score on the way from `usual` to `features`: its part of the slope, averaged over
    /// the straight line between the two (integrated gradients, Sundararajan et al. 2017). They sum up to the
    /// difference of the scores, but for what the steps along the line leave out.
    pub fn contributions(&self, features: &Features, usual: &Features) -> Features {
        const STEPS: u16 = 64;
        let (from, to) = (self.standardised(usual), self.standardised(features));
        let way: Features = std::array::from_fn(|i| to[i] - from[i]);
        let mut slope = self.linear;
        for hinge in &self.hinges {
            let (begins, rises) = (hinge.intercept + dot(&hinge.weights, &from), dot(&hinge.weights, &way));
            let steps = (0..STEPS).map(|step| (f32::from(step) + 0.5) / f32::from(STEPS));
            let open = steps.filter(|share| begins + rises * share > 0.0).count() as f32 / f32::from(STEPS);
            for (slope, weight) in slope.iter_mut().zip(&hinge.weights) {
                *slope += hinge.adds * open * weight;
            }
        }
        std::array::from_fn(|i| slope[i] * way[i])
    }

    /// Whether any feature makes a difference.
    pub(super) fn sees_something(&self) -> bool {
        self.per_spread.iter().any(|per_spread| *per_spread > 0.0)
    }

    fn is_finite(&self) -> bool {
        let hinges =
            self.hinges.iter().flat_map(|hinge| hinge.weights.iter().chain([&hinge.intercept, &hinge.adds]));
        let all = self.mean.iter().chain(&self.per_spread).chain(&self.linear).chain([&self.intercept]);
        all.chain(hinges).all(|number| number.is_finite())
    }
}

/// Eight sums at once: one long chain of additions would wait for each.
pub(super) fn dot(weights: &Features, numbers: &Features) -> f32 {
    let mut sums = [0.0f32; BLOCK];
    let (weights, tail_weights) = weights.as_chunks::<BLOCK>();
    let (numbers, tail_numbers) = numbers.as_chunks::<BLOCK>();
    for (weights, numbers) in weights.iter().zip(numbers) {
        for lane in 0..BLOCK {
            sums[lane] += weights[lane] * numbers[lane];
        }
    }
    let tail: f32 = tail_weights.iter().zip(tail_numbers).map(|(weight, number)| weight * number).sum();
    sums.iter().sum::<f32>() + tail
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// In the order of all lists.
    features: Vec<String>,
    intercept: f32,
    mean: Vec<f32>,
    per_spread: Vec<f32>,
    linear: Vec<f32>,
    hinges: Vec<WrittenHinge>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHinge {
    intercept: f32,
    adds: f32,
    weights: Vec<f32>,
}

impl Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hinge = |hinge: &Hinge| WrittenHinge {
            intercept: hinge.intercept,
            adds: hinge.adds,
            weights: hinge.weights.to_vec(),
        };
        Written {
            features: NAMES.iter().map(|name| (*name).to_owned()).collect(),
            intercept: self.intercept,
            mean: self.mean.to_vec(),
            per_spread: self.per_spread.to_vec(),
            linear: self.linear.to_vec(),
            hinges: self.hinges.iter().map(hinge).collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Network {
    /// A network made for other features is refused, not misread.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let written = Written::deserialize(deserializer)?;
        let others = written.features.iter().zip(NAMES).find(|(written, name)| *written != *name);
        if let Some((written, name)) = others {
            return Err(Error::custom(format!("the feature `{written}` stands where `{name}` is expected")));
        }
        if written.features.len() != COUNT {
            let count = written.features.len();
            return Err(Error::custom(format!("{count} features where {COUNT} are expected")));
        }
        let list = |name: &str, numbers: Vec<f32>| {
            let count = numbers.len();
            Features::try_from(numbers)
                .map_err(|_| Error::custom(format!("`{name}` has {count} numbers for {COUNT} features")))
        };
        let hinges = written.hinges.into_iter().map(|hinge| {
            let weights = list("weights", hinge.weights)?;
            Ok(Hinge { intercept: hinge.intercept, adds: hinge.adds, weights })
        });
        let hinges = hinges.collect::<Result<_, D::Error>>()?;
        let (mean, per_spread) = (list("mean", written.mean)?, list("per_spread", written.per_spread)?);
        let line = Self::line(written.intercept, mean, per_spread, list("linear", written.linear)?);
        let network = line.with_hinges(hinges);
        if !network.is_finite() {
            return Err(Error::custom("a number of the network is not finite"));
        }
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let mut hinge = Hinge { intercept: -1.0, weights: [0.0; COUNT], adds: 2.0 };
        hinge.weights[0] = 1.0;
        let mut linear = [0.0; COUNT];
        linear[1] = 0.5;
        Network::line(0.25, [1.0; COUNT], [0.5; COUNT], linear).with_hinges(vec![hinge])
    }

    fn features(first: f32, second: f32) -> Features {
        let mut features = [1.0; COUNT];
        (features[0], features[1]) = (first, second);
        features
    }

    #[test]
    fn it_is_linear_until_the_hinge_opens() {
        let network = network();
        assert!((network.score(&features(1.0, 1.0)) - 0.25).abs() < 1e-6);
        assert!((network.score(&features(3.0, 3.0)) - 0.75).abs() < 1e-6, "the hinge is just closed");
        assert!((network.score(&features(5.0, 1.0)) - 2.25).abs() < 1e-6);
        let far = network.score(&features(1e9, 1.0));
        assert!((far - network.score(&features(11.0, 1.0))).abs() < 1e-6, "no farther than five spreads");
    }

    #[test]
    fn contributions_sum_up_to_the_difference() {
        let network = network();
        let (usual, seen) = (features(-2.0, 0.0), features(7.0, 3.0));
        let adds = network.contributions(&seen, &usual);
        let difference = network.score(&seen) - network.score(&usual);
        assert!((adds.iter().sum::<f32>() - difference).abs() < 0.1, "{difference}");
        assert!((adds[1] - 0.75).abs() < 1e-5);
        assert!(adds[2..].iter().all(|adds| *adds == 0.0));
    }

    #[test]
    fn what_is_written_is_read_and_other_features_are_refused() {
        let network = network();
        let json = serde_json::to_string(&network).expect("plain data");
        assert_eq!(serde_json::from_str::<Network>(&json).expect("the same"), network);
        let other = json.replacen(NAMES[3], "mood", 1);
        let error = serde_json::from_str::<Network>(&other).expect_err("not a feature");
        assert!(error.to_string().contains("`mood`"), "{error}");
        let short = json.replacen("[0.5,", "[", 1);
        assert!(serde_json::from_str::<Network>(&short).is_err());
    }

    /// As many hinges as make a panel and one more, each of another weight.
    fn many() -> (Vec<Hinge>, Network) {
        let hinge = |n: usize| {
            let mut hinge =
                Hinge { intercept: n as f32 / 10.0 - 1.0, weights: [0.0; COUNT], adds: 1.0 + n as f32 };
            (hinge.weights[n], hinge.weights[COUNT - 1]) = (0.5, 0.25);
            hinge
        };
        let hinges: Vec<_> = (0..=PANEL).map(hinge).collect();
        let mut linear = [0.0; COUNT];
        (linear[2], linear[COUNT - 1]) = (0.5, -2.0);
        let line = Network::line(0.25, [1.0; COUNT], [0.5; COUNT], linear);
        (hinges.clone(), line.with_hinges(hinges))
    }

    #[test]
    fn every_hinge_of_every_panel_adds_what_it_is_open() {
        let (hinges, network) = many();
        assert_eq!(network.hinges(), hinges);
        let seen: Features = std::array::from_fn(|i| (i % 7) as f32);
        let z = |i: usize| (seen[i] - 1.0) * 0.5;
        let sum =
            |weights: &Features| -> f32 { weights.iter().enumerate().map(|(i, weight)| weight * z(i)).sum() };
        let adds = |hinge: &Hinge| hinge.adds * (hinge.intercept + sum(&hinge.weights)).max(0.0);
        let expected = 0.25 + sum(&network.linear) + hinges.iter().map(adds).sum::<f32>();
        assert!((network.score(&seen) - expected).abs() < 1e-3, "{} is not {expected}", network.score(&seen));
        assert!(expected > 100.0, "many are open: {expected}");
    }

    #[test]
    fn a_hinge_that_cannot_add_anything_is_left_out() {
        let hinge = |intercept: f32, weight: f32, adds: f32| {
            let mut hinge = Hinge { intercept, weights: [0.0; COUNT], adds };
            (hinge.weights[0], hinge.weights[1]) = (weight, -weight);
            hinge
        };
        let kept = |hinge: Hinge| network().with_hinges(vec![hinge]).hinges().len();
        // Five spreads from the mean both add five halves each.
        assert_eq!(kept(hinge(-4.9, 0.5, 1.0)), 1);
        assert_eq!(kept(hinge(-5.1, 0.5, 1.0)), 0, "it never opens");
        assert_eq!(kept(hinge(1.0, 0.5, 1e-5)), 0, "it adds too little");
        assert_eq!(kept(hinge(1.0, 0.5, -2e-5)), 1, "six times that takes away just enough");
    }

    #[test]
    fn a_sum_is_of_all_products() {
        let (weights, numbers): (Features, Features) =
            (std::array::from_fn(|i| (i + 1) as f32), std::array::from_fn(|i| (i % 3) as f32));
        let expected: usize = (0..COUNT).map(|i| (i + 1) * (i % 3)).sum();
        assert!((dot(&weights, &numbers) - expected as f32).abs() < 1e-3);
    }

    #[test]
    fn a_feature_adds_by_the_share_of_the_way_on_which_its_hinges_are_open() {
        // The hinge opens half way between 1 and 5, where the feature is one spread from the mean: it adds 2 for each.
        let adds = network().contributions(&features(5.0, 1.0), &features(1.0, 1.0));
        assert!((adds[0] - 2.0).abs() < 1e-5, "{}", adds[0]);
        // And for the last quarter of the way from 0 to 4.
        let adds = network().contributions(&features(4.0, 1.0), &features(0.0, 1.0));
        assert!((adds[0] - 2.0 * 0.25 * 2.0).abs() < 1e-5, "{}", adds[0]);
    }

    #[test]
    fn a_number_that_is_none_is_refused_wherever_it_stands() {
        let json = serde_json::to_string(&network()).expect("plain data");
        let number = |name: &str| format!("\"{name}\":[");
        let broken = [
            json.replacen("\"intercept\":0.25", "\"intercept\":1e39", 1),
            json.replacen("\"intercept\":-1.0", "\"intercept\":1e39", 1),
            json.replacen("\"adds\":2.0", "\"adds\":1e39", 1),
            json.replacen(&(number("linear") + "0.0"), &(number("linear") + "1e39"), 1),
            json.replacen(&(number("weights") + "1.0"), &(number("weights") + "1e39"), 1),
        ];
        for broken in broken {
            assert_ne!(broken, json);
            let error = serde_json::from_str::<Network>(&broken).expect_err("refused").to_string();
            // A reader that rounds exactly says itself that it is none.
            assert!(error.contains("finite") || error.contains("number out of range"), "{error}");
        }
        let more = json.replacen("\"features\":[", "\"features\":[\"ahead_5d\",", 1);
        assert!(serde_json::from_str::<Network>(&more).is_err());
        let last = json.replacen(
            &format!("\"{}\"]", NAMES[COUNT - 1]),
            &format!("\"{}\",\"mood\"]", NAMES[COUNT - 1]),
            1,
        );
        let error = serde_json::from_str::<Network>(&last).expect_err("one more").to_string();
        assert!(error.contains("91 features where 90"), "{error}");
    }

    #[test]
    fn it_sees_something_if_one_feature_makes_a_difference() {
        assert!(network().sees_something());
        let mut one = [0.0; COUNT];
        assert!(!Network::line(1.0, [1.0; COUNT], one, [1.0; COUNT]).sees_something());
        one[7] = 0.5;
        assert!(Network::line(1.0, [1.0; COUNT], one, [1.0; COUNT]).sees_something());
    }
}
