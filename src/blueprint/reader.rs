//! Typed reading of a map along its table of keys, defaults included.
//!
//! The walk over the table ([`super::shape`]) has reported every wrong type already, so what cannot be read here is
//! `None` without another word.

use std::{
    cell::Cell,
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use ipnet::IpNet;
use standfast_contract::{ComponentId, OutputRef, SecretSource, Section, Value, value::Map};

use super::{
    diagnostic::{Diagnostic, Sink},
    keys::{Object, Shape},
    names::{Names, suggest},
    node::{Entries, Entry, Kind, Node, Part, Scalar, Span},
    scalar,
};

/// What every check knows.
pub struct Context<'a> {
    pub names: &'a Names,
    pub sink: &'a Sink,
    pub secrets: &'a BTreeMap<String, SecretSource>,
    /// What local paths are relative to; absolute.
    pub folder: &'a Path,
    /// Hosts that `all` stood for so far.
    pub hosts_named: Cell<usize>,
}

/// A map, read by its table.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub context: &'a Context<'a>,
    object: &'static Object,
    entries: &'a Entries,
    /// Where a problem of the whole is shown: the key that holds it.
    pub owner: Span,
}

static NO_ENTRIES: LazyLock<Entries> = LazyLock::new(Entries::new);

/// A reader of a map; of an empty one where the node is none.
pub fn reader<'a>(
    context: &'a Context<'a>,
    object: &'static Object,
    node: &'a Node,
    owner: Span,
) -> Reader<'a> {
    Reader { context, object, entries: node.as_map().unwrap_or(&NO_ENTRIES), owner }
}

impl<'a> Reader<'a> {
    /// What is written at a key.
    pub fn entry(&self, key: &str) -> Option<&'a Entry> {
        debug_assert!(self.object.key(key).is_some(), "{} has no key {key}", self.object.id);
        self.entries.get(key).filter(|entry| !entry.value.is_null())
    }

    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    pub fn node(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Where to show a problem with a key: its value, or the whole where it is not written.
    pub fn span(&self, key: &str) -> Span {
        self.node(key).map_or(self.owner, |node| node.span)
    }

    /// The scalar at a key, or its default.
    fn scalar(&self, key: &str) -> Option<Scalar> {
        match self.entry(key) {
            Some(entry) => entry.value.as_scalar().cloned(),
            None => {
                let default = self.object.key(key)?.default?;
                Some(Scalar { text: default.to_owned(), plain: true })
            }
        }
    }

    pub fn text(&self, key: &str) -> Option<String> {
        self.scalar(key).map(|scalar| scalar.text)
    }

    pub fn bool(&self, key: &str) -> Option<bool> {
        scalar::boolean(&self.scalar(key)?)
    }

    /// `None` as well where it is out of the range of `T`.
    pub fn int<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        T::try_from(scalar::integer(&self.scalar(key)?)?).ok()
    }

    pub fn port(&self, key: &str) -> Option<u16> {
        scalar::port(&self.scalar(key)?)
    }

    pub fn number(&self, key: &str) -> Option<f64> {
        scalar::number(&self.scalar(key)?)
    }

    pub fn duration(&self, key: &str) -> Option<Duration> {
        scalar::duration(&self.text(key)?)
    }

    pub fn size(&self, key: &str) -> Option<u64> {
        scalar::size(&self.text(key)?)
    }

    /// Percent.
    pub fn share(&self, key: &str) -> Option<f64> {
        scalar::share(&self.text(key)?)
    }

    pub fn mode(&self, key: &str) -> Option<String> {
        scalar::mode(&self.text(key)?)
    }

    pub fn ip(&self, key: &str) -> Option<IpAddr> {
        scalar::ip(&self.text(key)?)
    }

    pub fn cidr(&self, key: &str) -> Option<IpNet> {
        scalar::network(&self.text(key)?)
    }

    /// The value behind the word. The words must be those of the table.
    pub fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        debug_assert!(
            self.object
                .key(key)
                .is_some_and(|key| same_words(&key.shape, words.iter().map(|(word, _)| *word))),
            "{}.{key}: the words of the table differ",
            self.object.id
        );
        let text = self.text(key)?;
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    /// The items of a list; none where it is not there.
    pub fn items(&self, key: &str) -> &'a [Node] {
        self.node(key).and_then(Node::as_list).unwrap_or_default()
    }

    pub fn texts(&self, key: &str) -> Vec<String> {
        self.items(key).iter().filter_map(Node::as_scalar).map(|scalar| scalar.text.clone()).collect()
    }

    /// The entries of a map by name; none where it is not there.
    pub fn entries(&self, key: &str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let entries = self.node(key).and_then(Node::as_map).unwrap_or(&NO_ENTRIES);
        entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// The map at a key; `None` where it is not there.
    pub fn child(&self, key: &str) -> Option<Reader<'a>> {
        let entry = self.entry(key)?;
        Some(reader(self.context, self.object_of(key)?, &entry.value, entry.key))
    }

    /// The map at a key, or its defaults.
    pub fn child_or_default(&self, key: &str) -> Option<Reader<'a>> {
        let object = self.object_of(key)?;
        self.child(key).or(Some(Reader { object, entries: &NO_ENTRIES, ..*self }))
    }

    /// The maps of a list.
    pub fn children(&self, key: &str) -> impl Iterator<Item = Reader<'a>> {
        let context = self.context;
        let object = self.object_of(key);
        let items = self.items(key).iter();
        items.filter_map(move |node| Some(reader(context, object?, node, node.span)))
    }

    /// The maps of a map, by name.
    pub fn named(&self, key: &str) -> impl Iterator<Item = (&'a str, Reader<'a>)> {
        let context = self.context;
        let object = self.object_of(key);
        self.entries(key)
            .filter_map(move |(name, entry)| Some((name, reader(context, object?, &entry.value, entry.key))))
    }

    fn object_of(&self, key: &str) -> Option<&'static Object> {
        fn of(shape: &'static Shape) -> Option<&'static Object> {
            match shape {
                Shape::Object(object) => Some(object),
                Shape::List(inner) | Shape::Map(_, inner) | Shape::Partial(inner) => of(inner),
                Shape::Either(shapes) => shapes.iter().find_map(of),
                _ => None,
            }
        }
        let object = of(&self.object.key(key)?.shape);
        debug_assert!(object.is_some(), "{}.{key} holds no map", self.object.id);
        object
    }

    /// A value that may hold references.
    pub fn value(&self, key: &str) -> Option<Value> {
        self.context.value(self.node(key)?)
    }

    /// A map of values.
    pub fn values(&self, key: &str) -> Map {
        self.entries(key)
            .filter_map(|(name, entry)| Some((name.to_owned(), self.context.value(&entry.value)?)))
            .collect()
    }

    /// A local path that must be there, absolute.
    pub fn existing_path(&self, key: &str, what: &str) -> Option<String> {
        let node = self.node(key)?;
        let written = &node.as_scalar()?.text;
        let path = self.context.absolute(written);
        if !Path::new(&path).exists() {
            self.context.sink.push(
                Diagnostic::error(node.span, format!("there is no {what} `{written}`"))
                    .label(format!("looked for at {}", self.context.shown(&path))),
            );
            return None;
        }
        Some(path)
    }

    /// A local path that may be made later, absolute.
    pub fn path(&self, key: &str) -> Option<String> {
        self.text(key).map(|text| self.context.absolute(&text))
    }

    pub fn error(&self, key: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.span(key), message)
    }

    pub fn warning(&self, key: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(self.span(key), message)
    }

    pub fn push(&self, diagnostic: Diagnostic) {
        self.context.sink.push(diagnostic);
    }
}

impl Context<'_> {
    /// Relative to the blueprint's folder; `~/` is the user's home.
    pub fn absolute(&self, written: &str) -> String {
        let path = match written.strip_prefix("~/") {
            Some(rest) => std::env::home_dir().unwrap_or_else(|| PathBuf::from("/")).join(rest),
            None => self.folder.join(written),
        };
        // Takes the `.` parts out; links are left alone.
        path.components().collect::<PathBuf>().to_string_lossy().into_owned()
    }

    /// As a message shows a path: relative where it is below the current folder.
    pub fn shown(&self, path: &str) -> String {
        let current = std::env::current_dir().unwrap_or_default();
        Path::new(path)
            .strip_prefix(current)
            .map_or_else(|_| path.to_owned(), |short| short.display().to_string())
    }

    /// A node with references. `None` where something in it failed.
    pub fn value(&self, node: &Node) -> Option<Value> {
        Some(match &node.kind {
            Kind::Failed => return None,
            Kind::Null => Value::Null,
            Kind::Scalar(scalar) => plain_value(scalar),
            Kind::Template(parts) => {
                let mut parts = parts.iter().map(|part| self.part(part)).collect::<Option<Vec<_>>>()?;
                if parts.len() == 1 { parts.remove(0) } else { Value::Join(parts) }
            }
            Kind::List(items) => {
                Value::List(items.iter().map(|item| self.value(item)).collect::<Option<_>>()?)
            }
            Kind::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(name, entry)| Some((name.clone(), self.value(&entry.value)?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }

    fn part(&self, part: &Part) -> Option<Value> {
        Some(match part {
            Part::Text(text) => Value::Text(text.clone()),
            Part::Secret(name) => Value::Secret(self.secrets.get(name)?.clone()),
            Part::Output { section, name, output } => {
                OutputRef::component(ComponentId::new(section.parse::<Section>().ok()?, name), output)
            }
        })
    }

    /// The secret of a `${secrets.NAME}`.
    pub fn secret(&self, node: &Node) -> Option<SecretSource> {
        match self.value(node)? {
            Value::Secret(source) => Some(source),
            _ => None,
        }
    }

    /// Reports a name that is not among the known ones, with the one that was probably meant.
    pub fn dangling<'n>(
        &self,
        span: Span,
        message: String,
        written: &str,
        known: impl IntoIterator<Item = &'n str>,
        nouns: &str,
    ) {
        if self.sink.is_full() {
            return self.sink.push(Diagnostic::error(span, "dangling name"));
        }
        self.sink.push(Diagnostic::error(span, message).help_maybe(suggest(written, known, nouns)));
    }
}

/// By the core schema of YAML 1.2, but a number with leading zeros stays a text.
pub fn plain_value(text: &Scalar) -> Value {
    if let Some(bool) = scalar::boolean(text) {
        return Value::Bool(bool);
    }
    if let Some(int) = scalar::integer(text) {
        return Value::Int(int);
    }
    let digits = text.text.strip_prefix('-').unwrap_or(&text.text);
    let ordinary = digits.split_once('.').is_some_and(|(whole, part)| {
        !whole.is_empty() && !part.is_empty() && (whole == "0" || !whole.starts_with('0'))
    });
    match scalar::number(text) {
        Some(number) if ordinary => Value::Float(number),
        _ => Value::Text(text.text.clone()),
    }
}

fn same_words<'w>(shape: &Shape, mut words: impl Iterator<Item = &'w str> + Clone) -> bool {
    match shape {
        Shape::Choice(known) => {
            known.len() == words.clone().count()
                && words.all(|word| known.iter().any(|(one, _)| *one == word))
        }
        Shape::Either(shapes) => shapes.iter().any(|shape| same_words(shape, words.clone())),
        _ => false,
    }
}
