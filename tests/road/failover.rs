//! Two controllers in containers, and one fault of each kind: another leads in time, and no wake is lost or called twice.

use reveille_chaos::{
    experiment::Verdict,
    failover::{FailoverSpec, Fault, GOAL_S, failover},
};

use crate::harness::{Stage, programs};

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_the_leader_loses_a_wake_or_takes_long() {
    let stage = Stage::enter().await;
    // Its logs are shown with the stage's when the test fails.
    let keep = Some(stage.path(""));
    let rounds = Fault::ALL.len() as u32;
    let spec = FailoverSpec { program: programs().chaos.clone(), rounds, keep };
    let outcome = failover(&spec).await.expect("the bench can be carried out");
    let text = outcome.render();
    if outcome.skipped.is_some() {
        eprint!("{text}");
        return;
    }
    for (round, fault) in outcome.rounds.iter().zip(Fault::ALL) {
        assert_eq!(round.fault, fault, "{text}");
        let in_time = |seconds: Option<f64>| seconds.is_some_and(|seconds| seconds <= GOAL_S);
        assert!(in_time(round.failover_s) && in_time(round.all_hosts_s), "round {}\n{text}", round.round);
        if fault.is_of_the_leader() {
            assert_ne!(round.new_leader.as_ref(), Some(&round.leader), "{text}");
        }
    }
    // In the first round they may all be with the other one; afterwards they are with whoever took over.
    let lost_agents =
        |fault| outcome.rounds.iter().any(|round| round.fault == fault && round.agents_of_leader > 0);
    assert!(lost_agents(Fault::Stop) && lost_agents(Fault::Cut), "leaders had agents to lose\n{text}");
    assert_eq!((outcome.lost, outcome.doubled), (0, 0), "{text}");
    assert!(outcome.acknowledged > 0 && outcome.calls > 0, "{text}");
    assert_eq!(outcome.verdict, Some(Verdict::Held), "{text}");
}
