//! A fault that sets a measure of one host to a level of its own.

use super::Span;

#[derive(Debug)]
pub struct Level {
    pub span: Span,
    /// Index of the host.
    host: usize,
    value: f64,
}

impl Level {
    pub fn new(span: Span, host: usize, level: f64) -> Self {
        Self { span, host, value: level }
    }

    /// The level, where this host is met now.
    pub fn of(&mut self, host: usize) -> Option<f64> {
        if !self.span.on() || host != self.host {
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
    fn only_its_host_is_met_and_only_inside_its_span() {
        let mut fault = Level::new(Span::new(5, 6), 1, 0.9);
        let seen: Vec<_> = (4..8)
            .map(|s| {
                fault.span.follow(s);
                (fault.of(0), fault.of(1))
            })
            .collect();
        assert_eq!(seen, [(None, None), (None, Some(0.9)), (None, None), (None, None)]);
        assert_eq!(fault.span.proof("x").hits, 1);
    }
}
