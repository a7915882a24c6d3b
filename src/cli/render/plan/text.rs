//! A plan for a terminal.

use std::fmt::Write;

use anstyle::Style;

use super::{
    super::{
        value::{self, Difference, Line},
        words,
    },
    attributes, difference, label,
    outline::{self, Group},
    summary, title,
};
use crate::{
    cli::terminal::{BOLD, CYAN, DIM, GREEN, RED, YELLOW},
    plan::{Action, Because, Change, Plan, Step},
};

/// Lines of one attribute's difference before the rest is only counted.
const DIFFERENCE_LINES_MAX: usize = 40;
/// The widest column of names that reasons are aligned behind.
const LABEL_COLUMNS_MAX: usize = 48;
/// Columns before an attribute.
const ATTRIBUTE_INDENT: usize = 10;

/// The plan with its reasons. `details` shows every attribute of what is created, and differences in full.
pub fn text(plan: &Plan, details: bool) -> String {
    let mut layout = Layout { out: String::with_capacity(256 + plan.steps.len() * 96), details };
    if !plan.is_empty() {
        layout.head(plan);
        let mut region = None;
        for group in outline::groups(plan) {
            if region != Some(group.region) {
                region = Some(group.region);
                layout.line(0, format_args!("{BOLD}{}{BOLD:#}", group.region));
            }
            layout.group(plan, &group);
        }
    }
    layout.in_flight(plan);
    layout.warnings(plan);
    if let Some(resumed) = &plan.resumed {
        let done = words::count(resumed.done.len(), "call");
        layout.line(0, format_args!("Goes on with run {}, which made {done} of this.\n", resumed.run));
    }
    let _ = write!(layout.out, "{BOLD}{}{BOLD:#}", summary(plan));
    layout.out
}

/// The style of an action's symbol.
fn style(action: Action) -> Style {
    match action {
        Action::Create => GREEN,
        Action::Update => YELLOW,
        Action::Replace | Action::Delete => RED,
        Action::Forget | Action::Refresh | Action::Move => CYAN,
    }
}

struct Layout {
    out: String,
    details: bool,
}

impl Layout {
    fn line(&mut self, indent: usize, text: impl std::fmt::Display) {
        let _ = writeln!(self.out, "{:indent$}{text}", "");
    }

    /// Which stack, and what the symbols mean that are used.
    fn head(&mut self, plan: &Plan) {
        let all = [
            Action::Create,
            Action::Update,
            Action::Replace,
            Action::Delete,
            Action::Forget,
            Action::Refresh,
            Action::Move,
        ];
        let mut used = [false; 7];
        for step in &plan.steps {
            used[step.action as usize] = true;
        }
        let legend: Vec<String> = all
            .iter()
            .filter(|action| used[**action as usize])
            .map(|action| format!("{0}{1}{0:#} {2}", style(*action), action.symbol(), action.words().0))
            .collect();
        let legend: String = legend.iter().map(|word| format!("   {word}")).collect();
        self.line(0, format_args!("{BOLD}{}{BOLD:#}{legend}\n", title(plan)));
    }

    fn group(&mut self, plan: &Plan, group: &Group<'_>) {
        self.line(2, format_args!("{BOLD}{}{BOLD:#}", group.component));
        for (at, sentence) in group.rollout.map(outline::rollout).unwrap_or_default().iter().enumerate() {
            let head = if at == 0 { "rollout:" } else { "" };
            self.line(4, format_args!("{DIM}{head:<8}  {sentence}{DIM:#}"));
        }
        let labels: Vec<String> = group.steps.iter().map(|&at| label(&plan.steps[at])).collect();
        let widest =
            labels.iter().map(String::len).filter(|&width| width <= LABEL_COLUMNS_MAX).max().unwrap_or(0);
        for (&at, label) in group.steps.iter().zip(&labels) {
            self.step(&plan.steps[at], label, widest);
        }
        self.out.push('\n');
    }

    fn step(&mut self, step: &Step, label: &str, widest: usize) {
        let style = style(step.action);
        let symbol = step.action.symbol();
        let reason = words::one_line(&step.reason);
        self.line(4, format_args!("{style}{symbol:>3}{style:#} {label:<widest$}  {DIM}{reason}{DIM:#}"));
        // A replacement's changes say why; those of what is created again or deleted say nothing that is wanted.
        let widest = step.changes.iter().map(|change| change.attribute.len()).max().unwrap_or(0);
        for change in &step.changes {
            self.change(step, change, widest);
        }
        if self.details {
            let widest = attributes(step).map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in attributes(step) {
                let block = value::block(value);
                if block.contains('\n') {
                    self.line(ATTRIBUTE_INDENT, format_args!("{name}:"));
                    for line in block.lines() {
                        let line = words::safe(line);
                        self.line(ATTRIBUTE_INDENT + 2, format_args!("{GREEN}+ {line}{GREEN:#}"));
                    }
                } else {
                    let shown = value::inline(value);
                    self.line(ATTRIBUTE_INDENT, format_args!("{name:<widest$}  {GREEN}{shown}{GREEN:#}"));
                }
            }
        }
    }

    fn change(&mut self, step: &Step, change: &Change, widest: usize) {
        let name = &change.attribute;
        let mut notes = String::new();
        if change.because == Because::Drift {
            let _ = write!(notes, "  {YELLOW}(drift){YELLOW:#}");
        }
        if change.forces_replacement {
            let _ = write!(notes, "  {RED}# forces replacement{RED:#}");
        }
        if let Some(effect) = &change.effect {
            let _ = write!(notes, "  {YELLOW}# {effect}{YELLOW:#}");
        }
        let at = ATTRIBUTE_INDENT;
        match difference(step, change) {
            Difference::Added(after) => {
                self.line(at, format_args!("{name:<widest$}  {GREEN}+ {after}{GREEN:#}{notes}"));
            }
            Difference::Removed(before) => {
                self.line(at, format_args!("{name:<widest$}  {RED}- {before}{RED:#}{notes}"));
            }
            Difference::Hidden => self.line(at, format_args!("{name:<widest$}  {}{notes}", value::SENSITIVE)),
            Difference::Values { before, after } if before.len() + after.len() + widest > 90 => {
                self.line(at, format_args!("{name:<widest$}  {RED}{before}{RED:#}"));
                self.line(at, format_args!("{:<widest$}    -> {GREEN}{after}{GREEN:#}{notes}", ""));
            }
            Difference::Values { before, after } | Difference::TooLong { before, after } => {
                let to = format_args!("{RED}{before}{RED:#} -> {GREEN}{after}{GREEN:#}");
                self.line(at, format_args!("{name:<widest$}  {to}{notes}"));
            }
            Difference::Lines(lines) => {
                self.line(at, format_args!("{name}:{notes}"));
                self.lines(&lines);
            }
        }
    }

    fn lines(&mut self, lines: &[Line]) {
        let at = ATTRIBUTE_INDENT + 2;
        let most = if self.details { lines.len() } else { DIFFERENCE_LINES_MAX };
        for line in &lines[..lines.len().min(most)] {
            match line {
                Line::Gap(count) => {
                    let lines = words::count(*count, "line");
                    self.line(at, format_args!("{DIM}  ... {lines} the same{DIM:#}"));
                }
                Line::Same(text) if text.is_empty() => self.out.push('\n'),
                Line::Same(text) => self.line(at, format_args!("  {text}")),
                Line::Gone(text) => self.line(at, format_args!("{RED}- {text}{RED:#}")),
                Line::New(text) => self.line(at, format_args!("{GREEN}+ {text}{GREEN:#}")),
                Line::Note(text) => self.line(at, format_args!("{DIM}  ({text} there){DIM:#}")),
            }
        }
        if lines.len() > most {
            let more = words::count(lines.len() - most, "more line");
            self.line(at, format_args!("{DIM}  ... {more}; `--details` shows all{DIM:#}"));
        }
    }

    fn in_flight(&mut self, plan: &Plan) {
        let told = outline::in_flight(plan);
        if told.is_empty() {
            return;
        }
        let yellow = YELLOW.bold();
        self.line(0, format_args!("{yellow}In flight when an earlier run ended{yellow:#}"));
        told.iter().for_each(|sentence| self.line(2, words::one_line(sentence)));
        self.out.push('\n');
    }

    fn warnings(&mut self, plan: &Plan) {
        let yellow = YELLOW.bold();
        for warning in &plan.warnings {
            let message = words::indent(&warning.message, 2);
            self.line(
                0,
                format_args!("{yellow}warning{yellow:#}: {}: {message}", words::one_line(&warning.subject)),
            );
            if let Some(hint) = &warning.hint {
                self.line(2, format_args!("{CYAN}hint{CYAN:#}: {}", words::indent(hint, 8)));
            }
        }
        if !plan.warnings.is_empty() {
            self.out.push('\n');
        }
    }
}
