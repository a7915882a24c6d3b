//! Writes configuration that an operator likes to read: sections, indented lines, comments.

/// A configuration text under construction.
#[derive(Default)]
pub struct Writer(String);

impl Writer {
    /// An empty line and a section's first line.
    pub fn section(&mut self, head: impl AsRef<str>) -> &mut Self {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.top(head)
    }

    /// A line at the left margin.
    pub fn top(&mut self, line: impl AsRef<str>) -> &mut Self {
        self.0.push_str(line.as_ref());
        self.0.push('\n');
        self
    }

    /// A line of a section.
    pub fn line(&mut self, line: impl AsRef<str>) -> &mut Self {
        self.0.push_str("    ");
        self.top(line)
    }

    /// A line of a block within a section.
    pub fn deeper(&mut self, line: impl AsRef<str>) -> &mut Self {
        self.0.push_str("    ");
        self.line(line)
    }

    pub fn finish(self) -> String {
        self.0
    }
}
