//! An event in words, for whoever does not know the alphabet of a history.

use crate::{
    history::{Event, Function, Kind},
    world::missing::MISSING,
};

/// One sentence without its full stop.
pub fn sentence(event: &Event) -> String {
    let key = &event.k;
    let instance = key.instance.as_deref().unwrap_or("an instance");
    let host = key.host.as_deref().unwrap_or("a host");
    let node = &event.node;
    let text = |name: &str| event.text(name).unwrap_or_default();
    match event.f {
        Function::ConfigSet if event.kind == Kind::Fail => {
            format!("the controller refuses {} for {}", text("value"), text("refused"))
        }
        Function::ConfigSet => format!(
            "the settings: CPU ceiling {}, at most {} wakes a host, a load older than {} s counts as none",
            percent(event.number("cpu_ceiling_percent")),
            event.number("host_wakes_max").unwrap_or_default(),
            event.number("load_freshness_s").unwrap_or_default()
        ),
        Function::LoadSample => format!("{host} reports {} CPU", percent(event.number("cpu_percent"))),
        Function::SlotGrant if event.flag("look_only") == Some(true) => {
            format!("{host} may look at {instance}, and start nothing")
        }
        Function::SlotGrant => {
            format!("the controller lets {host} start {instance}{}", reason(text("reason")))
        }
        Function::CommandSend => format!("the command leaves for {host}"),
        Function::CommandRecv => format!("{host} receives the command"),
        Function::CommandAck => format!("{host} has the command in its journal"),
        Function::Preflight => {
            let may =
                if event.flag("eligible") == Some(true) { "may be called" } else { "must not be called" };
            format!("{host} looks first: it {may}")
        }
        Function::CallEndpoint => format!("{host} calls the {node} endpoint for {instance}"),
        Function::EndpointEffect => format!("the call takes effect: {instance} is told to start"),
        Function::Poll => match (event.flag("serving"), text("phase")) {
            (Some(true), _) => format!("{instance} is looked at: it serves"),
            (Some(false), _) => format!("{instance} is looked at: it sleeps or starts"),
            (None, "") => format!("{instance} is looked at"),
            (None, phase) => format!("{host} tells how far it is: {}", plain(phase, "PHASE_")),
        },
        Function::SlotRelease => released(event, host),
        Function::StoreCommit if !text("acked").is_empty() => {
            format!("the controller has stored the {} of {host}", text("acked"))
        }
        Function::StoreCommit => format!("the controller stores the wake as {}", text("state")),
        Function::Terminal => {
            format!(
                "the wake of {instance} ends as {}{}",
                text("end").replace('_', " "),
                detail(text("detail"))
            )
        }
        Function::Gate => gate(event, host),
        Function::LeaseAcquire => format!("{node} has a session of epoch {}", event.epoch),
        Function::LeaseRenew => format!("{node} renews its lease"),
        Function::LeaseLost => format!("{node} loses its session"),
        Function::Notified => {
            let behind_s = event.number("behind_s").unwrap_or_default();
            format!("{node} hears of {instance}, {behind_s:.0} s after it was so")
        }
        Function::ManualWake => asked(event, instance),
        Function::FaultOn | Function::FaultHit | Function::FaultOff => fault(event, instance, host),
        Function::Crash => format!("{} dies", event.text("node").unwrap_or(node)),
        Function::Restart => format!("{} starts again", event.text("node").unwrap_or(node)),
        Function::Due => {
            format!("the controller has a wake of {instance} for {host}{}", reason(text("reason")))
        }
        Function::ApiCall if event.kind == Kind::Ok => "somebody looks at the controller".to_owned(),
        Function::ApiCall => "somebody looks at the controller, which does not answer".to_owned(),
        Function::Lever if event.flag("stopped") == Some(true) => "everything is stopped".to_owned(),
        Function::Lever => "everything goes on".to_owned(),
        Function::SessionSeen => format!("somebody works on {instance}"),
        Function::Plan | Function::Ingest | Function::ModelPublish => other(event),
    }
}

fn released(event: &Event, host: &str) -> String {
    let text = |name: &str| event.text(name).unwrap_or_default();
    if text("outcome") == "CANCEL_SENT" {
        return format!("the controller tells {host} to stop");
    }
    format!("{host} tells the result: {}{}", plain(text("outcome"), "OUTCOME_"), detail(text("detail")))
}

fn fault(event: &Event, instance: &str, host: &str) -> String {
    let kind = event.text("kind").unwrap_or_default();
    match event.f {
        Function::FaultOn => format!("the fault {kind} begins"),
        Function::FaultOff => format!("the fault {kind} is over"),
        _ if kind == MISSING => format!("this message to or from {host} is lost, on purpose"),
        _ => format!("the fault {kind} hits {instance}"),
    }
}

fn gate(event: &Event, host: &str) -> String {
    if event.flag("last") == Some(true) {
        let active = event.number("active_wakes").unwrap_or_default();
        let link = if event.flag("connected") == Some(true) { "connected" } else { "not connected" };
        return format!("in the end {host} has {active} wakes in progress and is {link}");
    }
    if event.flag("free") == Some(true) {
        return format!("the gate of {host} opens");
    }
    format!("the gate of {host} is closed{}", detail(event.text("gate").unwrap_or_default()))
}

fn asked(event: &Event, instance: &str) -> String {
    let answer = match event.kind {
        _ if event.v.is_null() => return format!("somebody comes and finds {instance} asleep"),
        Kind::Ok => "gets a yes",
        Kind::Fail => "gets a no",
        Kind::Info | Kind::Invoke => "hears nothing",
    };
    format!("somebody asks for {instance} and {answer}")
}

/// What has no sentence of its own.
fn other(event: &Event) -> String {
    let name = serde_json::to_value(event.f).ok();
    let name = name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().replace('_', " ");
    if event.v.is_null() { name } else { format!("{name} {}", event.v) }
}

fn percent(value: Option<f64>) -> String {
    value.map_or("no number".to_owned(), |value| format!("{value:.1} %"))
}

fn plain(text: &str, prefix: &str) -> String {
    text.trim_start_matches(prefix).to_lowercase().replace('_', " ")
}

fn detail(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

fn reason(text: &str) -> &str {
    match text {
        "REASON_FORECAST" => ", by forecast",
        "REASON_DEMAND" | "REASON_OPERATOR" => ", as somebody asked",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::history::Key;

    fn said(f: Function, kind: Kind, v: Value) -> String {
        let key = Key { host: Some("host-1".into()), instance: Some("dev1".into()), ..Key::default() };
        sentence(&Event {
            i: 1,
            t: 1,
            wall: String::new(),
            node: "portal".into(),
            p: "portal".into(),
            epoch: 3,
            kind,
            f,
            k: key,
            v,
            cause: None,
        })
    }

    #[test]
    fn events_are_sentences_and_no_json() {
        let load = said(Function::LoadSample, Kind::Ok, json!({"cpu_percent": 71.26}));
        assert_eq!(load, "host-1 reports 71.3 % CPU");
        assert_eq!(
            said(Function::LoadSample, Kind::Ok, json!({"cpu_percent": null})),
            "host-1 reports no number CPU"
        );
        let grant = json!({"look_only": false, "reason": "REASON_FORECAST"});
        assert_eq!(
            said(Function::SlotGrant, Kind::Ok, grant),
            "the controller lets host-1 start dev1, by forecast"
        );
        let result = json!({"outcome": "OUTCOME_TIMED_OUT", "detail": "it never served"});
        assert_eq!(
            said(Function::SlotRelease, Kind::Fail, result),
            "host-1 tells the result: timed out (it never served)"
        );
        assert_eq!(
            said(Function::ManualWake, Kind::Info, json!({"what": "ask"})),
            "somebody asks for dev1 and hears nothing"
        );
        let shut = json!({"free": false, "gate": "too hot"});
        assert_eq!(said(Function::Gate, Kind::Ok, shut), "the gate of host-1 is closed (too hot)");
        let last = json!({"last": true, "active_wakes": 0, "connected": true});
        assert_eq!(
            said(Function::Gate, Kind::Ok, last),
            "in the end host-1 has 0 wakes in progress and is connected"
        );
        assert_eq!(said(Function::Plan, Kind::Ok, json!({"n": 1})), r#"plan {"n":1}"#);
    }
}
