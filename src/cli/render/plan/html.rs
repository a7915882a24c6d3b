//! A plan as one page for a browser: nothing is loaded from anywhere, and it follows the reader's light or dark.

use std::{borrow::Cow, fmt::Write};

use super::{
    super::{
        value::{self, Difference, Line},
        words,
    },
    attributes, difference, label,
    outline::{self, Group},
    summary, title,
};
use crate::plan::{Action, Because, Change, Plan, Step};

const CSS: &str = include_str!("html.css");
/// With more steps than this each step's differences are folded away at first.
const OPEN_STEPS_MAX: usize = 40;

/// The whole page.
pub fn html(plan: &Plan) -> String {
    let mut page = Page {
        out: String::with_capacity(8192 + plan.steps.len() * 256),
        open: plan.steps.len() <= OPEN_STEPS_MAX,
    };
    page.head(plan);
    let mut region = None;
    for group in outline::groups(plan) {
        if region != Some(group.region) {
            region = Some(group.region);
            page.put(format_args!("<h2>{}</h2>\n", escaped(group.region)));
        }
        page.group(plan, &group);
    }
    page.foot(plan);
    page.out
}

/// The class of an action: its word.
fn class(action: Action) -> &'static str {
    action.words().0
}

struct Page {
    out: String,
    open: bool,
}

impl Page {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
    }

    fn head(&mut self, plan: &Plan) {
        let title = escaped(&title(plan)).into_owned();
        self.put(format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"generator\" content=\"standfast\">\n<title>Plan for {title}</title>\n\
             <style>\n{CSS}</style>\n</head>\n<body>\n<main>\n<h1>Plan for {title}</h1>\n"
        ));
        self.put(format_args!("<p class=\"sentence\">{}</p>\n", escaped(&summary(plan))));
        let one = plan.summary;
        let counts = [
            (one.create, "create"),
            (one.update, "update"),
            (one.replace, "replace"),
            (one.delete, "delete"),
            (one.forget, "forget"),
            (one.refresh, "refresh"),
            (one.r#move, "move"),
            (one.no_op, "unchanged"),
        ];
        self.out.push_str("<ul class=\"counts\">\n");
        for (number, word) in counts.iter().filter(|count| count.0 > 0) {
            let before = if *word == "unchanged" { "" } else { "to " };
            self.put(format_args!(
                "<li class=\"{word}\"><b>{}</b>{before}{word}</li>\n",
                words::thousands(*number)
            ));
        }
        self.out.push_str("</ul>\n");
        let told = outline::in_flight(plan);
        if !told.is_empty() {
            self.out.push_str("<div class=\"warning\"><p><b>In flight when an earlier run ended</b></p>");
            told.iter().for_each(|one| self.put(format_args!("<p>{}</p>", escaped(one))));
            self.out.push_str("</div>\n");
        }
        for warning in &plan.warnings {
            let (subject, message) = (escaped(&warning.subject), escaped(&warning.message));
            self.put(format_args!("<div class=\"warning\"><p><b>{subject}</b>: {message}</p>"));
            if let Some(hint) = &warning.hint {
                self.put(format_args!("<p class=\"hint\">{}</p>", escaped(hint)));
            }
            self.out.push_str("</div>\n");
        }
    }

    fn group(&mut self, plan: &Plan, group: &Group<'_>) {
        self.put(format_args!("<section class=\"card\">\n<h3>{}</h3>\n", escaped(group.component)));
        if let Some(rollout) = group.rollout {
            self.out.push_str("<ul class=\"rollout\">\n");
            for sentence in outline::rollout(rollout) {
                self.put(format_args!("<li>{}</li>\n", escaped(&sentence)));
            }
            self.out.push_str("</ul>\n");
        }
        group.steps.iter().for_each(|&step| self.step(&plan.steps[step]));
        self.out.push_str("</section>\n");
    }

    fn step(&mut self, step: &Step) {
        let row = format!(
            "<span class=\"symbol\">{}</span><span class=\"label\" title=\"{}\">{}</span><span class=\"reason\">{}</span>",
            escaped(step.action.symbol()),
            escaped(step.address.as_str()),
            escaped(&label(step)),
            escaped(&words::one_line(&step.reason)),
        );
        let class = class(step.action);
        let made = attributes(step).next().is_some();
        if step.changes.is_empty() && !made {
            self.put(format_args!("<div class=\"step {class}\"><div class=\"row\">{row}</div></div>\n"));
            return;
        }
        // What is created is read by few: it is there, folded.
        let open = if self.open && !step.changes.is_empty() { " open" } else { "" };
        self.put(format_args!(
            "<details class=\"step {class}\"{open}><summary class=\"row\">{row}</summary>\n"
        ));
        step.changes.iter().for_each(|change| self.change(step, change));
        if made {
            self.out.push_str("<div class=\"change\"><div class=\"diff\">");
            for (name, value) in attributes(step) {
                let block = value::block(value);
                if block.contains('\n') {
                    self.diff_line("new", &format!("{name}:"));
                    block.lines().for_each(|line| self.diff_line("new", &format!("  {line}")));
                } else {
                    self.diff_line("new", &format!("{name}: {block}"));
                }
            }
            self.out.push_str("</div></div>\n");
        }
        self.out.push_str("</details>\n");
    }

    fn change(&mut self, step: &Step, change: &Change) {
        self.put(format_args!("<div class=\"change\"><p><code>{}</code>", escaped(&change.attribute)));
        if change.because == Because::Drift {
            self.out.push_str("<span class=\"tag drift\">drift</span>");
        }
        if change.forces_replacement {
            self.out.push_str("<span class=\"tag forces\">forces replacement</span>");
        }
        if let Some(effect) = &change.effect {
            self.put(format_args!("<span class=\"tag drift\">{}</span>", escaped(effect)));
        }
        self.out.push_str("</p><div class=\"diff\">");
        match difference(step, change) {
            Difference::Added(after) => self.diff_line("new", &format!("+ {after}")),
            Difference::Removed(before) => self.diff_line("gone", &format!("- {before}")),
            Difference::Hidden => self.diff_line("note", value::SENSITIVE),
            Difference::Values { before, after } | Difference::TooLong { before, after } => {
                self.diff_line("gone", &format!("- {before}"));
                self.diff_line("new", &format!("+ {after}"));
            }
            Difference::Lines(lines) => {
                for line in &lines {
                    match line {
                        Line::Gap(count) => {
                            self.diff_line(
                                "note",
                                &format!("  ... {} the same", words::count(*count, "line")),
                            );
                        }
                        Line::Same(text) => self.diff_line("same", &format!("  {text}")),
                        Line::Gone(text) => self.diff_line("gone", &format!("- {text}")),
                        Line::New(text) => self.diff_line("new", &format!("+ {text}")),
                        Line::Note(text) => self.diff_line("note", &format!("  ({text} there)")),
                    }
                }
            }
        }
        self.out.push_str("</div></div>\n");
    }

    fn diff_line(&mut self, class: &str, text: &str) {
        self.put(format_args!("<div class=\"{class}\">{}</div>", escaped(text)));
    }

    fn foot(&mut self, plan: &Plan) {
        self.put(format_args!(
            "<footer>Plan <code>{}</code>, made from state serial {}.</footer>\n</main>\n</body>\n</html>\n",
            escaped(&plan.id),
            plan.serial
        ));
    }
}

/// A text in which HTML finds no markup, in content and in quoted attributes alike.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_in_a_value_stays_text() {
        assert_eq!(
            escaped("<script>alert('x')</script> & \"y\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;"
        );
    }
}
