//! Counts and lists as people say them: the one place that knows a plural.

use std::borrow::Cow;

/// "1 step", "3 steps", "1,204 steps", "2 addresses".
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

/// "web1", "web1 and web2", "web1, web2 and web3"; of more than `most` "web1, web2 and 7 more", but never "and 1 more".
pub fn list<T: AsRef<str>>(items: &[T], most: usize) -> String {
    let shown = if items.len() > most + 1 { most.max(1) } else { items.len() };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_people_say_them() {
        assert_eq!(count(1, "step"), "1 step");
        assert_eq!(count(0, "step"), "0 steps");
        assert_eq!(count(1204, "step"), "1,204 steps");
        assert_eq!(count(2, "address"), "2 addresses");
        assert_eq!(thousands(100_000), "100,000");
    }

    #[test]
    fn lists_end_in_and() {
        assert_eq!(list(&["a"], 5), "a");
        assert_eq!(list(&["a", "b", "c"], 5), "a, b and c");
        assert_eq!(list(&["a", "b", "c"], 2), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
