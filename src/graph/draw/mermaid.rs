//! Mermaid flowcharts (<https://mermaid.js.org/syntax/flowchart.html>), as code hosts draw them in markdown.

use std::fmt::Write;

use super::{Level, Picture};

/// Lines of a label stay whole.
const HEAD: &str = "%%{init: {\"flowchart\": {\"wrappingWidth\": 480}}}%%\n";

/// Names may hold what mermaid takes for syntax (`end`, `-`, `/`), so nodes have numbers and names are labels.
pub fn write(picture: &Picture<'_>) -> String {
    let mut out = String::from(HEAD);
    out.push_str(match picture.level {
        Level::Resources => "flowchart RL\n",
        Level::Components => "flowchart TB\n",
    });
    for (at, (region, groups)) in picture.regions().into_iter().enumerate() {
        let _ = writeln!(out, "  subgraph r{at}[{}]", label(&[region]));
        for number in groups {
            let group = &picture.groups[number];
            if picture.level == Level::Components {
                let lines: Vec<&str> = std::iter::once(&*group.component)
                    .chain(group.notes.iter().map(String::as_str))
                    .collect();
                let _ = writeln!(out, "    c{number}[{}]", label(&lines));
                continue;
            }
            let _ = writeln!(out, "    subgraph c{number}[{}]", label(&[&group.component]));
            for node in group.nodes.clone() {
                let one = &picture.nodes[node];
                let _ = writeln!(out, "      n{node}[{}]", label(&[one.kind, one.name]));
            }
            out.push_str("    end\n");
        }
        out.push_str("  end\n");
    }
    let (links, letter) = match picture.level {
        Level::Resources => (&picture.links, 'n'),
        Level::Components => (&picture.group_links, 'c'),
    };
    for link in links {
        let arrow = if link.soft { "-.->" } else { "-->" };
        let text = picture.labels.get(&(link.from, link.to));
        let text = text.map(|text| format!("|{}|", label(&[text]))).unwrap_or_default();
        let _ = writeln!(out, "  {letter}{} {arrow}{text} {letter}{}", link.from, link.to);
    }
    out
}

/// A quoted label of one or more lines.
fn label(lines: &[&str]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| {
            line.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
        })
        .collect();
    format!("\"{}\"", lines.join("<br>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        assert_eq!(label(&["a\"b", "<i>#1"]), "\"a#quot;b<br>#lt;i#gt;#35;1\"");
    }
}
