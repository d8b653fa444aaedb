//! The steps of an experiment: carried out in the order Chaos Toolkit takes them, and what they were answered.

use reveille_proto::clock::Clock;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Answer, Body, Harness, Order, Step,
    journal::{SteadyState, SteadyStates},
    tolerance,
};
use crate::experiment::file::{Activity, Experiment, Provider};

/// What stands before the path in the address of a step.
const ADDRESS: &str = "${harness_url}";

/// What was carried out.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps {
    pub(super) steady_states: SteadyStates,
    pub(super) run: Vec<Step>,
    pub(super) rollbacks: Vec<Step>,
    /// Probes of which nothing was known.
    pub(super) unknown: Vec<String>,
    /// The step that was due when nobody took any more.
    pub(super) left_at: Option<String>,
}

impl Steps {
    pub(super) fn is_met(state: Option<&SteadyState>) -> bool {
        state.is_some_and(|state| state.steady_state_met)
    }

    pub(super) fn is_deviated(&self) -> bool {
        Self::is_met(self.steady_states.before.as_ref()) && !Self::is_met(self.steady_states.after.as_ref())
    }

    pub(super) fn status(&self, is_aborted: bool) -> &'static str {
        if is_aborted {
            "aborted"
        } else if Self::is_met(self.steady_states.before.as_ref()) {
            "completed"
        } else {
            "failed"
        }
    }
}

/// Who carries steps out: the harness itself, or somebody who has it do so.
pub(super) trait Hand {
    /// # Errors
    /// When the installation cannot be played on; a step that cannot be carried out is answered so.
    async fn take(&mut self, activity: &Activity) -> anyhow::Result<Answer>;
}

impl Hand for Harness {
    async fn take(&mut self, activity: &Activity) -> anyhow::Result<Answer> {
        match order_of(activity) {
            Ok(order) => self.obey(&order).await,
            Err(problem) => Ok(Answer { status: 400, body: Body::Json(json!({"error": problem})) }),
        }
    }
}

/// All of them, one after the other.
///
/// # Errors
/// When the installation cannot be played on.
pub(super) async fn carry_out(experiment: &Experiment, hand: &mut impl Hand) -> anyhow::Result<Steps> {
    let mut script = Script::of(experiment);
    while let Some(activity) = script.next() {
        script.carry_out(activity, hand).await?;
    }
    Ok(script.steps)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Before,
    Method,
    After,
    Rollbacks,
}

/// Which step is next. A steady state ends at the first probe that is not met; where it is not met before the method, the
/// rollbacks are next.
#[derive(Debug)]
pub(super) struct Script<'a> {
    experiment: &'a Experiment,
    part: Part,
    index: usize,
    pub(super) steps: Steps,
}

impl<'a> Script<'a> {
    pub(super) fn of(experiment: &'a Experiment) -> Self {
        let mut script = Self { experiment, part: Part::Before, index: 0, steps: Steps::default() };
        script.steps.steady_states.before = Some(SteadyState::default());
        script.turn_pages();
        script
    }

    /// `None` when all have been carried out.
    pub(super) fn next(&self) -> Option<&'a Activity> {
        self.activities().get(self.index)
    }

    fn activities(&self) -> &'a [Activity] {
        match self.part {
            Part::Before | Part::After => &self.experiment.steady_state.probes,
            Part::Method => &self.experiment.method,
            Part::Rollbacks => &self.experiment.rollbacks,
        }
    }

    /// Carries out `activity`, which is the next.
    pub(super) async fn carry_out(
        &mut self,
        activity: &Activity,
        hand: &mut impl Hand,
    ) -> anyhow::Result<Answer> {
        let clock = Clock::system();
        let (start, began) = (clock.now(), Instant::now());
        let answer = hand.take(activity).await?;
        let step = Step {
            activity: activity.clone(),
            output: json!({"status": answer.status, "body": answer.body.value()}),
            // An answer is an answer, whatever it says.
            status: "succeeded",
            tolerance_met: None,
            start,
            end: clock.now(),
            duration: began.elapsed().as_secs_f64(),
        };
        self.took(step, &answer);
        Ok(answer)
    }

    fn took(&mut self, mut step: Step, answer: &Answer) {
        self.index += 1;
        match self.part {
            Part::Method => self.steps.run.push(step),
            Part::Rollbacks => self.steps.rollbacks.push(step),
            Part::Before | Part::After => {
                let tolerance = step.activity.tolerance.as_ref();
                let met = tolerance.and_then(|tolerance| tolerance::met(tolerance, answer));
                if met.is_none() {
                    self.steps.unknown.push(step.activity.name.clone());
                }
                let is_met = met == Some(true);
                step.tolerance_met = Some(is_met);
                let states = &mut self.steps.steady_states;
                let state = if self.part == Part::Before { &mut states.before } else { &mut states.after };
                let state = state.get_or_insert_default();
                state.steady_state_met = is_met;
                state.probes.push(step);
                if !is_met {
                    (self.part, self.index) = (Part::Rollbacks, 0);
                }
            }
        }
        self.turn_pages();
    }

    fn turn_pages(&mut self) {
        while self.index >= self.activities().len() && self.part != Part::Rollbacks {
            self.index = 0;
            self.part = match self.part {
                Part::Before => Part::Method,
                Part::Method => {
                    self.steps.steady_states.after = Some(SteadyState::default());
                    Part::After
                }
                Part::After | Part::Rollbacks => Part::Rollbacks,
            };
        }
    }
}

/// What a step asks for: a method, a path with its query, and a body. `None` where it is no request to the harness.
pub(super) fn request_of(activity: &Activity) -> Option<(&str, &str, &Value)> {
    let Provider::Http { url, method, arguments, .. } = &activity.provider else { return None };
    let body = arguments.as_ref().unwrap_or(&Value::Null);
    Some((method.as_deref().unwrap_or("GET"), url.strip_prefix(ADDRESS)?, body))
}

fn order_of(activity: &Activity) -> Result<Order, String> {
    let (method, target, body) =
        request_of(activity).ok_or_else(|| format!("`{}` is no request to the harness", activity.name))?;
    Order::of(method, target, body).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::template;

    fn answered(script: &mut Script<'_>, activity: &Activity, answer: &Answer) {
        let now = Clock::system().now();
        let step = Step {
            activity: activity.clone(),
            output: Value::Null,
            status: "succeeded",
            tolerance_met: None,
            start: now,
            end: now,
            duration: 0.0,
        };
        script.took(step, answer);
    }

    /// Names of the steps, with every probe answered by `says`, given how many answers were before.
    fn taken(says: impl Fn(usize) -> &'static str) -> (Vec<String>, Steps) {
        let template = template::find("EP-02").expect("is there");
        let experiment = template.read().expect("is valid");
        let mut script = Script::of(&experiment);
        let mut names = Vec::new();
        while let Some(activity) = script.next() {
            let answer = Answer { status: 200, body: Body::Text(says(names.len()).into()) };
            answered(&mut script, activity, &answer);
            names.push(activity.name.clone());
        }
        (names, script.steps)
    }

    #[test]
    fn all_that_is_met_leads_through_the_whole_file() {
        let (names, steps) = taken(|_| "0");
        assert_eq!(names.len(), 4 + 4 + 4 + 2);
        assert_eq!((names[0].as_str(), names[4].as_str()), ("wake_terminal_p95_s", "start-morning-peak"));
        assert_eq!(names.last().map(String::as_str), Some("nothing-is-left"));
        assert_eq!((steps.status(false), steps.is_deviated()), ("completed", false));
    }

    #[test]
    fn a_steady_state_that_is_not_met_ends_at_that_probe() {
        let (names, steps) = taken(|before| if before == 1 { "7" } else { "0" });
        assert_eq!(names.len(), 2 + 2);
        assert_eq!((steps.status(false), steps.is_deviated(), steps.run.len()), ("failed", false, 0));
        let (names, steps) = taken(|before| if before == 9 { "7" } else { "0" });
        assert_eq!(names.len(), 4 + 4 + 2 + 2);
        assert_eq!((steps.status(false), steps.is_deviated()), ("completed", true));
    }

    #[test]
    fn what_is_not_known_is_not_met() {
        let (_, steps) = taken(|_| "unknown");
        assert_eq!(steps.unknown, ["wake_terminal_p95_s"]);
        assert_eq!(steps.status(false), "failed");
    }
}
