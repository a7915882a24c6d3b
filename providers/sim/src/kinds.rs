//! The kinds of resource that the simulated world knows, their ids, and which attributes refer to others.
//!
//! An attribute that refers to something by id either replaces its resource or refers to a kind that is made before the
//! old one is destroyed. Otherwise a replacement would wait for a referrer that in turn waits for it.

use std::{fmt, str::FromStr};

use standfast_contract::{Attribute, Kind, Map, Value};

/// A schema, the prefix of its ids, and the attributes that hold ids of others.
pub(crate) struct SimKind {
    pub schema: Kind,
    pub prefix: &'static str,
    pub refers: &'static [&'static str],
}

// What the world makes up of a thing's id stays as long as the thing does.
const ID: Attribute = Attribute::new("id").computed().stable();
const ARN: Attribute = Attribute::new("arn").computed().stable();
const TAGS: Attribute = Attribute::new("tags");

const fn may(name: &'static str) -> Attribute {
    Attribute::new(name)
}
const fn must(name: &'static str) -> Attribute {
    Attribute::new(name).required()
}
const fn fixed(name: &'static str) -> Attribute {
    Attribute::new(name).required().replaces()
}
const fn may_fixed(name: &'static str) -> Attribute {
    Attribute::new(name).replaces()
}
const fn out(name: &'static str) -> Attribute {
    Attribute::new(name).computed().stable()
}
const fn ms(name: &'static str) -> Attribute {
    Attribute::new(name).unit("milliseconds")
}
/// The world keeps only its digest, and no API tells it again.
const fn hidden(name: &'static str) -> Attribute {
    Attribute::new(name).sensitive().unobserved()
}

macro_rules! kind {
    ($name:literal, $prefix:literal, refers $refers:expr, [$($attribute:expr),* $(,)?]) => {
        SimKind {
            schema: Kind::new($name, &[ID, ARN, TAGS, $($attribute),*]),
            prefix: $prefix,
            refers: &$refers,
        }
    };
}

impl SimKind {
    const fn made_before_destroyed(mut self) -> Self {
        self.schema.create_before_destroy = true;
        self
    }
    const fn holds_data(mut self) -> Self {
        self.schema.holds_data = true;
        self
    }
    const fn keeps_previous(mut self) -> Self {
        self.schema.keeps_previous = true;
        self
    }
}

/// Every kind. An id holds its index; a world file holds its prefix, so the order may change.
pub(crate) static KINDS: &[SimKind] = &[
    kind!("network", "net", refers [], [fixed("cidr"), may("nat")]),
    kind!("subnet", "subnet", refers["network"], [fixed("network"), fixed("zone"), fixed("cidr")]),
    kind!("gateway", "nat", refers["subnet"], [fixed("subnet"), out("address")]),
    kind!("setting", "set", refers [], [
        fixed("host"),
        fixed("type"),
        fixed("name"),
        may("digest"),
        may("content"),
        hidden("secret"),
        may("variables"),
        may("value"),
        may("mode").unit("octal mode"),
        may("owner"),
        may("group"),
        may("groups"),
        may("shell"),
        may("keys"),
        may("enabled"),
        may("running"),
        may("rules"),
    ]),
    kind!("address", "eip", refers [], [may_fixed("requested"), out("address")]),
    kind!("balancer", "lb", refers ["address", "subnets"], [
        fixed("layer"),
        fixed("address"),
        may_fixed("subnets"),
        may_fixed("hosts"),
        must("algorithm"),
        may("cookie"),
        ms("cookie_ttl_ms"),
        ms("drain_timeout_ms"),
        may_fixed("internal"),
        may("access_logs"),
        out("dns_name"),
    ]),
    kind!("target_group", "tg", refers [], [
        fixed("protocol"),
        fixed("port"),
        may("check_path"),
        may("check_host"),
        may("check_port"),
        ms("check_interval_ms"),
        ms("check_timeout_ms"),
        may("healthy"),
        may("unhealthy"),
    ])
    .made_before_destroyed(),
    kind!("listener", "lsn", refers ["balancer", "routes"], [
        fixed("balancer"),
        fixed("port"),
        must("protocol"),
        hidden("certificate"),
        may("certificate_arn"),
        may("redirect_https"),
        may("routes"),
    ]),
    kind!("launch_template", "lt", refers [], [
        fixed("source"),
        may_fixed("image"),
        may_fixed("instance_type"),
        may("run"),
        may("user"),
        may("port"),
    ])
    .made_before_destroyed(),
    kind!("member", "i", refers ["template", "subnet", "target_groups"], [
        must("template"),
        fixed("zone"),
        may_fixed("host"),
        may_fixed("subnet"),
        may("target_groups"),
        must("release"),
        may("files"),
        may("environment").unobserved(),
        may("port"),
        out("address"),
    ])
    .keeps_previous(),
    kind!("scaling_policy", "scale", refers [], [fixed("metric"), must("target"), may("min"), may("max")]),
    kind!("parameter_group", "pg", refers [], [fixed("family"), may("parameters")]).made_before_destroyed(),
    kind!("database", "db", refers ["parameter_group", "subnet"], [
        fixed("engine"),
        fixed("topology"),
        fixed("zone"),
        may_fixed("host"),
        may_fixed("subnet"),
        may_fixed("username"),
        must("parameter_group"),
        may("version"),
        may("instance_type"),
        may("storage_bytes").unit("bytes"),
        hidden("password"),
        may("replication"),
        may("failover"),
        may("read_write_split"),
        may("backup"),
        may("maintenance_window"),
        out("endpoint"),
        out("reader_endpoint"),
    ])
    .holds_data(),
    kind!("replica", "dbr", refers ["source", "subnet"], [
        fixed("source"),
        fixed("zone"),
        may_fixed("host"),
        may_fixed("subnet"),
        may("mode"),
        may("instance_type"),
        out("endpoint"),
    ]),
    kind!("store", "store", refers [], [
        fixed("engine"),
        may("version"),
        may("instance_type"),
        hidden("password"),
        out("endpoint"),
    ]),
    kind!("store_node", "cache", refers ["store", "subnet"], [
        fixed("store"),
        fixed("zone"),
        may_fixed("host"),
        may_fixed("subnet"),
        out("address"),
    ]),
    kind!("record", "rr", refers [], [fixed("zone"), fixed("name"), must("value"), ms("ttl_ms"), may("routing"), may("health_check")]),
    kind!("collector", "mon", refers [], [may("hosts"), ms("retention_ms")]),
    kind!("channel", "ch", refers [], [fixed("type"), hidden("target")]).made_before_destroyed(),
    kind!("alarm", "al", refers ["collector", "channels"], [
        fixed("watches"),
        fixed("collector"),
        must("condition"),
        may("channels"),
    ]),
    kind!("backup_copy", "bak", refers["source"], [fixed("source"), fixed("into")]),
    kind!("standby", "stby", refers [], [fixed("group"), must("capacity"), may("serving")]),
    kind!(
        "node",
        "node",
        refers["below"],
        [
            must("name"),
            fixed("zone"),
            may("size").unit("bytes"),
            may("label"),
            may("weights"),
            may_fixed("below"),
            out("value"),
        ]
    ),
];

/// The kind of this name, with its index.
pub(crate) fn by_name(name: &str) -> Option<(u8, &'static SimKind)> {
    (0_u8..).zip(KINDS).find(|(_, kind)| kind.schema.name == name)
}

/// What a thing is called in the world: `i-000042`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub kind: u8,
    pub number: u32,
}

impl Id {
    pub fn sim_kind(self) -> &'static SimKind {
        &KINDS[usize::from(self.kind)]
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:06}", self.sim_kind().prefix, self.number)
    }
}

/// A text that no simulated thing could be called.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no kind of thing in this world has such an id")]
pub(crate) struct NoId;

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = NoId;
    fn from_str(text: &str) -> Result<Self, NoId> {
        let (prefix, digits) = text.split_once('-').ok_or(NoId)?;
        if digits.len() < 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NoId);
        }
        let (kind, _) = (0_u8..).zip(KINDS).find(|(_, kind)| kind.prefix == prefix).ok_or(NoId)?;
        Ok(Id { kind, number: digits.parse().map_err(|_| NoId)? })
    }
}

impl serde::Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(|_: NoId| serde::de::Error::custom(format!("`{text}`: {NoId}")))
    }
}

/// Ids that an attribute refers to, however deep. A text that is no id of this world is something outside it.
pub(crate) fn references(kind: &SimKind, inputs: &Map) -> Vec<Id> {
    fn collect(value: &Value, into: &mut Vec<Id>) {
        match value {
            Value::Text(text) => into.extend(text.parse::<Id>().ok()),
            Value::List(values) => values.iter().for_each(|value| collect(value, into)),
            Value::Map(map) => map.values().for_each(|value| collect(value, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for attribute in kind.refers {
        if let Some(value) = inputs.get(*attribute) {
            collect(value, &mut found);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What the world makes of a thing by itself: the same for the same id, whatever happens to its inputs. An address
/// that was asked for is the exception.
pub(crate) fn outputs(id: Id, region: &str, inputs: &Map) -> Map {
    let kind = id.sim_kind();
    let mut outputs = Map::new();
    for attribute in kind.schema.attributes.iter().filter(|attribute| attribute.computed) {
        let value = match attribute.name {
            "id" => id.to_string(),
            "arn" => format!("arn:sim:{region}:{}/{id}", kind.schema.name),
            "address" => match inputs.get("requested").and_then(Value::as_str) {
                Some(requested) => requested.to_owned(),
                None => address_of(id),
            },
            "dns_name" | "endpoint" => format!("{id}.{region}.sim.internal"),
            "reader_endpoint" => format!("{id}-reader.{region}.sim.internal"),
            other => format!("{other}-of-{id}"),
        };
        outputs.insert(attribute.name.to_owned(), Value::Text(value));
    }
    outputs
}

/// One address a thing, unique up to a million things of a kind: shared address space (RFC 6598) for what faces
/// outward, private (RFC 1918) for the rest.
fn address_of(id: Id) -> String {
    let [_, high, mid, low] = id.number.to_be_bytes();
    if matches!(id.sim_kind().schema.name, "address" | "gateway") {
        format!("100.{}.{mid}.{low}", 64 + (high & 0x0f) + 16 * (id.kind & 3))
    } else {
        format!("10.{}.{mid}.{low}", (high & 0x0f) | (id.kind << 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_prefixes_are_unique() {
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.schema.name).collect();
        let mut prefixes: Vec<_> = KINDS.iter().map(|kind| kind.prefix).collect();
        for list in [&mut names, &mut prefixes] {
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), KINDS.len());
        }
    }

    #[test]
    fn an_id_reads_back() {
        for text in ["i-000042", "db-1234567", "node-000001"] {
            assert_eq!(text.parse::<Id>().unwrap().to_string(), text);
        }
        for text in ["i-42", "x-000042", "i-0000a2", "vpc", "i-99999999999"] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_referring_attribute_replaces_or_refers_to_what_is_made_before_it_is_destroyed() {
        let freely = ["template", "target_groups", "routes", "parameter_group", "channels"];
        for kind in KINDS {
            for name in kind.refers {
                let attribute = kind.schema.attribute(name).unwrap();
                assert!(attribute.replaces || freely.contains(name), "{}.{name}", kind.schema.name);
            }
        }
    }
}
