//! Cuts a file into its events, so that a bad one spoils no other, and remembers on which line each property stands.

use std::collections::BTreeMap;

/// One `VEVENT` as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// Line of its `BEGIN`, from 1.
    pub(super) line: usize,
    /// Its lines as they are, with `BEGIN` and `END`.
    pub(super) text: String,
    /// Line on which a property first stands, by its name in capitals; not those of alarms within.
    pub(super) lines: BTreeMap<String, usize>,
    /// What is wrong with its outer form: the line and in words.
    pub(super) flaw: Option<(usize, &'static str)>,
}

impl Block {
    /// Where `property` stands; where the event begins if it has none.
    pub(super) fn line_of(&self, property: &str) -> usize {
        self.lines.get(property).copied().unwrap_or(self.line)
    }

    fn begin(line: usize) -> Self {
        Self { line, text: String::new(), lines: BTreeMap::new(), flaw: None }
    }

    fn flaw(&mut self, line: usize, problem: &'static str) {
        self.flaw.get_or_insert((line, problem));
    }

    fn push(&mut self, raw: &str) {
        self.text.push_str(raw);
        self.text.push('\n');
    }

    /// A content line of the event itself, not of a part within; unfolded, for its name may be folded too.
    fn note(&mut self, number: usize, line: &str) {
        let name = line.split([':', ';']).next().unwrap_or_default();
        if !line.contains(':') {
            self.flaw(number, "is no property: it has no colon");
        }
        self.lines.entry(name.trim().to_ascii_uppercase()).or_insert(number);
    }

    /// Notes the content lines among `raw`, lines of the event itself with their numbers.
    fn note_all(&mut self, raw: &[(usize, &str)]) {
        let mut rest = raw;
        while let Some((&(number, first), after)) = rest.split_first() {
            let folded = after.iter().take_while(|(_, line)| line.starts_with([' ', '\t'])).count();
            let line: String =
                std::iter::once(first).chain(after[..folded].iter().map(|l| &l.1[1..])).collect();
            self.note(number, &line);
            rest = &after[folded..];
        }
    }
}

/// The events of a file in their order. `None` when it holds no calendar at all.
pub(super) fn cut(text: &str) -> Option<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut own: Vec<(usize, &str)> = Vec::new();
    let mut depth = 0u32;
    let mut is_calendar = false;
    for (i, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (number, line) = (i + 1, raw.trim_end());
        let word = line.to_ascii_uppercase();
        is_calendar |= word == "BEGIN:VCALENDAR";
        if word == "BEGIN:VEVENT" {
            if let Some(mut lost) = open.replace(Block::begin(number)) {
                lost.flaw(lost.line, "is not ended before the next begins");
                blocks.push(lost);
            }
            (depth, own) = (0, Vec::new());
        }
        let Some(block) = &mut open else { continue };
        block.push(line);
        if word == "END:VEVENT" {
            block.note_all(&own);
            blocks.extend(open.take());
        } else if word.starts_with("BEGIN:") {
            depth += 1;
        } else if word.starts_with("END:") {
            depth = depth.saturating_sub(1);
        } else if depth == 1 && !line.is_empty() {
            own.push((number, line));
        }
    }
    if let Some(mut lost) = open {
        lost.flaw(lost.line, "is not ended before the file is");
        blocks.push(lost);
    }
    is_calendar.then_some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261225\r\nSUMMARY:a long\r\n  name: \
                       with a colon\r\nBEGIN:VALARM\r\nDURATION:PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\nbegin:vevent\r\n\
                       DTSTART:20261226\r\nend:vevent\r\nEND:VCALENDAR\r\n";

    #[test]
    fn events_know_the_lines_of_their_properties() {
        for text in [TWO.to_owned(), TWO.replace("\r\n", "\n"), format!("\u{feff}{TWO}")] {
            let blocks = cut(&text).expect("a calendar");
            assert_eq!(blocks.len(), 2);
            assert_eq!((blocks[0].line, blocks[1].line), (2, 10));
            assert_eq!(blocks[0].line_of("DTSTART"), 3);
            assert_eq!(blocks[0].line_of("DURATION"), 2, "the alarm's is not the event's");
            assert_eq!(blocks[1].line_of("DTSTART"), 11);
            assert!(blocks.iter().all(|block| block.flaw.is_none()), "{blocks:?}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_flawed_and_the_next_is_not() {
        let text =
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:1\nBEGIN:VEVENT\nnonsense\nEND:VEVENT\nBEGIN:VEVENT";
        let flaws: Vec<_> = cut(text).expect("a calendar").iter().map(|b| b.flaw.map(|f| f.0)).collect();
        assert_eq!(flaws, [Some(2), Some(5), Some(7)]);
    }

    #[test]
    fn what_is_no_calendar_is_told_from_one_without_events() {
        assert_eq!(cut("dear diary\n"), None);
        assert_eq!(cut("BEGIN:VCALENDAR\nEND:VCALENDAR\n"), Some(vec![]));
    }
}
