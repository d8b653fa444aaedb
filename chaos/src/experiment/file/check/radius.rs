//! The blast radius: what is declared is not more than the caps allow.

use jiff::{civil::Date, tz::TimeZone};

use crate::experiment::{
    file::{
        Length, Max, Windows,
        found::Found,
        parts::{At, Parts},
    },
    plan::{Reach, widest},
};

/// `Mon-Thu 09:00-15:00`: days as they are written there.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

pub(super) fn check(parts: &Parts, found: &mut Found<'_>) {
    if let Some(max) = &parts.max {
        reach(parts, max, found);
        duration(parts, max, found);
        concurrent(parts, max, found);
    }
    if let Some(windows) = &parts.windows {
        hours(parts, windows, found);
    }
}

fn reach(parts: &Parts, max: &Max, found: &mut Found<'_>) {
    let world = parts.world();
    let mut whole = Reach::default();
    for At { it, .. } in &parts.faults {
        let target = parts.targets.get(&it.target).and_then(|at| at.it.as_ref());
        whole.add(&widest(&it.target, target, &world));
    }
    let (hosts, instances) = (whole.hosts.len() as u64, whole.instances.len() as u64);
    if hosts > max.hosts {
        let message = format!("the targets reach {hosts} hosts of the world");
        found.add("radius_hosts", parts.path("/blast_radius/max/hosts"), message);
    }
    if max.instances.is_some_and(|cap| instances > cap) {
        let message = format!("the targets reach {instances} instances of the world");
        found.add("radius_instances", parts.path("/blast_radius/max/instances"), message);
    }
}

fn duration(parts: &Parts, max: &Max, found: &mut Found<'_>) {
    let starts = parts.faults.iter().map(|fault| fault.it.schedule.at).min().unwrap_or_default();
    let ends = parts.faults.iter().map(|fault| fault.it.schedule.ends()).max().unwrap_or_default();
    let lasts = Length::ms(ends.as_ms().saturating_sub(starts.as_ms()));
    if lasts > max.duration {
        let message = format!("from the first fault's start to the last one's end it takes {lasts}");
        found.add("radius_duration", parts.path("/blast_radius/max/duration"), message);
    }
}

fn concurrent(parts: &Parts, max: &Max, found: &mut Found<'_>) {
    let spans: Vec<(Length, Length)> =
        parts.faults.iter().flat_map(|fault| fault.it.schedule.spans()).collect();
    let at_once = |from: Length| spans.iter().filter(|(start, end)| *start <= from && from < *end).count();
    let most = spans.iter().map(|(from, _)| at_once(*from) as u64).max().unwrap_or_default();
    if most > max.concurrent_faults {
        let message = format!("{most} faults are on at once");
        found.add("radius_concurrent", parts.path("/blast_radius/max/concurrent_faults"), message);
    }
}

fn hours(parts: &Parts, windows: &Windows, found: &mut Found<'_>) {
    let place = |field: &str| parts.path(&format!("/blast_radius/windows/{field}"));
    if TimeZone::get(&windows.tz).is_err() {
        found.add("windows_tz", place("tz"), format!("there is no time zone `{}`", windows.tz));
    }
    for (index, allow) in windows.allow.iter().enumerate() {
        if !is_window(allow) {
            let message = format!("`{allow}` is not like Mon-Thu 09:00-15:00");
            found.add("windows_allow", place(&format!("allow/{index}")), message);
        }
    }
    for (index, date) in windows.deny_dates.iter().enumerate() {
        if date.parse::<Date>().is_err() {
            let message = format!("`{date}` is not a date like 2026-12-24");
            found.add("windows_date", place(&format!("deny_dates/{index}")), message);
        }
    }
}

fn is_window(text: &str) -> bool {
    let day = |text: &str| DAYS.contains(&text);
    let time = |text: &str| text.len() == 5 && text.parse::<jiff::civil::Time>().is_ok();
    let Some((days, hours)) = text.split_once(' ') else { return false };
    let days = days.split_once('-').map_or_else(|| day(days), |(from, to)| day(from) && day(to));
    days && hours.split_once('-').is_some_and(|(from, to)| time(from) && time(to) && from < to)
}
