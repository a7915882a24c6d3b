//! What is wrong with a file: each problem with its place, all of them at once.
//!
//! Deliberately absent: how it is drawn. `cli::render::diagnostic` does that.

use std::{
    cell::{Cell, RefCell},
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;

use super::node::Span;

/// So many errors of one file are told, and so many warnings; the rest is counted.
pub const DIAGNOSTICS_MAX: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

/// The place of a problem that is not in the file: a wrong `--var`.
pub(super) const NOWHERE: Span = Span { start: u32::MAX, end: u32::MAX };

/// One problem.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// "unknown key `capcity`".
    pub message: String,
    /// What is said at the underlined place: "not a key of an autoscaling group". May be empty.
    pub label: String,
    pub expected: Option<String>,
    /// The next move: "did you mean `capacity`?".
    pub help: Option<String>,
    /// Bytes of the file. Empty and at 0 for a problem of the whole file.
    pub span: Range<usize>,
    /// From 1; 0 for a problem of the whole file. A column counts characters.
    pub line: usize,
    pub column: usize,
    /// Other places that matter: the first definition of a duplicate.
    pub related: Vec<Related>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Related {
    pub span: Range<usize>,
    pub text: String,
}

impl Diagnostic {
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            label: String::new(),
            expected: None,
            help: None,
            span: span.range(),
            line: 0,
            column: 0,
            related: Vec::new(),
        }
    }

    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Self::error(span, message) }
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn help_maybe(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Related { span: span.range(), text: text.into() });
        self
    }

    /// Clips its spans to the text and to their first line, and works out line and column.
    pub(super) fn placed(mut self, text: &str) -> Self {
        if self.span == NOWHERE.range() {
            self.span = 0..0;
            return self;
        }
        self.span = clip(text, &self.span);
        for related in &mut self.related {
            related.span = clip(text, &related.span);
        }
        if !text.is_empty() {
            (self.line, self.column) = line_and_column(text, self.span.start);
        }
        self
    }
}

/// Within the text, on character boundaries, on one line.
fn clip(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
    let line_end = text[start..end].find(['\n', '\r']).map_or(end, |at| start + at);
    let trimmed = text[start..line_end].trim_end().len();
    // A place that is only blank is about the blanks: a tab.
    start..if trimmed == 0 { line_end } else { start + trimmed }
}

/// Both from 1.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let byte_order_mark = usize::from(line_start == 0 && before.starts_with('\u{feff}'));
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1 - byte_order_mark)
}

/// Everything that is wrong with one file; an I/O failure is one problem without a place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problems {
    pub path: PathBuf,
    #[serde(skip)]
    pub text: Arc<str>,
    /// In the order of the file; at least one is an error.
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there were than [`DIAGNOSTICS_MAX`].
    pub omitted: usize,
}

impl Problems {
    /// A problem of the file as a whole: it cannot be read.
    pub fn of_file(path: &Path, message: impl Into<String>, help: Option<&str>) -> Self {
        let diagnostic = Diagnostic::error(NOWHERE, message).placed("").help_maybe(help.map(str::to_owned));
        Problems { path: path.to_owned(), text: "".into(), diagnostics: vec![diagnostic], omitted: 0 }
    }

    pub fn count(&self) -> usize {
        self.diagnostics.len() + self.omitted
    }
}

/// "3 problems in shop.yaml".
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", crate::words::count(self.count(), "problem"), self.path.display())
    }
}

impl std::error::Error for Problems {}

/// Collects problems while a file is checked.
#[derive(Debug, Default)]
pub struct Sink {
    found: RefCell<Vec<Diagnostic>>,
    omitted: Cell<usize>,
    errors: Cell<usize>,
}

impl Sink {
    /// Takes a problem; the same one at the same place is taken once.
    pub fn push(&self, diagnostic: Diagnostic) {
        let mut found = self.found.borrow_mut();
        if found.iter().any(|one| one.span == diagnostic.span && one.message == diagnostic.message) {
            return;
        }
        if diagnostic.severity == Severity::Error {
            self.errors.set(self.errors.get() + 1);
        }
        // Each kind for itself, so that warnings never keep an error from being told.
        if found.iter().filter(|one| one.severity == diagnostic.severity).count() < DIAGNOSTICS_MAX {
            found.push(diagnostic);
        } else {
            self.omitted.set(self.omitted.get() + 1);
        }
    }

    /// Whether an error that comes now is only counted: no need to look for suggestions.
    pub fn is_full(&self) -> bool {
        self.errors.get() >= DIAGNOSTICS_MAX
    }

    pub fn errors(&self) -> usize {
        self.errors.get()
    }

    /// Everything found, placed in the text, in its order.
    pub fn finish(self, text: &str) -> (Vec<Diagnostic>, usize) {
        let mut found: Vec<_> =
            self.found.into_inner().into_iter().map(|diagnostic| diagnostic.placed(text)).collect();
        found.sort_by(|a, b| a.span.start.cmp(&b.span.start).then(a.span.end.cmp(&b.span.end)));
        (found, self.omitted.get())
    }

    /// Everything found, as problems of a file.
    pub fn into_problems(self, path: &Path, text: &Arc<str>) -> Problems {
        let (diagnostics, omitted) = self.finish(text);
        Problems { path: path.to_owned(), text: text.clone(), diagnostics, omitted }
    }
}
