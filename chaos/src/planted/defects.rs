//! The defects that can be planted, each where such a mistake would really be made.

use serde::Serialize;

/// One defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Defect {
    /// As its place in the source names it.
    pub id: &'static str,
    /// Where it is planted, from the root of the repository.
    pub file: &'static str,
    /// What is broken.
    pub what: &'static str,
    /// The invariant that it breaks.
    pub invariant: &'static str,
    /// Faults that bring it out only together; none where a random subset does.
    pub kinds: &'static [&'static str],
    /// Why no simulation shows it, and what does.
    pub unseen: Option<&'static str>,
}

const fn defect(id: &'static str, file: &'static str, invariant: &'static str, what: &'static str) -> Defect {
    Defect { id, file, what, invariant, kinds: &[], unseen: None }
}

impl Defect {
    const fn by(self, kinds: &'static [&'static str]) -> Self {
        Self { kinds, ..self }
    }

    const fn unseen(self, why: &'static str) -> Self {
        Self { unseen: Some(why), ..self }
    }
}

/// All of them: those of the controller in the order of the road, then those of the agent.
pub const DEFECTS: [Defect; 36] = [
    defect(
        "gate-open-on-stale-load",
        "controller/src/throttle/admit.rs",
        "S2",
        "a load of any age opens the gate",
    ),
    defect(
        "gate-open-at-ceiling",
        "controller/src/fleet/live.rs",
        "S2",
        "the ceiling of the policy is not taken over: it is 100 %",
    ),
    defect(
        "no-load-is-idle",
        "controller/src/throttle/admit.rs",
        "S2",
        "a host that has not reported its load counts as idle",
    ),
    defect(
        "frozen-load-accepted",
        "controller/src/throttle/admit.rs",
        "S2",
        "a load that nobody measures any more opens the gate",
    ),
    defect(
        "bad-load-passed-over",
        "controller/src/fleet/registry.rs",
        "S2",
        "a report that is refused leaves the load of before in force",
    )
    .by(&["agent.lying_load", "controller.overload"]),
    defect(
        "fenced-session-kept",
        "controller/src/fleet/registry.rs",
        "S5",
        "a session that was fenced off by one that never began goes on: nothing is started on its host",
    )
    .by(&["agent.clone", "store.hang"]),
    defect(
        "unanswered-commit-taken-for-none",
        "controller/src/tasks/dispatch.rs",
        "S14",
        "a commit whose answer is lost counts as not made: the wake stands as sent, and is not",
    )
    .by(&["controller.overload", "store.commit_unknown"]),
    defect(
        "limit-off-by-one",
        "controller/src/throttle/admit.rs",
        "S1",
        "one more wake than the limit is let in",
    ),
    defect(
        "kept-place-beyond-the-cap",
        "controller/src/throttle/admit.rs",
        "S1",
        "the place that is kept for people comes on top of the cap",
    ),
    defect(
        "permit-never-given-back",
        "controller/src/fleet/starts.rs",
        "L4",
        "a permit stays in use when its wake is over",
    ),
    defect(
        "permit-given-back-at-accepted",
        "controller/src/tasks/perform.rs",
        "S1",
        "a permit is given back when the endpoint said yes, not when the instance serves",
    ),
    defect(
        "epoch-of-the-session-before",
        "controller/src/fleet/session.rs",
        "S6",
        "a session is welcomed under an epoch that was in use",
    ),
    defect(
        "key-of-the-attempt",
        "controller/src/fleet/commands.rs",
        "S4",
        "the idempotency key changes with the attempt",
    ),
    defect(
        "attempts-unbounded",
        "controller/src/wake/step.rs",
        "S15",
        "a wake is tried again however often it failed",
    ),
    defect(
        "failures-forgotten",
        "controller/src/wake/step.rs",
        "S15",
        "the failures of a wake are not counted on from attempt to attempt",
    ),
    defect("retry-budget-ignored", "controller/src/tasks/choice.rs", "S15", "retries have no budget")
        .by(&["controller.overload", "endpoint.http_error"]),
    defect(
        "retries-count-as-firsts",
        "controller/src/queue/budget.rs",
        "S15",
        "retries are counted among the first attempts they are measured by",
    )
    .by(&["controller.overload", "endpoint.http_error"]),
    defect(
        "backfill-without-end",
        "controller/src/queue/reserved.rs",
        "S14",
        "small starts go before a large one that waits for CPU, for as long as there are any",
    )
    .by(&["controller.overload", "host.stress"])
    .unseen(
        "simulated instances are of one class, so nothing fits where the one before it does not; the test beside the \
         code fails with it",
    ),
    defect(
        "people-behind-forecasts",
        "controller/src/queue/order.rs",
        "S14",
        "who asks goes after all forecasts",
    ),
    defect(
        "denied-host-never-asked-again",
        "controller/src/tasks/dispatch.rs",
        "S14",
        "a host that could start nothing once is not asked again",
    ),
    defect(
        "late-result-overwrites-the-end",
        "controller/src/wake/step.rs",
        "S5",
        "a late result ends a wake that is over",
    ),
    defect(
        "queued-never-expires",
        "controller/src/wake/step.rs",
        "S5",
        "what is past its time stays in the queue",
    ),
    defect(
        "called-again-after-a-lost-answer",
        "agent/src/execute/attempt.rs",
        "S4",
        "an endpoint whose answer was lost is called again",
    ),
    defect(
        "lost-answer-counts-as-not-sent",
        "agent/src/driver/answer.rs",
        "S4",
        "a call whose answer was lost counts as one that was never made",
    ),
    defect(
        "fallback-after-a-lost-answer",
        "agent/src/driver/http.rs",
        "S4",
        "the other endpoint is called when the answer of the first was lost",
    ),
    defect(
        "journal-not-read",
        "agent/src/execute/journal/file.rs",
        "S4",
        "an agent that is started again does not know what it called",
    )
    .by(&["agent.crash_restart", "endpoint.disagreement", "endpoint.lost_response"]),
    defect(
        "nothing-resumed-after-a-restart",
        "agent/src/execute/executor.rs",
        "L1",
        "an agent that is started again leaves what it had in hand",
    ),
    defect("preflight-skipped", "agent/src/execute/attempt.rs", "S3", "nobody looks before the call"),
    defect(
        "preflight-of-the-attempt-before",
        "agent/src/execute/attempt.rs",
        "S3",
        "another attempt rests on the preflight of the first",
    ),
    defect("deadline-ignored", "agent/src/execute/attempt.rs", "L1", "an attempt goes on after its deadline"),
    defect(
        "woken-at-accepted",
        "agent/src/execute/attempt.rs",
        "S5",
        "an instance counts as woken when the endpoint said yes",
    ),
    defect(
        "any-answer-is-serving",
        "agent/src/execute/attempt.rs",
        "S5",
        "any answer is taken for that of the instance itself",
    ),
    defect(
        "link-gives-up",
        "agent/src/link/redial.rs",
        "L3",
        "an agent whose dial failed does not dial again",
    ),
    defect(
        "backoff-without-cap",
        "agent/src/link/backoff.rs",
        "L3",
        "the wait before the next dial doubles for ever",
    ),
    defect(
        "stale-epoch-accepted",
        "agent/src/execute/book.rs",
        "S6",
        "a command of a replaced controller is taken",
    )
    .by(&["link.reset", "link.stale_command"]),
    defect(
        "place-never-given-back",
        "agent/src/execute/running.rs",
        "L4",
        "an attempt that is over keeps its place on the host",
    ),
];

impl Defect {
    /// By its id.
    pub fn named(id: &str) -> Option<&'static Self> {
        DEFECTS.iter().find(|defect| defect.id == id)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        path::{Path, PathBuf},
    };

    use super::*;

    #[test]
    fn faults_that_bring_a_defect_out_can_be_simulated() {
        for defect in DEFECTS.iter().filter(|defect| !defect.kinds.is_empty()) {
            let plan = crate::sim::Plan::directed(1, defect.kinds);
            let drawn: BTreeSet<&str> = plan.faults.iter().map(crate::sim::Planned::kind).collect();
            assert_eq!(drawn, defect.kinds.iter().copied().collect(), "{}", defect.id);
        }
    }

    fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// Id and file of every place at which a defect is planted.
    fn planted() -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
        let mut files = Vec::new();
        for part in ["agent/src", "controller/src"] {
            sources(&root.join(part), &mut files);
        }
        let mut planted = Vec::new();
        for path in files {
            let text = std::fs::read_to_string(&path).expect("readable");
            let file = path.strip_prefix(root).expect("below it").to_string_lossy().into_owned();
            for rest in text.split("planted!(\"").skip(1) {
                planted.push((rest.split('"').next().unwrap_or_default().to_owned(), file.clone()));
            }
        }
        planted
    }

    #[test]
    fn every_defect_has_one_place_in_the_source_and_every_place_its_defect() {
        let planted = planted();
        let listed: BTreeSet<_> =
            DEFECTS.iter().map(|one| (one.id.to_owned(), one.file.to_owned())).collect();
        assert_eq!(planted.iter().cloned().collect::<BTreeSet<_>>(), listed);
        assert_eq!((planted.len(), listed.len()), (DEFECTS.len(), DEFECTS.len()), "each once");
    }
}
