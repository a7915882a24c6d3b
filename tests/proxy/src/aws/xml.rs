//! As much of XML as the answers need: elements, where they begin and end, and what is in them.

use std::ops::Range;

/// An element by its name, its tags included, and what is between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub name: &'a str,
    pub whole: Range<usize>,
    pub inner: Range<usize>,
}

/// The elements of a text that are in no other.
pub(super) fn elements(xml: &str) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    // The open one of this level, and how many are open.
    let (mut open, mut depth) = (None, 0_usize);
    for (name, tag, kind) in tags(xml) {
        match kind {
            Tag::Empty if depth == 0 => {
                found.push(Element { name, inner: tag.end..tag.end, whole: tag });
            }
            Tag::Empty => {}
            Tag::Open => {
                if depth == 0 {
                    open = Some((name, tag));
                }
                depth += 1;
            }
            Tag::Close => {
                depth = depth.saturating_sub(1);
                if depth == 0
                    && let Some((name, began)) = open.take()
                {
                    found.push(Element { name, whole: began.start..tag.end, inner: began.end..tag.start });
                }
            }
        }
    }
    found
}

/// The first element of this name, however deep: where what is in it begins and ends.
pub(super) fn find(xml: &str, name: &str) -> Option<Range<usize>> {
    let (_, tag, kind) = tags(xml).find(|(found, _, kind)| *found == name && *kind != Tag::Close)?;
    if kind == Tag::Empty {
        return Some(tag.end..tag.end);
    }
    let first = elements(&xml[tag.start..]).into_iter().next()?;
    Some(tag.start + first.inner.start..tag.start + first.inner.end)
}

/// The text of the first element of this name, however deep.
pub(super) fn text<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    find(xml, name).map(|inner| &xml[inner])
}

/// The text of the element of this name right below.
pub(super) fn own<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let found = elements(xml).into_iter().find(|element| element.name == name)?;
    Some(&xml[found.inner])
}

/// The same with another text in the first element of this name.
pub(super) fn with_text(xml: &str, name: &str, text: &str) -> String {
    let mut changed = xml.to_owned();
    if let Some(inner) = find(xml, name) {
        changed.replace_range(inner, text);
    }
    changed
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Open,
    Close,
    Empty,
}

fn tags(xml: &str) -> impl Iterator<Item = (&str, Range<usize>, Tag)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + xml[at..].find('<')?;
            let end = start + xml[start..].find('>')? + 1;
            at = end;
            let tag = &xml[start + 1..end - 1];
            let kind = match tag.as_bytes().first()? {
                b'?' | b'!' => continue,
                b'/' => Tag::Close,
                _ if tag.ends_with('/') => Tag::Empty,
                _ => Tag::Open,
            };
            let name = tag.trim_matches('/').split_whitespace().next().unwrap_or_default();
            return Some((name, start..end, kind));
        }
    })
}
