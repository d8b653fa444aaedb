//! Boots take a multiple of their time; the endpoint answers as ever.

use super::{Span, Whom};

#[derive(Debug)]
pub struct SlowWake {
    pub span: Span,
    factor: f64,
    whom: Whom,
}

impl SlowWake {
    pub fn new(span: Span, factor: f64) -> Self {
        Self { span, factor: factor.max(1.0), whom: Whom::Everybody }
    }

    /// Of these instances only.
    pub fn of(self, whom: Whom) -> Self {
        Self { whom, ..self }
    }

    /// How much longer the boot of an instance that begins now takes.
    pub fn slowdown(&mut self, instance: usize) -> f64 {
        if !self.span.on() || !self.whom.has(instance) {
            return 1.0;
        }
        self.span.count(true);
        self.factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_slows_boots_only_inside_its_span() {
        let mut fault = SlowWake::new(Span::new(5, 6), 4.0);
        let slowdowns: Vec<f64> = (4..8)
            .map(|s| {
                fault.span.follow(s);
                fault.slowdown(0)
            })
            .collect();
        assert_eq!(slowdowns, [1.0, 4.0, 1.0, 1.0]);
        assert_eq!(fault.span.proof("x").hits, 1);
    }
}
