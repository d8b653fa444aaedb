//! Kill -9 at random points under a load of wakes: one end each, no second call, no permit left.

use reveille_chaos::{
    crash::{CrashSpec, crash},
    experiment::Verdict,
};

use crate::harness::{Stage, programs};

const KILLS: u32 = 20;
const WAKES: u32 = 40;

#[tokio::test]
async fn no_kill_loses_doubles_or_leaks_a_wake() {
    let stage = Stage::enter().await;
    // Its logs are shown with the stage's when the test fails.
    let keep = Some(stage.path(""));
    let spec = CrashSpec { program: programs().chaos.clone(), kills: KILLS, wakes: WAKES, seed: 5, keep };
    let outcome = crash(&spec).await.expect("the bench can be carried out");
    let text = outcome.render();

    let kills: u64 = outcome.kills.values().sum();
    assert_eq!(kills, u64::from(KILLS), "every kill found a living process\n{text}");
    assert!(outcome.kills_under_load > 0, "no kill found a wake in progress\n{text}");
    for kind in ["controller", "agent-", "portal"] {
        assert!(outcome.kills.keys().any(|name| name.starts_with(kind)), "no {kind} was killed\n{text}");
    }
    let known = outcome.wakes >= u64::from(WAKES) && outcome.without_wake.is_empty();
    assert!(known, "a wake was lost: {:?}\n{text}", outcome.without_wake);
    assert!(outcome.without_end.is_empty(), "open for ever: {:?}\n{text}", outcome.without_end);
    assert!(outcome.changed_ends.is_empty(), "{:?}\n{text}", outcome.changed_ends);
    assert!(outcome.called_twice.is_empty(), "{:?}\n{text}", outcome.called_twice);
    assert!(outcome.calls > 0, "the endpoints were called\n{text}");
    assert!(!outcome.permits_left.is_empty(), "the hosts are known\n{text}");
    assert!(outcome.permits_left.values().all(|left| *left == 0), "{:?}\n{text}", outcome.permits_left);
    assert_eq!(outcome.verdict, Verdict::Held, "{text}");
}
