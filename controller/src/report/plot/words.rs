//! Words and numbers as plots show them: short, without anything a file or a terminal would choke on.

/// `text` without characters that XML forbids or a terminal would obey, cut to `chars_max` characters.
pub(super) fn legible(text: &str, chars_max: usize) -> String {
    let clean = |c: char| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '?' } else { c };
    if text.chars().count() <= chars_max {
        return text.chars().map(clean).collect();
    }
    let cut: String = text.chars().take(chars_max.saturating_sub(1)).map(clean).collect();
    format!("{}…", cut.trim_end())
}

/// `text` as [`legible`] makes it, cut to what fits into `room_px` pixels at this size of letters even in a wide font.
pub(super) fn fitted(text: &str, size_px: f64, room_px: f64) -> String {
    let width_px = |text: &str| text.chars().map(letter_em).sum::<f64>() * size_px;
    let mut chars = text.chars().count();
    let mut shown = legible(text, chars);
    while width_px(&shown) > room_px && chars > 1 {
        chars -= 1;
        shown = legible(text, chars);
    }
    shown
}

/// Widths of letters, in sizes of the font; above those of common fonts.
fn letter_em(letter: char) -> f64 {
    match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.34,
        'f' | 'r' | 't' | '-' | '(' | ')' | '[' | ']' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1.0,
        'a'..='z' | '0'..='9' | '_' => 0.64,
        'A'..='Z' => 0.79,
        letter if letter.is_ascii() || ('\u{a0}'..'\u{250}').contains(&letter) => 0.84,
        _ => 1.0,
    }
}

/// A share of 1 in percent, with a decimal where whole percents would hide the difference.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if (percent - percent.round()).abs() < 1e-6 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// At most three decimals, and none that say nothing.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// With a prefix for thousands: `12k`, `3.5M`; below one with `m`, `µ`, `n`.
pub(super) fn prefixed(value: f64) -> String {
    const PREFIXES: [(f64, &str); 8] =
        [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")];
    // Rounding must not hide behind a limit: 999.9996 is 1k.
    let prefix = PREFIXES.iter().find(|(unit, _)| value.abs() >= unit * (1.0 - 1e-9));
    let (unit, name) = prefix.copied().unwrap_or((1.0, ""));
    format!("{}{name}", number(value / unit))
}

/// The line that says that numbers are missing; empty when none is.
pub(super) fn left_out_note(left_out: usize) -> String {
    match left_out {
        0 => String::new(),
        1 => "1 value cannot be drawn and is left out".to_owned(),
        n => format!("{n} values cannot be drawn and are left out"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cleaned() {
        assert_eq!(legible("short", 5), "short");
        assert_eq!(legible("a longer name", 9), "a longer…");
        assert_eq!(legible("bad\u{1b}[31m\0", 20), "bad?[31m?");
    }

    #[test]
    fn wide_letters_take_more_room() {
        assert_eq!(fitted("hour of the day", 13.0, 160.0), "hour of the day");
        assert_eq!(fitted("WWWWWWWWWW", 10.0, 55.0), "WWWW…");
        assert_eq!(fitted("iiiiiiiiii", 10.0, 55.0), "iiiiiiiiii");
        assert_eq!(fitted("x", 10.0, 0.0), "x", "one letter always");
    }

    /// Ten letters of each width fit into ten times their width and not into a hair less.
    #[test]
    fn every_letter_has_its_width() {
        let widths = [
            (0.34, "ijlI.,:;'|!"),
            (0.42, "frt-()[]/"),
            (1.0, "mwMW@%…漢\u{250}"),
            (0.64, "abcz059_"),
            (0.79, "ABCZ"),
            (0.84, "#$~?\u{a0}éß\u{24f}"),
        ];
        for (em, letters) in widths {
            for letter in letters.chars() {
                let ten = letter.to_string().repeat(10);
                assert_eq!(fitted(&ten, 100.0, 1_000.0 * em + 1e-6), ten, "{letter}");
                assert_ne!(fitted(&ten, 100.0, 1_000.0 * em - 1e-6), ten, "{letter}");
            }
        }
        assert_eq!(fitted("a b", 100.0, 162.0 + 1e-6), "a b");
    }

    #[test]
    fn a_name_that_just_fits_is_not_cut() {
        assert_eq!([legible("abcd", 4), legible("abcd", 3), legible("a bcd", 3)], ["abcd", "ab…", "a…"]);
        assert_eq!(legible("a\u{fffe}b\u{ffff}", 9), "a?b?");
    }

    #[test]
    fn no_limit_of_a_prefix_is_missed() {
        let all = [999.999_999_99, 999.0, 1e3, 1e12, 1e9, 0.5, 0.001, 2e-9, 5e-10, -2_500.0].map(prefixed);
        assert_eq!(all, ["1k", "999", "1k", "1T", "1G", "500m", "1m", "2n", "0", "-2.5k"]);
    }

    #[test]
    fn percents_have_a_decimal_only_where_it_says_something() {
        assert_eq!([0.120_000_001, 0.120_1, 0.0, 0.001].map(percent), ["12 %", "12.0 %", "0 %", "0.1 %"]);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0.25, 0.255, 1.0, 0.3].map(percent), ["25 %", "25.5 %", "100 %", "30 %"]);
        assert_eq!([0.5, 2.0, 0.1 + 0.2, -0.0001].map(number), ["0.5", "2", "0.3", "0"]);
        assert_eq!([1.0, 1_500.0, 2e6, 0.01, 1e-6, 0.0].map(prefixed), ["1", "1.5k", "2M", "10m", "1µ", "0"]);
    }

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(left_out_note(0), "");
        assert!(left_out_note(1).starts_with("1 value ") && left_out_note(3).starts_with("3 values "));
    }
}
