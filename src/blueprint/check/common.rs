//! What every component has, and the hosts that it names.

use std::collections::HashMap;

use standfast_contract::{ComponentId, Lifecycle, Region, Section, Value, component::Common, value::Map};

use super::super::{
    diagnostic::Diagnostic,
    node::{Node, Span},
    reader::Reader,
};

/// The region that a component is in, as far as it is known.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub region: Option<&'a Region>,
}

impl<'a> Scope<'a> {
    pub fn new(common: Option<&Common>, regions: &'a [Region]) -> Self {
        Scope { region: common.and_then(|common| regions.iter().find(|region| region.name == common.region)) }
    }
}

pub fn common(section: Section, name: &str, reader: &Reader<'_>, regions: &[Region]) -> Option<Common> {
    let depends_on = depends_on(section, name, reader);
    let region = region_of(section, reader, regions);
    let lifecycle = reader.child("lifecycle").map(|it| Lifecycle {
        prevent_destroy: it.bool("prevent_destroy").unwrap_or_default(),
        ignore_changes: it.texts("ignore_changes"),
        create_before_destroy: it.bool("create_before_destroy"),
    });
    Some(Common {
        name: name.to_owned(),
        region: region?,
        lifecycle: lifecycle.unwrap_or_default(),
        deletion_protection: reader.bool("deletion_protection"),
        depends_on,
        tags: tags(reader),
    })
}

/// Tags are texts, whatever they look like.
pub fn tags(reader: &Reader<'_>) -> Map {
    let texts = reader.entries("tags").filter_map(|(name, entry)| {
        Some((name.to_owned(), Value::Text(entry.value.as_scalar()?.text.clone())))
    });
    texts.collect()
}

fn region_of(section: Section, reader: &Reader<'_>, regions: &[Region]) -> Option<String> {
    let names = &reader.context.names.regions;
    // The region that is protected is where disaster recovery belongs.
    let key = if section == Section::DisasterRecovery { "from" } else { "region" };
    match reader.text(key) {
        Some(written) => region_named(reader, key, written),
        None if reader.has(key) || key == "from" => None,
        None => match names.keys().next() {
            Some(only) if names.len() == 1 => Some(only.clone()),
            _ => {
                if !regions.is_empty() {
                    let all: Vec<_> = names.keys().map(String::as_str).collect();
                    reader.push(
                        Diagnostic::error(reader.owner, "missing key `region`")
                            .label("which of the regions?")
                            .expected(format!("one of {}", all.join(", "))),
                    );
                }
                None
            }
        },
    }
}

/// A region that exists.
pub fn region_named(reader: &Reader<'_>, key: &str, written: String) -> Option<String> {
    let names = &reader.context.names.regions;
    if names.contains_key(&written) {
        return Some(written);
    }
    reader.context.dangling(
        reader.span(key),
        format!("no region `{written}`"),
        &written,
        names.keys().map(String::as_str),
        "regions",
    );
    None
}

fn depends_on(section: Section, name: &str, reader: &Reader<'_>) -> Vec<ComponentId> {
    let mut found = Vec::new();
    for node in reader.items("depends_on") {
        let Some(id) = component_named(reader, node) else { continue };
        if id.section == section && id.name == name {
            reader.push(Diagnostic::error(node.span, format!("`{id}` depends on itself")));
        } else {
            found.push(id);
        }
    }
    found
}

/// A component by `SECTION.NAME`. `None` has been reported.
pub fn component_named(reader: &Reader<'_>, node: &Node) -> Option<ComponentId> {
    let written = &node.as_scalar()?.text;
    let Ok(id) = written.parse::<ComponentId>() else {
        reader.push(
            Diagnostic::error(node.span, format!("`{written}` names no component"))
                .expected("`SECTION.NAME`, for example `databases.orders`"),
        );
        return None;
    };
    if reader.context.names.has_component(id.section, &id.name) {
        return Some(id);
    }
    // The list of all components is long; not for a problem that is only counted.
    let sections = if reader.context.sink.is_full() { &[][..] } else { &Section::ALL[..] };
    let known: Vec<String> = sections
        .iter()
        .flat_map(|section| {
            reader.context.names.components(*section).map(move |name| format!("{section}.{name}"))
        })
        .collect();
    let known = known.iter().map(String::as_str);
    let message = format!("no component `{id}`");
    reader.context.dangling(node.span, message, &id.to_string(), known, "components");
    None
}

/// The hosts that a component names, each in its region and once.
///
/// A region with hosts needs them named; in one without, the provider makes machines and there is nothing to name.
pub fn hosts(reader: &Reader<'_>, scope: Scope<'_>, noun: &str) -> Option<Vec<String>> {
    let region = scope.region?;
    let has_hosts = region.hosts().next().is_some();
    let Some(entry) = reader.entry("hosts") else {
        if !has_hosts {
            return Some(Vec::new());
        }
        reader.push(
            Diagnostic::error(reader.owner, "missing key `hosts`")
                .label(format!("on which hosts of `{}`?", region.name))
                .expected("a list of hosts, for example `[web1, web2]`"),
        );
        return None;
    };
    let items = entry.value.as_list()?;
    if !has_hosts {
        reader.push(
            Diagnostic::error(entry.key, format!("region `{}` has no hosts to name", region.name)).help(
                format!(
                    "remove `hosts`: provider `{}` makes the machines; or give the zones hosts",
                    region.provider
                ),
            ),
        );
        return None;
    }
    if items.is_empty() {
        reader.push(
            Diagnostic::error(entry.value.span, "`hosts` is empty")
                .label(format!("{noun} needs at least one")),
        );
        return None;
    }
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut hosts = Vec::new();
    let known = reader.context.names.regions.get(&region.name);
    for node in items {
        let Some(scalar) = node.as_scalar() else { continue };
        if let Some(first) = seen.insert(&scalar.text, node.span) {
            reader.push(
                Diagnostic::error(node.span, format!("host `{}` is named twice", scalar.text))
                    .label("again here")
                    .related(first, "first here"),
            );
        } else if known.is_some_and(|known| known.contains_key(&scalar.text)) {
            hosts.push(scalar.text.clone());
        } else {
            no_host(reader, &scalar.text, node.span, region);
        }
    }
    (hosts.len() == items.len()).then_some(hosts)
}

fn no_host(reader: &Reader<'_>, written: &str, span: Span, region: &Region) {
    let names = reader.context.names;
    let elsewhere =
        names.regions.iter().find(|(name, hosts)| **name != region.name && hosts.contains_key(written));
    match elsewhere {
        Some((other, _)) => reader.push(
            Diagnostic::error(span, format!("no host `{written}` in region `{}`", region.name)).help(
                format!("it is a host of region `{other}`: say `region: {other}`, or name other hosts"),
            ),
        ),
        None => {
            let message = format!("region `{}` has no host `{written}`", region.name);
            reader.context.dangling(span, message, written, names.hosts(&region.name), "hosts");
        }
    }
}

/// The path that a health check asks for.
pub fn check_path(reader: &Reader<'_>) -> Option<String> {
    let path = reader.text("path")?;
    // Others must be percent-encoded to travel in a request (RFC 3986, section 2).
    let is_plain = path.chars().all(|c| c.is_ascii_graphic() && c != '#');
    if !path.starts_with('/') || !is_plain {
        reader.push(
            reader
                .error("path", format!("`{path}` is no path"))
                .expected("a path that begins with `/`, for example `/healthz`, with `%20` for a space"),
        );
    }
    Some(path)
}
