//! How values are shown: never a secret, and with the difference of two of them where lines tell more than values.

use serde::{Serialize, Serializer, ser::SerializeMap};
use similar::{ChangeTag, TextDiff};
use standfast_contract::{OutputRef, Target, Value};

use super::words;

pub const SENSITIVE: &str = "(sensitive)";

/// Unchanged lines shown around a difference.
const CONTEXT_LINES: usize = 2;
/// Beyond so many bytes two texts are not compared line by line.
const COMPARED_BYTES_MAX: usize = 512 * 1024;
/// A value on one line is cut after so many characters.
const LINE_CHARACTERS_MAX: usize = 100;
/// A list or map longer than this is shown with a line for each entry.
const INLINE_CHARACTERS_MAX: usize = 60;

/// One difference, ready to be laid out.
#[derive(Debug, PartialEq)]
pub enum Difference {
    /// Was nothing.
    Added(String),
    /// Will be nothing.
    Removed(String),
    Values {
        before: String,
        after: String,
    },
    /// Both are secret.
    Hidden,
    Lines(Vec<Line>),
    /// Too long to be compared; how long each is.
    TooLong {
        before: String,
        after: String,
    },
}

/// A line of a difference.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// Lines in between that are the same and not shown.
    Gap(usize),
    Same(String),
    Gone(String),
    New(String),
    /// About the line before it, not a part of the text.
    Note(&'static str),
}

/// What differs between two values.
pub fn difference(before: &Value, after: &Value) -> Difference {
    match (before, after) {
        (before, after) if is_hidden(before) && is_hidden(after) => Difference::Hidden,
        (Value::Null, after) => Difference::Added(inline(after)),
        (before, Value::Null) => Difference::Removed(inline(before)),
        (Value::Unknown, _) | (_, Value::Unknown) => values(before, after),
        _ => {
            let (old, new) = blocks(before, after);
            if !old.contains('\n') && !new.contains('\n') {
                return values(before, after);
            }
            if old.len() + new.len() > COMPARED_BYTES_MAX {
                let length = |text: &str| {
                    format!(
                        "{}, {}",
                        words::count(text.lines().count(), "line"),
                        words::count(text.len(), "byte")
                    )
                };
                return Difference::TooLong { before: length(&old), after: length(&new) };
            }
            if old == new {
                // Only secrets inside differ, and they look alike.
                return Difference::Hidden;
            }
            Difference::Lines(lines(&old, &new))
        }
    }
}

fn values(before: &Value, after: &Value) -> Difference {
    let (old, new) = (inline(before), inline(after));
    if old == new && after.is_sensitive() {
        return Difference::Hidden;
    }
    Difference::Values { before: old, after: new }
}

fn is_hidden(value: &Value) -> bool {
    matches!(value, Value::Sensitive(_) | Value::Secret(_))
}

/// The lines that differ, with a little around them.
fn lines(old: &str, new: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(old, new);
    let mut shown = Vec::new();
    let mut next = 0;
    for group in diff.grouped_ops(CONTEXT_LINES) {
        let start = group.first().map_or(0, |op| op.old_range().start);
        if start > next {
            shown.push(Line::Gap(start - next));
        }
        next = group.last().map_or(next, |op| op.old_range().end);
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let text = words::safe(change.value().trim_end_matches('\n')).into_owned();
            shown.push(match change.tag() {
                ChangeTag::Equal => Line::Same(text),
                ChangeTag::Delete => Line::Gone(text),
                ChangeTag::Insert => Line::New(text),
            });
            if change.missing_newline() && old.ends_with('\n') != new.ends_with('\n') {
                shown.push(Line::Note("no line end"));
            }
        }
    }
    let total = old.lines().count();
    if total > next {
        shown.push(Line::Gap(total - next));
    }
    shown
}

/// A value on one line, cut where it is long.
pub fn inline(value: &Value) -> String {
    cut(&whole(value))
}

/// A value on one line, quoted where it would read as something else than a text.
pub fn whole(value: &Value) -> String {
    match value {
        Value::Text(text) if text.is_empty() || text.trim() != text || text.contains(['\n', '\t']) => {
            words::safe(&format!("{text:?}")).into_owned()
        }
        Value::Output(reference) => expression(reference),
        other => words::safe(&other.to_string()).into_owned(),
    }
}

fn cut(text: &str) -> String {
    let length = text.chars().count();
    if length <= LINE_CHARACTERS_MAX {
        return text.to_owned();
    }
    let head: String = text.chars().take(LINE_CHARACTERS_MAX - 20).collect();
    format!("{head}... ({} characters)", words::thousands(length))
}

/// A value over as many lines as it is best read in: texts as they are, lists and maps an entry a line.
pub fn block(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::List(_) | Value::Map(_) => {
            let inline = whole(value);
            if inline.chars().count() <= INLINE_CHARACTERS_MAX {
                return inline;
            }
            entries(value)
        }
        other => whole(other),
    }
}

/// Two values as they are best read side by side: lists and maps alike in both.
fn blocks(before: &Value, after: &Value) -> (String, String) {
    let (old, new) = (block(before), block(after));
    if old.contains('\n') == new.contains('\n') {
        return (old, new);
    }
    let alike = |value: &Value, text: String| match value {
        Value::List(_) | Value::Map(_) => entries(value),
        _ => text,
    };
    (alike(before, old), alike(after, new))
}

/// One entry a line, as YAML has it; every line ends.
fn entries(value: &Value) -> String {
    let mut text = String::new();
    spread(value, 0, &mut text);
    text
}

/// What an item of a list begins with.
const DASH: &str = "- ";

fn spread(value: &Value, depth: usize, text: &mut String) {
    let mut entry = |head: &str, value: &Value| {
        let pad = "  ".repeat(depth);
        let is_of_entries = match value {
            Value::List(inner) => !inner.is_empty(),
            Value::Map(inner) => !inner.is_empty(),
            _ => false,
        };
        match value {
            _ if is_of_entries && head == DASH => {
                let mut below = String::new();
                spread(value, depth + 1, &mut below);
                text.push_str(&format!("{pad}{DASH}{}", below.trim_start()));
            }
            _ if is_of_entries => {
                text.push_str(&format!("{pad}{}\n", head.trim_end()));
                spread(value, depth + 1, text);
            }
            Value::Text(long) if long.contains('\n') => {
                text.push_str(&format!("{pad}{head}|\n"));
                long.lines().for_each(|line| text.push_str(&format!("{pad}  {line}\n")));
            }
            plain => text.push_str(&format!("{pad}{head}{}\n", whole(plain))),
        }
    };
    match value {
        Value::List(values) => values.iter().for_each(|value| entry(DASH, value)),
        Value::Map(map) => map.iter().for_each(|(key, value)| entry(&format!("{key}: "), value)),
        _ => {}
    }
}

fn expression(reference: &OutputRef) -> String {
    match &reference.of {
        Target::Component(of) => format!("${{{of}.{}}}", reference.output),
        Target::Resource(of) => format!("${{{of}.{}}}", reference.output),
    }
}

/// The same value with words in the place of secrets, for what is written by its own serde.
pub fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Sensitive(_) | Value::Secret(_) => Value::text(SENSITIVE),
        Value::Join(parts) if parts.iter().any(Value::is_sensitive) => Value::text(SENSITIVE),
        Value::List(values) => Value::List(values.iter().map(without_secrets).collect()),
        Value::Map(map) => {
            Value::Map(map.iter().map(|(key, value)| (key.clone(), without_secrets(value))).collect())
        }
        plain => plain.clone(),
    }
}

/// A value as JSON for other programs: `"(sensitive)"` for a secret, `{"$unknown": true}` for what apply will tell,
/// `{"$expression": "..."}` for a reference that is not resolved yet. A key of the user's own that begins with `$` is
/// doubled. Described in docs/plan-json.md.
pub struct Masked<'a>(pub &'a Value);

impl Serialize for Masked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tagged = |serializer: S, tag: &str, text: &str| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(tag, text)?;
            map.end()
        };
        match self.0 {
            Value::Sensitive(_) | Value::Secret(_) => serializer.serialize_str(SENSITIVE),
            Value::Join(parts) if parts.iter().any(Value::is_sensitive) => {
                serializer.serialize_str(SENSITIVE)
            }
            Value::Join(_) => tagged(serializer, "$expression", &self.0.to_string()),
            Value::Output(reference) => tagged(serializer, "$expression", &expression(reference)),
            Value::List(values) => serializer.collect_seq(values.iter().map(Masked)),
            Value::Map(map) => MaskedMap(map).serialize(serializer),
            plain => plain.serialize(serializer),
        }
    }
}

/// A map of values as JSON for other programs; see [`Masked`].
pub struct MaskedMap<'a>(pub &'a standfast_contract::Map);

impl Serialize for MaskedMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| {
            let key = if key.starts_with('$') { format!("${key}") } else { key.clone() };
            (key, Masked(value))
        }))
    }
}

#[cfg(test)]
mod tests {
    use standfast_contract::{Map, SecretSource, Sensitive};

    use super::*;

    fn shown(before: impl Into<Value>, after: impl Into<Value>) -> String {
        match difference(&before.into(), &after.into()) {
            Difference::Lines(lines) => lines
                .iter()
                .map(|line| match line {
                    Line::Gap(count) => format!("@{count}\n"),
                    Line::Same(text) => format!("  {text}\n"),
                    Line::Gone(text) => format!("- {text}\n"),
                    Line::New(text) => format!("+ {text}\n"),
                    Line::Note(text) => format!("\\ {text}\n"),
                })
                .collect(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_text_of_lines_is_compared_by_line() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(shown(old, old.replace('5', "five")), "@2\n  3\n  4\n- 5\n+ five\n  6\n  7\n@2\n");
        assert_eq!(shown("a\nb", "a\nb\n"), "  a\n- b\n\\ no line end\n+ b\n");
    }

    #[test]
    fn long_lists_are_compared_by_entry() {
        let list = |last: &str| {
            let hosts = ["10.77.0.21:8080", "10.77.0.22:8080", "10.77.0.23:8080", last];
            hosts.into_iter().collect::<Value>()
        };
        let text = shown(list("10.77.0.24:8080"), list("10.77.0.25:8080"));
        assert_eq!(
            text,
            "@1\n  - 10.77.0.22:8080\n  - 10.77.0.23:8080\n- - 10.77.0.24:8080\n+ - 10.77.0.25:8080\n"
        );
        assert_eq!(
            shown(Value::from_iter(["a"]), Value::from_iter(["b"])),
            r#"Values { before: "[a]", after: "[b]" }"#
        );
        // One that is short beside one that is long.
        let subnets =
            |count: usize| (0..count).map(|at| format!("subnet-0123456789abcdef{at}")).collect::<Value>();
        assert_eq!(
            shown(subnets(1), subnets(4)),
            "  - subnet-0123456789abcdef0\n+ - subnet-0123456789abcdef1\n+ - subnet-0123456789abcdef2\n\
             + - subnet-0123456789abcdef3\n"
        );
    }

    #[test]
    fn a_list_of_maps_is_spread_as_yaml_has_it() {
        let route = |to: &str, by: &str| -> Value {
            let by = Value::from_iter([by.to_owned() + "-with-a-rather-long-name-of-its-own"]);
            Value::Map(Map::from([("by".into(), by), ("to".into(), to.into())]))
        };
        assert_eq!(
            block(&Value::List(vec![route("0.0.0.0/0", "gateway"), route("10.0.0.0/8", "peering")])),
            "- by:\n    - gateway-with-a-rather-long-name-of-its-own\n  to: 0.0.0.0/0\n\
             - by:\n    - peering-with-a-rather-long-name-of-its-own\n  to: 10.0.0.0/8\n"
        );
    }

    #[test]
    fn secrets_are_never_shown_not_even_by_their_digest() {
        let one = Value::Sensitive(Sensitive::from_digest("d1"));
        let two = Value::Sensitive(Sensitive::from_digest("d2"));
        assert_eq!(difference(&one, &two), Difference::Hidden);
        let map = |value: &Value| Value::Map(Map::from([("password".into(), value.clone())]));
        assert_eq!(difference(&map(&one), &map(&two)), Difference::Hidden);
        let all = Value::List(vec![
            one,
            Value::Secret(SecretSource::Env("PASSWORD".into())),
            Value::Join(vec!["user:".into(), two]),
            Value::Unknown,
        ]);
        let json = serde_json::to_string(&Masked(&all)).unwrap();
        assert_eq!(json, r#"["(sensitive)","(sensitive)","(sensitive)",{"$unknown":true}]"#);
    }

    #[test]
    fn a_key_of_the_users_own_is_not_taken_for_a_tag() {
        let map = Value::Map(Map::from([("$unknown".into(), true.into())]));
        assert_eq!(serde_json::to_string(&Masked(&map)).unwrap(), r#"{"$$unknown":true}"#);
    }

    #[test]
    fn long_values_are_cut_and_escapes_are_spelt_out() {
        assert!(inline(&Value::text("x".repeat(400))).ends_with("xx... (400 characters)"));
        assert_eq!(inline(&Value::text("a\u{1b}[2Jb")), "a\\u{1b}[2Jb");
        assert_eq!(inline(&Value::text("two\nlines")), r#""two\nlines""#);
    }

    #[test]
    fn texts_too_long_to_compare_say_how_long_they_are() {
        let long = "line\n".repeat(120_000);
        let Difference::TooLong { before, .. } = difference(&Value::text(long), &Value::text("one\ntwo\n"))
        else {
            panic!("compared");
        };
        assert_eq!(before, "120,000 lines, 600,000 bytes");
    }
}
