//! The stages of a check, one after the other.

use std::{cell::Cell, collections::BTreeMap, path::Path, sync::Arc};

use standfast_contract::{Component, ComponentId, Region, Section};

use super::{
    Blueprint, DEFAULT_ENVIRONMENT, Options, Problems,
    check::{self, Placed},
    diagnostic::{Diagnostic, NOWHERE, Sink},
    interpolate::interpolate,
    keys::{self, BLUEPRINT},
    names::{self, Names, ONLY, PLAIN_NAME_RULE, is_plain_name, is_single},
    node::{Entries, Entry, Kind, Node},
    origin::Origin,
    overlay::lay,
    read::{NODES_MAX, read},
    reader::{Context, plain_value, reader},
    scalar,
    shape::Walk,
    variables::{self, Given, Variables, folder_of},
};

/// The versions of the format that this release reads.
const FORMATS: [i64; 1] = [1];

pub fn check(
    text: &str,
    path: &Path,
    options: &Options,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Blueprint, Problems> {
    let files = variables::read_files(&options.variable_files)?;
    check_with(text, path, options, &Given { options: &options.variables, files, environment })
}

/// The same with variables from where `given` says; of `options` the environment alone counts.
pub fn check_with(
    text: &str,
    path: &Path,
    options: &Options,
    given: &Given<'_>,
) -> Result<Blueprint, Problems> {
    let sink = Sink::default();
    let text: Arc<str> = text.into();
    let blueprint = stages(&text, path, options, given, &sink);
    if let Some(blueprint) = &blueprint {
        blueprint.check_outputs(&sink);
    }
    match blueprint {
        Some(mut blueprint) if sink.errors() == 0 => {
            (blueprint.warnings, _) = sink.finish(&text);
            Ok(blueprint)
        }
        _ => {
            if sink.errors() == 0 {
                // Every `None` on the way has its report; this one would be a mistake of ours, and must not pass.
                sink.push(Diagnostic::error(
                    NOWHERE,
                    "the blueprint could not be understood, for no reason given",
                ));
            }
            Err(sink.into_problems(path, &text))
        }
    }
}

fn stages(
    text: &Arc<str>,
    path: &Path,
    options: &Options,
    given: &Given<'_>,
    sink: &Sink,
) -> Option<Blueprint> {
    let root = read(text, sink);
    if sink.errors() == 0 && root.as_ref().is_none_or(Node::is_null) {
        sink.push(
            Diagnostic::error(NOWHERE, "the file is empty")
                .expected("a blueprint, beginning with `standfast: 1`")
                .help("`standfast init` writes one to begin with"),
        );
    }
    let root = root?;
    if root.as_map().is_none() {
        if sink.errors() == 0 {
            sink.push(
                Diagnostic::error(
                    root.span,
                    format!("a blueprint is a map, and this is {}", root.describe()),
                )
                .expected("`key: value` on each line, beginning with `standfast: 1`"),
            );
        }
        return None;
    }
    if !format_is_known(&root, sink) {
        return None;
    }
    let mut root = with_environment(root, options.environment.as_deref(), sink)?;
    let variables = variables::resolve(&root, given, sink);
    interpolate(&mut root, text, &variables, sink);
    with_defaults(&mut root, sink)?;
    let names = Names::of(&root);
    Walk { names: &names, sink }.walk(&BLUEPRINT, &root);
    typed(&root, &names, variables, text, path, options, sink)
}

/// Another version may have other keys: nothing else is said of it.
fn format_is_known(root: &Node, sink: &Sink) -> bool {
    let Some(node) = root.get("standfast") else { return true };
    let Some(version) = node.as_scalar().and_then(scalar::integer) else { return true };
    if FORMATS.contains(&version) {
        return true;
    }
    sink.push(
        Diagnostic::error(node.span, format!("this release does not know version {version} of the format"))
            .expected("`standfast: 1`")
            .help("use the release of standfast that the blueprint was written for"),
    );
    false
}

/// Lays the chosen environment over the blueprint.
fn with_environment(root: Node, chosen: Option<&str>, sink: &Sink) -> Option<Node> {
    let environments = root.get("environments").and_then(Node::as_map).cloned().unwrap_or_default();
    for (_, environment) in &environments {
        strangers(&root, &environment.value, sink);
    }
    let Some(chosen) = chosen else { return Some(root) };
    if !is_plain_name(chosen) {
        sink.push(
            Diagnostic::error(NOWHERE, format!("bad name `{chosen}` of an environment"))
                .expected(PLAIN_NAME_RULE),
        );
        return None;
    }
    match environments.get(chosen) {
        Some(environment) if environment.value.as_map().is_some() => Some(lay(root, &environment.value)),
        Some(_) => Some(root),
        None if chosen == DEFAULT_ENVIRONMENT => Some(root),
        None => {
            let known = environments.keys().map(String::as_str);
            sink.push(
                Diagnostic::error(NOWHERE, format!("no environment `{chosen}`")).help_maybe(names::suggest(
                    chosen,
                    known,
                    "environments",
                )),
            );
            None
        }
    }
}

/// An environment changes components and adds none: a name that is not in the blueprint is a slip.
fn strangers(root: &Node, environment: &Node, sink: &Sink) {
    for section in Section::ALL {
        let Some(changes) = environment.get(section.as_str()).and_then(Node::as_map) else { continue };
        let there = root.get(section.as_str()).and_then(Node::as_map);
        if is_single(section) {
            if let (None, Some(first)) = (there, changes.values().next()) {
                sink.push(Diagnostic::error(
                    first.key,
                    format!("the blueprint has no `{section}` to change"),
                ));
            }
            continue;
        }
        for (name, entry) in changes {
            if there.is_none_or(|there| !there.contains_key(name)) {
                let known = there.into_iter().flat_map(|there| there.keys().map(String::as_str));
                sink.push(
                    Diagnostic::error(entry.key, format!("no component `{section}.{name}` to change"))
                        .label("an environment adds no components")
                        .help_maybe(names::suggest(name, known, section.as_str())),
                );
            }
        }
    }
}

/// Lays every component over the defaults of its section.
fn with_defaults(root: &mut Node, sink: &Sink) -> Option<()> {
    let Some(defaults) = root.get("defaults").cloned() else { return Some(()) };
    let Kind::Map(entries) = &mut root.kind else { return None };
    let mut weight = 0;
    for section in Section::ALL {
        let Some(below) = defaults.get(section.as_str()).filter(|node| node.as_map().is_some()) else {
            continue;
        };
        let Some(entry) = entries.get_mut(section.as_str()) else { continue };
        // Each component gets a copy, so that a large default under many components grows without this.
        let count = if is_single(section) { 1 } else { entry.value.as_map().map_or(0, Entries::len) };
        weight += below.weight().saturating_mul(count);
        if weight > NODES_MAX {
            sink.push(
                Diagnostic::error(below.span, "these defaults under all their components are too much")
                    .help(format!("at most {NODES_MAX} keys and values may come of defaults")),
            );
            return None;
        }
        if is_single(section) {
            lay_over(&mut entry.value, below);
        } else if let Kind::Map(components) = &mut entry.value.kind {
            components.values_mut().for_each(|component| lay_over(&mut component.value, below));
        }
    }
    Some(())
}

fn lay_over(component: &mut Node, below: &Node) {
    if component.as_map().is_none() && !component.is_null() {
        return;
    }
    let own = std::mem::replace(component, below.clone());
    let span = own.span;
    if own.as_map().is_some() {
        *component = lay(std::mem::replace(component, Node::empty_map(span)), &own);
    }
    component.span = span;
}

fn typed(
    root: &Node,
    names: &Names,
    variables: Variables,
    text: &Arc<str>,
    path: &Path,
    options: &Options,
    sink: &Sink,
) -> Option<Blueprint> {
    let folder = folder_of(path);
    let no_secrets = BTreeMap::new();
    let bare = Context { names, sink, secrets: &no_secrets, folder: &folder, hosts_named: Cell::new(0) };
    let secrets = check::secrets(&reader(&bare, &BLUEPRINT, root, root.span));
    let context = Context { secrets: &secrets, hosts_named: Cell::new(0), ..bare };
    let top = reader(&context, &BLUEPRINT, root, root.span);
    let name = top.text("name");
    if let Some(name) = name.as_ref().filter(|name| !is_plain_name(name)) {
        sink.push(top.error("name", format!("bad name `{name}`")).expected(PLAIN_NAME_RULE));
    }
    let mut regions: Vec<Region> = Vec::new();
    if top.entry("regions").is_some_and(|entry| entry.value.as_map().is_some_and(Entries::is_empty)) {
        sink.push(top.error("regions", "a blueprint needs a region"));
    }
    let mut missing = false;
    for (name, reader) in top.named("regions") {
        match check::region(name, &reader) {
            Some(region) => regions.push(region),
            None => missing = true,
        }
    }
    let (components, complete) = components(root, &context, &regions, missing);
    let placed: Vec<_> = components
        .iter()
        .map(|(component, entry)| Placed { component, node: &entry.value, key: entry.key })
        .collect();
    check::conflicts(&placed, &regions, sink);
    if complete && sink.errors() == 0 {
        check::reach(&placed, &regions, sink);
    }
    let moved = check::moved(&top);
    let removed = check::removed(&top);
    let objectives = check::objectives(top.child("objectives"));
    if missing || !complete || sink.errors() > 0 {
        return None;
    }
    let origin = Origin {
        components: components
            .iter()
            .map(|(component, entry)| (component.id(), (entry.key, entry.value.clone())))
            .collect(),
        regions: root
            .get("regions")
            .and_then(Node::as_map)
            .into_iter()
            .flatten()
            .map(|(name, entry)| (name.clone(), (entry.key, entry.value.clone())))
            .collect(),
        region_of: components
            .iter()
            .map(|(component, _)| (component.id(), component.common().region.clone()))
            .collect(),
    };
    let plain = variables.into_iter().map(|(name, node)| Some((name, plain(&node?))));
    Some(Blueprint {
        name: name?,
        environment: options.environment.clone().unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned()),
        objectives,
        regions,
        components: components.into_iter().map(|(component, _)| component).collect(),
        moved,
        removed,
        variables: plain.collect::<Option<_>>()?,
        warnings: Vec::new(),
        path: path.to_owned(),
        text: text.clone(),
        origin,
        secrets,
    })
}

/// Every component that could be made, and whether all could be.
fn components<'a>(
    root: &'a Node,
    context: &Context<'_>,
    regions: &[Region],
    region_missing: bool,
) -> (Vec<(Component, &'a Entry)>, bool) {
    let mut found = Vec::new();
    let mut complete = true;
    let mut one = |section: Section, name: &str, entry: &'a Entry| {
        let object = keys::of_section(section);
        let made = check::component(section, name, reader(context, object, &entry.value, entry.key), regions);
        // Where its region failed it could not be looked into; that has been reported there.
        debug_assert!(
            made.is_some() || context.sink.errors() > 0 || region_missing,
            "{} was dropped in silence",
            ComponentId::new(section, name)
        );
        match made {
            Some(component) => found.push((component, entry)),
            None => complete = false,
        }
    };
    let entries = root.as_map();
    for section in Section::ALL {
        let Some(entry) = entries.and_then(|entries| entries.get(section.as_str())) else { continue };
        if is_single(section) {
            if !entry.value.is_null() {
                one(section, ONLY, entry);
            }
        } else if let Some(components) = entry.value.as_map() {
            components.iter().for_each(|(name, entry)| one(section, name, entry));
        }
    }
    (found, complete)
}

/// A variable as a plain value.
fn plain(node: &Node) -> standfast_contract::Value {
    use standfast_contract::Value;
    match &node.kind {
        Kind::Scalar(scalar) => plain_value(scalar),
        Kind::List(items) => Value::List(items.iter().map(plain).collect()),
        Kind::Map(entries) => {
            Value::Map(entries.iter().map(|(name, entry)| (name.clone(), plain(&entry.value))).collect())
        }
        Kind::Null | Kind::Template(_) | Kind::Failed => Value::Null,
    }
}
