//! The hold-out as tables for a terminal: both arms, the effect, and before and after beside it.

use std::fmt::Write;

use comfy_table::Table;

use super::{
    Scorecard,
    effect::{ArmFigures, Significance, Trial},
    table::{align_right, dash, percent, plain},
};

/// The section, notes and all.
pub(super) fn render(card: &Scorecard, colours: bool) -> String {
    let mut text = String::new();
    let trial = &card.trial;
    if trial.since.is_some() {
        let _ = writeln!(text, "{}", arms(trial, colours));
    }
    let _ = writeln!(text, "* {}", verdict(trial));
    if card.before_after.now.days > 0.0 {
        let _ = writeln!(text, "{}", before_after(card, colours));
        let _ = writeln!(text, "* Before and now alone mislead:");
        for doubt in card.before_after.doubts() {
            let _ = writeln!(text, "  - {doubt}");
        }
    }
    text
}

fn arms(trial: &Trial, colours: bool) -> Table {
    let mut table = plain(&["hold-out", "woken", "held out"], colours);
    let mut row = |name: &str, of: fn(&ArmFigures) -> String| {
        table.add_row([name.to_owned(), of(&trial.woken), of(&trial.held_out)]);
    };
    row("instance-days", |arm| arm.units.to_string());
    row("arrivals", |arm| arm.arrivals.to_string());
    row("had to ask", |arm| arm.asked.to_string());
    row("  per instance-day", |arm| arm.asked_per_unit.map_or_else(dash, |asked| format!("{asked:.3}")));
    row("found awake", |arm| percent(arm.found_awake_share));
    row("minutes waited", |arm| format!("{:.1}", arm.minutes_waited));
    row("  known of arrivals", |arm| arm.waits_known.to_string());
    align_right(table)
}

fn before_after(card: &Scorecard, colours: bool) -> Table {
    let mut table = plain(&["before and after", "before", "now"], colours);
    let (before, now) = (&card.before_after.before, &card.before_after.now);
    let rate = |rate: Option<f64>| rate.map_or_else(dash, |rate| format!("{rate:.2}"));
    let rows = [
        ("days", format!("{:.1}", before.days), format!("{:.1}", now.days)),
        ("asked per day", rate(before.asked_per_day), rate(now.asked_per_day)),
        ("arrivals per day", rate(before.arrivals_per_day), rate(now.arrivals_per_day)),
        ("instances seen", before.instances_seen.to_string(), now.instances_seen.to_string()),
        ("quiet dates", before.quiet_dates.to_string(), now.quiet_dates.to_string()),
        ("models put in service", before.models.to_string(), now.models.to_string()),
    ];
    for (name, before, now) in rows {
        table.add_row([name.to_owned(), before, now]);
    }
    align_right(table)
}

/// What the draw has told, in a sentence or two.
fn verdict(trial: &Trial) -> String {
    let mut said = if trial.hold_out_share > 0.0 {
        String::new()
    } else if trial.since.is_none() {
        return "No hold-out is configured (`plan.hold_out_share` is 0): the effect cannot be told from whatever else \
                changed."
            .to_owned();
    } else {
        "No hold-out is configured any more (`plan.hold_out_share` is 0); this is what it told. ".to_owned()
    };
    if let Some(effect) = &trial.effect {
        let (fewer, low, high) = (effect.fewer_asked_per_unit, effect.low, effect.high);
        let _ = write!(
            said,
            "{:.3} {} wake requests per instance-day when woken ({:.0} % interval {low:.3} to {high:.3}, which stays \
             valid however often it is looked at)",
            fewer.abs(),
            if fewer < 0.0 { "more" } else { "fewer" },
            effect.confidence_percent,
        );
    } else {
        let units = trial.woken.units + trial.held_out.units;
        let _ = write!(said, "{units} instance-days are too few to compare");
    }
    match trial.significance {
        Significance::Yes => said.push_str(": certain."),
        Significance::NotYet { needed: Some(needed), .. } => {
            let _ = write!(said, ": not yet certain, about {} more instance-days are needed.", about(needed));
        }
        Significance::NotYet { needed: None, .. } => {
            said.push_str(": not yet certain, and no telling when it will be.");
        }
    }
    said
}

/// To two digits, for nobody knows it better.
fn about(count: u64) -> u64 {
    let unit = 10_u64.pow(count.checked_ilog10().unwrap_or(0).saturating_sub(1));
    count.div_ceil(unit) * unit
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            effect::{Effect, trial},
            scorecard::tests::{card, held_out_card},
        },
        *,
    };

    #[test]
    fn both_arms_read_well() {
        insta::assert_snapshot!(render(&held_out_card(), false));
    }

    #[test]
    fn without_a_hold_out_it_says_so() {
        let text = render(&card(), false);
        assert!(text.starts_with("* No hold-out is configured"), "{text}");
        let nothing_yet = verdict(&trial(Vec::new(), 0.05));
        assert_eq!(
            nothing_yet,
            "0 instance-days are too few to compare: not yet certain, about 600 more instance-days are needed."
        );
    }

    #[test]
    fn the_verdict_says_which_way_and_how_long() {
        let mut told = trial(Vec::new(), 0.05);
        told.effect =
            Some(Effect { fewer_asked_per_unit: -0.25, low: -0.5, high: 0.1, confidence_percent: 95.0 });
        told.significance = Significance::NotYet { units: 800, needed: Some(1_234) };
        let said = verdict(&told);
        assert!(
            said.starts_with("0.250 more wake requests per instance-day when woken (95 % interval -0.500 to"),
            "{said}"
        );
        assert!(said.ends_with("not yet certain, about 1300 more instance-days are needed."), "{said}");
        told.significance = Significance::NotYet { units: 800, needed: None };
        assert!(verdict(&told).ends_with("no telling when it will be."));
        told.significance = Significance::Yes;
        assert!(verdict(&told).ends_with("looked at): certain."));
    }

    #[test]
    fn estimates_are_rounded_up_to_two_digits() {
        assert_eq!([0, 7, 99, 101, 1_234, 98_765].map(about), [0, 7, 99, 110, 1_300, 99_000]);
    }

    #[test]
    fn a_hold_out_that_is_over_still_tells_what_it_told() {
        let mut card = held_out_card();
        card.trial.hold_out_share = 0.0;
        let said = verdict(&card.trial);
        assert!(said.starts_with("No hold-out is configured any more"), "{said}");
        assert!(said.contains("0.790 fewer wake requests"), "{said}");
        card.trial.effect = None;
        card.trial.significance = Significance::NotYet { units: 840, needed: None };
        assert!(
            verdict(&card.trial).contains("; this is what it told. 840 instance-days are too few to compare")
        );
        card.before_after.now.days = 0.0;
        let text = render(&card, false);
        assert!(!text.contains("before and after") && !text.contains("mislead"), "{text}");
        assert!(text.contains("held out"), "{text}");
    }
}
