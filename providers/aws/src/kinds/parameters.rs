//! The settings of an engine that a parameter group holds, be it an instance's or a cluster's: what is asked for against
//! what is set.
//!
//! A setting that the engine takes only when it starts is set and waits for the next start. Restarting a database is an
//! outage, so nobody here does that by himself.

use std::collections::BTreeSet;

use aws_sdk_rds::types::{ApplyMethod, Parameter};
use standfast_contract::{Map, Value};

use super::{Job, Seen};

/// Parameters in one call. <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html>
const IN_ONE_CALL_MAX: usize = 20;

/// What has to be told to RDS, in calls.
pub(super) struct Changes {
    pub set: Vec<Vec<Parameter>>,
    /// Back to the engine's own.
    pub reset: Vec<Vec<Parameter>>,
    /// Names of those that wait for a start.
    waits: Vec<String>,
}

impl Changes {
    pub fn tell(&self, job: &Job<'_>) {
        if !self.waits.is_empty() {
            let names = self.waits.join(", ");
            (job.context.progress)(&format!("takes effect at the database's next start: {names}"));
        }
    }
}

/// `known` are all parameters of the group.
pub(super) fn changes(job: &Job<'_>, seen: &Seen, known: &[Parameter]) -> Changes {
    let nothing = Map::new();
    let wanted = of(&job.call.inputs).unwrap_or(&nothing);
    let is = of(&seen.attributes).unwrap_or(&nothing);
    let dynamic: BTreeSet<&str> = known
        .iter()
        .filter(|one| one.apply_type() == Some("dynamic"))
        .filter_map(Parameter::parameter_name)
        .collect();
    let written = |key: &str, value: Option<&Value>| {
        let at_once = dynamic.contains(key);
        Parameter::builder()
            .parameter_name(key)
            .set_parameter_value(value.map(ToString::to_string))
            .apply_method(if at_once { ApplyMethod::Immediate } else { ApplyMethod::PendingReboot })
            .build()
    };
    let set: Vec<(&String, &Value)> =
        wanted.iter().filter(|(key, value)| value_of(known, key).as_ref() != Some(*value)).collect();
    let unset: Vec<&String> = is.keys().filter(|key| !wanted.contains_key(*key)).collect();
    let names = set.iter().map(|(key, _)| *key).chain(unset.iter().copied());
    let calls = |all: Vec<Parameter>| all.chunks(IN_ONE_CALL_MAX).map(<[_]>::to_vec).collect();
    Changes {
        waits: names.filter(|key| !dynamic.contains(key.as_str())).cloned().collect(),
        set: calls(set.iter().map(|(key, value)| written(key, Some(value))).collect()),
        reset: calls(unset.iter().map(|key| written(key, None)).collect()),
    }
}

fn of(attributes: &Map) -> Option<&Map> {
    attributes.get("parameters").and_then(Value::as_map)
}

fn value_of(known: &[Parameter], name: &str) -> Option<Value> {
    known.iter().find(|one| one.parameter_name() == Some(name))?.parameter_value().map(Value::from)
}

/// Whether one of the wanted parameters is not among those that are seen as set. RDS tells only those as a user's whose
/// value is another one than the engine's own.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameters.html>
pub(super) fn lacks(seen: &Seen, inputs: &Map) -> bool {
    let is = of(&seen.attributes);
    of(inputs).is_some_and(|wanted| wanted.keys().any(|name| is.is_none_or(|is| !is.contains_key(name))))
}

/// Puts the wanted parameters beside those that are set, as the engine has them. `known` are all of the group.
pub(super) fn complete(seen: &mut Seen, inputs: &Map, known: &[Parameter]) {
    let mut is = of(&seen.attributes).cloned().unwrap_or_default();
    for name in of(inputs).into_iter().flat_map(Map::keys) {
        if let (false, Some(value)) = (is.contains_key(name), value_of(known, name)) {
            is.insert(name.clone(), value);
        }
    }
    if !is.is_empty() {
        seen.attributes.insert("parameters".into(), is.into());
    }
}

/// As the attribute has them; null where there are none.
pub(super) fn attribute(set_by_user: &[Parameter]) -> Value {
    let set: Map = set_by_user
        .iter()
        .filter_map(|one| Some((one.parameter_name()?.to_owned(), one.parameter_value()?.into())))
        .collect();
    if set.is_empty() { Value::Null } else { set.into() }
}
