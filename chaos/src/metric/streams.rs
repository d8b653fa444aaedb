//! How long agents were connected.

use std::collections::BTreeMap;

use crate::history::{Event, Function};

/// Share of the span in which the hosts that were ever welcomed were connected, 0-1; `None` before the first welcome.
pub(super) fn up_ratio(events: &[Event], (from_s, to_s): (f64, f64)) -> Option<f64> {
    // host -> since when it is up, and for how long it was within the span before
    let mut hosts: BTreeMap<&str, (Option<f64>, f64)> = BTreeMap::new();
    let overlap = |begin: f64, end: f64| (end.min(to_s) - begin.max(from_s)).max(0.0);
    for event in events {
        let Some(host) = event.k.host.as_deref() else { continue };
        match event.f {
            Function::LeaseAcquire => {
                let (since, up_s) = hosts.entry(host).or_default();
                if let Some(begin) = since.replace(event.t_s()) {
                    *up_s += overlap(begin, event.t_s());
                }
            }
            Function::LeaseLost => {
                if let Some((since, up_s)) = hosts.get_mut(host)
                    && let Some(begin) = since.take()
                {
                    *up_s += overlap(begin, event.t_s());
                }
            }
            _ => {}
        }
    }
    let all_s = (to_s - from_s) * hosts.len() as f64;
    let up_s: f64 =
        hosts.values().map(|(since, up_s)| up_s + since.map_or(0.0, |begin| overlap(begin, to_s))).sum();
    (all_s > 0.0).then(|| up_s / all_s)
}
