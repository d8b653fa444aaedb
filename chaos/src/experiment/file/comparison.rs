//! A metric set beside a number: what predictions, proofs and guards are made of.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = "==")]
    Equal,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = ">")]
    More,
}

/// Longer signs first, so that `<=` is not read as `<`.
const SIGNS: [(&str, Op); 5] =
    [("<=", Op::AtMost), (">=", Op::AtLeast), ("==", Op::Equal), ("<", Op::Less), (">", Op::More)];

impl Op {
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => (left - right).abs() <= f64::EPSILON * right.abs().max(1.0),
            Self::AtLeast => left >= right,
            Self::More => left > right,
        }
    }

    pub fn sign(self) -> &'static str {
        SIGNS.iter().find(|(_, op)| *op == self).map_or("==", |(sign, _)| sign)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sign())
    }
}

/// `metric op number`, as a guard has it: `host_cpu_max > 0.85`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub metric: String,
    pub op: Op,
    pub value: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not `metric op number` with an op of < <= == >= >")]
pub struct NoExpression(String);

impl Expression {
    /// Whether a measured value meets it.
    pub fn holds(&self, measured: f64) -> bool {
        self.op.holds(measured, self.value)
    }
}

impl FromStr for Expression {
    type Err = NoExpression;

    fn from_str(text: &str) -> Result<Self, NoExpression> {
        let no = || NoExpression(text.to_owned());
        let (sign, op) = SIGNS.iter().find(|(sign, _)| text.contains(sign)).ok_or_else(no)?;
        let (metric, value) = text.split_once(sign).ok_or_else(no)?;
        let metric = metric.trim();
        let named = !metric.is_empty() && metric.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let value = value.trim().parse().ok().filter(|value: &f64| value.is_finite() && named);
        Ok(Self { metric: metric.to_owned(), op: *op, value: value.ok_or_else(no)? })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.metric, self.op, self.value)
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_a_metric_an_op_and_a_number() {
        let guard: Expression = "host_cpu_max > 0.85".parse().unwrap();
        assert!(guard.holds(0.86) && !guard.holds(0.85));
        assert_eq!(guard.to_string(), "host_cpu_max > 0.85");
        assert_eq!("x<=2".parse(), Ok(Expression { metric: "x".into(), op: Op::AtMost, value: 2.0 }));
        for wrong in ["", "x", "x > y", "> 1", "x >", "a b > 1", "x > 1 > 2", "x = 1", "x > NaN"] {
            assert!(wrong.parse::<Expression>().is_err(), "{wrong}");
        }
    }
}
