//! Whether what a probe said is within its tolerance, as Chaos Toolkit judges it; of its forms, those templates use.

use serde_json::Value;

use super::Answer;

/// `None` where the tolerance, or what the probe said, cannot be understood: nothing is known then.
pub(super) fn met(tolerance: &Value, answer: &Answer) -> Option<bool> {
    if let Some(status) = tolerance.as_u64() {
        return Some(u64::from(answer.status) == status);
    }
    let is_range = tolerance.get("type").and_then(Value::as_str) == Some("range");
    let is_body = tolerance.get("target").and_then(Value::as_str) == Some("body");
    let ends = tolerance.get("range").and_then(Value::as_array).filter(|_| is_range && is_body)?;
    let [low, high] = ends.as_slice() else { return None };
    let value = match answer.body.value() {
        Value::String(text) => text.parse().ok()?,
        Value::Number(number) => number.as_f64()?,
        _ => return None,
    };
    Some((low.as_f64()?..=high.as_f64()?).contains(&value))
}

/// A number with as many digits as somebody reads; anything else as it is.
pub(super) fn rounded(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number.fract() != 0.0 => format!("{number:.3}"),
        _ => text.to_owned(),
    }
}

/// A tolerance in words.
pub(super) fn bounds(tolerance: &Value) -> String {
    match tolerance["range"].as_array().map(Vec::as_slice) {
        Some([low, high]) => format!("{low} to {high}"),
        _ => tolerance.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::Body, *};

    #[test]
    fn a_range_is_held_against_the_body_and_a_number_against_the_status() {
        let said = |text: &str| Answer { status: 200, body: Body::Text(text.into()) };
        let range = json!({"type": "range", "target": "body", "range": [0.95, 1.0]});
        assert_eq!(met(&range, &said("0.95")), Some(true));
        assert_eq!(met(&range, &said("0.949")), Some(false));
        assert_eq!(met(&range, &said("unknown")), None, "what is not measured is not good");
        assert_eq!(met(&json!(200), &said("x")), Some(true));
        assert_eq!(met(&json!({"type": "regex", "pattern": "x"}), &said("x")), None);
    }
}
