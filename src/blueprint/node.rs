//! The tree of a YAML file: every key and scalar with its place, scalars still in the words of the file.
//!
//! Scalars keep their source text (`0644` stays `0644`), so that the key that reads one decides what it means.
//!
//! Deliberately absent: types. [`super::scalar`] reads them out of the text.

use std::ops::Range;

use indexmap::IndexMap;

/// Bytes of the file, from `start` up to `end`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// Offsets beyond 4 GiB do not occur: the size of a file is capped far below.
    pub fn new(start: usize, end: usize) -> Self {
        let clip = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { start: clip(start), end: clip(end.max(start)) }
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    pub span: Span,
    pub kind: Kind,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    Scalar(Scalar),
    /// A text with references that are known later. Only interpolation makes it.
    Template(Vec<Part>),
    List(Vec<Node>),
    Map(Entries),
    /// What stood here was wrong and has been reported: nothing more is said of it.
    Failed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scalar {
    pub text: String,
    /// Without quotes, so that it may be a number or a boolean.
    pub plain: bool,
}

pub type Entries = IndexMap<String, Entry>;

#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Where the key stands.
    pub key: Span,
    pub value: Node,
}

/// So much text counts as much as a node.
pub const WEIGHT_BYTES: usize = 64;

/// A piece of a text with references.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    Text(String),
    /// `secrets.NAME`.
    Secret(String),
    /// `SECTION.NAME.OUTPUT`, not checked yet.
    Output {
        section: String,
        name: String,
        output: String,
    },
}

impl Node {
    pub fn empty_map(span: Span) -> Self {
        Node { span, kind: Kind::Map(Entries::new()) }
    }

    pub fn plain(span: Span, text: impl Into<String>) -> Self {
        Node { span, kind: Kind::Scalar(Scalar { text: text.into(), plain: true }) }
    }

    pub fn as_map(&self) -> Option<&Entries> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The value of a key, where this is a map that has it and it is not null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key).map(|entry| &entry.value).filter(|value| !value.is_null())
    }

    /// How much it counts against the limits: one for each node and key, and one for every 64 bytes of text.
    pub fn weight(&self) -> usize {
        1 + match &self.kind {
            Kind::Null | Kind::Failed | Kind::Template(_) => 0,
            Kind::Scalar(scalar) => scalar.text.len() / WEIGHT_BYTES,
            Kind::List(items) => items.iter().map(Node::weight).sum(),
            Kind::Map(entries) => entries
                .iter()
                .map(|(name, entry)| 1 + name.len() / WEIGHT_BYTES + entry.value.weight())
                .sum::<usize>(),
        }
    }

    /// The same with another place, all the way down.
    #[must_use]
    pub fn moved_to(&self, span: Span) -> Node {
        let kind = match &self.kind {
            Kind::List(items) => Kind::List(items.iter().map(|item| item.moved_to(span)).collect()),
            Kind::Map(entries) => {
                let moved = |(name, entry): (&String, &Entry)| {
                    (name.clone(), Entry { key: span, value: entry.value.moved_to(span) })
                };
                Kind::Map(entries.iter().map(moved).collect())
            }
            other => other.clone(),
        };
        Node { span, kind }
    }

    /// As an error message says what was found.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".into(),
            Kind::Scalar(scalar) if scalar.plain => format!("`{}`", shorten(&scalar.text)),
            Kind::Scalar(scalar) => format!("the text \"{}\"", shorten(&scalar.text)),
            Kind::Template(_) => "a text with references".into(),
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a map".into(),
            Kind::Failed => "a mistake".into(),
        }
    }
}

/// One line of at most 40 characters.
pub fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(40).collect();
    if short.len() < text.trim_end_matches('\n').len() {
        short.push('…');
    }
    short
}
