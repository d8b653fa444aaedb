//! Steps that a client gives over HTTP. Only what the file has next is carried out, so that the run is the one that the same
//! seed gives without a client.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Answer, Body, Conducted, Harness, RunSpec,
    conduct::conduct_by,
    steps::{Script, Steps, request_of},
};
use crate::experiment::file::{Activity, Experiment};

/// A request, and who waits for its answer.
#[derive(Debug)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub body: Value,
    pub answer: oneshot::Sender<Answer>,
}

/// Where requests come from.
#[derive(Debug)]
pub struct Desk {
    pub asked: std::sync::mpsc::Receiver<Asked>,
    /// The client is taken for gone after so long without a request.
    pub patience: Duration,
    /// Told once, when the installation stands at its first step.
    pub ready: oneshot::Sender<()>,
}

/// Runs `experiment` once in a simulation, as its client takes the steps, with everything it writes in `dir`, which must be
/// empty. A client that goes away before the last step ends the run there.
///
/// # Errors
/// As for [`super::conduct()`].
pub fn conduct_served(
    experiment: &Experiment,
    dir: &Path,
    spec: RunSpec,
    desk: Desk,
) -> anyhow::Result<Conducted> {
    conduct_by(experiment, dir, spec, async |harness| serve(experiment, harness, desk).await)
}

async fn serve(experiment: &Experiment, harness: &mut Harness, desk: Desk) -> anyhow::Result<Steps> {
    let Desk { asked, patience, ready } = desk;
    let mut script = Script::of(experiment);
    // Nobody may be interested.
    ready.send(()).ok();
    while let Some(activity) = script.next() {
        // The clock of the simulation stands still while this thread waits.
        let Ok(request) = asked.recv_timeout(patience) else {
            script.steps.left_at = Some(activity.name.clone());
            break;
        };
        let answer = if is_asked_for(activity, &request) {
            script.carry_out(activity, harness).await?
        } else {
            let problem =
                format!("the next step of the experiment is `{}`, which this is not", activity.name);
            Answer { status: 409, body: Body::Json(json!({"error": problem})) }
        };
        // Who asked may have gone; the step was taken.
        request.answer.send(answer).ok();
    }
    Ok(script.steps)
}

pub(super) fn is_asked_for(activity: &Activity, request: &Asked) -> bool {
    request_of(activity).is_some_and(|(method, target, body)| {
        let is_same = method.eq_ignore_ascii_case(&request.method) && target == request.target;
        // What a GET sends as its body, if anything, says nothing.
        is_same && (method.eq_ignore_ascii_case("GET") || *body == request.body || body.is_null())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::template;

    #[test]
    fn only_what_the_file_has_next_is_asked_for() {
        let experiment = template::find("EP-02").expect("is there").read().expect("is valid");
        let request = |method: &str, target: &str, body: Value| Asked {
            method: method.into(),
            target: target.into(),
            body,
            answer: oneshot::channel().0,
        };
        let probe = &experiment.steady_state.probes[1];
        let target = "/v1/probes/inflight_orphans?window=15m&as=text";
        assert!(is_asked_for(probe, &request("GET", target, Value::Null)));
        assert!(!is_asked_for(probe, &request("GET", "/v1/probes/inflight_orphans", Value::Null)));
        assert!(!is_asked_for(probe, &request("POST", target, Value::Null)));
        let inject = &experiment.method[1];
        let body = json!({"ref": "never-up", "experiment": "EP-02", "lease_s": 15});
        assert!(is_asked_for(inject, &request("POST", "/v1/faults", body)));
        assert!(!is_asked_for(inject, &request("POST", "/v1/faults", json!({"ref": "other"}))));
    }
}
