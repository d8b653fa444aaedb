//! Whom a fault can hit.

use std::collections::BTreeSet;

/// Instances, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Whom {
    #[default]
    Everybody,
    Only(BTreeSet<usize>),
}

impl Whom {
    pub fn has(&self, instance: usize) -> bool {
        match self {
            Self::Everybody => true,
            Self::Only(some) => some.contains(&instance),
        }
    }
}
