//! `${...}`: variables are put in at once, secrets and outputs become references that are known later.
//!
//! A scalar that is one `${variables.x}` and nothing else takes the variable as it is: a number stays a number, a list a
//! list. `$${` stands for a plain `${`. What a variable holds is never looked at again.
//!
//! Deliberately absent: whether a secret or component exists, and whether a key may hold references; the walk over the
//! table of keys knows that.

use standfast_contract::Section;

use super::{
    diagnostic::{Diagnostic, Sink},
    names::{is_plain_name, nearest},
    node::{Kind, Node, Part, Scalar, Span, WEIGHT_BYTES},
    read::NODES_MAX,
    variables::{self, Variables},
};

/// Puts variables in and takes references apart, everywhere but in the declarations of variables.
pub fn interpolate(root: &mut Node, text: &str, variables: &Variables, sink: &Sink) {
    let mut pass = Pass { text, variables, sink, weight: 0 };
    let Kind::Map(entries) = &mut root.kind else { return };
    for (name, entry) in entries {
        match (name.as_str(), &mut entry.value.kind) {
            ("variables", _) => {}
            ("environments", Kind::Map(environments)) => {
                for (_, environment) in environments {
                    let Kind::Map(sections) = &mut environment.value.kind else { continue };
                    for (section, entry) in sections.iter_mut() {
                        if section != "variables" {
                            pass.node(&mut entry.value);
                        }
                    }
                }
            }
            _ => pass.node(&mut entry.value),
        }
    }
}

struct Pass<'a> {
    text: &'a str,
    variables: &'a Variables,
    sink: &'a Sink,
    /// What variables put in so far, against a file that grows by them.
    weight: usize,
}

/// A piece of a text as it is written.
enum Piece<'t> {
    Text(&'t str),
    Expression(&'t str),
    Unclosed(&'t str),
}

impl Pass<'_> {
    fn node(&mut self, node: &mut Node) {
        match &mut node.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| self.node(item)),
            Kind::Map(entries) => entries.values_mut().for_each(|entry| self.node(&mut entry.value)),
            Kind::Scalar(scalar) if scalar.text.contains("${") => {
                let text = std::mem::take(&mut scalar.text);
                let plain = scalar.plain;
                let replaced = self.scalar(&text, plain, node.span).unwrap_or(Kind::Failed);
                node.kind = replaced;
            }
            _ => {}
        }
    }

    fn scalar(&mut self, text: &str, plain: bool, span: Span) -> Option<Kind> {
        let pieces = split(text);
        if let [Piece::Expression(expression)] = pieces.as_slice()
            && let Some(name) = variable_name(expression)
        {
            let value = self.variable(name, expression, span)?;
            return Some(value.moved_to(span).kind);
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut failed = false;
        for piece in pieces {
            match piece {
                Piece::Text(text) => push_text(&mut parts, text),
                Piece::Unclosed(rest) => {
                    failed = true;
                    self.sink.push(
                        Diagnostic::error(self.place(rest, span), "`${` without its `}`")
                            .help("write `$${` for a plain `${`"),
                    );
                }
                Piece::Expression(expression) => match self.expression(expression, span) {
                    Some(Part::Text(text)) => push_text(&mut parts, &text),
                    Some(part) => parts.push(part),
                    None => failed = true,
                },
            }
        }
        if failed {
            return None;
        }
        match parts.as_slice() {
            [] => Some(Kind::Scalar(Scalar { text: String::new(), plain: false })),
            // Put together from pieces, so `${variables.a}0` may still be a number where it was not in quotes.
            [Part::Text(text)] => Some(Kind::Scalar(Scalar { text: text.clone(), plain })),
            _ => Some(Kind::Template(parts)),
        }
    }

    fn expression(&mut self, expression: &str, span: Span) -> Option<Part> {
        if let Some(name) = variable_name(expression) {
            let value = self.variable(name, expression, span)?;
            let Kind::Scalar(scalar) = value.kind else {
                let message = format!("`{name}` is {} and cannot be part of a text", value.describe());
                self.sink.push(
                    Diagnostic::error(self.place(expression, span), message)
                        .help(format!("`${{variables.{name}}}` alone puts it in as it is")),
                );
                return None;
            };
            return Some(Part::Text(scalar.text));
        }
        let path: Vec<&str> = expression.trim().split('.').collect();
        match path.as_slice() {
            ["secrets", name] if is_plain_name(name) => Some(Part::Secret((*name).to_owned())),
            [section, name, output @ ..]
                if section.parse::<Section>().is_ok()
                    && is_plain_name(name)
                    && !output.is_empty()
                    && output.iter().all(|part| is_output(part)) =>
            {
                Some(Part::Output {
                    section: (*section).to_owned(),
                    name: (*name).to_owned(),
                    output: output.join("."),
                })
            }
            path => {
                self.sink.push(self.no_reference(expression, path, span));
                None
            }
        }
    }

    fn no_reference(&self, expression: &str, path: &[&str], span: Span) -> Diagnostic {
        let head = path.first().copied().unwrap_or_default();
        let heads = ["variables", "secrets"].into_iter().chain(Section::ALL.map(Section::as_str));
        let problem = Diagnostic::error(
            self.place(expression, span),
            format!("`${{{}}}` refers to nothing", expression.trim()),
        )
        .expected("`${variables.NAME}`, `${secrets.NAME}` or `${SECTION.NAME.OUTPUT}`");
        match nearest(head, heads.clone()) {
            Some(near) if near != head => problem.help(format!("did you mean `{near}`?")),
            Some(_) if head == "variables" || head == "secrets" => {
                problem.help(format!("write `${{{head}.NAME}}`"))
            }
            Some(section) => {
                let name = path.get(1).filter(|name| is_plain_name(name)).unwrap_or(&"NAME");
                problem.help(format!(
                    "write which output is meant: `${{{section}.{name}.OUTPUT}}`; a key that names a component takes its name alone"
                ))
            }
            None if path.len() == 1 && self.variables.contains_key(head) => {
                problem.help(format!("did you mean `${{variables.{head}}}`?"))
            }
            None if is_of_environment(path) => {
                let variable = path.last().copied().unwrap_or_default();
                problem.help(format!(
                    "for a plain `${{{0}}}`, write `$${{{0}}}`; to read the environment, declare `secrets: {{ NAME: {{ env: {variable} }} }}` and write `${{secrets.NAME}}`",
                    expression.trim()
                ))
            }
            None => problem.help(format!("for a plain `${{{0}}}`, write `$${{{0}}}`", expression.trim())),
        }
    }

    /// The value of a variable; `None` when there is none, and that is reported.
    fn variable(&mut self, name: &str, expression: &str, span: Span) -> Option<Node> {
        let Some(value) = self.variables.get(name) else {
            let problem = Diagnostic::error(self.place(expression, span), format!("no variable `{name}`"));
            self.sink.push(problem.help_maybe(variables::unknown(name, self.variables)));
            return None;
        };
        let value = value.as_ref()?;
        self.weight += value.weight();
        if self.weight > NODES_MAX {
            let message =
                format!("variables put more than {} KiB into the file", (NODES_MAX * WEIGHT_BYTES) >> 10);
            self.sink.push(Diagnostic::error(self.place(expression, span), message));
            return None;
        }
        Some(value.clone())
    }

    /// Where an expression stands inside its scalar, as far as the source text tells.
    fn place(&self, expression: &str, span: Span) -> Span {
        let source = self.text.get(span.range()).unwrap_or_default();
        let whole = format!("${{{expression}}}");
        let found = source.find(&whole).map(|at| (at, whole.len()));
        match found.or_else(|| source.find(expression).map(|at| (at, expression.len()))) {
            Some((at, length)) => Span::new(span.start as usize + at, span.start as usize + at + length),
            None => span,
        }
    }
}

/// `${DB_HOST}` or `${env.DB_HOST}`, as shells and other tools have it.
fn is_of_environment(path: &[&str]) -> bool {
    let is_loud = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    matches!(path, [name] | ["env" | "ENV", name] if is_loud(name))
}

fn variable_name(expression: &str) -> Option<&str> {
    let (head, name) = expression.trim().split_once('.')?;
    (matches!(head, "var" | "variables") && is_plain_name(name)).then_some(name)
}

fn is_output(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// Takes a text apart; `$${` gives a text `${`.
fn split(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            pieces.push(Piece::Text(&rest[..at - 1]));
            pieces.push(Piece::Text("${"));
            rest = &rest[at + 2..];
            continue;
        }
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
        }
        let Some(length) = rest[at..].find('}') else {
            pieces.push(Piece::Unclosed(rest[at..].lines().next().unwrap_or_default()));
            return pieces;
        };
        pieces.push(Piece::Expression(&rest[at + 2..at + length]));
        rest = &rest[at + length + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}
