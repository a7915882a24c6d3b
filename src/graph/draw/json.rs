//! The picture for a program. Its shape is described in docs/plan-json.md.

use serde_json::{Value, json};

use super::{Level, Link, Picture};

pub fn value(picture: &Picture<'_>) -> Value {
    let (nodes, links): (Vec<Value>, &[Link]) = match picture.level {
        Level::Resources => (
            picture
                .nodes
                .iter()
                .map(|node| {
                    let group = &picture.groups[node.group];
                    json!({
                        "id": node.address, "region": group.region, "component": group.component,
                        "kind": node.kind, "name": node.name, "lane": node.lane,
                    })
                })
                .collect(),
            &picture.links,
        ),
        Level::Components => (
            (0..picture.groups.len())
                .map(|at| {
                    let group = &picture.groups[at];
                    json!({
                        "id": picture.id(at), "region": group.region, "component": group.component,
                        "notes": group.notes,
                    })
                })
                .collect(),
            &picture.group_links,
        ),
    };
    let name = |at: usize| match picture.level {
        Level::Resources => picture.nodes[at].address.to_owned(),
        Level::Components => picture.id(at),
    };
    let links: Vec<Value> = links
        .iter()
        .map(|link| {
            let mut one = json!({ "from": name(link.from), "to": name(link.to), "order_only": link.soft });
            if let Some(label) = picture.labels.get(&(link.from, link.to)) {
                one["label"] = json!(label);
            }
            one
        })
        .collect();
    json!({ "format_version": 1, "nodes": nodes, "links": links })
}
