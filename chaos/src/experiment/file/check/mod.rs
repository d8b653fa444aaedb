//! The rules no schema can say: what names what, what fits whom, and what would prove nothing.

mod activities;
mod faults;
mod ladder;
mod measures;
mod naming;
mod radius;
mod setting;
mod targets;

use super::{found::Found, parts::Parts};

pub(super) fn all(parts: &Parts, found: &mut Found<'_>) {
    naming::check(parts, found);
    setting::check(parts, found);
    targets::check(parts, found);
    faults::check(parts, found);
    measures::check(parts, found);
    activities::check(parts, found);
    radius::check(parts, found);
    ladder::check(parts, found);
}
