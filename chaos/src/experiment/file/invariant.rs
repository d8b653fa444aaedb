//! The invariants an experiment may attack: S1 to S15 hold at every instant, L1 to L6 once all faults are healed.

/// Id and statement, safety first.
pub const INVARIANTS: [(&str, &str); 21] = [
    ("S1", "a host never runs more wakes than its limit at the grant"),
    ("S2", "nothing starts on a load that is stale or at the ceiling"),
    ("S3", "every call follows a fresh preflight"),
    ("S4", "an instance gets at most one effective call per window"),
    ("S5", "every wake ends once, with a reason"),
    ("S6", "nothing of an older epoch takes effect after a newer one"),
    ("S7", "nothing is called while everything is stopped"),
    ("S8", "what is due is done once, or left out with a reason"),
    ("S9", "nothing is planned from a model that must not serve"),
    ("S10", "the books balance"),
    ("S11", "no secret is in any artefact"),
    ("S12", "nothing acknowledged is lost or reversed"),
    ("S13", "an agent carries out only what is addressed to it"),
    ("S14", "nobody waits while a place is free"),
    ("S15", "attempts and retries are bounded"),
    ("L1", "every wake in flight ends in time after the heal"),
    ("L2", "a restarted controller looks at all that is in flight"),
    ("L3", "every agent is connected again after the heal"),
    ("L4", "nothing is left when all is quiet"),
    ("L5", "the steady state is met again in time"),
    ("L6", "the kill switch works within five seconds"),
];

pub(super) fn known(id: &str) -> bool {
    INVARIANTS.iter().any(|(known, _)| *known == id)
}
