//! What the draw has told so far: figures of both arms, the effect, and whether it is certain yet.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ALPHA, Arm, Comparison, UNITS_PER_ARM_MIN, Unit, comparison::Estimate};

/// What was seen of the instance-days in one arm.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmFigures {
    /// Instance-days.
    pub units: u64,
    pub arrivals: u64,
    /// Arrivals that had to ask.
    pub asked: u64,
    /// Of the arrivals, those that did not have to, 0..=1.
    pub found_awake_share: Option<f64>,
    /// Had to ask per instance-day, had all instance-days been in this arm: weighted by how likely the draw was, and
    /// stratified by cohort. Little different from `asked / units`.
    pub asked_per_unit: Option<f64>,
    /// Waited by the arrivals of which that is known, and how many those are.
    pub minutes_waited: f64,
    pub waits_known: u64,
}

/// How many fewer had to ask per instance-day because instances were woken; negative when more had to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    pub fewer_asked_per_unit: f64,
    /// The interval holds the truth at all times at once with `confidence_percent`: it may be looked at as often as
    /// one likes, and acted on at any time.
    pub low: f64,
    pub high: f64,
    pub confidence_percent: f64,
}

/// Whether the effect is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "significant", rename_all = "snake_case")]
pub enum Significance {
    /// The interval holds zero, or an arm has too few units for one.
    NotYet {
        units: u64,
        /// About so many more instance-days are needed, if the effect and its variance stay as they are; none where
        /// the effect is too small to say.
        needed: Option<u64>,
    },
    Yes,
}

/// All that the draw has told, from its beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Of the instance-days, as configured now; 0 holds nobody out.
    pub hold_out_share: f64,
    /// When the first instance-day that is counted began.
    pub since: Option<Timestamp>,
    pub woken: ArmFigures,
    pub held_out: ArmFigures,
    /// None while an arm has too few units.
    pub effect: Option<Effect>,
    pub significance: Significance,
}

/// Compares the arms over complete `units`, all from the beginning of the draw: a beginning that is chosen by
/// looking at the outcome would make the interval a lie.
pub fn trial(mut units: Vec<Unit>, hold_out_share: f64) -> Trial {
    units.sort_by(|a, b| (a.until, a.from, &a.instance).cmp(&(b.until, b.from, &b.instance)));
    let mut arms = [ArmFigures::default(), ArmFigures::default()];
    let mut comparison = Comparison::default();
    for unit in &units {
        let arm = &mut arms[unit.arm as usize];
        arm.units += 1;
        arm.arrivals += u64::from(unit.arrivals);
        arm.asked += u64::from(unit.asked);
        arm.minutes_waited += unit.waited_s / 60.0;
        arm.waits_known += u64::from(unit.waits_known);
        comparison.add(unit);
    }
    let [woken, held_out] = arms;
    let estimate = comparison.estimate();
    let significance = match estimate {
        Some(estimate) if estimate.is_significant() => Significance::Yes,
        Some(estimate) => Significance::NotYet { units: estimate.units, needed: estimate.units_needed() },
        None => Significance::NotYet {
            units: woken.units + held_out.units,
            needed: units_until_estimate(&woken, &held_out, hold_out_share),
        },
    };
    let figures = |mut figures: ArmFigures, arm| {
        let found_awake = figures.arrivals - figures.asked;
        figures.found_awake_share =
            (figures.arrivals > 0).then(|| found_awake as f64 / figures.arrivals as f64);
        figures.asked_per_unit = comparison.asked_per_unit(arm);
        figures
    };
    Trial {
        hold_out_share,
        since: units.iter().map(|unit| unit.from).min(),
        woken: figures(woken, Arm::Woken),
        held_out: figures(held_out, Arm::HeldOut),
        effect: estimate.as_ref().map(effect),
        significance,
    }
}

fn effect(estimate: &Estimate) -> Effect {
    let (low, high) = estimate.interval();
    Effect { fewer_asked_per_unit: estimate.fewer, low, high, confidence_percent: 100.0 * (1.0 - ALPHA) }
}

/// How many instance-days more will fill both arms; none while nobody is held out.
fn units_until_estimate(woken: &ArmFigures, held_out: &ArmFigures, share: f64) -> Option<u64> {
    let lacking = |arm: &ArmFigures| UNITS_PER_ARM_MIN.saturating_sub(arm.units) as f64;
    let needed = (lacking(held_out) / share).max(lacking(woken) / (1.0 - share));
    (share > 0.0).then(|| needed.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(second: i64, arm: Arm, asked: u32) -> Unit {
        let from = Timestamp::from_second(second).expect("in range");
        Unit {
            instance: "dev1".parse().expect("an id"),
            cohort: String::new(),
            arm,
            hold_out_share: 0.5,
            from,
            until: from,
            arrivals: 1,
            asked,
            waited_s: 120.0 * f64::from(asked),
            waits_known: asked,
        }
    }

    /// Held out, everybody asks; woken, every fourth does.
    fn units(count: i64) -> Vec<Unit> {
        let one = |n: i64| {
            let arm = if n % 2 == 0 { Arm::Woken } else { Arm::HeldOut };
            unit(n, arm, u32::from(arm == Arm::HeldOut || n % 8 == 0))
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn both_arms_are_counted_and_compared() {
        let told = trial(units(400), 0.5);
        assert_eq!((told.woken.units, told.woken.arrivals, told.woken.asked), (200, 200, 50));
        assert_eq!(
            (told.held_out.units, told.held_out.asked, told.held_out.minutes_waited),
            (200, 200, 400.0)
        );
        assert_eq!((told.woken.found_awake_share, told.held_out.found_awake_share), (Some(0.75), Some(0.0)));
        let effect = told.effect.expect("enough units");
        assert!((effect.fewer_asked_per_unit - 0.75).abs() < 0.05, "{effect:?}");
        assert!(effect.low < 0.75 && 0.75 < effect.high && effect.low > 0.0, "{effect:?}");
        assert_eq!((told.significance, told.since), (Significance::Yes, Timestamp::from_second(0).ok()));
        let arms = told.held_out.asked_per_unit.zip(told.woken.asked_per_unit).expect("both");
        assert!((arms.0 - arms.1 - effect.fewer_asked_per_unit).abs() < 1e-12);
    }

    #[test]
    fn both_arms_must_be_filled_before_anything_is_said() {
        let arm = |units| ArmFigures { units, ..ArmFigures::default() };
        let needed = |woken, held_out, share| units_until_estimate(&arm(woken), &arm(held_out), share);
        // One lacks, which a quarter of the units brings; twenty lack, which three quarters bring.
        assert_eq!(needed(30, 29, 0.25), Some(4));
        assert_eq!(needed(10, 29, 0.25), Some(27));
        assert_eq!(needed(30, 40, 0.25), Some(0));
        assert_eq!(needed(30, 29, 0.0), None);
    }

    #[test]
    fn what_was_waited_and_how_certain_the_interval_is_are_told() {
        let mut units = units(400);
        units[1].arrivals = 3;
        units[1].waits_known = 2;
        let told = trial(units, 0.5);
        assert_eq!(
            (told.held_out.arrivals, told.held_out.waits_known, told.woken.waits_known),
            (202, 201, 50)
        );
        assert!((told.woken.minutes_waited - 100.0).abs() < 1e-9, "{told:?}");
        assert_eq!(told.held_out.found_awake_share, Some(2.0 / 202.0));
        assert!((told.effect.expect("enough units").confidence_percent - 95.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_units_say_nothing_but_how_many_are_missing() {
        let told = trial(units(20), 0.25);
        assert_eq!(told.effect, None);
        assert_eq!(told.significance, Significance::NotYet { units: 20, needed: Some(80) });
        let nobody = trial(Vec::new(), 0.0);
        assert_eq!(nobody.significance, Significance::NotYet { units: 0, needed: None });
    }

    #[test]
    fn the_order_in_which_units_are_given_does_not_matter() {
        let mut backwards = units(100);
        backwards.reverse();
        assert_eq!(trial(backwards, 0.5), trial(units(100), 0.5));
    }

    #[test]
    fn it_goes_through_json() {
        let told = trial(units(100), 0.5);
        let json = serde_json::to_value(&told).expect("serializes");
        assert_eq!(json["significance"]["significant"], "yes", "{json}");
        assert_eq!(serde_json::from_value::<Trial>(json).expect("comes back"), told);
    }
}
