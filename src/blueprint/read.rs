//! YAML text to [`Node`] tree, the only place that knows the YAML library.
//!
//! Reads events instead of typed data, because a blueprint needs what typed reading loses: the source text of a scalar,
//! both places of a duplicate key, and all mistakes at once. Aliases are copied in and merge keys (`<<`) carried out
//! here; both count against the limits, so that a small file cannot grow large.

use std::{collections::HashMap, io::Read, path::Path};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Tag};

use super::{
    diagnostic::{Diagnostic, Problems, Sink},
    node::{Entries, Entry, Kind, Node, Scalar, Span, WEIGHT_BYTES},
};
use crate::files;

/// Bytes of one file.
pub const FILE_SIZE_MAX: usize = 4 << 20;
/// Keys, values and copies of them by aliases, of one file; long texts count more, see [`Node::weight`].
pub const NODES_MAX: usize = 100_000;
/// Maps and lists inside each other.
pub const DEPTH_MAX: usize = 64;

/// A whole file, if it is small enough and UTF-8.
pub fn read_file(path: &Path) -> Result<String, Problems> {
    let refuse = |message: String, help: Option<&str>| Err(Problems::of_file(path, message, help));
    let file = match files::must_be_file(path).and_then(|()| std::fs::File::open(path)) {
        Ok(file) => file,
        Err(error) => {
            if error.kind() == std::io::ErrorKind::NotFound {
                let help = "`standfast init` writes a blueprint to begin with";
                return refuse("there is no such file".to_owned(), Some(help));
            }
            return refuse(format!("could not open the file: {error}"), None);
        }
    };
    // The length is asked for first, so that a huge file costs nothing; `take` holds for what has no length.
    let too_large = file.metadata().is_ok_and(|metadata| metadata.len() > FILE_SIZE_MAX as u64);
    let mut bytes = Vec::new();
    if !too_large && let Err(error) = file.take(FILE_SIZE_MAX as u64 + 1).read_to_end(&mut bytes) {
        return refuse(format!("could not read the file: {error}"), None);
    }
    if too_large || bytes.len() > FILE_SIZE_MAX {
        return refuse(
            format!("the file is larger than {} MiB", FILE_SIZE_MAX >> 20),
            Some("a blueprint names files and does not hold them"),
        );
    }
    String::from_utf8(bytes).or_else(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        refuse(format!("the file is not UTF-8: byte {at}, in line {line}"), Some("save it as UTF-8"))
    })
}

/// The tree of a text, or `None` where it is no YAML; what is wrong goes to `sink`.
pub fn read(text: &str, sink: &Sink) -> Option<Node> {
    if text.len() > FILE_SIZE_MAX {
        sink.push(Diagnostic::error(
            Span::default(),
            format!("the text is larger than {} MiB", FILE_SIZE_MAX >> 20),
        ));
        return None;
    }
    let options = granit_parser::options! {
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut builder = Builder::new(sink, text);
    for event in Parser::new_from_str_with_options(text, options) {
        let taken = match event {
            Ok((event, span)) => {
                let span = span.byte_range().unwrap_or_default();
                builder.take(event, Span::new(span.start, span.end))
            }
            Err(error) => Err(Box::new(scan_error(text, &error))),
        };
        if let Err(fatal) = taken {
            sink.push(*fatal);
            return None;
        }
    }
    builder.root
}

/// A problem after which nothing more can be read.
type Fatal = Box<Diagnostic>;

/// A collection that is being read.
struct Frame {
    start: Span,
    anchor: usize,
    /// Nodes in it so far, itself counted.
    size: usize,
    /// Levels below it so far.
    height: usize,
    body: Body,
}

enum Body {
    List(Vec<Node>),
    Map {
        entries: Entries,
        /// A key that waits for its value; `None` inside: a key that cannot be used.
        key: Option<Option<(String, Span)>>,
        /// The maps behind `<<`.
        merges: Vec<Node>,
        merge_key: Option<Span>,
    },
}

/// What an anchor stands for.
struct Anchored {
    node: Node,
    size: usize,
    height: usize,
}

struct Builder<'a> {
    sink: &'a Sink,
    text: &'a str,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
}

impl<'a> Builder<'a> {
    fn new(sink: &'a Sink, text: &'a str) -> Self {
        Builder { sink, text, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, documents: 0, root: None }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Diagnostic::error(span, "a second document in the file")
                        .label("begins here")
                        .help("a blueprint is one document: remove the `---`, or use two files")
                        .into());
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let weight = 1 + text.len() / WEIGHT_BYTES;
                self.count(weight, span)?;
                let plain = style == ScalarStyle::Plain && !self.is_text_tag(tag.as_deref(), span);
                let kind = if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
                    Kind::Null
                } else {
                    Kind::Scalar(Scalar { text: text.into_owned(), plain })
                };
                self.put(Node { span, kind }, anchor, weight, 0)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.is_text_tag(tag.as_deref(), span);
                self.open(span, anchor, Body::List(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.is_text_tag(tag.as_deref(), span);
                let body =
                    Body::Map { entries: Entries::new(), key: None, merges: Vec::new(), merge_key: None };
                self.open(span, anchor, body)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
            Event::Alias(anchor) => {
                let Some(anchored) = self.anchors.get(&anchor) else {
                    return Err(Diagnostic::error(span, "an alias inside what it stands for")
                        .label("its anchor is not complete yet")
                        .into());
                };
                let (size, height) = (anchored.size, anchored.height);
                // Before the copy is made, so that what would be too large is never built.
                self.count(size, span)?;
                if self.stack.len() + height > DEPTH_MAX {
                    return Err(too_deep(span).into());
                }
                if let Some(anchored) = self.anchors.get(&anchor) {
                    self.put(anchored.node.clone(), 0, size, height)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the tag says text. Any other tag is a mistake.
    fn is_text_tag(&self, tag: Option<&Tag>, span: Span) -> bool {
        match tag {
            None => false,
            Some(tag) if tag.core_suffix() == Some("str") => true,
            Some(tag) => {
                let message = format!("the tag `{}` means nothing here", tag.original());
                self.sink.push(Diagnostic::error(span, message).help("remove it; only `!!str` is known"));
                false
            }
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Fatal> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        Err(Diagnostic::error(span, format!("the file holds more than {NODES_MAX} keys and values"))
            .label("this is where it became too much")
            .help("aliases count as often as they are used")
            .into())
    }

    fn open(&mut self, start: Span, anchor: usize, body: Body) -> Result<(), Fatal> {
        self.count(1, start)?;
        if self.stack.len() >= DEPTH_MAX {
            return Err(too_deep(start).into());
        }
        self.stack.push(Frame { start, anchor, size: 1, height: 0, body });
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Fatal> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        // A block ends where the next thing begins: the blank lines between do not belong to it.
        let written = self.text.get(frame.start.start as usize..end.end as usize).unwrap_or_default();
        let start = frame.start.start as usize;
        let span = Span::new(start, start + written.trim_end().len());
        let kind = match frame.body {
            Body::List(items) => Kind::List(items),
            Body::Map { mut entries, merges, .. } => {
                // What is written beside `<<` wins, then the earlier of several merged maps.
                for (name, entry) in merges.into_iter().flat_map(into_entries) {
                    entries.entry(name).or_insert(entry);
                }
                Kind::Map(entries)
            }
        };
        self.put(Node { span, kind }, frame.anchor, frame.size, frame.height + 1)
    }

    /// Puts a finished node where it belongs.
    fn put(&mut self, node: Node, anchor: usize, size: usize, height: usize) -> Result<(), Fatal> {
        if anchor > 0 {
            self.count(size, node.span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, height });
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size += size;
        frame.height = frame.height.max(height);
        match &mut frame.body {
            Body::List(items) => items.push(node),
            Body::Map { entries, key, merges, merge_key } => match key.take() {
                None => *key = Some(as_key(node, self.sink)),
                Some(None) => {}
                Some(Some((name, at))) if name == "<<" => {
                    if let Some(first) = merge_key.replace(at) {
                        self.sink.push(duplicate(&name, at, first));
                    }
                    merge(node, merges, self.sink);
                }
                Some(Some((name, at))) => match entries.get(&name) {
                    Some(first) => self.sink.push(duplicate(&name, at, first.key)),
                    None => {
                        entries.insert(name, Entry { key: at, value: node });
                    }
                },
            },
        }
        Ok(())
    }
}

fn into_entries(node: Node) -> Entries {
    match node.kind {
        Kind::Map(entries) => entries,
        _ => Entries::new(),
    }
}

fn as_key(node: Node, sink: &Sink) -> Option<(String, Span)> {
    let span = node.span;
    match node.kind {
        Kind::Scalar(scalar) => Some((scalar.text, span)),
        _ => {
            let message = format!("a key must be a text, and this is {}", node.describe());
            let help =
                "in `{ ... }` and `[ ... ]`, a text that holds `{` or `[` needs quotes: \"${variables.x}\"";
            sink.push(Diagnostic::error(span, message).help(help));
            None
        }
    }
}

fn merge(node: Node, merges: &mut Vec<Node>, sink: &Sink) {
    let mut one = |node: Node| match node.kind {
        Kind::Map(_) => merges.push(node),
        _ => sink.push(
            Diagnostic::error(node.span, format!("`<<` merges maps, and this is {}", node.describe()))
                .help("give it an alias of a map: `<<: *common`"),
        ),
    };
    match node.kind {
        Kind::List(items) => items.into_iter().for_each(one),
        _ => one(node),
    }
}

fn duplicate(name: &str, again: Span, first: Span) -> Diagnostic {
    Diagnostic::error(again, format!("duplicate key `{name}`"))
        .label("again here")
        .related(first, "first here")
        .help("keep one of the two")
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(span, format!("maps and lists are nested more than {DEPTH_MAX} deep"))
        .label("this is where it became too deep")
}

/// A mistake in the YAML itself, in our words where we have better ones.
fn scan_error(text: &str, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    let at = text.floor_char_boundary(at);
    let length = text[at..].chars().next().map_or(0, char::len_utf8);
    let span = Span::new(at, at + length);
    let info = error.info();
    if info.contains("nesting") || info.contains("nested") || info.contains("recursion") {
        return too_deep(span);
    }
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    let diagnostic = match error.kind() {
        ErrorKind::UnknownAnchor => Diagnostic::error(span, "an alias of an anchor that is not defined")
            .help("define it earlier in the file with `&NAME`"),
        _ => {
            let problem = Diagnostic::error(span, format!("this is not valid YAML: {info}"));
            // `port:8080` is one text, and not a key.
            let word = line.trim().split([' ', '"', '\'', '{', '[']).next().unwrap_or_default();
            if let Some((key, value)) = word.split_once(':')
                && !key.is_empty()
                && !value.is_empty()
                && !line.contains(": ")
            {
                return problem.help(format!("a colon needs a blank behind it: `{key}: {value}`"));
            }
            // Where a line begins, its indentation is what does not fit; else what stands before it.
            match text[line_start..at].trim().is_empty() && !line.trim().is_empty() {
                true => problem.help(
                    "look at the indentation: the keys of one map begin in the same column, and a quote or bracket opened above \
                     is closed",
                ),
                false => problem,
            }
        }
    };
    if let Some(tab) = indent.find('\t') {
        let span = Span::new(line_start + tab, line_start + tab + 1);
        return Diagnostic::error(span, "a tab in the indentation")
            .help("indent with spaces: YAML does not allow tabs there");
    }
    if text[..at].ends_with('$') && text[at..].starts_with('{') {
        let length = text[at..].find(['}', '\n']).map_or(1, |end| end + 1);
        return Diagnostic::error(
            Span::new(at - 1, at + length),
            "in `{ ... }` and `[ ... ]`, a reference needs quotes",
        )
        .help(format!("write \"{}\"", text[at - 1..at + length].trim_end()));
    }
    diagnostic
}
