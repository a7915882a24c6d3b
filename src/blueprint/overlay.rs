//! Laying one tree over another: environments over the blueprint, components over their section's defaults.
//!
//! Maps merge key by key, lists and scalars replace, `null` removes. Every node keeps its own place, so that a problem
//! is shown where it was written.

use super::node::{Entries, Kind, Node};

/// Lays `over` over `base`.
pub fn lay(base: Node, over: &Node) -> Node {
    match (base.kind, &over.kind) {
        (Kind::Map(entries), Kind::Map(changes)) => {
            Node { span: base.span, kind: Kind::Map(lay_entries(entries, changes)) }
        }
        _ => without_nulls(over),
    }
}

fn lay_entries(mut entries: Entries, changes: &Entries) -> Entries {
    // Rebuilt at the end when something goes: removing in order one by one would be quadratic.
    let mut removed = false;
    for (name, change) in changes {
        match entries.get_mut(name) {
            Some(entry) if change.value.is_null() => {
                entry.value.kind = Kind::Null;
                removed = true;
            }
            Some(entry) => {
                let old =
                    std::mem::replace(&mut entry.value, Node { span: change.value.span, kind: Kind::Null });
                let both_maps = old.as_map().is_some() && change.value.as_map().is_some();
                entry.value = lay(old, &change.value);
                if !both_maps {
                    entry.key = change.key;
                }
            }
            None if change.value.is_null() => {}
            None => {
                let mut entry = change.clone();
                entry.value = without_nulls(&change.value);
                entries.insert(name.clone(), entry);
            }
        }
    }
    if removed {
        entries.retain(|name, entry| {
            !(entry.value.is_null() && changes.get(name).is_some_and(|change| change.value.is_null()))
        });
    }
    entries
}

/// A copy in which every key that `null` would have removed is gone.
fn without_nulls(node: &Node) -> Node {
    match &node.kind {
        Kind::Map(entries) => {
            let kept = entries.iter().filter(|(_, entry)| !entry.value.is_null()).map(|(name, entry)| {
                let mut entry = entry.clone();
                entry.value = without_nulls(&entry.value);
                (name.clone(), entry)
            });
            Node { span: node.span, kind: Kind::Map(kept.collect()) }
        }
        _ => node.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{diagnostic::Sink, read::read};
    use super::*;

    fn tree(text: &str) -> Node {
        read(text, &Sink::default()).unwrap()
    }

    /// Compares without places.
    fn check(base: &str, over: &str, expected: &str) {
        fn bare(node: &Node) -> String {
            match &node.kind {
                Kind::Null => "null".into(),
                Kind::Scalar(scalar) => scalar.text.clone(),
                Kind::Template(_) | Kind::Failed => "other".into(),
                Kind::List(items) => format!("[{}]", items.iter().map(bare).collect::<Vec<_>>().join(" ")),
                Kind::Map(entries) => {
                    let entries =
                        entries.iter().map(|(name, entry)| format!("{name}:{}", bare(&entry.value)));
                    format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
                }
            }
        }
        assert_eq!(bare(&lay(tree(base), &tree(over))), bare(&tree(expected)));
    }

    #[test]
    fn maps_merge_lists_replace_null_removes() {
        check("{a: 1, b: {c: 2, d: [1, 2]}}", "{b: {d: [3], e: 4}}", "{a: 1, b: {c: 2, d: [3], e: 4}}");
        check("{a: 1, b: 2, c: 3}", "{b: null}", "{a: 1, c: 3}");
        check("{a: {b: 1}}", "{a: 2}", "{a: 2}");
        check("{a: 1}", "{a: {b: null, c: 2}}", "{a: {c: 2}}");
        check("{a: 1}", "{z: {y: null}, x: null}", "{a: 1, z: {}}");
    }

    #[test]
    fn places_are_those_of_where_it_was_written() {
        let text = "base: {a: 1, b: 2}\nover: {b: 3}\n";
        let root = tree(text);
        let merged = lay(root.get("base").unwrap().clone(), root.get("over").unwrap());
        assert_eq!(&text[merged.get("b").unwrap().span.range()], "3");
        assert_eq!(&text[merged.get("a").unwrap().span.range()], "1");
    }
}
