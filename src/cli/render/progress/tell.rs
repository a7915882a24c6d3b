//! Events in words. Pure: what comes out depends on the events alone.

use std::collections::HashSet;

use super::super::words;
use crate::apply::{Event, Outcome};

/// Names of blocked resources before the rest is only counted.
const BLOCKED_NAMES_MAX: usize = 3;

/// What a line is about; the style follows from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    Done,
    Unchanged,
    Failed,
    Blocked,
    /// Worth a look: a retry, a rollback, a stop.
    Notice,
    /// The run as a whole.
    Run,
}

/// One line, or several when an error has several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    pub mark: Mark,
    /// "created", "failed".
    pub verb: String,
    pub text: String,
}

/// Turns events into lines. What is blocked by one failure is gathered into one line.
#[derive(Default)]
pub struct Teller {
    lines: Vec<Told>,
    blocked: Vec<String>,
    blocked_by: String,
    /// What is told once, or not at all.
    told_blocked: HashSet<String>,
}

impl Teller {
    /// `operations` are not told to be blocked: their resources are.
    pub fn new(operations: HashSet<String>) -> Self {
        Teller { told_blocked: operations, ..Teller::default() }
    }

    pub fn take(&mut self, event: &Event) {
        if let Event::Blocked { address, by } = event {
            if *by != self.blocked_by {
                self.tell_blocked();
                self.blocked_by.clone_from(by);
            }
            if self.told_blocked.insert(address.clone()) {
                self.blocked.push(address.clone());
            }
            return;
        }
        self.tell_blocked();
        match event {
            Event::Started { run, tasks } => {
                self.push(Mark::Run, "begins", format!("run {run}, {}", words::count(*tasks, "step")));
            }
            Event::Retrying { address, attempt, wait, reason, .. } => {
                let (wait, reason) = (words::duration(*wait), words::one_line(reason));
                self.push(Mark::Notice, "retry", format!("{address}: try {attempt} in {wait}: {reason}"));
            }
            Event::TaskEnded { address, did, outcome, elapsed, .. } => {
                let elapsed = words::duration(*elapsed);
                match outcome {
                    Outcome::Done => self.push(Mark::Done, done(did), format!("{address}  {elapsed}")),
                    Outcome::Unchanged => self.push(Mark::Unchanged, "unchanged", address.clone()),
                    Outcome::Failed { error, hint } => {
                        let mut text = format!("{address}  {elapsed}\n  {}", words::indent(error, 2));
                        if let Some(hint) = hint {
                            text.push_str(&format!("\n  hint: {}", words::indent(hint, 8)));
                        }
                        self.push(Mark::Failed, "failed", text);
                    }
                }
            }
            Event::RollingBack { component, members } => {
                let members = members.join(", then ");
                self.push(Mark::Notice, "rollback", format!("{component} is put back as it was: {members}"));
            }
            Event::NoWayBack { component, gone } => {
                let text = format!(
                    "{component} is not put back: {gone}, which it stood on, was replaced and is gone"
                );
                self.push(Mark::Notice, "left", text);
            }
            Event::Stopping { running } => {
                let (steps, come) =
                    (words::count(*running, "step"), if *running == 1 { "comes" } else { "come" });
                let text = format!("{steps} in flight {come} to an end first; Ctrl-C again stops at once");
                self.push(Mark::Notice, "stopping", text);
            }
            Event::Ended(report) => {
                let how = if report.succeeded() { "done" } else { "not all done" };
                let elapsed = words::duration(report.elapsed);
                self.push(Mark::Run, "ends", format!("run {}, {how}, after {elapsed}", report.run));
            }
            Event::TaskStarted { .. } | Event::Progress { .. } | Event::Blocked { .. } => {}
        }
    }

    /// The lines so far. What is blocked waits for the next event, so that however events are delivered it is one line;
    /// there always is one: the end of the run.
    pub fn lines(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.lines)
    }

    fn push(&mut self, mark: Mark, verb: &str, text: String) {
        self.lines.push(Told { mark, verb: verb.to_owned(), text });
    }

    fn tell_blocked(&mut self) {
        if self.blocked.is_empty() {
            return;
        }
        let blocked = std::mem::take(&mut self.blocked);
        let names = words::list(&blocked, BLOCKED_NAMES_MAX);
        let need = if blocked.len() == 1 { "needs" } else { "need" };
        let by = std::mem::take(&mut self.blocked_by);
        self.push(Mark::Blocked, "blocked", format!("{names}: {need} {by}"));
    }
}

/// What was done, of what apply says that it did.
fn done(did: &str) -> &str {
    match did {
        "drain" => "drained",
        "undrain" => "undrained",
        "health" | "members" => "healthy",
        other => other,
    }
}

/// What is being done.
pub fn doing(doing: &str) -> &str {
    match doing {
        "drain" => "draining",
        "undrain" => "undraining",
        "health" | "members" => "checking",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn blocked(address: &str, by: &str) -> Event {
        Event::Blocked { address: address.into(), by: by.into() }
    }

    #[test]
    fn what_one_failure_blocks_is_one_line_and_named_once() {
        let mut teller = Teller::new(HashSet::from(["drain".to_owned()]));
        for address in ["a", "drain", "b", "b", "c", "d", "e"] {
            teller.take(&blocked(address, "x"));
        }
        assert_eq!(teller.lines().len(), 0, "there may be more of them");
        teller.take(&blocked("f", "y"));
        teller.take(&Event::Stopping { running: 1 });
        let lines: Vec<String> = teller.lines().into_iter().map(|line| line.text).collect();
        assert_eq!(lines[..2], ["a, b, c and 2 more: need x", "f: needs y"]);
    }

    #[test]
    fn an_error_of_several_lines_stays_together() {
        let mut teller = Teller::default();
        teller.take(&Event::TaskEnded {
            task: 1,
            address: "home/load_balancers.front/file.lb1.cfg".into(),
            did: "created".into(),
            outcome: Outcome::Failed {
                error: "haproxy refuses it:\nline 3: unknown keyword\u{1b}[31m".into(),
                hint: Some("look at the listener".into()),
            },
            elapsed: Duration::from_millis(1234),
            tasks_over: 1,
            tasks: 2,
        });
        insta::assert_snapshot!(teller.lines()[0].text, @r"
        home/load_balancers.front/file.lb1.cfg  1.2s
          haproxy refuses it:
          line 3: unknown keyword\u{1b}[31m
          hint: look at the listener
        ");
    }
}
