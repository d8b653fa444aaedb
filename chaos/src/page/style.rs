//! How pages look, by day and by night, and what every page begins with.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::experiment::Verdict;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6876; --line: #d8dde5; --ground: #f3f5f8; --page: #fff;
  --good: #2b8a52; --bad: #c93838; --awake: #3f78c9; --open: #9a7412; --fault: #eab45c; --cpu: #3b6fc4;
  --shut: #a8508f; --cut: #9aa4b1; --fail: #8a5a2b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #a3adba; --line: #333c48; --ground: #1a2029;
  --page: #12161d; --good: #3aa767; --bad: #ef6b6b; --awake: #6ba0ea; --open: #cfa23a; --fault: #c48f38; --cpu: #7aa6ee;
  --shut: #cf7db8; --cut: #5d6876; --fail: #b98250; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; } p { margin: .4rem 0; } p.told { margin-top: 1.1rem; }
.soft { color: var(--soft); } .badge { color: #fff; border-radius: .4rem; padding: .1rem .6rem; }
.badge.held { background: #2b8a52; } .badge.other { background: #c93838; } .badge.unsure { background: #9a7412; }
.verdict { border-left: .35rem solid var(--line); background: var(--ground); padding: .6rem 1rem; margin: 1rem 0; }
.verdict.held { border-color: var(--good); } .verdict.other { border-color: var(--bad); }
.verdict.unsure { border-color: var(--open); }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .6rem;
  border-bottom: 1px solid var(--line); vertical-align: top; } td.number, th.number { text-align: right; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.bad td { color: var(--bad); font-weight: 600; } tr.doubt td { color: var(--open); }
tr.here td { background: color-mix(in srgb, var(--bad) 14%, transparent); } tr.here td:first-child { color: var(--bad); }
code, pre { font: 13px/1.45 ui-monospace, monospace; } pre { background: var(--ground); padding: .7rem; overflow-x: auto; }
summary { cursor: pointer; } .wide { overflow-x: auto; } svg { width: 100%; min-width: 44rem; height: auto; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 0 2rem; align-items: start; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .87rem; color: var(--soft); margin: .4rem 0 .8rem; }
.legend i { display: inline-block; width: 1.1rem; height: .6rem; margin-right: .4rem; border-radius: 1px; }
i.cpu { height: 2px; vertical-align: middle; background: var(--cpu); } i.good { background: var(--good); }
i.limit { height: 0; vertical-align: middle; border-top: 2px dashed var(--ink); } i.awake { background: var(--awake); }
i.bad { background: var(--fail); } i.open { background: var(--open); } i.fault { background: var(--fault); }
i.shut { background: var(--shut); } i.cut { background: var(--cut); opacity: .45; }
i.death { width: 0; height: .9rem; border-left: 2px dotted var(--ink); vertical-align: middle; }
i.line { width: 2px; height: .9rem; background: var(--bad); vertical-align: middle; }
i.due { width: 2px; height: .9rem; background: var(--awake); vertical-align: middle; }
i.ask { width: .6rem; border-radius: 50%; background: var(--ink); }
svg text { font: 10px system-ui, sans-serif; fill: var(--soft); } svg text.name { text-anchor: end; fill: var(--ink); }
svg text.tick { text-anchor: middle; } svg text.violation { fill: var(--bad); font-weight: 700; }
svg text.inside { fill: #1c2430; } .tickline { stroke: var(--line); stroke-width: .6; }
.ground { fill: var(--ground); } .cpu { fill: none; stroke: var(--cpu); stroke-width: 1; }
.ceiling { stroke: var(--ink); stroke-width: .8; stroke-dasharray: 4 3; } .fault { fill: var(--fault); }
.fault.missed { fill: none; stroke: var(--fault); stroke-dasharray: 4 3; } .shut { fill: var(--shut); }
.cut { fill: var(--cut); opacity: .35; } .ask { fill: var(--ink); }
.due { stroke: var(--awake); stroke-width: 1.2; }
.death { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 2; } line.violation { stroke: var(--bad); stroke-width: 1.4; }
.wake.good { fill: var(--good); } .wake.bad { fill: var(--fail); } .wake.awake { fill: var(--awake); }
.wake.open { fill: var(--open); }
";

/// A page of this title and body.
pub fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// The class of what has this verdict.
pub fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Inconclusive | Verdict::Aborted => "unsure",
        Verdict::Deviated
        | Verdict::Violated
        | Verdict::NotRecovered
        | Verdict::Error
        | Verdict::InvalidFile => "other",
    }
}

/// The title with the verdict beside it.
pub fn heading(title: &str, verdict: Verdict) -> Markup {
    html! {
        h1 { (title) " " span class=(format!("badge {}", class(verdict))) { (verdict.as_str()) } }
    }
}
