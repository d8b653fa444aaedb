//! What people do in the course, each until the controller has said yes or no.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Role,
    course::{Walker, instance},
    desk::DeskError,
};
use crate::history::{Entry, Function, Key, Kind};

/// Between two tries of something whose outcome is not known.
const AGAIN: Duration = Duration::from_millis(100);
/// How often something is tried before it is left.
const TRIES_MAX: u32 = 100;

impl Walker {
    /// Asks until a controller has taken it down. One that died before it answered may have: then the wake is found by
    /// looking, not made twice by asking.
    pub(super) async fn ask(&mut self, role: Role) -> Option<String> {
        let mut is_known = true;
        for _ in 0..TRIES_MAX {
            if !is_known && let Some(wake) = self.open_wake(role).await {
                self.note_ask(role, Kind::Ok, Some(&wake), "found");
                return Some(wake);
            }
            self.note_ask(role, Kind::Invoke, None, "");
            match self.desk.ask(role).await {
                Ok(wake) => {
                    self.note_ask(role, Kind::Ok, Some(&wake.wake_id), "asked");
                    return Some(wake.wake_id);
                }
                Err(DeskError::Refused { status, problem }) => {
                    self.note_ask(role, Kind::Fail, None, &format!("{status}: {problem}"));
                }
                Err(DeskError::Unknown(problem)) => {
                    self.note_ask(role, Kind::Info, None, &problem);
                    is_known = false;
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        None
    }

    async fn open_wake(&self, role: Role) -> Option<String> {
        let wakes = self.desk.wakes().await.ok()?;
        wakes.into_iter().find(|wake| wake.instance_id == role.name()).map(|wake| wake.wake_id)
    }

    /// Steps in, until the controller says yes or no.
    pub(super) async fn act(&mut self, what: &str, role: Role, wake: &str) {
        for _ in 0..TRIES_MAX {
            self.note_act(what, role, wake, Kind::Invoke, &Value::Null);
            let done = match what {
                "cancel" => self.desk.cancel(wake).await,
                "force" => self.desk.force(wake).await,
                _ => self.desk.retry(wake).await.map(|made| json!({"made": made.wake_id})),
            };
            match done {
                Ok(made) => {
                    let made = made.get("made").cloned().unwrap_or(Value::Null);
                    return self.note_act(what, role, wake, Kind::Ok, &made);
                }
                // Over already, or ended well: a crash made it go another way.
                Err(DeskError::Refused { .. }) => {
                    return self.note_act(what, role, wake, Kind::Fail, &Value::Null);
                }
                Err(DeskError::Unknown(_)) => self.note_act(what, role, wake, Kind::Info, &Value::Null),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    pub(super) async fn lever(&self, is_on: bool) {
        let entry = |kind| {
            let value = json!({"stopped": is_on});
            Entry::new("operator", kind, Function::Lever, Key::default()).value(value)
        };
        for _ in 0..TRIES_MAX {
            self.recorder.record(entry(Kind::Invoke));
            if self.desk.set_policy("stopped", &json!(is_on)).await.is_ok() {
                self.recorder.record(entry(Kind::Ok));
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn note_ask(&self, role: Role, kind: Kind, wake: Option<&String>, how: &str) {
        let key = Key { wake: wake.cloned(), ..instance(role) };
        let value = json!({"what": "ask", "how": how});
        self.recorder.record(Entry::new("person", kind, Function::ManualWake, key).value(value));
    }

    fn note_act(&self, what: &str, role: Role, wake: &str, kind: Kind, made: &Value) {
        let key = Key { wake: Some(wake.to_owned()), ..instance(role) };
        let value = json!({"what": what, "made": made});
        self.recorder.record(Entry::new("person", kind, Function::ManualWake, key).value(value));
    }
}
