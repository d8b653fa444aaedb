//! A manner holds as long as it is posted: a lease ends it, and what is under way in it, by itself.

use std::time::Duration;

use reveille_agent::driver::CallOutcome;
use tokio::time::sleep;

use super::rig::{Rig, call};
use crate::unruly::{
    Ended, Manner,
    manner::{Reset, Silent},
};

#[tokio::test]
async fn a_lease_ends_the_manner_and_the_calls_that_hang_in_it() {
    let rig = Rig::new(Manner::Behaves).await;
    let lease = Duration::from_millis(100);
    rig.unruly.post(Manner::Silent(Silent { has_effect: false }), Some(lease));
    let targets = rig.targets();
    assert!(matches!(call(&targets).await, CallOutcome::Unknown { .. }));
    assert_eq!(rig.seen().await.ended, Ended::Over, "it was ended before the caller gave up");
    assert_eq!(call(&targets).await, CallOutcome::Accepted);
    let proof = rig.unruly.proofs().pop().expect("posted");
    assert_eq!((proof.kind, proof.hits, proof.on), ("endpoint.half_open", 1, false));
}

#[tokio::test]
async fn another_manner_takes_the_place_of_the_one_before() {
    let rig = Rig::new(Manner::Reset(Reset { has_effect: false })).await;
    let first = rig.unruly.proofs();
    assert!(first[0].on && first[0].hits == 0, "nobody met it: it proves nothing");
    rig.unruly.post(Manner::NeverUp, None);
    assert_eq!(rig.call().await, CallOutcome::Accepted);
    let proofs = rig.unruly.proofs();
    assert_eq!((proofs[0].on, proofs[1].on), (false, true));
    rig.unruly.behave();
    assert!(!rig.unruly.proofs()[1].on);
    while rig.unruly.seen().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
}
