//! Small words: counts, durations, lists, and texts from outside made safe to print.

use std::{borrow::Cow, time::Duration};

/// "1 step", "3 steps", "1,204 steps".
pub fn count(number: usize, one: &str) -> String {
    let many = if one.ends_with('s') { "es" } else { "s" };
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { many })
}

/// "41", "100,000".
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

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

/// "web1", "web1 and web2", "web1, web2 and web3"; from `most` on "web1, web2 and 7 more".
pub fn list<T: AsRef<str>>(items: &[T], most: usize) -> String {
    let shown = if items.len() > most { most.max(1) } else { items.len() };
    let mut parts: Vec<Cow<'_, str>> =
        items[..shown].iter().map(|item| Cow::Borrowed(item.as_ref())).collect();
    if items.len() > shown {
        parts.push(Cow::Owned(format!("{} more", items.len() - shown)));
    }
    match parts.split_last() {
        None => String::new(),
        Some((last, [])) => last.to_string(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
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
    fn counts_and_durations_read_as_people_say_them() {
        assert_eq!(count(1, "step"), "1 step");
        assert_eq!(count(1204, "step"), "1,204 steps");
        assert_eq!(count(2, "address"), "2 addresses");
        assert_eq!(thousands(100_000), "100,000");
        let shown: Vec<String> =
            [420, 9_940, 42_000, 185_000, 3_725_000].map(|ms| duration(Duration::from_millis(ms))).to_vec();
        assert_eq!(shown, ["0.4s", "9.9s", "42s", "3m 05s", "1h 02m"]);
    }

    #[test]
    fn lists_end_in_and() {
        assert_eq!(list(&["a"], 5), "a");
        assert_eq!(list(&["a", "b", "c"], 5), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d"], 2), "a, b and 2 more");
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
