//! DOT, the language of graphviz (<https://graphviz.org/doc/info/lang.html>).

use std::fmt::Write;

use super::{Level, Picture};

pub fn write(picture: &Picture<'_>) -> String {
    let mut out = String::from(
        "digraph standfast {\n  rankdir=RL;\n  graph [fontname=\"Helvetica\", color=\"#8c959f\", style=rounded];\n  \
         node [fontname=\"Helvetica\", fontsize=11, shape=box, style=\"rounded,filled\", fillcolor=\"#f6f8fa\", color=\"#8c959f\"];\n  \
         edge [color=\"#57606a\", arrowsize=0.7];\n",
    );
    for (region, groups) in picture.regions() {
        let _ = writeln!(
            out,
            "  subgraph {} {{\n    label={};",
            quoted(&format!("cluster_{region}")),
            quoted(region)
        );
        for group in groups {
            let group = &picture.groups[group];
            let id = format!("{}/{}", group.region, group.component);
            if picture.level == Level::Components {
                let _ = writeln!(out, "    {} [label={}];", quoted(&id), quoted(group.component));
                continue;
            }
            let cluster = quoted(&format!("cluster_{id}"));
            let _ = writeln!(out, "    subgraph {cluster} {{\n      label={};", quoted(group.component));
            for node in &picture.nodes[group.nodes.clone()] {
                let label = quoted(&format!("{}\n{}", node.kind, node.name));
                let _ = writeln!(out, "      {} [label={label}];", quoted(node.address));
            }
            out.push_str("    }\n");
        }
        out.push_str("  }\n");
    }
    let component = |at: usize| format!("{}/{}", picture.groups[at].region, picture.groups[at].component);
    let links = match picture.level {
        Level::Resources => &picture.links,
        Level::Components => &picture.group_links,
    };
    for link in links {
        let (from, to) = match picture.level {
            Level::Resources => {
                (quoted(picture.nodes[link.from].address), quoted(picture.nodes[link.to].address))
            }
            Level::Components => (quoted(&component(link.from)), quoted(&component(link.to))),
        };
        let style = if link.soft { " [style=dashed]" } else { "" };
        let _ = writeln!(out, "  {from} -> {to}{style};");
    }
    out.push_str("}\n");
    out
}

/// A quoted id: in it only a quote and a backslash are more than themselves.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_stay_themselves() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
    }
}
