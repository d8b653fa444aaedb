//! The timeline as a picture: a band of faults, then for each host its CPU against the ceiling, its gate, and its wakes.

use maud::{Markup, html};

use super::{
    Timeline,
    timeline::{Bar, Lane, Stretch},
    whole::Struck,
};

const WIDTH: f64 = 1_000.0;
/// Left of the picture, for names, and right of it, for half of the last time.
const MARGIN: f64 = 150.0;
const RIGHT: f64 = 24.0;
const CPU_HEIGHT: f64 = 80.0;
const GATE_HEIGHT: f64 = 5.0;
const BAR_HEIGHT: f64 = 6.0;
const FAULT_HEIGHT: f64 = 16.0;
const LABEL_HEIGHT: f64 = 12.0;
const GAP: f64 = 22.0;
/// Ticks of the axis are about so many.
const TICKS: f64 = 8.0;
/// Average width of a letter, for what must not lie on top of something else.
const LETTER: f64 = 5.2;
/// A load that is not followed by another for so long is the last that is known.
const SILENCE_S: f64 = 30.0;

/// Where seconds lie.
#[derive(Clone, Copy)]
struct Scale {
    end_s: f64,
}

impl Scale {
    fn x(self, at_s: f64) -> f64 {
        MARGIN + (WIDTH - MARGIN - RIGHT) * at_s.clamp(0.0, self.end_s) / self.end_s.max(1.0)
    }

    /// Left edge and width, of something that must be seen however short it was.
    fn span(self, from_s: f64, to_s: Option<f64>, least: f64) -> (f64, f64) {
        let (from, to) = (self.x(from_s), self.x(to_s.unwrap_or(self.end_s)));
        (from, (to - from).max(least))
    }
}

/// As scalable vector graphics. `violations` are when something was violated, and what.
pub(super) fn draw(timeline: &Timeline, struck: &[Struck], violations: &[(f64, &str)]) -> Markup {
    let scale = Scale { end_s: timeline.end_s };
    let labels = labels(violations, scale);
    let above = labels.iter().map(|(row, ..)| row + 1).max().unwrap_or(0) as f64 * LABEL_HEIGHT + 4.0;
    let mut y = above + struck.len() as f64 * FAULT_HEIGHT + GAP;
    let lanes: Vec<(f64, &String, &Lane, Vec<usize>)> = timeline
        .hosts
        .iter()
        .map(|(host, lane)| {
            let (top, rows) = (y, rows(&lane.wakes, timeline.end_s));
            let height = rows.iter().max().map_or(0.0, |row| (row + 1) as f64 * BAR_HEIGHT);
            y += CPU_HEIGHT + GATE_HEIGHT + height + GAP;
            (top, host, lane, rows)
        })
        .collect();
    let height = y;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label="What happened when" {
            (axis(scale, above, height))
            (faults(struck, above, scale))
            @for (top, host, lane, rows) in &lanes {
                (host_lane(*top, host, lane, (rows, timeline.cpu_ceiling_percent), scale))
            }
            @for mark in &timeline.marks {
                @let x = px(scale.x(mark.at_s));
                line.death x1=(x) x2=(x) y1=(px(above)) y2=(px(height - GAP)) {
                    title { (format!("{} at {}", mark.text, clock(mark.at_s))) }
                }
            }
            @for (at_s, id) in violations {
                @let x = px(scale.x(*at_s));
                line.violation x1=(x) x2=(x) y1=(px(above)) y2=(px(height - GAP)) {
                    title { (format!("{id} broken at {}", clock(*at_s))) }
                }
            }
            @for (row, x, text) in labels {
                text.violation x=(px(x)) y=(px((row + 1) as f64 * LABEL_HEIGHT - 1.0)) text-anchor="middle" { (text) }
            }
        }
    }
}

/// The first of each invariant, with its row: none lies on top of another.
fn labels<'a>(violations: &[(f64, &'a str)], scale: Scale) -> Vec<(usize, f64, &'a str)> {
    let mut placed: Vec<(usize, f64, &str)> = Vec::new();
    for (at_s, id) in violations {
        if placed.iter().any(|(_, _, known)| known == id) {
            continue;
        }
        let x = scale.x(*at_s);
        let is_free = |row: usize| placed.iter().all(|(other, at, _)| *other != row || (at - x).abs() > 30.0);
        // One row more than there are labels is free.
        let row = (0..=placed.len()).find(|row| is_free(*row)).unwrap_or(0);
        placed.push((row, x, id));
    }
    placed
}

fn axis(scale: Scale, top: f64, height: f64) -> Markup {
    let step_s = step(scale.end_s);
    let ticks = (0..).map(|tick| f64::from(tick) * step_s).take_while(|at_s| *at_s <= scale.end_s);
    html! {
        @for at_s in ticks {
            @let x = px(scale.x(at_s));
            line.tickline x1=(x) x2=(x) y1=(px(top)) y2=(px(height - GAP + 4.0)) {}
            text.tick x=(x) y=(px(height - 6.0)) { (clock(at_s)) }
        }
    }
}

/// A round number of seconds between two ticks.
fn step(end_s: f64) -> f64 {
    const ROUND_S: [f64; 11] =
        [10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0];
    ROUND_S.into_iter().find(|step_s| end_s / step_s <= TICKS).unwrap_or(86_400.0)
}

fn faults(struck: &[Struck], top: f64, scale: Scale) -> Markup {
    html! {
        @for (row, fault) in struck.iter().enumerate() {
            @let y = top + row as f64 * FAULT_HEIGHT;
            @let (x, width) = scale.span(fault.from_s, Some(fault.to_s), 2.0);
            @let class = if fault.hits > 0 { "fault" } else { "fault missed" };
            @let said = match fault.what.as_str() {
                "" => fault.bite(),
                what => format!("{what}: {}", fault.bite()),
            };
            text.name x=(px(MARGIN - 6.0)) y=(px(y + 11.0)) { (fault.kind) }
            rect class=(class) x=(px(x)) y=(px(y)) width=(px(width)) height=(px(FAULT_HEIGHT - 3.0)) {
                title { (format!("{} from {} to {}, {}", fault.name(), clock(fault.from_s), clock(fault.to_s), fault.bite())) }
            }
            (beside(&said, (x, width), y + 10.0))
        }
    }
}

/// In the band where there is room, else after it, else before it. What fits nowhere is cut: the whole of it stands in the table.
fn beside(said: &str, (x, width): (f64, f64), y: f64) -> Markup {
    let needed = said.chars().count() as f64 * LETTER + 8.0;
    let (before, after) = (x - MARGIN, WIDTH - x - width);
    let room = before.max(after);
    let cut =
        || said.chars().take(((room - 8.0) / LETTER).max(1.0) as usize - 1).chain(['…']).collect::<String>();
    let said = if needed <= width.max(room) { said.to_owned() } else { cut() };
    html! {
        @if needed < width {
            text.inside x=(px(x + 4.0)) y=(px(y)) { (said) }
        } @else if after > needed || after >= before {
            text x=(px(x + width + 4.0)) y=(px(y)) { (said) }
        } @else {
            text x=(px(x - 4.0)) y=(px(y)) text-anchor="end" { (said) }
        }
    }
}

fn host_lane(top: f64, host: &str, lane: &Lane, (rows, ceiling): (&[usize], f64), scale: Scale) -> Markup {
    let level = |percent: f64| top + CPU_HEIGHT * (1.0 - percent.clamp(0.0, 100.0) / 100.0);
    let point = |(at_s, cpu): &(f64, f64)| format!("{:.1},{:.1}", scale.x(*at_s), level(*cpu));
    let gate = top + CPU_HEIGHT;
    let name = MARGIN - 6.0;
    html! {
        text.name x=(px(name)) y=(px(top + 12.0)) { (host) }
        text x=(px(name)) y=(px(level(ceiling) + 4.0)) text-anchor="end" { (format!("ceiling {ceiling:.0} %")) }
        text x=(px(name)) y=(px(gate)) text-anchor="end" { "CPU 0 %" }
        rect.ground x=(px(MARGIN)) y=(px(top)) width=(px(WIDTH - MARGIN - RIGHT)) height=(px(CPU_HEIGHT)) {}
        (stretches(&lane.cut, "cut", (top, CPU_HEIGHT), scale))
        line.ceiling x1=(px(MARGIN)) x2=(px(WIDTH - RIGHT)) y1=(px(level(ceiling))) y2=(px(level(ceiling))) {}
        // Where nothing was heard, nothing is drawn.
        @for heard in lane.cpu.chunk_by(|one, next| next.0 - one.0 <= SILENCE_S) {
            polyline.cpu points=(heard.iter().map(point).collect::<Vec<_>>().join(" ")) {}
        }
        (stretches(&lane.closed, "shut", (gate, GATE_HEIGHT), scale))
        @for due in lane.due.iter().filter(|due| due.at_s <= scale.end_s) {
            @let x = px(scale.x(due.at_s));
            line.due x1=(x) x2=(x) y1=(px(gate - 7.0)) y2=(px(gate)) {
                title { (format!("{} at {}", due.text, clock(due.at_s))) }
            }
        }
        @for ask in &lane.asks {
            circle.ask cx=(px(scale.x(ask.at_s))) cy=(px(gate - 3.0)) r="2.2" {
                title { (format!("{} at {}", ask.text, clock(ask.at_s))) }
            }
        }
        @for (bar, row) in lane.wakes.iter().zip(rows) {
            @let y = gate + GATE_HEIGHT + 2.0 + *row as f64 * BAR_HEIGHT;
            @let (x, width) = scale.span(bar.from_s, bar.to_s, 1.5);
            rect class=(format!("wake {}", class(bar))) x=(px(x)) y=(px(y)) width=(px(width)) height=(px(BAR_HEIGHT - 1.0)) {
                title { (format!("{} attempt {}: {}, {} to {}", bar.instance, bar.attempt, word(bar), clock(bar.from_s),
                    bar.to_s.map_or("the end".to_owned(), clock))) }
            }
        }
    }
}

fn stretches(all: &[Stretch], class: &str, (y, height): (f64, f64), scale: Scale) -> Markup {
    html! {
        @for one in all {
            @let (x, width) = scale.span(one.from_s, one.to_s, 1.0);
            rect class=(class) x=(px(x)) y=(px(y)) width=(px(width)) height=(px(height)) {
                title { (format!("{}, {} to {}", one.why, clock(one.from_s), one.to_s.map_or("the end".to_owned(), clock))) }
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

fn word(bar: &Bar) -> String {
    if bar.outcome.is_empty() { "no result".into() } else { bar.outcome.replace('_', " ") }
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

    fn struck(what: &str, hits: u64) -> Struck {
        let (kind, what) = ("link.reset", what.into());
        Struck { kind, what, from_s: 10.0, to_s: 90.0, hits, opportunities: 3, is_on: false }
    }

    #[test]
    fn attempts_at_the_same_time_lie_below_each_other() {
        let wakes = [bar(0.0, Some(10.0)), bar(5.0, None), bar(10.0, Some(12.0)), bar(11.0, Some(13.0))];
        assert_eq!(rows(&wakes, 20.0), [0, 1, 0, 2]);
    }

    #[test]
    fn names_are_text_and_never_markup() {
        let mut timeline = Timeline { end_s: 100.0, ..Timeline::default() };
        let lane = Lane { cpu: vec![(1.0, 50.0)], wakes: vec![bar(1.0, None)], ..Lane::default() };
        timeline.hosts.insert("<b>host</b>".into(), lane);
        let drawn = draw(&timeline, &[struck("<i>", 0)], &[(50.0, "S4 & more")]).into_string();
        assert!(drawn.contains("&lt;b&gt;host") && drawn.contains("S4 &amp; more"), "{drawn}");
        assert!(drawn.contains("&lt;i&gt;: hit nobody in 3 chances"), "{drawn}");
        assert!(drawn.contains("0:00:30") && drawn.contains("0:01:30"), "an axis: {drawn}");
    }

    #[test]
    fn a_fault_that_hit_nobody_looks_different() {
        let timeline = Timeline { end_s: 100.0, ..Timeline::default() };
        let drawn = draw(&timeline, &[struck("host-1", 2), struck("host-2", 0)], &[]).into_string();
        assert_eq!((drawn.matches("fault missed").count(), drawn.matches("\"fault\"").count()), (1, 1));
        assert!(drawn.contains("host-1: 2 hits in 3 chances"), "{drawn}");
    }

    #[test]
    fn no_line_is_drawn_where_nothing_was_heard() {
        let mut timeline = Timeline { end_s: 100.0, ..Timeline::default() };
        let cpu = vec![(1.0, 50.0), (6.0, 51.0), (60.0, 20.0), (65.0, 21.0)];
        timeline.hosts.insert("host-1".into(), Lane { cpu, ..Lane::default() });
        assert_eq!(draw(&timeline, &[], &[]).into_string().matches("<polyline").count(), 2);
    }

    #[test]
    fn labels_of_one_moment_have_rows_of_their_own_and_each_invariant_has_one() {
        let violations = [(10.0, "S1"), (10.0, "S2"), (12.0, "S1"), (80.0, "S4")];
        let placed = labels(&violations, Scale { end_s: 100.0 });
        let rows: Vec<(usize, &str)> = placed.iter().map(|(row, _, id)| (*row, *id)).collect();
        assert_eq!(rows, [(0, "S1"), (1, "S2"), (0, "S4")]);
    }
}
