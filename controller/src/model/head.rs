//! A linear score over the features, and the probability it stands for.

use serde::{Deserialize, Serialize};

use super::{
    features::{COUNT, Features},
    network::dot,
};

/// Intercept and one weight per feature, in the order of [`super::features::NAMES`].
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub intercept: f32,
    pub weights: Features,
}

impl Default for Head {
    fn default() -> Self {
        Self { intercept: 0.0, weights: [0.0; COUNT] }
    }
}

impl Head {
    /// Log-odds.
    pub fn score(&self, features: &Features) -> f32 {
        self.intercept + dot(&self.weights, features)
    }

    pub fn probability(&self, features: &Features) -> f32 {
        1.0 / (1.0 + (-self.score(features)).exp())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    intercept: f32,
    weights: std::collections::BTreeMap<String, f32>,
}

impl Serialize for Head {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = super::features::NAMES.iter().map(|name| (*name).to_owned());
        Written { intercept: self.intercept, weights: names.zip(self.weights).collect() }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Head {
    /// Weights are read by name: a model made for other features is refused, not misread.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let Written { intercept, mut weights } = Written::deserialize(deserializer)?;
        let mut read = [0.0; COUNT];
        for (weight, name) in read.iter_mut().zip(super::features::NAMES) {
            *weight = weights
                .remove(*name)
                .ok_or_else(|| Error::custom(format!("the weight `{name}` is missing")))?;
        }
        if let Some((name, _)) = weights.first_key_value() {
            return Err(Error::custom(format!("the weight `{name}` is of no feature known here")));
        }
        if !intercept.is_finite() || read.iter().any(|weight| !weight.is_finite()) {
            return Err(Error::custom("a weight is not a finite number"));
        }
        Ok(Self { intercept, weights: read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::features::NAMES;

    /// Looks at the first feature and at the last two, which are summed apart from the others.
    fn head() -> Head {
        let mut head = Head { intercept: 0.5, ..Head::default() };
        (head.weights[0], head.weights[COUNT - 2], head.weights[COUNT - 1]) = (2.0, 3.0, -1.0);
        head
    }

    #[test]
    fn a_score_is_the_log_odds_of_the_probability() {
        let mut features = [0.0; COUNT];
        assert!((head().score(&features) - 0.5).abs() < 1e-6);
        (features[0], features[COUNT - 2], features[COUNT - 1]) = (0.25, 0.5, 4.0);
        assert!((head().score(&features) + 1.5).abs() < 1e-6, "{}", head().score(&features));
        // 1 / (1 + e^1.5)
        assert!((head().probability(&features) - 0.182_425_5).abs() < 1e-6);
    }

    #[test]
    fn what_is_written_is_read_and_other_features_are_refused() {
        let json = serde_json::to_string(&head()).expect("plain data");
        assert_eq!(serde_json::from_str::<Head>(&json).expect("the same"), head());
        let refused = |json: &str| serde_json::from_str::<Head>(json).expect_err("refused").to_string();
        let name = format!("\"{}\":", NAMES[COUNT - 1]);
        let missing = refused(&json.replacen(&name, "\"mood\":", 1));
        assert!(missing.contains(&format!("`{}` is missing", NAMES[COUNT - 1])), "{missing}");
        let more = refused(&json.replacen(&name, &format!("\"mood\":1.0,{name}"), 1));
        assert!(more.contains("`mood` is of no feature"), "{more}");
        // A reader that rounds exactly says itself that it is none.
        let is_told = |text: &str| text.contains("finite") || text.contains("number out of range");
        assert!(is_told(&refused(&json.replacen("0.5", "1e39", 1))), "the intercept");
        assert!(is_told(&refused(&json.replacen(&format!("{name}-1.0"), &format!("{name}1e39"), 1))));
    }
}
