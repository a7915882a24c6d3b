//! What is said of a resource: plain values, and those that become plain later.
//!
//! A value passes through three stages. **Expanded**: it may hold references ([`Value::Output`]), secrets by source
//! and joins of both. **Resolved** ([`Value::resolve`]): plain, [`Value::Sensitive`], or [`Value::Unknown`] where it
//! waits for something that is not made yet. **Recorded**: plain, with every sensitive text reduced to its digest.
//!
//! Written as JSON, plain values are themselves; the others are objects with one key that begins with `$`.

use std::{collections::BTreeMap, fmt, sync::Arc};

use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};

use crate::{
    address::{Address, ComponentId},
    secret::{SecretError, SecretSource, Sensitive, Vault},
};

/// Attributes by name.
pub type Map = BTreeMap<String, Value>;

#[derive(Clone, PartialEq, Debug, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Map(Map),
    /// An output of another resource or component. Boxed: every value is as large as the largest one.
    Output(Box<OutputRef>),
    /// A secret that is not fetched yet.
    Secret(SecretSource),
    /// Texts, outputs and secrets put together into one text.
    Join(Vec<Value>),
    /// A secret text: the value in memory, a digest when written.
    Sensitive(Sensitive),
    /// Known after apply.
    Unknown,
}

/// Which output of what.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OutputRef {
    pub of: Target,
    pub output: String,
}

/// What a reference points at. Linking turns every component into the resource that has the output.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Component(ComponentId),
    Resource(Address),
}

impl OutputRef {
    pub fn resource(of: &Address, output: &str) -> Value {
        Value::Output(Box::new(OutputRef { of: Target::Resource(of.clone()), output: output.to_owned() }))
    }

    pub fn component(of: ComponentId, output: &str) -> Value {
        Value::Output(Box::new(OutputRef { of: Target::Component(of), output: output.to_owned() }))
    }
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Value::Text(text.into())
    }

    /// The same, masked: a plain text becomes a secret, what holds one already stays as it is.
    #[must_use]
    pub fn masked(self) -> Self {
        match self {
            Value::Text(text) => Value::Secret(SecretSource::Inline(text)),
            other => other,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The text, plain or sensitive: for the provider call that writes it.
    pub fn expose(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Sensitive(sensitive) => sensitive.expose(),
            _ => None,
        }
    }

    /// Whether any part is sensitive or a secret.
    pub fn is_sensitive(&self) -> bool {
        match self {
            Value::Sensitive(_) | Value::Secret(_) => true,
            Value::List(values) | Value::Join(values) => values.iter().any(Value::is_sensitive),
            Value::Map(map) => map.values().any(Value::is_sensitive),
            _ => false,
        }
    }

    /// Whether any part is known only after apply.
    pub fn is_unknown(&self) -> bool {
        match self {
            Value::Unknown => true,
            Value::List(values) | Value::Join(values) => values.iter().any(Value::is_unknown),
            Value::Map(map) => map.values().any(Value::is_unknown),
            _ => false,
        }
    }

    /// Whether `resolve` would change it.
    fn is_plain(&self) -> bool {
        match self {
            Value::Output(_) | Value::Secret(_) | Value::Join(_) => false,
            Value::List(values) => values.iter().all(Value::is_plain),
            Value::Map(map) => map.values().all(Value::is_plain),
            _ => true,
        }
    }

    /// Calls `visit` for every reference in it.
    pub fn for_each_reference<'a>(&'a self, visit: &mut impl FnMut(&'a OutputRef)) {
        match self {
            Value::Output(reference) => visit(reference),
            Value::List(values) | Value::Join(values) => {
                values.iter().for_each(|value| value.for_each_reference(visit))
            }
            Value::Map(map) => map.values().for_each(|value| value.for_each_reference(visit)),
            _ => {}
        }
    }

    /// Calls `visit` for every secret source in it.
    pub fn for_each_secret<'a>(&'a self, visit: &mut impl FnMut(&'a SecretSource)) {
        match self {
            Value::Secret(source) => visit(source),
            Value::List(values) | Value::Join(values) => {
                values.iter().for_each(|value| value.for_each_secret(visit))
            }
            Value::Map(map) => map.values().for_each(|value| value.for_each_secret(visit)),
            _ => {}
        }
    }

    /// Puts another value in the place of each reference for which `with` has one. Linking uses it.
    pub fn replace_references<E>(
        self,
        with: &mut impl FnMut(&OutputRef) -> Result<Option<Value>, E>,
    ) -> Result<Value, E> {
        Ok(match self {
            Value::Output(reference) => with(&reference)?.unwrap_or(Value::Output(reference)),
            Value::List(values) => Value::List(
                values.into_iter().map(|value| value.replace_references(with)).collect::<Result<_, E>>()?,
            ),
            Value::Join(values) => Value::Join(
                values.into_iter().map(|value| value.replace_references(with)).collect::<Result<_, E>>()?,
            ),
            Value::Map(map) => Value::Map(
                map.into_iter()
                    .map(|(key, value)| Ok((key, value.replace_references(with)?)))
                    .collect::<Result<_, E>>()?,
            ),
            plain => plain,
        })
    }

    /// Resolves references with `output` (`None` means known after apply) and secrets with the vault.
    pub fn resolve(
        &self,
        output: &impl Fn(&OutputRef) -> Option<Value>,
        vault: &Vault,
    ) -> Result<Value, SecretError> {
        if self.is_plain() {
            return Ok(self.clone());
        }
        let each = |values: &[Value]| {
            values.iter().map(|value| value.resolve(output, vault)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match self {
            Value::Output(reference) => output(reference).unwrap_or(Value::Unknown),
            Value::Secret(source) => Value::Sensitive(vault.fetch(source)?),
            Value::List(values) => Value::List(each(values)?),
            Value::Map(map) => Value::Map(resolve_map(map, output, vault)?),
            Value::Join(parts) => join(&each(parts)?, vault),
            plain => plain.clone(),
        })
    }
}

/// Resolves every attribute of a map.
pub fn resolve_map(
    map: &Map,
    output: &impl Fn(&OutputRef) -> Option<Value>,
    vault: &Vault,
) -> Result<Map, SecretError> {
    map.iter().map(|(key, value)| Ok((key.clone(), value.resolve(output, vault)?))).collect()
}

/// As [`resolve_map`], but shares `like` where the result is equal to it: most resources are as they were recorded, and
/// a copy of each would be the larger part of what a plan costs. What is sensitive is never shared: `like` may have no
/// more than its digest.
pub fn resolve_like(
    like: &Arc<Map>,
    map: &Map,
    output: &impl Fn(&OutputRef) -> Option<Value>,
    vault: &Vault,
) -> Result<Arc<Map>, SecretError> {
    let mut same = map.len() == like.len();
    for ((name, value), (known, was)) in map.iter().zip(like.iter()) {
        same = same
            && name == known
            && !was.is_sensitive()
            && if value.is_plain() { value == was } else { value.resolve(output, vault)? == *was };
    }
    if same { Ok(Arc::clone(like)) } else { resolve_map(map, output, vault).map(Arc::new) }
}

/// One text from resolved parts: unknown when a part is, sensitive when a part is.
fn join(parts: &[Value], vault: &Vault) -> Value {
    if parts.iter().any(Value::is_unknown) {
        return Value::Unknown;
    }
    let text: String = parts
        .iter()
        .map(|part| match part {
            Value::Sensitive(sensitive) => sensitive.expose().unwrap_or_default().to_owned(),
            other => other.to_string(),
        })
        .collect();
    if parts.iter().any(Value::is_sensitive) {
        Value::Sensitive(vault.seal(SecretString::from(text)))
    } else {
        Value::Text(text)
    }
}

/// As a person reads it in a plan: texts bare, the rest as JSON, secrets as stars' worth of words.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(bool) => bool.fmt(f),
            Value::Int(int) => int.fmt(f),
            Value::Float(float) => float.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::Sensitive(_) | Value::Secret(_) => f.write_str("(sensitive)"),
            Value::Unknown => f.write_str("(known after apply)"),
            Value::Output(reference) => match &reference.of {
                Target::Component(of) => write!(f, "${{{of}.{}}}", reference.output),
                Target::Resource(of) => write!(f, "${{{of}.{}}}", reference.output),
            },
            Value::Join(parts) => parts.iter().try_for_each(|part| part.fmt(f)),
            Value::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Value::Map(map) => {
                f.write_str("{")?;
                for (index, (key, value)) in map.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Value::$variant(value.into())
            }
        }
    )*};
}
from!(bool => Bool, i64 => Int, u32 => Int, u16 => Int, f64 => Float, String => Text, &str => Text, Vec<Value> => List, Map => Map);

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Value::List(values.into_iter().map(Into::into).collect())
    }
}

const OUTPUT: &str = "$output";
const SECRET: &str = "$secret";
const JOIN: &str = "$join";
const SENSITIVE: &str = "$sensitive";
const UNKNOWN: &str = "$unknown";

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn tagged<S: Serializer>(serializer: S, tag: &str, body: &impl Serialize) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(tag, body)?;
            map.end()
        }
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(bool) => serializer.serialize_bool(*bool),
            Value::Int(int) => serializer.serialize_i64(*int),
            Value::Float(float) => serializer.serialize_f64(*float),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(values) => values.serialize(serializer),
            Value::Map(map) => {
                let mut writer = serializer.serialize_map(Some(map.len()))?;
                for (key, value) in map {
                    // A key of the user's own that begins with `$` is doubled, so that it is not taken for a tag.
                    if key.starts_with('$') {
                        writer.serialize_entry(&format!("${key}"), value)?;
                    } else {
                        writer.serialize_entry(key, value)?;
                    }
                }
                writer.end()
            }
            Value::Output(reference) => tagged(serializer, OUTPUT, reference),
            Value::Secret(source) => tagged(serializer, SECRET, source),
            Value::Join(parts) => tagged(serializer, JOIN, parts),
            Value::Sensitive(sensitive) => tagged(serializer, SENSITIVE, &sensitive.digest()),
            Value::Unknown => tagged(serializer, UNKNOWN, &true),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(Value::Bool(bool))
    }
    fn visit_i64<E>(self, int: i64) -> Result<Value, E> {
        Ok(Value::Int(int))
    }
    fn visit_u64<E: serde::de::Error>(self, int: u64) -> Result<Value, E> {
        i64::try_from(int).map(Value::Int).map_err(|_| E::custom(format!("{int} is too large")))
    }
    fn visit_f64<E>(self, float: f64) -> Result<Value, E> {
        Ok(Value::Float(float))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.is_empty() && key.starts_with('$') && !key.starts_with("$$") {
                let value = match key.as_str() {
                    OUTPUT => Value::Output(access.next_value()?),
                    SECRET => Value::Secret(access.next_value()?),
                    JOIN => Value::Join(access.next_value()?),
                    SENSITIVE => Value::Sensitive(Sensitive::from_digest(&access.next_value::<String>()?)),
                    UNKNOWN => access.next_value::<bool>().map(|_| Value::Unknown)?,
                    other => return Err(serde::de::Error::custom(format!("unknown tag `{other}`"))),
                };
                return match access.next_key::<String>()? {
                    None => Ok(value),
                    Some(extra) => Err(serde::de::Error::custom(format!("`{extra}` beside the tag `{key}`"))),
                };
            }
            let key = key.strip_prefix('$').map_or_else(|| key.clone(), str::to_owned);
            map.insert(key, access.next_value()?);
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{address::Section, secret::SecretReader};

    struct Fixed;
    impl SecretReader for Fixed {
        fn read(&self, _: &SecretSource) -> Result<SecretString, SecretError> {
            Ok(SecretString::from("hunter2"))
        }
    }

    fn vault() -> Vault {
        Vault::new([7; 32], Box::new(Fixed))
    }

    #[test]
    fn a_value_is_no_larger_than_a_text_and_a_number() {
        // A big stack holds millions, and each map has room for eleven.
        assert!(size_of::<Value>() <= 32, "{} bytes", size_of::<Value>());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            ".*".prop_map(Value::Text),
            Just(Value::Unknown),
            "[A-Z]{1,8}".prop_map(|name| Value::Secret(SecretSource::Env(name))),
            "[0-9a-f]{64}".prop_map(|digest| Value::Sensitive(Sensitive::from_digest(&digest))),
            Just(OutputRef::component(ComponentId::new(Section::Databases, "orders"), "writer")),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Join),
                prop::collection::btree_map("[$]{0,2}[a-z]{1,3}", inner, 0..4).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn written_and_read_it_is_the_same(value in any_value()) {
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
        }
    }

    #[test]
    fn a_join_with_a_secret_is_sensitive_and_never_written() {
        let url = Value::Join(vec![
            "postgres://app:".into(),
            Value::Secret(SecretSource::Env("PASSWORD".into())),
            "@db".into(),
        ]);
        let resolved = url.resolve(&|_| None, &vault()).unwrap();
        assert_eq!(resolved.expose(), Some("postgres://app:hunter2@db"));
        let shown = format!("{resolved} {resolved:?} {}", serde_json::to_string(&resolved).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn inputs_that_are_as_recorded_are_shared_unless_they_are_sensitive() {
        let writer = OutputRef::component(ComponentId::new(Section::Databases, "orders"), "writer");
        let map = |host: Value, port: i64| Map::from([("host".into(), host), ("port".into(), port.into())]);
        let recorded = Arc::new(map("db1".into(), 3306));
        let resolved = |desired: Map, writer: &str| {
            resolve_like(&recorded, &desired, &|_| Some(writer.into()), &vault()).unwrap()
        };
        assert!(Arc::ptr_eq(&resolved(map(writer.clone(), 3306), "db1"), &recorded));
        assert_eq!(*resolved(map(writer.clone(), 3306), "db2"), map("db2".into(), 3306));
        assert_eq!(*resolved(map(writer.clone(), 3307), "db1"), map("db1".into(), 3307));
        assert_eq!(*resolved(Map::new(), "db1"), Map::new());

        let desired = Map::from([("password".into(), Value::Secret(SecretSource::Env("PASSWORD".into())))]);
        let sealed = resolve_map(&desired, &|_| None, &vault()).unwrap();
        let recorded: Map = serde_json::from_str(&serde_json::to_string(&sealed).unwrap()).unwrap();
        assert_eq!(recorded, sealed);
        let resolved = resolve_like(&Arc::new(recorded), &desired, &|_| None, &vault()).unwrap();
        assert_eq!(resolved["password"].expose(), Some("hunter2"));
    }

    #[test]
    fn what_is_not_made_yet_is_unknown() {
        let writer = OutputRef::component(ComponentId::new(Section::Databases, "orders"), "writer");
        let url = Value::Join(vec!["postgres://".into(), writer]);
        assert_eq!(url.resolve(&|_| None, &vault()).unwrap(), Value::Unknown);
        let known = url.resolve(&|_| Some("10.0.0.1".into()), &vault()).unwrap();
        assert_eq!(known, Value::text("postgres://10.0.0.1"));
    }
}
