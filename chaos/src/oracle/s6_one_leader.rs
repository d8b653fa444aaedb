//! S6: at most one controller has a valid lease to lead at a time, by the clock of the database that keeps it.

use super::{Checked, Settings};
use crate::history::{Event, Function};

/// The term that is under way.
struct Term<'a> {
    event: &'a Event,
    epoch: f64,
    beat: f64,
    /// Its last renewal, or its beginning, was certainly not before this.
    renewed_ms: f64,
    is_released: bool,
}

/// Follows the lease as somebody beside the database saw it. A lease is valid for its time to live from its last renewal;
/// whoever takes it earlier, from a holder who has not let go, leads beside that one.
pub fn check(events: &[Event]) -> Checked {
    let mut checked = Checked::new("S6", "at most one valid lease to lead at a time, under a rising epoch");
    let mut settings = Settings::default();
    let mut term: Option<Term<'_>> = None;
    for event in events {
        settings.follow(event);
        if !matches!(event.f, Function::LeaseAcquire | Function::LeaseRenew | Function::LeaseLost) {
            continue;
        }
        checked.checked += 1;
        let number = |name| event.number(name).unwrap_or_default();
        let (epoch, beat, seen_ms, before_ms) =
            (number("epoch"), number("beat"), number("seen_ms"), number("before_ms"));
        if let Some(term) = &term
            && let Some(text) = problem(term, event, (epoch, beat, seen_ms), settings.lease_ttl_s)
        {
            checked.violated(event, [term.event.i], text);
        }
        let is_released = event.f == Function::LeaseLost;
        term = Some(Term { event, epoch, beat, renewed_ms: before_ms, is_released });
    }
    checked
}

fn problem(
    term: &Term<'_>,
    event: &Event,
    (epoch, beat, seen_ms): (f64, f64, f64),
    ttl_s: f64,
) -> Option<String> {
    let (before, after) = (&term.event.node, &event.node);
    if epoch < term.epoch {
        return Some(format!("the lease went from epoch {} back to {epoch}", term.epoch));
    }
    let is_same_term = epoch <= term.epoch;
    if is_same_term {
        if event.f != Function::LeaseLost && before != after {
            return Some(format!("{before} and {after} both hold the lease under epoch {epoch}"));
        }
        return (beat < term.beat)
            .then(|| format!("{after} renewed its lease backwards, from {} to {beat}", term.beat));
    }
    let after_s = (seen_ms - term.renewed_ms) / 1000.0;
    let is_early = !term.is_released && before != after && after_s < ttl_s;
    is_early.then(|| {
        format!("{after} took the lease at most {after_s:.1} s after {before} renewed it, which holds for {ttl_s} s")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::told::Told, *};
    use crate::history::Key;

    /// One look: holder, epoch, beat, when it was seen, and when the look before was.
    fn tell(
        told: &mut Told,
        f: Function,
        holder: &str,
        (epoch, beat): (u64, u64),
        (seen_s, before_s): (f64, f64),
    ) {
        let v =
            json!({"epoch": epoch, "beat": beat, "seen_ms": seen_s * 1000.0, "before_ms": before_s * 1000.0});
        told.add(seen_s, f, Key::default(), v);
        told.0.last_mut().expect("just added").node = holder.into();
    }

    fn led_by_a() -> Told {
        let mut told = Told::with(Settings { lease_ttl_s: 4.0, ..Settings::default() });
        tell(&mut told, Function::LeaseAcquire, "a", (1, 0), (1.0, 1.0));
        tell(&mut told, Function::LeaseRenew, "a", (1, 1), (2.0, 1.9));
        told
    }

    fn texts(told: &Told) -> Vec<String> {
        check(&told.0).violations.into_iter().map(|violation| violation.text).collect()
    }

    #[test]
    fn a_lease_that_is_taken_while_it_is_valid_is_caught() {
        let mut told = led_by_a();
        tell(&mut told, Function::LeaseAcquire, "b", (2, 0), (5.8, 5.7));
        assert_eq!(texts(&told), ["b took the lease at most 3.9 s after a renewed it, which holds for 4 s"]);
        let checked = check(&told.0);
        assert_eq!((checked.checked, checked.violations[0].chain.len()), (3, 2));
    }

    #[test]
    fn one_that_ran_out_or_was_released_may_be_taken() {
        let mut told = led_by_a();
        tell(&mut told, Function::LeaseAcquire, "b", (2, 0), (6.1, 6.0));
        tell(&mut told, Function::LeaseRenew, "b", (2, 1), (7.0, 6.9));
        tell(&mut told, Function::LeaseLost, "", (2, 2), (7.5, 7.4));
        tell(&mut told, Function::LeaseAcquire, "a", (3, 0), (7.6, 7.5));
        assert!(texts(&told).is_empty());
    }

    #[test]
    fn a_stale_leader_that_renews_is_caught() {
        let mut told = led_by_a();
        tell(&mut told, Function::LeaseAcquire, "b", (2, 0), (6.1, 6.0));
        tell(&mut told, Function::LeaseRenew, "a", (1, 2), (6.4, 6.3));
        assert_eq!(texts(&told), ["the lease went from epoch 2 back to 1"]);
        let mut told = led_by_a();
        tell(&mut told, Function::LeaseRenew, "b", (1, 2), (3.0, 2.9));
        assert_eq!(texts(&told), ["a and b both hold the lease under epoch 1"]);
    }
}
