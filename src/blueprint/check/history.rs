//! What was renamed and what is to be forgotten.

use serde::Serialize;
use standfast_contract::{Address, ComponentId};

use super::super::{diagnostic::Diagnostic, node::Span, reader::Reader};

/// A rename: what was recorded as `from` is `to` now. Addresses, or components for all of theirs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Moved {
    pub from: String,
    pub to: String,
}

/// What a selector names.
enum Named {
    Component(ComponentId),
    Resource,
}

fn named(text: &str) -> Option<Named> {
    let component = text.parse::<ComponentId>().ok().map(Named::Component);
    component.or_else(|| text.parse::<Address>().ok().map(|_| Named::Resource))
}

pub fn moved(root: &Reader<'_>) -> Vec<Moved> {
    let moves = root.children("moved").filter_map(|it| {
        let (from, to) = (it.text("from")?, it.text("to")?);
        let ends = [("from", named(&from)), ("to", named(&to))];
        for (key, end) in &ends {
            if end.is_none() {
                it.push(no_selector(it.span(key), &it.text(key).unwrap_or_default()));
            }
        }
        let [(_, from_end), (_, to_end)] = ends;
        match (from_end?, to_end?) {
            (Named::Component(old), Named::Component(new)) => between(&it, &old, &new),
            (Named::Resource, Named::Resource) => {}
            _ => {
                it.push(Diagnostic::error(it.owner, "a component cannot become a resource, nor the reverse"))
            }
        }
        Some(Moved { from, to })
    });
    moves.collect()
}

fn between(it: &Reader<'_>, old: &ComponentId, new: &ComponentId) {
    let names = it.context.names;
    if old.section != new.section {
        it.push(it.error("to", format!("`{old}` cannot become `{new}`: they are of different sections")));
    }
    if !names.has_component(new.section, &new.name) {
        let known: Vec<_> =
            names.components(new.section).map(|name| format!("{}.{name}", new.section)).collect();
        let known = known.iter().map(String::as_str);
        let message = format!("no component `{new}`");
        it.context.dangling(it.span("to"), message, &new.to_string(), known, "components");
    }
    if names.has_component(old.section, &old.name) {
        it.push(
            it.error("from", format!("`{old}` is still in the blueprint")).help(
                "what is moved away must not be declared any more: rename it above, or remove this move",
            ),
        );
    }
}

/// Selectors of what to forget.
pub fn removed(root: &Reader<'_>) -> Vec<String> {
    let texts = root.items("removed").iter().filter_map(|node| {
        let text = &node.as_scalar()?.text;
        // `REGION/SECTION.NAME` and a `*` at the end are selectors too.
        let bare = text.strip_suffix('*').unwrap_or(text);
        let after_region = bare.split_once('/').map_or(bare, |(_, rest)| rest);
        let good = named(bare).is_some() || named(after_region).is_some() || bare.len() < text.len();
        if !good {
            root.push(no_selector(node.span, text));
        }
        if let Some(Named::Component(id)) = named(after_region)
            && root.context.names.has_component(id.section, &id.name)
        {
            root.push(
                Diagnostic::error(node.span, format!("`{id}` is still in the blueprint"))
                    .help("what is forgotten must not be declared any more"),
            );
        }
        Some(text.clone())
    });
    texts.collect()
}

fn no_selector(span: Span, text: &str) -> Diagnostic {
    Diagnostic::error(span, format!("`{text}` names nothing"))
        .expected("`SECTION.NAME`, or an address such as `home/load_balancers.front/file.lb1.haproxy-cfg`")
}
