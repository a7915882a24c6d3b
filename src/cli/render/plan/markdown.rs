//! A plan for a comment on a pull request.

use std::fmt::Write;

use super::{
    super::{
        value::{self, Difference, Line},
        words,
    },
    difference, label,
    outline::{self, Group},
    summary, title,
};
use crate::plan::{Because, Change, Plan, Step};

/// A comment on GitHub holds 65,536 characters; what comes after the differences needs some of them.
const CHARACTERS_MAX: usize = 55_000;
/// Rows of the table before the rest is only counted.
const ROWS_MAX: usize = 200;

/// Summary, warnings, a table of changes, and the differences folded away.
pub fn markdown(plan: &Plan) -> String {
    let mut out = format!("### {}\n\n**{}**\n", escaped(&title(plan)), summary(plan));
    in_flight(&mut out, plan);
    warnings(&mut out, plan);
    if plan.is_empty() {
        return out;
    }
    let groups = outline::groups(plan);
    table(&mut out, plan, &groups);
    rollouts(&mut out, plan);
    differences(&mut out, plan, &groups);
    out
}

fn in_flight(out: &mut String, plan: &Plan) {
    let told = outline::in_flight(plan);
    if !told.is_empty() {
        out.push_str("\n**In flight when an earlier run ended**\n");
    }
    for sentence in told {
        let _ = writeln!(out, "- {}", escaped(&sentence));
    }
}

fn table(out: &mut String, plan: &Plan, groups: &[Group<'_>]) {
    out.push_str("\n| | Resource | Component | Why |\n|---|---|---|---|\n");
    let rows =
        groups.iter().flat_map(|group| group.steps.iter().map(move |&step| (group, &plan.steps[step])));
    for (group, step) in rows.take(ROWS_MAX) {
        let place = format!("{}/{}", group.region, group.component);
        let (label, place) = (cell_code(&label(step)), cell_code(&place));
        let _ =
            writeln!(out, "| `{}` | {label} | {place} | {} |", step.action.symbol(), escaped(&step.reason));
    }
    if plan.steps.len() > ROWS_MAX {
        let more = words::count(plan.steps.len() - ROWS_MAX, "more step");
        let _ = writeln!(out, "\n... and {more}; `standfast plan` shows them all.");
    }
}

fn rollouts(out: &mut String, plan: &Plan) {
    for rollout in &plan.rollouts {
        let _ = writeln!(out, "\n**Rollout of {}**", code(&rollout.component.to_string()));
        for sentence in outline::rollout(rollout) {
            let _ = writeln!(out, "- {}", escaped(&sentence));
        }
    }
}

fn differences(out: &mut String, plan: &Plan, groups: &[Group<'_>]) {
    let steps: Vec<&Step> = groups
        .iter()
        .flat_map(|group| group.steps.iter().map(|&step| &plan.steps[step]))
        .filter(|step| !step.changes.is_empty())
        .collect();
    if steps.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "\n<details><summary>Differences of {}</summary>\n",
        words::count(steps.len(), "resource")
    );
    for (at, step) in steps.iter().enumerate() {
        let mut diff = String::new();
        step.changes.iter().for_each(|change| one(&mut diff, step, change));
        let fence = fence(&diff, 3);
        let section = format!("\n{}\n\n{fence}diff\n{diff}{fence}\n", code(step.address.as_str()));
        if out.len() + section.len() > CHARACTERS_MAX {
            let more = words::count(steps.len() - at, "more resource");
            let _ = writeln!(out, "\n... and {more}; `standfast plan` shows them all.");
            break;
        }
        out.push_str(&section);
    }
    out.push_str("\n</details>\n");
}

/// A change in the lines of a `diff` block.
fn one(diff: &mut String, step: &Step, change: &Change) {
    let name = &change.attribute;
    let mut notes = String::new();
    if change.because == Because::Drift {
        notes.push_str("  (drift)");
    }
    if change.forces_replacement {
        notes.push_str("  # forces replacement");
    }
    if let Some(effect) = &change.effect {
        let _ = write!(notes, "  # {effect}");
    }
    let mut line = |mark: &str, text: &str| {
        let _ = writeln!(diff, "{mark} {text}");
    };
    match difference(step, change) {
        Difference::Added(after) => line("+", &format!("{name}: {after}{notes}")),
        Difference::Removed(before) => line("-", &format!("{name}: {before}{notes}")),
        Difference::Hidden => line("!", &format!("{name}: {}{notes}", value::SENSITIVE)),
        Difference::Values { before, after } | Difference::TooLong { before, after } => {
            line("-", &format!("{name}: {before}"));
            line("+", &format!("{name}: {after}{notes}"));
        }
        Difference::Lines(lines) => {
            line("@@", &format!("{name} @@{notes}"));
            for one in &lines {
                match one {
                    Line::Gap(count) => line(" ", &format!("... {} the same", words::count(*count, "line"))),
                    Line::Same(text) => line(" ", text),
                    Line::Gone(text) => line("-", text),
                    Line::New(text) => line("+", text),
                    Line::Note(text) => line("\\", text),
                }
            }
        }
    }
}

fn warnings(out: &mut String, plan: &Plan) {
    for warning in &plan.warnings {
        let (subject, message) = (escaped(&warning.subject), escaped(&warning.message));
        let _ = writeln!(out, "\n> [!WARNING]\n> **{subject}**: {message}");
        if let Some(hint) = &warning.hint {
            let _ = writeln!(out, "> {}", escaped(hint));
        }
    }
}

/// A text on one line that markdown takes for nothing but text, and that notifies nobody.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in words::one_line(text).chars() {
        match c {
            '@' => out.push_str("&#64;"),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A code span, whatever backticks are in the text.
fn code(text: &str) -> String {
    let text = words::one_line(text);
    let fence = fence(&text, 1);
    if fence.len() == 1 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}

/// A code span in a table, where a bar would end the cell.
fn cell_code(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// More backticks than the text has in a row, and at least so many.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(least.max(longest + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        assert_eq!(escaped("a|b `c` <i> @team\nnext"), "a\\|b \\`c\\` &lt;i> &#64;team next");
        assert_eq!(code("plain"), "`plain`");
        assert_eq!(code("with `ticks`"), "`` with `ticks` ``");
        assert_eq!(cell_code("a|b"), "`a\\|b`");
        assert_eq!(fence("```sh", 3), "````");
    }
}
