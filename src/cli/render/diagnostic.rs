//! Problems of a file as a person reads them: the place, the line underlined, what was expected, what to do.

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use crate::blueprint::{Diagnostic, Problems, Severity};

/// Bytes of a line that are shown on either side of a problem.
const LINE_AROUND_MAX: usize = 160;

/// All problems, and a last line that counts them: "3 problems in shop.yaml". `width` in columns.
pub fn render(problems: &Problems, color: bool, width: usize) -> String {
    let mut out = render_each(
        &problems.path.display().to_string(),
        &problems.text,
        &problems.diagnostics,
        color,
        width,
    );
    if problems.omitted > 0 {
        out.push_str(&format!("and {} more\n", problems.omitted));
    }
    out.push_str(&format!("{problems}\n"));
    out
}

/// Problems or warnings without the last line.
pub fn render_each(name: &str, text: &str, diagnostics: &[Diagnostic], color: bool, width: usize) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    // Lines of help are wrapped here, because a command must stay in one piece.
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_wrap_lines(false)
        .with_links(false)
        .with_context_lines(1);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let shown =
            Shown { diagnostic, source: Source { name, text }, width: width.saturating_sub(8).max(40) };
        // Writing to a String cannot fail; a source that cannot be shown would, and the message must not be lost.
        let mut one = String::new();
        match handler.render_report(&mut one, &shown) {
            Ok(()) => out.push_str(&one),
            Err(fmt::Error) => {
                out.push_str(&format!(
                    "{name}:{}:{}: {}\n",
                    diagnostic.line, diagnostic.column, diagnostic.message
                ));
            }
        }
        out.push('\n');
    }
    out
}

/// A diagnostic as miette wants it.
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    source: Source<'a>,
    /// Columns for text.
    width: usize,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic.fmt(f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)?;
        // Without a line there is no header that names the file.
        if self.diagnostic.line == 0 { write!(f, " ({})", self.source.name) } else { Ok(()) }
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let expected = self.diagnostic.expected.as_ref().map(|expected| format!("expected {expected}"));
        let texts = expected.into_iter().chain(self.diagnostic.help.clone());
        let lines: Vec<String> = texts.flat_map(|text| wrap(&text, self.width)).collect();
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (self.diagnostic.line > 0).then_some(&self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.diagnostic.line == 0 {
            return None;
        }
        let label = (!self.diagnostic.label.is_empty()).then(|| self.diagnostic.label.clone());
        let primary = LabeledSpan::new_primary_with_span(label, self.diagnostic.span.clone());
        let related = self
            .diagnostic
            .related
            .iter()
            .map(|related| LabeledSpan::new_with_span(Some(related.text.clone()), related.span.clone()));
        Some(Box::new(std::iter::once(primary).chain(related)))
    }
}

/// The file. Very long lines are cut around the problem, so that a file of one line does not flood the terminal.
struct Source<'a> {
    name: &'a str,
    text: &'a str,
}

impl SourceCode for Source<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let start = self.text.floor_char_boundary(span.offset());
        let end = self.text.floor_char_boundary((span.offset() + span.len()).min(self.text.len())).max(start);
        // Without context the place itself is asked for: its line and column head the report.
        let mut from = if before == 0 { start } else { line_start(self.text, start) };
        for _ in 0..before {
            from = line_start(self.text, from.saturating_sub(1));
        }
        let mut to = line_end(self.text, end);
        for _ in 0..after {
            to = line_end(self.text, (to + 1).min(self.text.len()));
        }
        if start - line_start(self.text, start) > LINE_AROUND_MAX {
            from = self.text.floor_char_boundary(start - LINE_AROUND_MAX);
        } else if start - from > 4 * LINE_AROUND_MAX {
            from = line_start(self.text, start);
        }
        if to - end > 2 * LINE_AROUND_MAX {
            to = line_end(self.text, end).min(self.text.floor_char_boundary(end + LINE_AROUND_MAX));
        }
        let data = &self.text[from..to];
        let line = self.text[..from].matches('\n').count();
        let column = self.text[line_start(self.text, from)..from].chars().count();
        let contents = MietteSpanContents::new_named(
            self.name.to_owned(),
            data.as_bytes(),
            (from, to - from).into(),
            line,
            column,
            data.lines().count(),
        );
        Ok(Box::new(contents))
    }
}

/// Lines of at most `width` columns; a command (`$ ...`) stays whole, so that it can be copied.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("$ ") {
            lines.push(line.to_owned());
            continue;
        }
        let mut current = String::new();
        for word in line.split(' ') {
            if !current.is_empty() && current.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        lines.push(current);
    }
    lines
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::blueprint::{Options, check};

    fn shown(text: &str) -> String {
        render(&check(text, Path::new("shop.yaml"), &Options::default()).unwrap_err(), false, 80)
    }

    #[test]
    fn a_problem_has_its_place_its_line_and_the_next_move() {
        let shown = shown("standfast: 1\nnmae: shop\nregions: { a: { provider: sim, zones: 1 } }\n");
        assert!(shown.contains("shop.yaml:2:1"), "{shown}");
        assert!(shown.contains("nmae: shop") && shown.contains("────"), "{shown}");
        assert!(shown.contains("did you mean `name`?"), "{shown}");
        assert!(shown.ends_with("\n1 problem in shop.yaml\n"), "{shown}");
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_problem() {
        let text = format!(
            "{{ standfast: 1, a: [{}], nmae: x, b: [{}] }}",
            "1, ".repeat(20_000),
            "1, ".repeat(20_000)
        );
        let shown = shown(&text);
        assert!(shown.contains("nmae: x"), "{}", &shown[..400.min(shown.len())]);
        assert!(shown.len() < 10_000, "{}", shown.len());
    }

    #[test]
    fn several_lines_of_context_stay_whole() {
        let text = "standfast: 1\nname: shop\n# before\nregoins: {}\n# after\n";
        let shown = shown(text);
        assert!(shown.contains("# before") && shown.contains("# after"), "{shown}");
    }

    #[test]
    fn text_is_wrapped_and_a_command_is_not() {
        let command = format!("$ {}", "word ".repeat(40).trim());
        let lines = wrap(&format!("{}\n{command}", "word ".repeat(40).trim()), 40);
        assert!(lines.len() > 4 && lines.contains(&command));
        assert!(lines.iter().filter(|line| !line.starts_with('$')).all(|line| line.len() <= 40));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_mistake_can_be_drawn(text in "[-\\[\\]{},:&*!|>'\"%#\r\n\t ~ab1$é🐘]{0,120}", width in 0usize..200) {
            if let Err(problems) = check(&text, Path::new("shop.yaml"), &Options::default()) {
                let shown = render(&problems, false, width);
                prop_assert!(shown.contains(&problems.diagnostics[0].message), "{}", shown);
            }
        }
    }

    #[test]
    fn color_is_asked_for() {
        let problems = check("", Path::new("shop.yaml"), &Options::default()).unwrap_err();
        assert!(!render(&problems, false, 80).contains('\u{1b}'));
        assert!(render(&problems, true, 80).contains('\u{1b}'));
    }
}
