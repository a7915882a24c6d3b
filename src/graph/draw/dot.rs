//! DOT, the language of graphviz (<https://graphviz.org/doc/info/lang.html>).

use std::fmt::Write;

use super::{Level, Picture};

const HEAD: &str = "\
digraph standfast {
  graph [fontname=\"Helvetica\", fontsize=12, labelloc=t, color=\"#d0d7de\", bgcolor=\"#ffffff\",
         style=\"rounded,filled\", fillcolor=\"#f6f8fa\", pad=0.3, nodesep=0.3, ranksep=0.6];
  node [fontname=\"Helvetica\", fontsize=11, shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\",
        color=\"#8c959f\", margin=\"0.16,0.08\"];
  edge [fontname=\"Helvetica\", fontsize=10, fontcolor=\"#57606a\", color=\"#5b7fb5\", arrowsize=0.7];
";

/// Components from above, what they use below them; resources from the left, each right of what it needs.
pub fn write(picture: &Picture<'_>) -> String {
    let mut out = String::from(HEAD);
    out.push_str(match picture.level {
        // Graphviz mirrors the place of labels with the direction: both stand at the left.
        Level::Resources => "  rankdir=RL; labeljust=r;\n",
        Level::Components => "  rankdir=TB; labeljust=l;\n",
    });
    for (region, groups) in picture.regions() {
        let cluster = quoted(&format!("cluster_{region}"));
        let _ = writeln!(out, "  subgraph {cluster} {{\n    label={};\n    margin=14;", quoted(region));
        for number in groups {
            let group = &picture.groups[number];
            let id = picture.id(number);
            if picture.level == Level::Components {
                let lines: Vec<&str> = std::iter::once(&*group.component)
                    .chain(group.notes.iter().map(String::as_str))
                    .collect();
                let _ = writeln!(out, "    {} [label={}];", quoted(&id), quoted(&lines.join("\n")));
                continue;
            }
            let cluster = quoted(&format!("cluster_{id}"));
            let _ = writeln!(
                out,
                "    subgraph {cluster} {{\n      label={};\n      margin=10;\n      fillcolor=\"#eceff3\";",
                quoted(&group.component)
            );
            for node in &picture.nodes[group.nodes.clone()] {
                let label = quoted(&format!("{}\n{}", node.kind, node.name));
                let _ = writeln!(out, "      {} [label={label}];", quoted(node.address));
            }
            out.push_str("    }\n");
        }
        out.push_str("  }\n");
    }
    let links = match picture.level {
        Level::Resources => &picture.links,
        Level::Components => &picture.group_links,
    };
    for link in links {
        let name = |at: usize| match picture.level {
            Level::Resources => quoted(picture.nodes[at].address),
            Level::Components => quoted(&picture.id(at)),
        };
        let label = picture.labels.get(&(link.from, link.to)).map(|label| format!("label={}", quoted(label)));
        let style = link.soft.then(|| "style=dashed".to_owned());
        let attributes: Vec<String> = label.into_iter().chain(style).collect();
        let attributes = match attributes.is_empty() {
            true => String::new(),
            false => format!(" [{}]", attributes.join(", ")),
        };
        let _ = writeln!(out, "  {} -> {}{attributes};", name(link.from), name(link.to));
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
