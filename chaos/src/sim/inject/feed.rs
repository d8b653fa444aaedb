//! What is wrong with the log before anybody reads it.

use super::{super::play::Play, Hits};

/// What is missing was left out when the stage was set: it is from before the run.
pub(super) fn gap(play: &mut Play, place: usize) {
    let hits = play.stage.withheld_lines;
    play.settle_hits(place, Hits { hits, opportunities: hits });
}
