//! What `/metrics` says.

/// The counts of a metric by its one label, which is called `label`.
pub fn by_label<'a>(metrics: &'a str, name: &str, label: &str) -> impl Iterator<Item = (&'a str, u64)> {
    let begin = format!("{name}{{{label}=\"");
    metrics.lines().filter_map(move |line| {
        let (value, count) = line.strip_prefix(&begin)?.split_once("\"} ")?;
        Some((value, count.trim().parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_their_label() {
        let text = "# TYPE reveille_wakes_ended_last_day gauge\n\
                    reveille_wakes_ended_last_day{end=\"woken\"} 3\n\
                    reveille_wakes_ended_total{end=\"woken\"} 9\n\
                    reveille_wakes_ended_last_day{end=\"failed\"} none\n";
        let counts: Vec<_> = by_label(text, "reveille_wakes_ended_last_day", "end").collect();
        assert_eq!(counts, [("woken", 3)]);
    }
}
