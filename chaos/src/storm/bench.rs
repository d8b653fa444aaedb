//! `bench throttle`: the product's throttle in storms, beside what is usual and beside who knows the future.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table};
use rayon::prelude::*;
use reveille_controller::{
    report::{
        STYLE,
        plot::{Drawing, PlotError, StormPoint, StormSeries, storms},
    },
    throttle::{Course, StartCurve},
};
use serde::Serialize;

use super::{
    bound::{clairvoyant_s, fluid_s},
    host::{Played, play},
    policy::{Aimd, Fixed, FixedBelow, FixedCapped, Gradient, Policy, Reveille},
    spec::{Storm, StormSpec, classes, earlier_boots},
};

/// Boots that curves are learned from before a storm.
const EARLIER_BOOTS: usize = 300;
/// Storms in a row that a throttle with a wrong curve goes through.
const CYCLES: u32 = 4;
/// What is assumed of a class that nobody knows: so many cores, for so many seconds.
const ASSUMED: (f64, f64) = (1.0, 120.0);

/// A policy over all storms of a class.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyRow {
    pub class: &'static str,
    pub policy: &'static str,
    /// Wakes in the same time, over those of a scheduler that knows all boots and the background.
    pub throughput_vs_oracle: f64,
    /// Of the seconds of the storm, those above the ceiling that the background alone is not to blame for.
    pub seconds_above_ceiling_share: f64,
    pub makespan_s: f64,
    /// From start to serving, on average.
    pub wall_s: f64,
    /// Most of the cores in use, 0-1.
    pub cpu_max_share: f64,
}

/// A throttle that began with a wrong curve, in one of the storms that followed each other.
#[derive(Debug, Clone, Serialize)]
pub struct CycleRow {
    pub class: &'static str,
    pub policy: &'static str,
    /// "third" where starts cost three times what the curve says, "unknown" where there was none.
    pub curve: &'static str,
    pub cycle: u32,
    pub throughput_vs_oracle: f64,
    pub seconds_above_ceiling_share: f64,
}

/// What `bench throttle` measured.
#[derive(Debug, Clone, Serialize)]
pub struct ThrottleBench {
    pub seeds: u32,
    pub classes: Vec<PolicyRow>,
    pub wrong_curves: Vec<CycleRow>,
}

/// The bound that nobody can reach.
const FLUID: &str = "fluid-bound";

/// How often [`bench()`] calls its `done`.
pub fn steps(seeds: u32) -> u64 {
    u64::from(seeds) * classes().len() as u64
}

/// Draws `seeds` storms of each class and plays each with each policy. `done` is called after each storm.
pub fn bench(seeds: u32, done: impl Fn() + Sync) -> ThrottleBench {
    let mut bench = ThrottleBench { seeds, classes: Vec::new(), wrong_curves: Vec::new() };
    for spec in classes() {
        let of_storm = |seed: u32| {
            let of_storm = OfStorm::of(&spec, seed.into());
            done();
            of_storm
        };
        let storms: Vec<OfStorm> = (0..seeds).into_par_iter().map(of_storm).collect();
        let oracle_s = mean(storms.iter().map(|storm| storm.oracle_s));
        for (n, (policy, _)) in policies(&spec).iter().enumerate() {
            let played: Vec<Played> = storms.iter().map(|storm| storm.played[n]).collect();
            bench.classes.push(row(spec.name, policy, oracle_s, &played));
        }
        let still = |makespan_s| Played { makespan_s, above_s: 0.0, wall_s: f64::NAN, peak: f64::NAN };
        let fluid: Vec<Played> = storms.iter().map(|storm| still(storm.fluid_s)).collect();
        bench.classes.push(row(spec.name, FLUID, oracle_s, &fluid));
        for (n, (policy, curve, _)) in WRONG.iter().enumerate() {
            for cycle in 0..CYCLES {
                let of_cycle = storms.iter().map(|storm| storm.wrong[n][cycle as usize]);
                let (oracle_s, played): (Vec<f64>, Vec<Played>) = of_cycle.unzip();
                let row = row(spec.name, policy, mean(oracle_s.into_iter()), &played);
                bench.wrong_curves.push(CycleRow {
                    class: spec.name,
                    policy,
                    curve,
                    cycle: cycle + 1,
                    throughput_vs_oracle: row.throughput_vs_oracle,
                    seconds_above_ceiling_share: row.seconds_above_ceiling_share,
                });
            }
        }
    }
    bench
}

/// Policy, name of the curve, what the curve says over what is true (0: nothing is known).
const WRONG: [(&str, &str, f64); 4] = [
    ("reveille", "third", 1.0 / 3.0),
    ("reveille-uncapped", "third", 1.0 / 3.0),
    ("reveille", "unknown", 0.0),
    ("reveille-uncapped", "unknown", 0.0),
];

/// One storm, played by all.
struct OfStorm {
    oracle_s: f64,
    fluid_s: f64,
    played: Vec<Played>,
    /// For each of [`WRONG`], its storms one after the other, each with the clairvoyant makespan.
    wrong: Vec<Vec<(f64, Played)>>,
}

impl OfStorm {
    fn of(spec: &StormSpec, seed: u64) -> Self {
        let storm = Storm::draw(spec, seed);
        let played = policies(spec)
            .into_iter()
            .map(|(name, mut policy)| play(&storm, policy.as_mut(), is_capped(name)));
        let played = played.collect();
        let storms: Vec<Storm> =
            (0..CYCLES).map(|cycle| Storm::draw(spec, 1_000_000 + seed * 100 + u64::from(cycle))).collect();
        let oracles: Vec<f64> = storms.iter().map(clairvoyant_s).collect();
        let cycles = |(name, _, times): &(&str, &str, f64)| {
            let mut curves = learned(spec, *times);
            let cycle = |(storm, oracle_s): (&Storm, &f64)| {
                let mut policy = Reveille::new(std::mem::take(&mut curves), is_capped(name));
                let played = play(storm, &mut policy, is_capped(name));
                curves = policy.curves;
                (*oracle_s, played)
            };
            storms.iter().zip(&oracles).map(cycle).collect()
        };
        let wrong = WRONG.iter().map(cycles).collect();
        Self { oracle_s: clairvoyant_s(&storm), fluid_s: fluid_s(&storm), played, wrong }
    }
}

/// Whether boots run in a CPU group.
fn is_capped(policy: &str) -> bool {
    policy == "reveille" || policy.ends_with("-capped")
}

fn policies(spec: &StormSpec) -> Vec<(&'static str, Box<dyn Policy>)> {
    vec![
        ("fixed-2", Box::new(Fixed(2))),
        ("fixed-8", Box::new(Fixed(8))),
        ("fixed-8-below-ceiling", Box::new(FixedBelow::new(8))),
        ("aimd", Box::new(Aimd::default())),
        ("gradient", Box::new(Gradient::default())),
        ("fixed-8-capped", Box::new(FixedCapped::new(8, learned(spec, 1.0)))),
        ("fixed-32-capped", Box::new(FixedCapped::new(32, learned(spec, 1.0)))),
        ("reveille-uncapped", Box::new(Reveille::new(learned(spec, 1.0), false))),
        ("reveille", Box::new(Reveille::new(learned(spec, 1.0), true))),
    ]
}

/// Curves as learned on other days, times a factor; with 0 nothing was learned.
fn learned(spec: &StormSpec, times: f64) -> Vec<StartCurve> {
    let mut curves = vec![StartCurve::assumed(ASSUMED.0, ASSUMED.1); spec.boots.len()];
    if times > 0.0 {
        for (class, boot) in earlier_boots(spec, EARLIER_BOOTS) {
            let mut course = Course::default();
            for (second, cores) in boot.course().iter().enumerate() {
                course.saw(second as f64, times * cores);
            }
            curves[class].learn(&course);
        }
    }
    curves
}

fn row(class: &'static str, policy: &'static str, oracle_s: f64, played: &[Played]) -> PolicyRow {
    let makespan_s = mean(played.iter().map(|played| played.makespan_s));
    PolicyRow {
        class,
        policy,
        throughput_vs_oracle: oracle_s / makespan_s,
        seconds_above_ceiling_share: mean(played.iter().map(|played| played.above_s / played.makespan_s)),
        makespan_s,
        wall_s: mean(played.iter().map(|played| played.wall_s)),
        cpu_max_share: played.iter().map(|played| played.peak).fold(0.0, f64::max),
    }
}

fn mean(numbers: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = numbers.len().max(1) as f64;
    numbers.sum::<f64>() / count
}

/// What a policy must reach in every class: throughput at least, seconds above the ceiling at most.
const GOALS: [(&str, f64, f64); 2] = [("reveille", 0.95, 0.005), ("reveille-uncapped", 0.70, 0.05)];
/// What a policy does in fewer storms than this says little: nothing is judged by it.
const SEEDS_JUDGED: u32 = 20;
/// With a wrong curve, capped starts stay below this share of seconds above the ceiling in every storm.
const WRONG_ABOVE_MAX: f64 = 0.02;

impl ThrottleBench {
    /// What was not reached, in words; nothing where there were too few storms to tell.
    pub fn missed(&self) -> Vec<String> {
        if self.seeds < SEEDS_JUDGED {
            return Vec::new();
        }
        let classes = self.classes.iter().filter_map(|row| {
            let (_, throughput_min, above_max) = GOALS.iter().find(|(policy, ..)| *policy == row.policy)?;
            let is_missed = row.throughput_vs_oracle < *throughput_min || row.seconds_above_ceiling_share > *above_max;
            is_missed.then(|| {
                format!(
                    "{} in {}: at least {:.0} % of the throughput with at most {:.1} % of the seconds above the ceiling",
                    row.policy,
                    row.class,
                    100.0 * throughput_min,
                    100.0 * above_max
                )
            })
        });
        let wrong = self.wrong_curves.iter().filter(|row| is_capped(row.policy)).filter_map(|row| {
            let is_missed = row.seconds_above_ceiling_share > WRONG_ABOVE_MAX;
            is_missed
                .then(|| format!("{} in {}, storm {} with a wrong curve", row.policy, row.class, row.cycle))
        });
        classes.chain(wrong).collect()
    }

    pub fn render(&self) -> String {
        let mut table = table(&[
            "storm",
            "policy",
            "throughput",
            "above ceiling",
            "makespan",
            "a wake takes",
            "CPU at most",
        ]);
        for row in &self.classes {
            table.add_row([
                row.class.to_owned(),
                row.policy.to_owned(),
                format!("{:.1} %", 100.0 * row.throughput_vs_oracle),
                format!("{:.2} %", 100.0 * row.seconds_above_ceiling_share),
                format!("{:.0} s", row.makespan_s),
                if row.wall_s.is_nan() { "-".into() } else { format!("{:.0} s", row.wall_s) },
                if row.wall_s.is_nan() { "-".into() } else { format!("{:.0} %", 100.0 * row.cpu_max_share) },
            ]);
        }
        let mut wrong = self::table(&["storm", "policy", "curve", "cycle", "throughput", "above ceiling"]);
        for row in &self.wrong_curves {
            wrong.add_row([
                row.class.to_owned(),
                row.policy.to_owned(),
                row.curve.to_owned(),
                row.cycle.to_string(),
                format!("{:.1} %", 100.0 * row.throughput_vs_oracle),
                format!("{:.2} %", 100.0 * row.seconds_above_ceiling_share),
            ]);
        }
        let mut missed = String::new();
        for one in self.missed() {
            let _ = writeln!(missed, "! not reached: {one}");
        }
        format!(
            "{} storms of each class; throughput of 100 % is that of who knows every boot and the background\n{table}\n\
             storms in a row, begun with a curve that is wrong\n{wrong}\n{missed}",
            self.seeds
        )
    }
}

impl ThrottleBench {
    /// Throughput against the seconds above the ceiling, a point for each policy and class.
    pub fn plot(&self) -> Result<Drawing, PlotError> {
        let mut series: Vec<StormSeries> = Vec::new();
        for row in self.classes.iter().filter(|row| row.policy != FLUID) {
            let point = StormPoint {
                above_ceiling_share: row.seconds_above_ceiling_share,
                throughput: row.throughput_vs_oracle,
            };
            match series.iter_mut().find(|series| series.name == row.policy) {
                Some(series) => series.points.push(point),
                None => series.push(StormSeries { name: row.policy.to_owned(), points: vec![point] }),
            }
        }
        storms(&series)
    }
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(head);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few small starts, so that a debug build has done in a moment.
    fn drizzle() -> StormSpec {
        StormSpec { wakes: 24, ..classes().swap_remove(0) }
    }

    #[test]
    fn nobody_is_faster_than_the_fluid_and_everybody_ends() {
        let of_storm = OfStorm::of(&drizzle(), 3);
        assert!(of_storm.fluid_s <= of_storm.oracle_s);
        let wrong = of_storm.wrong.iter().flatten().copied();
        for (oracle_s, played) in
            wrong.chain(of_storm.played.iter().map(|played| (of_storm.oracle_s, *played)))
        {
            // Above the ceiling there is less than as much again.
            assert!(played.makespan_s >= oracle_s / 2.0 && played.makespan_s < 40_000.0, "{played:?}");
            assert!(played.wall_s >= 100.0 && played.peak <= 1.0 && played.above_s <= played.makespan_s);
        }
    }

    #[test]
    fn capped_starts_stay_under_the_ceiling_and_lose_no_time() {
        let spec = drizzle();
        let rows: Vec<_> = (0..4).map(|seed| OfStorm::of(&spec, seed)).collect();
        let of = |name: &str| {
            let n = policies(&spec).iter().position(|(policy, _)| *policy == name).expect("known");
            let played: Vec<Played> = rows.iter().map(|row| row.played[n]).collect();
            row(spec.name, "", mean(rows.iter().map(|row| row.oracle_s)), &played)
        };
        let (ours, fixed, gradient) = (of("reveille"), of("fixed-2"), of("gradient"));
        assert!(ours.seconds_above_ceiling_share < 0.005, "{ours:?}");
        assert!(ours.throughput_vs_oracle > 3.0 * fixed.throughput_vs_oracle, "{ours:?} {fixed:?}");
        assert!(
            gradient.seconds_above_ceiling_share > 4.0 * ours.seconds_above_ceiling_share,
            "{gradient:?}"
        );
    }

    #[test]
    fn what_was_not_reached_is_said() {
        let reached = |policy, throughput, above| {
            let played = Played { makespan_s: 100.0, above_s: 100.0 * above, wall_s: 1.0, peak: 0.7 };
            row("light", policy, 100.0 * throughput, &[played])
        };
        let mut bench = ThrottleBench { seeds: SEEDS_JUDGED, classes: Vec::new(), wrong_curves: Vec::new() };
        bench.classes = vec![reached("reveille", 0.96, 0.004), reached("aimd", 0.3, 0.9)];
        assert_eq!(bench.missed(), [""; 0]);
        bench.classes.push(reached("reveille-uncapped", 0.69, 0.01));
        bench.classes.push(reached("reveille", 1.1, 0.006));
        let missed = bench.missed();
        assert!(missed.len() == 2 && missed[0].starts_with("reveille-uncapped in light"), "{missed:?}");
        assert!(bench.render().contains("! not reached: reveille in light"));
        assert_eq!(ThrottleBench { seeds: 2, ..bench.clone() }.missed(), [""; 0], "too few to tell");
        bench.plot().expect("a plot");
    }
}
