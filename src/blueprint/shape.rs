//! The walk of a tree along the table of keys: unknown keys, missing keys, wrong types, references where none may be.
//!
//! After a walk without errors everything in the tree can be read by its type; [`super::reader`] relies on that.

use standfast_contract::Section;

use super::{
    diagnostic::{Diagnostic, Sink},
    keys::{Naming, Object, Shape, elsewhere},
    names::{Names, PLAIN_NAME_RULE, is_plain_name, nearest, suggest},
    node::{Entries, Kind, Node, Part, Scalar, Span},
    scalar,
};

pub struct Walk<'a> {
    pub names: &'a Names,
    pub sink: &'a Sink,
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct At<'a> {
    /// The key, as messages name it.
    name: &'a str,
    /// Where something that is missing is shown: the key, or the list's item.
    owner: Span,
    /// Below [`Shape::Partial`].
    partial: bool,
}

impl Walk<'_> {
    /// Walks the whole blueprint.
    pub fn walk(&self, object: &'static Object, root: &Node) {
        let owner =
            root.as_map().and_then(|entries| entries.values().next()).map_or(root.span, |entry| entry.key);
        self.object(object, root, At { name: "", owner, partial: false });
    }

    fn shape(&self, shape: &'static Shape, node: &Node, at: At<'_>) {
        match (&node.kind, shape) {
            (Kind::Failed, _) => {}
            (_, Shape::Partial(inner)) => self.shape(inner, node, At { partial: true, ..at }),
            (Kind::Null, Shape::Value | Shape::Any | Shape::Map(..) | Shape::List(_)) => {}
            (Kind::Null, _) if at.partial => {}
            (Kind::Null, Shape::Object(object)) if is_empty_allowed(object) => {}
            (Kind::Null, _) => self.no_value(shape, at),
            (Kind::Template(parts), _) => self.template(shape, parts, node, at),
            (_, Shape::Either(shapes)) => self.either(shapes, shape, node, at),
            (_, Shape::List(item)) => self.list(item, shape, node, at),
            (_, Shape::Map(naming, value)) => self.map(*naming, value, shape, node, at),
            (_, Shape::Object(object)) => self.object(object, node, at),
            (_, Shape::Any) => self.any(node),
            (Kind::Scalar(scalar), _) if reads_as(shape, scalar) => {}
            _ => self.wrong(shape, node, at),
        }
    }

    fn wrong(&self, shape: &Shape, node: &Node, at: At<'_>) {
        let what = if at.name.is_empty() { "this".to_owned() } else { format!("`{}`", at.name) };
        self.sink.push(
            Diagnostic::error(node.span, format!("{what} cannot be {}", node.describe()))
                .expected(shape.expected())
                .help_maybe(help(shape, node)),
        );
    }

    fn list(&self, item: &'static Shape, shape: &Shape, node: &Node, at: At<'_>) {
        let Some(items) = node.as_list() else { return self.wrong(shape, node, at) };
        for node in items {
            self.shape(item, node, At { owner: node.span, ..at });
        }
    }

    fn map(&self, naming: Naming, value: &'static Shape, shape: &Shape, node: &Node, at: At<'_>) {
        let Some(entries) = node.as_map() else { return self.wrong(shape, node, at) };
        for (name, entry) in entries {
            let (good, noun, rule) = match naming {
                Naming::Plain(noun) => (is_plain_name(name), noun, PLAIN_NAME_RULE),
                Naming::Dotted(noun) => (
                    standfast_contract::address::is_name(name),
                    noun,
                    "a letter or digit, then letters, digits, `-`, `_`, `.` and `@`, 128 at most",
                ),
                Naming::Free => (!name.is_empty(), "entries", "any text"),
            };
            if !good {
                self.sink.push(
                    Diagnostic::error(entry.key, format!("bad name `{}`", super::node::shorten(name)))
                        .label(format!("among the names of {noun}"))
                        .expected(rule),
                );
            }
            self.shape(value, &entry.value, At { name, owner: entry.key, ..at });
        }
    }

    fn no_value(&self, shape: &'static Shape, at: At<'_>) {
        self.sink.push(
            Diagnostic::error(at.owner, format!("`{}` has no value", at.name))
                .expected(shape.expected())
                .help("give it one, or remove the key"),
        );
    }

    fn object(&self, object: &'static Object, node: &Node, at: At<'_>) {
        let Some(entries) = node.as_map() else { return self.wrong(&Shape::Object(object), node, at) };
        // A key that is there by a slip is not missing too.
        let mut meant = Vec::new();
        for (name, entry) in entries {
            match object.key(name) {
                // A list that is needed is no empty one.
                Some(key) if key.required && !at.partial && entry.value.is_null() => {
                    self.no_value(&key.shape, At { name, owner: entry.key, ..at });
                }
                Some(key) => {
                    self.shape(&key.shape, &entry.value, At { name, owner: entry.key, partial: at.partial });
                }
                None => meant.extend(self.unknown_key(object, name, entry.key)),
            }
        }
        if !at.partial {
            for key in object.keys().filter(|key| key.required && !entries.contains_key(key.name)) {
                if meant.contains(&key.name) {
                    continue;
                }
                self.sink.push(
                    Diagnostic::error(at.owner, format!("missing key `{}`", key.name))
                        .label(format!("{} needs it", object.noun))
                        .expected(key.shape.expected())
                        .help_maybe(
                            key.example.map(|example| format!("for example `{}: {example}`", key.name)),
                        ),
                );
            }
        }
        if !object.one_of.iter().any(|name| meant.contains(name)) {
            self.one_of(object, entries, at);
        }
    }

    fn one_of(&self, object: &Object, entries: &Entries, at: At<'_>) {
        if object.one_of.is_empty() {
            return;
        }
        let mut there = object.one_of.iter().filter_map(|name| {
            let entry = entries.get(*name)?;
            (!entry.value.is_null()).then_some((*name, entry))
        });
        let words = || object.one_of.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match (there.next(), there.next()) {
            (None, _) if !at.partial => self.sink.push(
                Diagnostic::error(at.owner, format!("{} needs one of {}", object.noun, words()))
                    .label("has none of them"),
            ),
            (Some((first, one)), Some((second, other))) => self.sink.push(
                Diagnostic::error(other.key, format!("`{first}` and `{second}` exclude each other"))
                    .label(format!("{} has one of {}", object.noun, words()))
                    .related(one.key, "the other is here"),
            ),
            _ => {}
        }
    }

    /// Gives back the key that was probably meant.
    fn unknown_key(&self, object: &'static Object, name: &str, key: Span) -> Option<&'static str> {
        if self.sink.is_full() {
            self.sink.push(Diagnostic::error(key, "unknown key"));
            return None;
        }
        let known = || object.keys().map(|key| key.name);
        let elsewhere = elsewhere::find(object.id, name);
        let near = match elsewhere {
            Some(elsewhere) => known().find(|key| elsewhere.here.split('.').next() == Some(key)),
            None => nearest(name, known()),
        };
        let help = match (elsewhere, near) {
            (Some(elsewhere), _) => elsewhere.help(),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            // A map of one key, and its content where that belongs.
            (None, None) if object.keys().count() == 1 => {
                format!("did you mean `{}: {{ {name}: ... }}`?", object.keys[0].name)
            }
            (None, None) => format!("its keys are: {}", known().collect::<Vec<_>>().join(", ")),
        };
        self.sink.push(
            Diagnostic::error(key, format!("unknown key `{}`", super::node::shorten(name)))
                .label(format!("not a key of {}", object.noun))
                .help(help),
        );
        near
    }

    fn either(&self, shapes: &'static [Shape], shape: &Shape, node: &Node, at: At<'_>) {
        let fits = |shape: &&Shape| match &node.kind {
            Kind::Scalar(scalar) => reads_as(shape, scalar),
            Kind::List(_) => matches!(shape, Shape::List(_)),
            Kind::Map(_) => matches!(shape, Shape::Map(..) | Shape::Object(_)),
            _ => false,
        };
        match shapes.iter().find(fits) {
            Some(shape) => self.shape(shape, node, at),
            None => self.wrong(shape, node, at),
        }
    }

    fn any(&self, node: &Node) {
        match &node.kind {
            Kind::Template(parts) => self.references(parts, node.span),
            Kind::List(items) => items.iter().for_each(|item| self.any(item)),
            Kind::Map(entries) => entries.values().for_each(|entry| self.any(&entry.value)),
            _ => {}
        }
    }

    /// A text with references, at a key that may or may not hold them.
    fn template(&self, shape: &Shape, parts: &[Part], node: &Node, at: At<'_>) {
        let name = at.name;
        match (shape, parts) {
            (Shape::Value | Shape::Any, _) | (Shape::Secret, [Part::Secret(_)]) => {
                self.references(parts, node.span);
            }
            (Shape::Secret, _) => self.wrong(shape, node, at),
            _ if parts.iter().any(|part| matches!(part, Part::Secret(_))) => self.sink.push(
                Diagnostic::error(node.span, format!("`{name}` cannot hold a secret"))
                    .label("this is shown in plans and kept in the state")
                    .expected(shape.expected()),
            ),
            _ => self.sink.push(
                Diagnostic::error(node.span, format!("`{name}` cannot hold a reference"))
                    .label("what it refers to is known only after apply")
                    .expected(shape.expected())
                    .help(
                        "it must be known before anything is made: use `${variables.NAME}`, or write it out",
                    ),
            ),
        }
    }

    fn references(&self, parts: &[Part], span: Span) {
        for part in parts {
            match part {
                Part::Text(_) => {}
                // Suggestions cost, and what comes now is only counted.
                Part::Secret(name) if self.sink.is_full() => {
                    if !self.names.secrets.contains_key(name) {
                        self.sink.push(Diagnostic::error(span, "no such secret"));
                    }
                }
                Part::Secret(name) if self.names.secrets.contains_key(name) => {}
                Part::Secret(name) => self.sink.push(
                    Diagnostic::error(span, format!("no secret `{name}`")).help_maybe(suggest(
                        name,
                        self.names.secrets.keys().map(String::as_str),
                        "secrets",
                    )),
                ),
                Part::Output { section, name, .. } => {
                    let Ok(section) = section.parse::<Section>() else { continue };
                    if !self.names.has_component(section, name) {
                        if self.sink.is_full() {
                            self.sink.push(Diagnostic::error(span, "no such component"));
                            continue;
                        }
                        let known = self.names.components(section);
                        self.sink.push(
                            Diagnostic::error(span, format!("no component `{section}.{name}`"))
                                .help_maybe(suggest(name, known, section.as_str())),
                        );
                    }
                }
            }
        }
    }
}

fn is_empty_allowed(object: &Object) -> bool {
    object.one_of.is_empty() && object.keys().all(|key| !key.required)
}

/// Whether a scalar can be read as a shape.
pub fn reads_as(shape: &Shape, text: &Scalar) -> bool {
    match shape {
        Shape::Text | Shape::Reference(_) | Shape::Path => !text.text.trim().is_empty(),
        Shape::Value | Shape::Any => true,
        Shape::Bool => scalar::boolean(text).is_some(),
        Shape::Int(low, high) => scalar::integer(text).is_some_and(|int| (*low..=*high).contains(&int)),
        Shape::Number => scalar::number(text).is_some(),
        Shape::Port => scalar::port(text).is_some(),
        Shape::Duration => scalar::duration(&text.text).is_some(),
        Shape::Size => scalar::size(&text.text).is_some(),
        Shape::Share => scalar::share(&text.text).is_some(),
        Shape::Mode => scalar::mode(&text.text).is_some(),
        Shape::Ip => scalar::ip(&text.text).is_some(),
        Shape::Cidr => scalar::network(&text.text).is_some(),
        // What would confuse a listing on the host, and what leads elsewhere than it says.
        Shape::HostPath => {
            let strange = |c: char| c.is_control() || c == '\\';
            text.text.starts_with('/')
                && !text.text.contains(strange)
                && text.text.split('/').all(|part| part != "..")
        }
        Shape::Choice(words) => words.iter().any(|(word, _)| *word == text.text),
        Shape::Either(shapes) => shapes.iter().any(|shape| reads_as(shape, text)),
        Shape::Partial(shape) => reads_as(shape, text),
        Shape::Secret | Shape::List(_) | Shape::Map(..) | Shape::Object(_) => false,
    }
}

/// Whether a word was only begun: `leastconn` of `least_connections`.
fn is_short(written: &str, word: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let written = plain(written);
    written.len() >= 4 && plain(word).starts_with(&written)
}

/// What was probably meant by one value in the place of a map.
fn short_for(object: &str, value: &str) -> Option<String> {
    let (key, value) = match object {
        "variable" => ("default", value),
        "workload" if value.contains(['/', ':']) => ("container", value),
        "workload" => ("package", value),
        "notify" if value.contains("://") => ("webhook", value),
        "notify" => ("email", value),
        "spot" => ("share", value),
        "update" => ("strategy", value),
        "stickiness" => return Some("{ cookie: SRV }".to_owned()),
        "health_check" => {
            let behind = value
                .split_once("://")
                .map_or(value, |(_, rest)| &rest[rest.find('/').unwrap_or(rest.len())..]);
            ("path", if behind.starts_with('/') { behind } else { "/healthz" })
        }
        "firewall_rule" => return Some(format!("{{ ports: [{value}] }}")),
        "capacity" => return Some(format!("{{ min: {value}, max: {value} }}")),
        "listener" => return Some("{ port: 80, to: GROUP }".to_owned()),
        "scaling" => return Some("{ metric: cpu, target: 60% }".to_owned()),
        "dns_record" => return Some(format!("{{ name: {value}, to: LOAD_BALANCER }}")),
        _ => return None,
    };
    Some(format!("{{ {key}: {value} }}"))
}

/// The next move for a value that does not fit.
fn help(shape: &Shape, node: &Node) -> Option<String> {
    let Some(text) = node.as_scalar() else {
        return match (shape, &node.kind) {
            (Shape::Map(Naming::Plain(noun) | Naming::Dotted(noun), _), Kind::List(_)) => {
                Some(format!("each of the {noun} has a name: write `NAME: ...`, without `-` and `[ ]`"))
            }
            (Shape::Object(_) | Shape::Map(..), Kind::List(_)) => {
                Some("write `key: value`, without `-` and `[ ]`".to_owned())
            }
            (Shape::List(_), Kind::Map(_)) => {
                Some("write a list: put it into `[...]`, or begin it with `- `".to_owned())
            }
            (_, Kind::List(items)) => match items.as_slice() {
                [only] => only
                    .as_scalar()
                    .filter(|only| reads_as(shape, only))
                    .map(|only| format!("write it without the brackets: `{}`", only.text)),
                _ => None,
            },
            _ => None,
        };
    };
    let unquoted = Scalar { text: text.text.clone(), plain: true };
    if !text.plain
        && matches!(shape, Shape::Bool | Shape::Int(..) | Shape::Number | Shape::Port)
        && reads_as(shape, &unquoted)
    {
        return Some(format!("remove the quotes: `{}`", text.text));
    }
    match shape {
        Shape::Bool => match text.text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => Some("write `true`".into()),
            "no" | "off" | "n" | "false" => Some("write `false`".into()),
            _ => None,
        },
        Shape::Duration if scalar::integer(&unquoted).is_some_and(|number| number > 0) => {
            let number = &text.text;
            Some(format!("say in which unit: `{number}s`, `{number}m`, `{number}h` or `{number}d`"))
        }
        Shape::Duration => scalar::probably_meant(text, &["s", "m", "h", "d", "w", "ms"]),
        Shape::Size => scalar::probably_meant(text, &["GiB", "KiB", "MiB", "TiB", "GB", "MB"]),
        Shape::Share => scalar::probably_meant(text, &["%"]),
        Shape::Choice(words) => {
            let known = || words.iter().map(|(word, _)| *word);
            // `become: true` is Ansible's.
            let is_sudo = matches!(text.text.as_str(), "true" | "yes" | "root");
            let meant = nearest(&text.text, known())
                .or_else(|| known().find(|word| is_short(&text.text, word) || (is_sudo && *word == "sudo")));
            meant.map(|meant| format!("did you mean `{meant}`?"))
        }
        Shape::List(item) if reads_as(item, text) => Some(format!("write a list: `[{}]`", text.text)),
        Shape::Secret => {
            Some("declare it under `secrets` and refer to it; a secret is never written down".into())
        }
        Shape::Either(shapes) => shapes.iter().find_map(|shape| help(shape, node)),
        Shape::Object(object) => {
            short_for(object.id, &super::node::shorten(&text.text)).map(|whole| format!("write `{whole}`"))
        }
        _ => None,
    }
}
