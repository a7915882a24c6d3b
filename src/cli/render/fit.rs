//! Long lines broken at spaces for a terminal, so that what goes on stands below where it began.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Narrower terminals are left to break lines themselves.
const COLUMNS_MIN: usize = 40;

/// Breaks each line that is wider than `columns`. What goes on is moved in to the column of the line's last field (what
/// comes after two spaces) where that leaves room, else two columns further than the line. Styles take no columns. A line
/// without a space to break at stays whole.
pub fn fit(text: &str, columns: usize) -> String {
    if columns < COLUMNS_MIN {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 64);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        one(&mut out, line, columns);
    }
    out
}

fn one(out: &mut String, line: &str, columns: usize) {
    let plain = anstream::adapter::strip_str(line).to_string();
    // The last column stays empty: some terminals go on to the next line when it is filled.
    if UnicodeWidthStr::width(plain.as_str()) < columns || plain.trim_start().starts_with("$ ") {
        out.push_str(line);
        return;
    }
    let indent = indent(&plain, columns);
    let start = out.len();
    // Where it can be broken: the byte of a space, and the column after it.
    let mut space: Option<(usize, usize)> = None;
    let (mut column, mut styled) = (0, false);
    let mut text_begun = false;
    for (at, c) in line.char_indices() {
        match c {
            '\u{1b}' => styled = true,
            _ if styled => styled = c != 'm',
            ' ' if text_begun => {
                space = Some((out.len(), column + 1));
                column += 1;
            }
            c => {
                text_begun |= c != ' ';
                column += c.width().unwrap_or(0);
            }
        }
        out.push(c);
        if column >= columns
            && c != ' '
            && let Some((byte, after)) = space.take().filter(|(byte, after)| *byte > start && *after > indent)
            // A word that fits on no line stays where it begins.
            && indent + width(&out[byte + 1..]) + width(line[at + c.len_utf8()..].split(' ').next().unwrap_or_default())
                <= columns
        {
            out.replace_range(byte..=byte, &format!("\n{:indent$}", ""));
            column = column - after + indent;
        }
    }
}

/// Columns of a text, whatever its styles.
fn width(text: &str) -> usize {
    UnicodeWidthStr::width(anstream::adapter::strip_str(text).to_string().as_str())
}

/// Where a broken line goes on.
fn indent(plain: &str, columns: usize) -> usize {
    let leading = plain.len() - plain.trim_start_matches(' ').len();
    let mut field = None;
    let (mut column, mut spaces) = (0, 0);
    for c in plain.chars() {
        if c == ' ' {
            spaces += 1;
        } else {
            if spaces >= 2 && column > leading && column <= columns / 2 {
                field = Some(column);
            }
            spaces = 0;
        }
        column += c.width().unwrap_or(0);
    }
    field.unwrap_or(leading + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_stands_below_its_field() {
        let text = "      ~ member.web1   changed: release, environment and other things\nshort";
        assert_eq!(
            fit(text, 44),
            "      ~ member.web1   changed: release,\n                      environment and other\n                      things\nshort"
        );
    }

    #[test]
    fn without_a_field_it_goes_on_two_columns_further() {
        let text = "  hint: make sure that the host can be reached, then plan again";
        assert_eq!(fit(text, 40), "  hint: make sure that the host can be\n    reached, then plan again");
    }

    #[test]
    fn styles_take_no_columns_and_stay() {
        let text = "\u{1b}[1mone two three four five six seven eight nine ten\u{1b}[0m";
        assert_eq!(fit(text, 40), "\u{1b}[1mone two three four five six seven eight\n  nine ten\u{1b}[0m");
    }

    #[test]
    fn what_cannot_be_broken_or_must_not_stays() {
        let path = "a".repeat(90);
        assert_eq!(fit(&path, 40), path);
        let output = format!("  databases.orders.secret  = {path}");
        assert_eq!(fit(&output, 80), output);
        let then = format!("{output}\n{:27}and others here", "");
        assert_eq!(fit(&format!("{output} and others here"), 100), then);
        let command = format!("  $ standfast lab up {path}");
        assert_eq!(fit(&command, 40), command);
        assert_eq!(fit("many words that are too wide for it", 20), "many words that are too wide for it");
    }

    proptest::proptest! {
        /// Only spaces become line ends and indents.
        #[test]
        fn no_word_is_lost(text in "[a-z \u{4e00}-\u{4e10}]{0,200}", columns in 0usize..120) {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            proptest::prop_assert_eq!(words(&fit(&text, columns)), words(&text));
        }
    }
}
