//! Whose a container is: the process that made it, told apart from a later one with the same number.

use std::collections::BTreeMap;

/// Which run made it.
pub(super) const RUN_LABEL: &str = "reveille.run";
/// Which process runs that: `host name/process id/start time`.
pub(super) const OWNER_LABEL: &str = "reveille.owner";

/// This process, as a label.
pub(crate) fn this_process() -> String {
    of_process(std::process::id())
}

/// A process of this machine, as a label.
pub(crate) fn of_process(id: u32) -> String {
    format!("{}/{id}/{}", host_name(), started_at(id).unwrap_or_default())
}

/// Whether the process behind a label is one of this machine.
pub(crate) fn is_here(label: &str) -> bool {
    label.split('/').next() == Some(host_name().as_str())
}

/// Whether the process behind a label is certainly gone. One of another host cannot be seen from here.
pub(crate) fn is_gone(label: &str) -> bool {
    let mut parts = label.split('/');
    let (Some(host), Some(id), Some(started)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Ok(id) = id.parse() else { return false };
    host == host_name() && started_at(id).is_none_or(|at| at != started)
}

/// Stands between the parts of a label where a path has no room for a slash.
const SEPARATOR: &str = "@";

/// A label as a part of a path.
pub(crate) fn in_path(label: &str) -> String {
    label.replace('/', SEPARATOR)
}

/// The label that such a part is.
pub(crate) fn of_path(part: &str) -> String {
    part.replace(SEPARATOR, "/")
}

/// The labels of everything a run makes.
pub(super) fn labels(run: &str) -> BTreeMap<String, String> {
    [(RUN_LABEL, run.to_owned()), (OWNER_LABEL, this_process())]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// When a process was started, in the kernel's ticks since the machine was; `None` when there is none, or one that has
/// ended and waits for somebody to notice.
fn started_at(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state is the first field after it, the start the 20th.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?;
    (!["Z", "X"].contains(&state)).then(|| started.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_host_that_is_not_there_any_more_is_gone() {
        let mine = this_process();
        assert!(!is_gone(&mine), "{mine}");
        let (rest, started) = mine.rsplit_once('/').expect("three parts");
        assert!(is_gone(&format!("{rest}/1{started}")), "another process has the number by now");
        assert!(is_gone(&format!("{}/4294967295/1", host_name())));
        assert!(!is_gone("elsewhere/4294967295/1") && !is_gone("nonsense"));
    }
}
