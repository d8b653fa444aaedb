//! Builder of histories for the judges' tests.

use serde_json::{Value, json};

use super::Settings;
use crate::history::{Event, Function, Key, Kind};

/// A history told in one line per event.
#[derive(Debug, Default)]
pub(crate) struct Told(pub(crate) Vec<Event>);

impl Told {
    pub(crate) fn with(settings: Settings) -> Self {
        let mut told = Self::default();
        told.add(0.0, Function::ConfigSet, Key::default(), settings.entry().value);
        told
    }

    pub(crate) fn add(&mut self, t_s: f64, f: Function, k: Key, v: Value) -> &mut Self {
        self.0.push(Event {
            i: self.0.len() as u64,
            t: (t_s * 1e9) as i64,
            wall: String::new(),
            node: "n".into(),
            p: "n".into(),
            epoch: 0,
            kind: Kind::Ok,
            f,
            k,
            v,
            cause: None,
        });
        self
    }

    /// Of the event told last.
    pub(crate) fn epoch(&mut self, epoch: u64) -> &mut Self {
        self.0.last_mut().expect("something was told").epoch = epoch;
        self
    }

    /// Of the event told last.
    pub(crate) fn kind(&mut self, kind: Kind) -> &mut Self {
        self.0.last_mut().expect("something was told").kind = kind;
        self
    }

    pub(crate) fn session(&mut self, t_s: f64, host: &str, epoch: u64) -> &mut Self {
        let key = Key { host: Some(host.into()), ..Key::default() };
        self.add(t_s, Function::LeaseAcquire, key, json!(null)).epoch(epoch)
    }

    pub(crate) fn cut(&mut self, t_s: f64, host: &str) -> &mut Self {
        let key = Key { host: Some(host.into()), ..Key::default() };
        self.add(t_s, Function::LeaseLost, key, json!(null)).kind(Kind::Info)
    }

    /// A look at a wake, with its moves.
    pub(crate) fn shown(
        &mut self,
        t_s: f64,
        instance: &str,
        wake: &str,
        moves: &[&str],
        is_last: bool,
    ) -> &mut Self {
        let key = Key { instance: Some(instance.into()), wake: Some(wake.into()), ..Key::default() };
        let value = json!({"last": is_last, "moves": moves, "state": "ended", "end": "woken"});
        self.add(t_s, Function::StoreCommit, key, value)
    }

    /// The last look at a wake of a reason.
    pub(crate) fn last(&mut self, t_s: f64, instance: &str, wake: &str, reason: &str) -> &mut Self {
        self.shown(t_s, instance, wake, &[], true);
        self.0.last_mut().expect("just told").v["reason"] = json!(reason);
        self
    }

    /// How the wake of the look told last ended.
    pub(crate) fn ended(&mut self, end: &str, verdict: Option<&str>) -> &mut Self {
        let look = self.0.last_mut().expect("something was told");
        (look.v["end"], look.v["verdict"]) = (json!(end), json!(verdict));
        self
    }

    pub(crate) fn load(&mut self, t_s: f64, host: &str, cpu_percent: f64) -> &mut Self {
        let key = Key { host: Some(host.into()), ..Key::default() };
        self.add(t_s, Function::LoadSample, key, json!({"cpu_percent": cpu_percent}))
    }

    pub(crate) fn grant(&mut self, t_s: f64, host: &str, wake: &str) -> &mut Self {
        self.add(t_s, Function::SlotGrant, wake_key(host, wake), json!({"look_only": false}))
    }

    pub(crate) fn release(&mut self, t_s: f64, host: &str, wake: &str) -> &mut Self {
        self.add(t_s, Function::SlotRelease, wake_key(host, wake), json!(null))
    }

    pub(crate) fn poll(&mut self, t_s: f64, instance: &str, serving: bool) -> &mut Self {
        let key = Key { instance: Some(instance.into()), ..Key::default() };
        self.add(t_s, Function::Poll, key, json!({"serving": serving}))
    }

    pub(crate) fn call(&mut self, t_s: f64, instance: &str, wake: &str) -> &mut Self {
        self.add(t_s, Function::CallEndpoint, call_key(instance, "sleep-1", wake), json!(null))
    }

    pub(crate) fn effect(&mut self, t_s: f64, instance: &str, window: &str, wake: &str) -> &mut Self {
        self.add(t_s, Function::EndpointEffect, call_key(instance, window, wake), json!({"booted": true}))
    }

    pub(crate) fn send(&mut self, t_s: f64, host: &str, wake: &str) -> &mut Self {
        self.add(t_s, Function::CommandSend, wake_key(host, wake), json!({"look_only": false}))
    }

    pub(crate) fn terminal(&mut self, t_s: f64, wake: &str, end: &str) -> &mut Self {
        let key = Key { wake: Some(wake.into()), ..Key::default() };
        self.add(t_s, Function::Terminal, key, json!({"end": end}))
    }
}

fn wake_key(host: &str, wake: &str) -> Key {
    Key { host: Some(host.into()), wake: Some(wake.into()), attempt: Some(1), ..Key::default() }
}

fn call_key(instance: &str, window: &str, wake: &str) -> Key {
    Key {
        instance: Some(instance.into()),
        window: Some(window.into()),
        wake: Some(wake.into()),
        idem: Some(wake.into()),
        ..Key::default()
    }
}
