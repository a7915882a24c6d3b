//! Small words: durations, and texts from outside made safe to print. Counts and lists are [`crate::words`].

use std::{borrow::Cow, time::Duration};

pub use crate::words::{count, list, thousands};

/// "0.4s", "42s", "3m 05s", "1h 02m".
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The same without parts of a second, for what is redrawn.
pub fn duration_whole(whole: Duration) -> String {
    if whole.as_secs() < 10 { format!("{}s", whole.as_secs()) } else { duration(whole) }
}

/// A text from a blueprint, a host or a tool, without anything that a terminal would obey: control characters other
/// than line ends and tabs become what they are called (`\u{1b}`).
pub fn safe(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if obeyed(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// The same on one line: line ends become spaces.
pub fn one_line(text: &str) -> Cow<'_, str> {
    match safe(text.trim()) {
        text if text.contains(['\n', '\t']) => {
            Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        text => text,
    }
}

/// Later lines of a text moved in by so many columns.
pub fn indent(text: &str, columns: usize) -> String {
    let text = safe(text.trim_end());
    if text.contains('\n') { text.replace('\n', &format!("\n{:columns$}", "")) } else { text.into_owned() }
}

/// How many columns a text takes on a terminal, styles not counted.
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(anstream::adapter::strip_str(text).to_string().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let shown: Vec<String> =
            [420, 9_940, 42_000, 185_000, 3_725_000].map(|ms| duration(Duration::from_millis(ms))).to_vec();
        assert_eq!(shown, ["0.4s", "9.9s", "42s", "3m 05s", "1h 02m"]);
    }

    #[test]
    fn a_terminal_is_told_nothing_by_what_is_shown() {
        assert_eq!(safe("red \u{1b}[31m\r\n"), "red \\u{1b}[31m\\r\n");
        assert_eq!(one_line(" two\n  lines\t"), "two lines");
    }

    #[test]
    fn styles_take_no_columns() {
        assert_eq!(width("\u{1b}[1mbold\u{1b}[0m"), 4);
        assert_eq!(width("日本"), 4);
    }
}
