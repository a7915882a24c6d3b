//! The words of a blueprint: its lines so far, what is to be recorded, and what no line says.

use standfast_contract::Import;

/// A survey as it is written.
pub(super) struct Text {
    region: String,
    pub sections: String,
    pub imports: Vec<Import>,
    left_out: Vec<String>,
}

impl Text {
    pub fn new(region: &str) -> Self {
        Text { region: region.to_owned(), sections: String::new(), imports: Vec::new(), left_out: Vec::new() }
    }

    pub fn line(&mut self, line: impl AsRef<str>) {
        self.sections += line.as_ref();
        self.sections.push('\n');
    }

    /// What of a component a blueprint cannot say, beside it.
    pub fn note(&mut self, words: impl AsRef<str>) {
        self.line(format!("    # {}", words.as_ref()));
    }

    /// What stays as it is, by the names of attributes.
    pub fn keep(&mut self, kept: &[&str]) {
        let kept = match kept {
            [] => String::new(),
            kept => format!(", ignore_changes: [{}]", kept.join(", ")),
        };
        self.line(format!("    lifecycle: {{ prevent_destroy: true{kept} }}"));
    }

    /// That something is there and in no component.
    pub fn leave_out(&mut self, words: String) {
        self.left_out.push(words);
    }

    pub fn import(&mut self, component: &str, kind: &str, name: &str, id: Option<&str>) {
        if let Some(id) = id {
            let address = format!("{}/{component}/{kind}.{name}", self.region);
            self.imports.push(Import { address, id: id.to_owned() });
        }
    }

    /// The comments at the end.
    pub fn close(&mut self) {
        for words in std::mem::take(&mut self.left_out) {
            self.line(format!("# Not said: {words}."));
        }
    }
}

/// Names of one section, each once.
#[derive(Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// As much of AWS's name as a blueprint's may be.
    pub fn take(&mut self, name: &str) -> String {
        let clean: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
        let clean = clean.trim_matches('-');
        let led = if clean.starts_with(|c: char| c.is_ascii_alphabetic()) { "" } else { "x" };
        let base = format!("{led}{clean}");
        let mut name = base.clone();
        for number in 2.. {
            if !self.0.contains(&name) {
                break;
            }
            name = format!("{base}-{number}");
        }
        self.0.push(name.clone());
        name
    }
}

/// A text of YAML, whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_blueprints_and_each_of_its_own() {
        let mut names = Names::default();
        let taken = ["old_web", "old-web", "3rd", "--"].map(|name| names.take(name));
        assert_eq!(taken, ["old-web", "old-web-2", "x3rd", "x"]);
    }

    #[test]
    fn a_path_stays_one_text() {
        assert_eq!(quoted(r#"/a"b\c"#), r#""/a\"b\\c""#);
    }
}
