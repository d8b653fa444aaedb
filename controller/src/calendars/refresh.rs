//! The calendar in force: files are read again when they change, and a file that cannot be read keeps its last word.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    BadEvent, CalendarConfig, Reach,
    cut::cut,
    event::{Event, event},
    mark::mark,
};
use crate::model::DayCalendar;

/// Longest calendar file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A calendar file that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum CalendarFileError {
    #[error("failed to read the calendar {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} has {bytes} bytes, more than {FILE_BYTES_MAX} are not read", path.display())]
    Long { path: PathBuf, bytes: u64 },
    #[error("{} is no iCalendar file: it has no BEGIN:VCALENDAR", path.display())]
    NoCalendar { path: PathBuf },
}

/// The events of a file, and those that cannot be used. Text that is not UTF-8 spoils no event: only names hold it.
pub(super) fn read_file(path: &Path) -> Result<(Vec<Event>, Vec<BadEvent>), CalendarFileError> {
    let failed = |source| CalendarFileError::Read { path: path.to_owned(), source };
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(CalendarFileError::Long { path: path.to_owned(), bytes });
    }
    let content = fs::read(path).map_err(failed)?;
    let blocks = cut(&String::from_utf8_lossy(&content));
    let blocks = blocks.ok_or_else(|| CalendarFileError::NoCalendar { path: path.to_owned() })?;
    let (mut events, mut bad) = (Vec::new(), Vec::new());
    for block in blocks {
        match event(path, block) {
            Ok(event) => events.push(event),
            Err(why) => bad.push(why),
        }
    }
    Ok((events, bad))
}

impl CalendarFileError {
    /// In one line, with its cause.
    pub fn told(&self) -> String {
        match self {
            Self::Read { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

/// Whether a file can be used at all. Its bad events are no error of the file.
pub fn check_file(path: &Path) -> Result<(), CalendarFileError> {
    read_file(path).map(|_| ())
}

/// All configured calendar files, and the calendar they make.
pub struct Calendars {
    configs: Vec<CalendarConfig>,
    /// Where the days of holidays with times in UTC are.
    zone: TimeZone,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: Vec<Held>,
    reach: Option<Reach>,
    days: Arc<DayCalendar>,
}

/// A file as it was last read.
#[derive(Default)]
struct Held {
    /// When it was changed and how long it was; `None` while it is not there.
    stamp: Option<Stamp>,
    looked_at: bool,
    events: Vec<Event>,
}

type Stamp = (SystemTime, u64);

/// What a look at the files found.
#[derive(Debug)]
pub struct Refreshed {
    pub days: Arc<DayCalendar>,
    /// Events that were left out, each told once for every change of its file.
    pub bad: Vec<BadEvent>,
    /// Files that cannot be read any more; what they last said stands.
    pub lost: Vec<CalendarFileError>,
}

impl Calendars {
    pub fn new(configs: Vec<CalendarConfig>, zone: TimeZone) -> Self {
        Self { configs, zone, state: Mutex::default() }
    }

    /// The calendar around `now`. Looks at each file's time of change, and reads only what changed; it may be asked
    /// as often as plans are made. Reads files: not for the middle of something that must not wait.
    pub fn refresh(&self, now: Timestamp) -> Refreshed {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.files.resize_with(self.configs.len(), Held::default);
        let (mut bad, mut lost) = (Vec::new(), Vec::new());
        let mut changed = false;
        for (config, held) in self.configs.iter().zip(&mut state.files) {
            match held.look(&config.file) {
                Ok(None) => {}
                Ok(Some(unread)) => {
                    changed = true;
                    bad.extend(unread);
                }
                Err(error) => lost.push(error),
            }
        }
        let reach = Reach::around(now);
        if changed || state.reach != Some(reach) {
            let mut days = DayCalendar::default();
            for (config, held) in self.configs.iter().zip(&state.files) {
                let unfollowed = mark(&mut days, config, &held.events, &self.zone, reach);
                // A new day alone brings no new mistakes to tell.
                bad.extend(unfollowed.into_iter().filter(|_| changed));
            }
            state.reach = Some(reach);
            state.days = Arc::new(days);
        }
        Refreshed { days: state.days.clone(), bad, lost }
    }

    /// The calendar as the last [`Calendars::refresh`] left it; empty before the first.
    pub fn days(&self) -> Arc<DayCalendar> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).days.clone()
    }
}

impl Held {
    /// Reads the file if it changed: its bad events, or `None` when all is as it was.
    fn look(&mut self, path: &Path) -> Result<Option<Vec<BadEvent>>, CalendarFileError> {
        let stamp = fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len()))).ok();
        if self.looked_at && stamp == self.stamp {
            return Ok(None);
        }
        (self.looked_at, self.stamp) = (true, stamp);
        let (events, bad) = read_file(path)?;
        self.events = events;
        Ok(Some(bad))
    }
}

impl fmt::Debug for Calendars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calendars").field("configs", &self.configs).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{calendars::CalendarKind, model::days::DayKind};

    struct Scene {
        dir: tempfile::TempDir,
        calendars: Calendars,
        writes: u64,
    }

    impl Scene {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let config = CalendarConfig {
                file: dir.path().join("h.ics"),
                kind: CalendarKind::Holiday,
                cohorts: vec![],
            };
            Self { dir, calendars: Calendars::new(vec![config], TimeZone::UTC), writes: 0 }
        }

        /// Each writing has a time of change of its own, however fast the test is.
        fn write(&mut self, events: &[&str]) {
            let path = self.dir.path().join("h.ics");
            let events: Vec<_> = events.iter().map(|e| format!("BEGIN:VEVENT\n{e}\nEND:VEVENT\n")).collect();
            let events = events.concat();
            fs::write(&path, format!("BEGIN:VCALENDAR\n{events}END:VCALENDAR\n")).expect("written");
            self.writes += 1;
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(self.writes);
            fs::File::options().write(true).open(path).expect("there").set_modified(at).expect("set");
        }

        fn look(&self, now: &str) -> Refreshed {
            self.calendars.refresh(now.parse().expect("a time"))
        }
    }

    fn is_holiday(days: &DayCalendar, date: &str) -> bool {
        let day = crate::model::calendar::day_of(date.parse().expect("a date"));
        days.kind("", day) == DayKind::Holiday
    }

    #[test]
    fn a_file_is_read_again_when_it_changes() {
        let mut scene = Scene::new();
        scene.write(&["DTSTART:20261003", "DTSTART:never"]);
        let seen = scene.look("2026-09-01T00:00:00Z");
        assert!(is_holiday(&seen.days, "2026-10-03"));
        assert_eq!((seen.bad.len(), seen.lost.len()), (1, 0));
        let again = scene.look("2026-09-01T00:05:00Z");
        assert!(again.bad.is_empty(), "told once");
        assert!(Arc::ptr_eq(&seen.days, &again.days), "nothing was made anew");

        scene.write(&["DTSTART:20261004"]);
        let seen = scene.look("2026-09-01T00:10:00Z");
        assert!(!is_holiday(&seen.days, "2026-10-03") && is_holiday(&seen.days, "2026-10-04"));
        assert_eq!(*scene.calendars.days(), *seen.days);
    }

    #[test]
    fn a_lost_file_keeps_its_last_word_and_is_told_once() {
        let mut scene = Scene::new();
        scene.write(&["DTSTART:20261003"]);
        scene.look("2026-09-01T00:00:00Z");
        fs::remove_file(scene.dir.path().join("h.ics")).expect("removed");
        let seen = scene.look("2026-09-01T00:05:00Z");
        assert!(is_holiday(&seen.days, "2026-10-03"));
        assert!(seen.lost[0].to_string().contains("h.ics"), "{:?}", seen.lost);
        assert!(scene.look("2026-09-01T00:10:00Z").lost.is_empty());
        scene.write(&["DTSTART:20261005"]);
        assert!(is_holiday(&scene.look("2026-09-01T00:15:00Z").days, "2026-10-05"));
    }

    #[test]
    fn the_reach_moves_with_the_days() {
        let mut scene = Scene::new();
        scene.write(&["DTSTART:20200101\nRRULE:FREQ=YEARLY"]);
        assert!(!is_holiday(&scene.look("2026-09-01T00:00:00Z").days, "2028-01-01"));
        assert!(is_holiday(&scene.look("2026-12-31T00:00:00Z").days, "2028-01-01"));
    }
}
