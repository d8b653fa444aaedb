//! A fault that sets a measure of one host to a level of its own.

use super::Span;

#[derive(Debug)]
pub struct Level {
    pub span: Span,
    value: f64,
}

impl Level {
    pub fn new(span: Span, level: f64) -> Self {
        Self { span, value: level }
    }

    /// The level, while it is on.
    pub fn level(&mut self) -> Option<f64> {
        if !self.span.on() {
            return None;
        }
        self.span.count(true);
        Some(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_met_only_inside_its_span() {
        let mut fault = Level::new(Span::new(5, 6), 0.9);
        let seen: Vec<_> = (4..8)
            .map(|s| {
                fault.span.follow(s);
                fault.level()
            })
            .collect();
        assert_eq!(seen, [None, Some(0.9), None, None]);
        assert_eq!(fault.span.proof("x").hits, 1);
    }
}
