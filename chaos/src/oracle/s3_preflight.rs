//! S3: every call is preceded by a look that found the instance not serving, fresh and not contradicted since.

use std::collections::BTreeMap;

use super::{Checked, Exactness, Settings};
use crate::history::{Event, Function};

/// The last look at an instance.
struct Look {
    i: u64,
    t_s: f64,
    eligible: bool,
}

/// Both ends of the check come from the instance's side of the socket: the looks (`poll`) and the calls. A second call of
/// the same wake (another endpoint after a refusal) may rest on the same look.
pub fn check(events: &[Event]) -> Checked {
    let mut checked =
        Checked::new("S3", "every call rests on a fresh preflight that nothing later contradicts");
    let mut settings = Settings::default();
    let exactness = Exactness::of(events);
    let mut looks: BTreeMap<&str, Look> = BTreeMap::new();
    for event in events {
        settings.follow(event);
        let Some(instance) = event.k.instance.as_deref() else { continue };
        match event.f {
            Function::Poll | Function::Preflight => {
                let eligible = event.flag("eligible").or_else(|| event.flag("serving").map(|yes| !yes));
                let look = Look { i: event.i, t_s: event.t_s(), eligible: eligible.unwrap_or(false) };
                looks.insert(instance, look);
            }
            Function::CallEndpoint => {
                checked.checked += 1;
                let transit_s = settings.transit_s + exactness.extra_s(event.t_s());
                let allowed_s = settings.preflight_age_max_s + transit_s;
                let problem = match looks.get(instance) {
                    None => Some("without any preflight".to_owned()),
                    Some(look) if !look.eligible => {
                        Some("although the last look found it serving".to_owned())
                    }
                    Some(look) if event.t_s() - look.t_s > allowed_s => {
                        Some(format!("{:.1} s after its preflight", event.t_s() - look.t_s))
                    }
                    Some(_) => None,
                };
                if let Some(problem) = problem {
                    let chain: Vec<u64> = looks.get(instance).map(|look| look.i).into_iter().collect();
                    checked.violated(event, chain, format!("{instance} was called {problem}"));
                }
            }
            _ => {}
        }
    }
    checked
}

#[cfg(test)]
mod tests {
    use super::{super::told::Told, *};

    fn told() -> Told {
        Told::with(Settings { transit_s: 2.0, ..Settings::default() })
    }

    #[test]
    fn a_call_without_a_fresh_eligible_look_is_caught() {
        let mut told = told();
        told.call(1.0, "dev1", "a");
        told.poll(2.0, "dev2", false).poll(3.0, "dev2", true).call(4.0, "dev2", "b");
        told.poll(5.0, "dev3", false).call(37.5, "dev3", "c");
        told.poll(40.0, "dev4", false).call(41.0, "dev5", "d");
        let checked = check(&told.0);
        let texts: Vec<&str> = checked.violations.iter().map(|v| v.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "dev1 was called without any preflight",
                "dev2 was called although the last look found it serving",
                "dev3 was called 32.5 s after its preflight",
                "dev5 was called without any preflight",
            ]
        );
    }

    #[test]
    fn a_call_near_a_stall_of_the_machine_is_judged_by_what_was_measured() {
        let mut told = told();
        told.poll(1.0, "dev1", false).call(35.0, "dev1", "a");
        assert_eq!(check(&told.0).violations.len(), 1);
        told.add(36.0, Function::ConfigSet, crate::history::Key::default(), Exactness::entry(5.0).value);
        assert!(check(&told.0).violations.is_empty());
    }

    #[test]
    fn a_look_that_found_it_asleep_allows_the_call_and_the_fallback() {
        let mut told = told();
        told.poll(1.0, "dev1", true).poll(2.0, "dev1", false).call(30.0, "dev1", "a").call(31.0, "dev1", "a");
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations.len()), (2, 0));
    }
}
