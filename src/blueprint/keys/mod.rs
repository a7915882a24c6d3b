//! The table of every key of a blueprint: its name, shape, default and meaning.
//!
//! One source for four things: the checks of keys and types, "did you mean", the JSON Schema that editors use, and the
//! reference in `docs/blueprint.md`. A key that is not here does not exist; a default is read from here.
//!
//! Deliberately absent: rules between keys. `super::check` has them.

mod data;
pub mod elsewhere;
mod hosts;
mod serving;
mod top;

use standfast_contract::Section;

pub use data::{DATABASE, DNS, MONITORING, NETWORK, RECOVERY, SESSION_STORE};
pub use hosts::{BASELINE, FILE, HOST, REGION};
pub use serving::{AUTOSCALING_GROUP, CONTAINER_KEYS, LOAD_BALANCER, RELEASE_KEYS, WORKLOAD};
pub use top::{BLUEPRINT, COMMON};

/// What a value looks like.
#[derive(Debug)]
pub enum Shape {
    /// Any scalar, as it is written: `15` and `"15"` are the same. Variables only.
    Text,
    /// A name of something in the blueprint: "host", "region", "autoscaling group".
    Reference(&'static str),
    Bool,
    Int(i64, i64),
    Number,
    Port,
    Duration,
    Size,
    Share,
    /// Octal file mode.
    Mode,
    Ip,
    Cidr,
    /// A path on this machine.
    Path,
    /// An absolute path on a host.
    HostPath,
    /// One of these words, with what each means.
    Choice(&'static [(&'static str, &'static str)]),
    /// A scalar that may hold references.
    Value,
    /// Anything, with references.
    Any,
    /// `${secrets.NAME}` and nothing else.
    Secret,
    List(&'static Shape),
    /// Names that the user chooses; the text says what they name.
    Map(Naming, &'static Shape),
    Object(&'static Object),
    /// The first that fits.
    Either(&'static [Shape]),
    /// Everything below is optional and may be `null`: overlays and defaults.
    Partial(&'static Shape),
}

/// What the keys of a map may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// See [`super::names::is_plain_name`]; the noun is for messages.
    Plain(&'static str),
    /// With dots allowed: hosts, users, services, units.
    Dotted(&'static str),
    /// Any text: kernel settings, parameters, tags.
    Free,
}

/// A map with known keys.
#[derive(Debug)]
pub struct Object {
    /// The name of its schema, and of its part in the reference.
    pub id: &'static str,
    /// "an autoscaling group".
    pub noun: &'static str,
    pub doc: &'static str,
    pub keys: &'static [Key],
    /// Has the keys of every component too.
    pub common: bool,
    /// Exactly one of these must be there.
    pub one_of: &'static [&'static str],
}

#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
    /// As it would be written.
    pub default: Option<&'static str>,
    pub doc: &'static str,
    pub example: Option<&'static str>,
}

impl Key {
    const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Key { name, shape, required: false, default: None, doc, example: None }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn example(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }
}

impl Object {
    const fn new(id: &'static str, noun: &'static str, doc: &'static str, keys: &'static [Key]) -> Self {
        Object { id, noun, doc, keys, common: false, one_of: &[] }
    }

    const fn component(mut self) -> Self {
        self.common = true;
        self
    }

    const fn one_of(mut self, keys: &'static [&'static str]) -> Self {
        self.one_of = keys;
        self
    }

    /// Its own keys, then those of every component.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().chain(if self.common { COMMON } else { &[] })
    }

    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

/// The object of a section's components.
pub fn of_section(section: Section) -> &'static Object {
    match section {
        Section::Networks => &NETWORK,
        Section::Baselines => &BASELINE,
        Section::LoadBalancers => &LOAD_BALANCER,
        Section::AutoscalingGroups => &AUTOSCALING_GROUP,
        Section::Databases => &DATABASE,
        Section::SessionStores => &SESSION_STORE,
        Section::Dns => &DNS,
        Section::Monitoring => &MONITORING,
        Section::DisasterRecovery => &RECOVERY,
    }
}

impl Shape {
    /// "a whole number from 1 to 65535": what is expected, for messages, schema and reference.
    pub fn expected(&self) -> String {
        match self {
            Shape::Text => "a text".into(),
            Shape::Reference(noun) => format!("the name of {noun}"),
            Shape::Bool => "`true` or `false`".into(),
            Shape::Int(0, i64::MAX) => "a whole number".into(),
            Shape::Int(low, i64::MAX) => format!("a whole number of at least {low}"),
            Shape::Int(low, high) => format!("a whole number from {low} to {high}"),
            Shape::Number => "a number".into(),
            Shape::Port => "a port, from 1 to 65535".into(),
            Shape::Duration => "a duration such as `500ms`, `10s`, `5m`, `1h30m`, `1d` or `2w`".into(),
            Shape::Size => "a size such as `512MiB` or `20GiB`".into(),
            Shape::Share => "a share from `0%` to `100%`".into(),
            Shape::Mode => "an octal file mode such as `0644`".into(),
            Shape::Ip => "an IP address such as `10.77.0.100`".into(),
            Shape::Cidr => "a network such as `10.20.0.0/16`".into(),
            Shape::Path => "a path on this machine, relative to the blueprint".into(),
            Shape::HostPath => {
                "an absolute path on the host, without `..`, backslash and control characters".into()
            }
            Shape::Choice(words) => {
                words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            }
            Shape::Value => "a text or number, with `${...}` where wanted".into(),
            Shape::Any => "anything, with `${...}` where wanted".into(),
            Shape::Secret => "a secret: `${secrets.NAME}`".into(),
            Shape::List(item) => format!("a list; each: {}", item.expected()),
            Shape::Map(Naming::Free, value) => format!("a map; each value: {}", value.expected()),
            Shape::Map(Naming::Plain(noun) | Naming::Dotted(noun), _) => format!("a map by name of {noun}"),
            Shape::Object(object) if !object.one_of.is_empty() => {
                let keys: Vec<_> = object.one_of.iter().map(|key| format!("`{key}`")).collect();
                format!("{}: a map with one of {}", object.noun, keys.join(", "))
            }
            Shape::Object(object) => {
                let keys: Vec<_> = object.keys.iter().take(6).map(|key| format!("`{}`", key.name)).collect();
                let more = if object.keys.len() > 6 { ", ..." } else { "" };
                format!("{}: a map of {}{more}", object.noun, keys.join(", "))
            }
            Shape::Either(shapes) => shapes.iter().map(Shape::expected).collect::<Vec<_>>().join("; or "),
            Shape::Partial(shape) => shape.expected(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        top::{DEFAULTS, OVERLAY},
        *,
    };

    pub(super) fn visit(
        object: &'static Object,
        seen: &mut BTreeSet<&'static str>,
        each: &mut impl FnMut(&'static Object),
    ) {
        if !seen.insert(object.id) {
            return;
        }
        each(object);
        object.keys().for_each(|key| below(&key.shape, seen, each));
    }

    fn below(
        shape: &'static Shape,
        seen: &mut BTreeSet<&'static str>,
        each: &mut impl FnMut(&'static Object),
    ) {
        match shape {
            Shape::Object(object) => visit(object, seen, each),
            Shape::List(inner) | Shape::Map(_, inner) | Shape::Partial(inner) => below(inner, seen, each),
            Shape::Either(shapes) => shapes.iter().for_each(|shape| below(shape, seen, each)),
            _ => {}
        }
    }

    #[test]
    fn every_key_is_told_once_and_explained() {
        visit(&BLUEPRINT, &mut BTreeSet::new(), &mut |object| {
            let mut names = BTreeSet::new();
            for key in object.keys() {
                assert!(names.insert(key.name), "{}.{} twice", object.id, key.name);
                assert!(key.doc.ends_with('.'), "{}.{}: {}", object.id, key.name, key.doc);
                assert!(!(key.required && key.default.is_some()), "{}.{}", object.id, key.name);
            }
            assert!(object.one_of.iter().all(|name| names.contains(name)), "{}", object.id);
        });
    }

    #[test]
    fn every_section_has_its_key() {
        for section in Section::ALL {
            for object in [&BLUEPRINT, &DEFAULTS, &OVERLAY] {
                assert!(object.key(section.as_str()).is_some(), "{section} in {}", object.id);
            }
        }
    }
}
