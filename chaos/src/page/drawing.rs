//! The timeline as a picture: a band of faults, then for each host its CPU against the ceiling and its wakes below.

use maud::{Markup, html};

use super::timeline::{Bar, Lane, Timeline};

const WIDTH: f64 = 1_000.0;
/// Left of the picture, for names.
const MARGIN: f64 = 170.0;
const CPU_HEIGHT: f64 = 80.0;
const BAR_HEIGHT: f64 = 6.0;
const FAULT_HEIGHT: f64 = 16.0;
const GAP: f64 = 22.0;
/// Ticks of the axis are about so many.
const TICKS: f64 = 8.0;

/// Where seconds lie.
#[derive(Clone, Copy)]
struct Scale {
    end_s: f64,
}

impl Scale {
    fn x(self, at_s: f64) -> f64 {
        MARGIN + (WIDTH - MARGIN) * at_s / self.end_s.max(1.0)
    }
}

/// As scalable vector graphics. `violations` are when something was violated, and what.
pub fn draw(timeline: &Timeline, violations: &[(f64, String)]) -> Markup {
    let scale = Scale { end_s: timeline.end_s };
    let faults_height = timeline.faults.len() as f64 * FAULT_HEIGHT;
    let mut y = GAP + faults_height + GAP;
    let lanes: Vec<(f64, &String, &Lane, Vec<usize>)> = timeline
        .hosts
        .iter()
        .map(|(host, lane)| {
            let (top, rows) = (y, rows(&lane.wakes, timeline.end_s));
            let height = rows.iter().max().map_or(0.0, |row| (row + 1) as f64 * BAR_HEIGHT);
            y += CPU_HEIGHT + height + GAP;
            (top, host, lane, rows)
        })
        .collect();
    let height = y;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label="What happened when" {
            (axis(scale, height))
            (faults(timeline, scale))
            @for (top, host, lane, rows) in &lanes {
                (host_lane(*top, host, lane, (rows, timeline.cpu_ceiling_percent), scale))
            }
            @for mark in &timeline.marks {
                line.death x1=(px(scale.x(mark.at_s))) x2=(px(scale.x(mark.at_s))) y1=(px(GAP)) y2=(px(height)) {
                    title { (format!("{} at {}", mark.text, clock(mark.at_s))) }
                }
            }
            @for (at_s, text) in violations {
                line.violation x1=(px(scale.x(*at_s))) x2=(px(scale.x(*at_s))) y1="0" y2=(px(height)) {
                    title { (format!("{text} at {}", clock(*at_s))) }
                }
                text.violation x=(px(scale.x(*at_s) + 3.0)) y="11" { (text) }
            }
        }
    }
}

fn axis(scale: Scale, height: f64) -> Markup {
    let step_s = step(scale.end_s);
    let ticks = (0..).map(|tick| f64::from(tick) * step_s).take_while(|at_s| *at_s <= scale.end_s);
    html! {
        @for at_s in ticks {
            line.tick x1=(px(scale.x(at_s))) x2=(px(scale.x(at_s))) y1=(px(GAP)) y2=(px(height)) {}
            text.axis x=(px(scale.x(at_s))) y=(px(height - 4.0)) { (clock(at_s)) }
        }
    }
}

/// A round number of seconds between two ticks.
fn step(end_s: f64) -> f64 {
    const ROUND_S: [f64; 10] =
        [10.0, 30.0, 60.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0];
    ROUND_S.into_iter().find(|step_s| end_s / step_s <= TICKS).unwrap_or(86_400.0)
}

fn faults(timeline: &Timeline, scale: Scale) -> Markup {
    html! {
        @for (row, band) in timeline.faults.iter().enumerate() {
            @let y = GAP + row as f64 * FAULT_HEIGHT;
            @let (from, to) = (scale.x(band.from_s), scale.x(band.to_s.unwrap_or(timeline.end_s)));
            text.name x=(px(MARGIN - 6.0)) y=(px(y + 11.0)) { (band.kind) }
            rect.fault x=(px(from)) y=(px(y)) width=(px((to - from).max(2.0))) height=(px(FAULT_HEIGHT - 3.0)) {
                title { (format!("{} from {} to {}", band.kind, clock(band.from_s), clock(band.to_s.unwrap_or(timeline.end_s)))) }
            }
        }
    }
}

fn host_lane(top: f64, host: &str, lane: &Lane, (rows, ceiling): (&[usize], f64), scale: Scale) -> Markup {
    let level = |percent: f64| top + CPU_HEIGHT * (1.0 - percent.clamp(0.0, 100.0) / 100.0);
    let points: Vec<String> =
        lane.cpu.iter().map(|(at_s, cpu)| format!("{:.1},{:.1}", scale.x(*at_s), level(*cpu))).collect();
    html! {
        text.name x=(px(MARGIN - 6.0)) y=(px(top + 12.0)) { (host) }
        text.axis x=(px(MARGIN - 6.0)) y=(px(level(ceiling) + 4.0)) text-anchor="end" { (format!("{ceiling:.0} %")) }
        rect.ground x=(px(MARGIN)) y=(px(top)) width=(px(WIDTH - MARGIN)) height=(px(CPU_HEIGHT)) {}
        line.ceiling x1=(px(MARGIN)) x2=(px(WIDTH)) y1=(px(level(ceiling))) y2=(px(level(ceiling))) {}
        polyline.cpu points=(points.join(" ")) {}
        @for (bar, row) in lane.wakes.iter().zip(rows) {
            @let y = top + CPU_HEIGHT + 2.0 + *row as f64 * BAR_HEIGHT;
            @let (from, to) = (scale.x(bar.from_s), scale.x(bar.to_s.unwrap_or(scale.end_s)));
            rect class=(format!("wake {}", class(bar))) x=(px(from)) y=(px(y)) width=(px((to - from).max(1.5)))
                height=(px(BAR_HEIGHT - 1.0)) {
                title { (format!("{} attempt {}: {}, {} to {}", bar.instance, bar.attempt, word(bar), clock(bar.from_s),
                    bar.to_s.map_or("the end".to_owned(), clock))) }
            }
        }
    }
}

/// A row for each attempt, so that none hides another.
fn rows(wakes: &[Bar], end_s: f64) -> Vec<usize> {
    let mut free_from: Vec<f64> = Vec::new();
    wakes
        .iter()
        .map(|bar| {
            let row = free_from.iter().position(|free_s| *free_s <= bar.from_s).unwrap_or(free_from.len());
            if row == free_from.len() {
                free_from.push(0.0);
            }
            free_from[row] = bar.to_s.unwrap_or(end_s);
            row
        })
        .collect()
}

fn class(bar: &Bar) -> &str {
    match bar.outcome.as_str() {
        "woken" => "good",
        "already_awake" => "awake",
        "" => "open",
        _ => "bad",
    }
}

fn word(bar: &Bar) -> &str {
    if bar.outcome.is_empty() { "no result" } else { &bar.outcome }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// `1:05:09` since the run began.
pub(super) fn clock(at_s: f64) -> String {
    let s = at_s as u64;
    format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(from_s: f64, to_s: Option<f64>) -> Bar {
        Bar { from_s, to_s, instance: "dev001".into(), wake: "w".into(), attempt: 1, outcome: "woken".into() }
    }

    #[test]
    fn attempts_at_the_same_time_lie_below_each_other() {
        let wakes = [bar(0.0, Some(10.0)), bar(5.0, None), bar(10.0, Some(12.0)), bar(11.0, Some(13.0))];
        assert_eq!(rows(&wakes, 20.0), [0, 1, 0, 2]);
    }

    #[test]
    fn names_are_text_and_never_markup() {
        let mut timeline = Timeline { end_s: 100.0, ..Timeline::default() };
        timeline
            .hosts
            .insert("<b>host</b>".into(), Lane { cpu: vec![(1.0, 50.0)], wakes: vec![bar(1.0, None)] });
        let drawn = draw(&timeline, &[(50.0, "S4 & more".into())]).into_string();
        assert!(drawn.contains("&lt;b&gt;host") && drawn.contains("S4 &amp; more"), "{drawn}");
        assert!(drawn.contains("0:00:30") && drawn.contains("0:01:30"), "an axis: {drawn}");
    }
}
