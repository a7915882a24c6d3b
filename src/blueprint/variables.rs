//! Variables: what is declared, what is given, and the value of each.
//!
//! The first of these wins: `--var`, the last `--var-file`, `STANDFAST_VAR_NAME`, the default.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    diagnostic::{Diagnostic, NOWHERE, Problems, Sink},
    names::{nearest, suggest},
    node::{Entry, Kind, Node, Scalar, Span},
    read::{read, read_file},
    scalar,
};

/// What an environment variable begins with that gives a variable.
pub const ENVIRONMENT_PREFIX: &str = "STANDFAST_VAR_";

/// Values by name; `None`: declared, but what it should be is wrong or missing, and that has been reported.
pub type Variables = BTreeMap<String, Option<Node>>;

/// What is given from outside.
pub struct Given<'a> {
    /// `--var`, in order.
    pub options: &'a [(String, String)],
    /// `--var-file`, read.
    pub files: Vec<(PathBuf, Node)>,
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads the files of variables: maps of name to value, in YAML or JSON.
pub fn read_files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, Node)>, Problems> {
    paths.iter().map(|path| read_text(&read_file(path)?, path)).collect()
}

/// The same from its text; `path` is what messages call it.
pub fn read_text(text: &str, path: &Path) -> Result<(PathBuf, Node), Problems> {
    let sink = Sink::default();
    let root = read(text, &sink);
    match root {
        Some(root) if root.as_map().is_some() && sink.errors() == 0 => Ok((path.to_owned(), root)),
        Some(root) if root.is_null() && sink.errors() == 0 => {
            Ok((path.to_owned(), Node::empty_map(root.span)))
        }
        other => {
            if sink.errors() == 0 {
                let span = other.map_or(NOWHERE, |node| node.span);
                sink.push(
                    Diagnostic::error(span, "a file of variables must be a map")
                        .expected("`NAME: VALUE` on each line"),
                );
            }
            Err(sink.into_problems(path, &text.into()))
        }
    }
}

/// The value of every declared variable. `root`: the blueprint with its overlay.
pub fn resolve(root: &Node, given: &Given<'_>, sink: &Sink) -> Variables {
    let empty = Node::empty_map(NOWHERE);
    let declared = root.get("variables").unwrap_or(&empty);
    let Some(declared) = declared.as_map() else { return Variables::new() };
    let known = || declared.keys().map(String::as_str);
    let mut strangers: Vec<(&str, String)> =
        given.options.iter().map(|(name, _)| (name.as_str(), "`--var`".to_owned())).collect();
    for (path, node) in &given.files {
        let names = node.as_map().into_iter().flat_map(|entries| entries.keys());
        strangers.extend(names.map(|name| (name.as_str(), format!("`{}`", path.display()))));
    }
    for (name, source) in strangers.into_iter().filter(|(name, _)| !declared.contains_key(*name)) {
        let problem = Diagnostic::error(NOWHERE, format!("{source} gives `{name}`, which is no variable"));
        sink.push(problem.help_maybe(suggest(name, known(), "variables of this blueprint")));
    }
    declared.iter().map(|(name, entry)| (name.clone(), value(name, entry, given, sink))).collect()
}

fn value(name: &str, entry: &Entry, given: &Given<'_>, sink: &Sink) -> Option<Node> {
    let declared = &entry.value;
    let declared_type = declared.get("type").and_then(Node::as_scalar).map(|scalar| scalar.text.as_str());
    let default = declared.get("default");
    let like = declared_type.or_else(|| default.and_then(looks_like));
    if let Some((text, source)) = from_text(name, given) {
        return typed(&text, like, entry.key).or_else(|| {
            let problem = format!("{source} gives variable `{name}` the value `{text}`");
            sink.push(wrong_type(NOWHERE, problem, like));
            None
        });
    }
    let in_files = given.files.iter().rev().find_map(|(path, node)| Some((path, node.get(name)?)));
    if let Some((path, node)) = in_files {
        let node = node.moved_to(entry.key);
        if fits(&node, like) {
            return Some(as_typed(node, like));
        }
        let problem = format!("`{}` gives variable `{name}` {}", path.display(), node.describe());
        sink.push(wrong_type(NOWHERE, problem, like));
        return None;
    }
    if let Some(text) = (given.environment)(&format!("{ENVIRONMENT_PREFIX}{name}")) {
        return typed(&text, like, entry.key).or_else(|| {
            let problem = format!("{ENVIRONMENT_PREFIX}{name} is `{text}`");
            sink.push(wrong_type(NOWHERE, problem, like));
            None
        });
    }
    let required =
        declared.get("required").and_then(Node::as_scalar).and_then(scalar::boolean).unwrap_or(false);
    match default {
        Some(default) if !required => {
            if !fits(default, declared_type) {
                let problem = format!("the default of `{name}` is {}", default.describe());
                sink.push(wrong_type(default.span, problem, declared_type));
                return None;
            }
            if holds_references(default) {
                sink.push(
                    Diagnostic::error(default.span, "a default of a variable cannot hold references")
                        .help("use `${...}` where the value is used"),
                );
                return None;
            }
            Some(as_typed(default.clone(), like))
        }
        // A wrong shape of the declaration is reported with all other shapes.
        _ if declared.as_map().is_none() && !declared.is_null() => None,
        _ => {
            let description = declared.get("description").and_then(Node::as_scalar);
            let about = description.map(|scalar| format!(" ({})", scalar.text)).unwrap_or_default();
            sink.push(
                Diagnostic::error(entry.key, format!("variable `{name}`{about} has no value"))
                    .label("declared here")
                    .help(format!(
                        "give it with `--var {name}=VALUE`, in a file with `--var-file FILE`, as {ENVIRONMENT_PREFIX}{name}, or here with `default:`"
                    )),
            );
            None
        }
    }
}

/// From the command line; the last one wins.
fn from_text(name: &str, given: &Given<'_>) -> Option<(String, &'static str)> {
    given.options.iter().rev().find(|(given, _)| given == name).map(|(_, text)| (text.clone(), "`--var`"))
}

fn looks_like(default: &Node) -> Option<&'static str> {
    match &default.kind {
        Kind::List(_) => Some("list"),
        Kind::Scalar(text) if scalar::boolean(text).is_some() => Some("bool"),
        Kind::Scalar(text) if scalar::integer(text).is_some() => Some("int"),
        // `1.4` may be a number or a version: whatever is given may be either.
        Kind::Scalar(text) if scalar::number(text).is_none() => Some("text"),
        _ => None,
    }
}

fn fits(node: &Node, declared_type: Option<&str>) -> bool {
    match (declared_type, &node.kind) {
        (Some("text"), kind) => matches!(kind, Kind::Scalar(_)),
        (Some("int"), Kind::Scalar(text)) => scalar::integer(text).is_some(),
        (Some("bool"), Kind::Scalar(text)) => scalar::boolean(text).is_some(),
        (Some("list"), kind) => matches!(kind, Kind::List(_)),
        (Some("int" | "bool"), _) => false,
        (_, _) => true,
    }
}

/// What is a text by its type stays one, whatever it looks like.
fn as_typed(mut node: Node, declared_type: Option<&str>) -> Node {
    if let (Some("text"), Kind::Scalar(scalar)) = (declared_type, &mut node.kind) {
        scalar.plain = false;
    }
    node
}

/// A text from the command line or the environment as the type wants it.
fn typed(text: &str, declared_type: Option<&str>, span: Span) -> Option<Node> {
    let kind = match declared_type {
        Some("text") => Kind::Scalar(Scalar { text: text.to_owned(), plain: false }),
        Some("list") => Kind::List(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Node::plain(span, item))
                .collect(),
        ),
        _ => Kind::Scalar(Scalar { text: text.to_owned(), plain: true }),
    };
    let node = Node { span, kind };
    fits(&node, declared_type).then_some(node)
}

fn wrong_type(span: Span, problem: String, declared_type: Option<&str>) -> Diagnostic {
    Diagnostic::error(span, problem).expected(match declared_type {
        Some("int") => "a whole number",
        Some("bool") => "`true` or `false`",
        Some("list") => "a list",
        _ => "a text",
    })
}

fn holds_references(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(scalar) => scalar.text.contains("${"),
        Kind::List(items) => items.iter().any(holds_references),
        Kind::Map(entries) => entries.values().any(|entry| holds_references(&entry.value)),
        _ => false,
    }
}

/// The folder that paths of a blueprint are relative to; absolute.
pub fn folder_of(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// What to say of a variable that is not declared.
pub fn unknown(name: &str, variables: &Variables) -> Option<String> {
    let known = variables.keys().map(String::as_str);
    if nearest(name, known.clone()).is_some() || !variables.is_empty() {
        return suggest(name, known, "variables");
    }
    Some(format!("declare it: `variables: {{ {name}: {{ default: ... }} }}`"))
}
