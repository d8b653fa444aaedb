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
