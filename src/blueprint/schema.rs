//! The table of keys as a JSON Schema (draft 2020-12), for editors.
//!
//! A schema sees YAML values, not source text, so it is a little wider than the checker: `version: 15` is a number to it.
//! Where the checker takes `${variables.x}`, so does the schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::keys::{BLUEPRINT, Key, Naming, Object, Shape};

/// The schema of a blueprint.
pub fn schema() -> Value {
    let mut definitions = BTreeMap::new();
    let reference = json!({ "type": "string", "pattern": "\\$\\{" });
    definitions.insert("reference".to_owned(), reference);
    let reference = object(&BLUEPRINT, false, &mut definitions);
    let definitions: Map<String, Value> = definitions.into_iter().collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "standfast blueprint",
        "$ref": reference["$ref"],
        "$defs": definitions,
    })
}

type Definitions = BTreeMap<String, Value>;

/// A reference to an object's schema, which is made when it is not there yet.
fn object(of: &'static Object, partial: bool, definitions: &mut Definitions) -> Value {
    let id = if partial { format!("{}.partial", of.id) } else { of.id.to_owned() };
    if !definitions.contains_key(&id) {
        // Before its keys, so that an object inside itself would end.
        definitions.insert(id.clone(), Value::Null);
        let built = build(of, partial, definitions);
        definitions.insert(id.clone(), built);
    }
    json!({ "$ref": format!("#/$defs/{id}") })
}

fn build(of: &'static Object, partial: bool, definitions: &mut Definitions) -> Value {
    let mut properties = Map::new();
    for key in of.keys() {
        properties.insert(key.name.to_owned(), property(key, partial, definitions));
    }
    let mut schema = json!({
        "type": "object",
        "description": of.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    let required: Vec<_> = of.keys().filter(|key| key.required && !partial).map(|key| key.name).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !of.one_of.is_empty() && !partial {
        schema["oneOf"] = of.one_of.iter().map(|name| json!({ "required": [name] })).collect();
    }
    schema
}

fn property(key: &'static Key, partial: bool, definitions: &mut Definitions) -> Value {
    let mut schema = shape(&key.shape, partial, definitions);
    let nullable = partial || matches!(key.shape, Shape::Map(..) | Shape::List(_) | Shape::Any);
    if nullable {
        schema = json!({ "anyOf": [schema, { "type": "null" }] });
    }
    schema["description"] = json!(key.doc);
    if let Some(default) = key.default {
        schema["default"] = as_json(default);
    }
    if let Some(example) = key.example {
        schema["examples"] = json!([as_json(example)]);
    }
    schema
}

fn shape(of: &'static Shape, partial: bool, definitions: &mut Definitions) -> Value {
    match of {
        Shape::Text | Shape::Reference(_) | Shape::Path => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Value => json!({ "type": ["string", "number", "boolean", "null"] }),
        Shape::Any => json!({}),
        Shape::Bool => or_variable(json!({ "type": "boolean" })),
        Shape::Int(low, i64::MAX) => or_variable(json!({ "type": "integer", "minimum": low })),
        Shape::Int(low, high) => or_variable(json!({ "type": "integer", "minimum": low, "maximum": high })),
        Shape::Number => or_variable(json!({ "type": "number" })),
        Shape::Port => or_variable(json!({ "type": "integer", "minimum": 1, "maximum": 65535 })),
        Shape::Duration => pattern("^([0-9]+(ms|s|m|h|d|w))+$"),
        Shape::Size => pattern("^[0-9]+(\\.[0-9]+)?(B|[kMGT]B|[KMGT]iB)$"),
        Shape::Share => pattern("^[0-9]+(\\.[0-9]+)?%$"),
        // Without quotes a mode is a number to YAML.
        Shape::Mode => json!({ "type": ["string", "integer"] }),
        Shape::Ip => {
            or_variable(json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] }))
        }
        Shape::Cidr => pattern("^[0-9A-Fa-f:.]+(/[0-9]+)?$"),
        Shape::HostPath => pattern("^/[^\\\\\\x00-\\x1f]*$"),
        Shape::Choice(words) => choice(words),
        Shape::Secret => json!({ "type": "string", "pattern": "^\\$\\{\\s*secrets\\.[^}]+\\}$" }),
        Shape::List(item) => {
            let items = shape(item, partial, definitions);
            or_variable(json!({ "type": "array", "items": items }))
        }
        Shape::Map(naming, value) => {
            let mut value = shape(value, partial, definitions);
            if partial {
                value = json!({ "anyOf": [value, { "type": "null" }] });
            }
            let mut schema = json!({ "type": "object", "additionalProperties": value });
            if matches!(naming, Naming::Plain(_)) {
                schema["propertyNames"] = json!({ "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,47}$" });
            }
            schema
        }
        Shape::Object(of) => object(of, partial, definitions),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|one| shape(one, partial, definitions)).collect::<Vec<_>>() })
        }
        Shape::Partial(inner) => shape(inner, true, definitions),
    }
}

fn choice(words: &'static [(&'static str, &'static str)]) -> Value {
    let words = words.iter().map(|(word, meaning)| {
        // `generate: true` is a boolean to YAML.
        json!({ "const": as_json(word), "description": meaning })
    });
    or_variable(json!({ "oneOf": words.collect::<Vec<_>>() }))
}

fn pattern(pattern: &str) -> Value {
    or_variable(json!({ "type": "string", "pattern": pattern }))
}

/// A text with a reference may stand in the place of most values; it is looked into by `check`.
fn or_variable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "$ref": "#/$defs/reference" }] })
}

/// A default or example as an editor should write it.
fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// Every object of the table, each once, in the order in which the blueprint leads to them.
pub fn objects() -> Vec<&'static Object> {
    fn below(shape: &'static Shape, found: &mut Vec<&'static Object>) {
        match shape {
            Shape::Object(object) => visit(object, found),
            Shape::List(inner) | Shape::Map(_, inner) | Shape::Partial(inner) => below(inner, found),
            Shape::Either(shapes) => shapes.iter().for_each(|shape| below(shape, found)),
            _ => {}
        }
    }
    fn visit(object: &'static Object, found: &mut Vec<&'static Object>) {
        if !found.iter().any(|one| std::ptr::eq(*one, object)) {
            found.push(object);
            object.keys().for_each(|key| below(&key.shape, found));
        }
    }
    let mut found = Vec::new();
    visit(&BLUEPRINT, &mut found);
    found
}
