//! The end of a run: what was done, what was not and why, what to do next.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
};

use standfast_contract::{ComponentId, Map, Value};

use super::{value, words};
use crate::{
    apply::{Report, event::Failure},
    cli::terminal::{BOLD, CYAN, DIM, GREEN, RED, YELLOW},
    plan::Plan,
};

/// Blocked and untried addresses that are named before the rest is only counted.
const NAMES_MAX: usize = 12;

/// The report for a person.
pub fn text(report: &Report) -> String {
    let mut sections = Vec::new();
    sections.extend(failed(&report.failed));
    sections.extend(blocked(&report.blocked));
    sections.extend(cancelled(&report.cancelled));
    sections.extend(out_of_service(&report.out_of_service));
    let outputs = outputs(&report.outputs);
    if !outputs.is_empty() {
        sections.push(format!("{BOLD}Outputs{BOLD:#}\n{}", indented(&outputs)));
    }
    sections.push(headline(report));
    sections.extend(next(report));
    sections.join("\n\n")
}

/// The report without what was to be done around steps (drain, health): a person counts resources.
pub fn of_resources(mut report: Report, plan: &Plan) -> Report {
    let operations = operations(plan);
    report.blocked.retain(|(address, _)| !operations.contains(address));
    report.cancelled.retain(|address| !operations.contains(address));
    report
}

/// The addresses of what a plan does around its steps.
pub fn operations(plan: &Plan) -> HashSet<String> {
    let members = plan.rollouts.iter().flat_map(|rollout| &rollout.members);
    let around = members.flat_map(|member| member.before.iter().chain(&member.after));
    around.map(|operation| operation.address.to_string()).collect()
}

/// "12 created, 3 updated".
pub fn counts(report: &Report) -> String {
    let counts = [
        (report.created, "created"),
        (report.updated, "updated"),
        (report.replaced, "replaced"),
        (report.deleted, "deleted"),
        (report.forgotten, "forgotten"),
        (report.refreshed, "refreshed"),
        (report.moved, "moved"),
        (report.unchanged, "found to need nothing"),
        (report.rolled_back, "rolled back"),
        (report.put_back, "put back into service"),
        (report.failed.len(), "failed"),
        (report.blocked.len(), "blocked"),
        (report.cancelled.len(), "not begun"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|count| count.0 > 0)
        .map(|(number, what)| format!("{} {what}", words::thousands(*number)))
        .collect();
    if parts.is_empty() { "nothing was changed".to_owned() } else { parts.join(", ") }
}

/// "Done in 14s: 12 created, 3 updated."
fn headline(report: &Report) -> String {
    let what = counts(report);
    let elapsed = words::duration(report.elapsed);
    let (style, head) = match report {
        report if report.succeeded() => (GREEN, "Done in"),
        report if report.interrupted => (YELLOW, "Stopped after"),
        _ => (RED, "Not all done after"),
    };
    let style = style.bold();
    format!("{style}{head} {elapsed}{style:#}: {what}.")
}

fn failed(failures: &[Failure]) -> Option<String> {
    if failures.is_empty() {
        return None;
    }
    let style = RED.bold();
    let mut text = format!("{style}Failed{style:#}");
    // One cause has many effects, and one hint: told once, below them all.
    let first = |failure: &&Failure| failures.iter().position(|other| other.hint == failure.hint);
    let mut ordered: Vec<&Failure> = failures.iter().collect();
    ordered.sort_by_key(first);
    for (at, failure) in ordered.iter().enumerate() {
        let _ = write!(text, "\n  {}\n    {}", failure.address, words::indent(&failure.error, 4));
        let is_last = ordered.get(at + 1).is_none_or(|next| next.hint != failure.hint);
        if let (Some(hint), true) = (&failure.hint, is_last) {
            let _ = write!(text, "\n    {CYAN}hint{CYAN:#}: {}", words::indent(hint, 10));
        }
    }
    Some(text)
}

/// By what they wait for.
fn blocked(blocked: &[(String, String)]) -> Option<String> {
    if blocked.is_empty() {
        return None;
    }
    let mut causes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (address, by) in blocked {
        causes.entry(by).or_default().push(address);
    }
    let style = YELLOW.bold();
    let mut text = format!("{style}Blocked{style:#}");
    for (by, addresses) in causes {
        let _ = write!(text, "\n  by {by}");
        named(&mut text, &addresses, 4);
    }
    Some(text)
}

fn cancelled(addresses: &[String]) -> Option<String> {
    if addresses.is_empty() {
        return None;
    }
    let style = YELLOW.bold();
    let mut text = format!("{style}Not begun{style:#}");
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    named(&mut text, &addresses, 2);
    Some(text)
}

fn out_of_service(labels: &[String]) -> Option<String> {
    if labels.is_empty() {
        return None;
    }
    let style = YELLOW.bold();
    let mut text = format!("{style}Out of service{style:#}");
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    named(&mut text, &labels, 2);
    let _ = write!(text, "\n    {CYAN}hint{CYAN:#}: the next apply puts back what passes its health check");
    Some(text)
}

fn named(text: &mut String, addresses: &[&str], indent: usize) {
    for address in addresses.iter().take(NAMES_MAX) {
        let _ = write!(text, "\n{:indent$}{address}", "");
    }
    if addresses.len() > NAMES_MAX {
        let _ = write!(
            text,
            "\n{:indent$}{DIM}and {} more{DIM:#}",
            "",
            words::thousands(addresses.len() - NAMES_MAX)
        );
    }
}

/// The next move, where there is one.
fn next(report: &Report) -> Option<String> {
    let again = "run the same command again: it goes on where this one stopped";
    let next = if report.succeeded() {
        return None;
    } else if report.failed.is_empty() {
        again.to_owned()
    } else if report.rolled_back_in_vain {
        format!("not all that was rolled back serves again: look there first; mend what failed, then {again}")
    } else if report.rolled_back > 0 && report.out_of_service.is_empty() {
        format!("what was rolled back serves as before; mend what failed, then {again}")
    } else {
        format!("mend what failed, then {again}")
    };
    Some(format!("{CYAN}next{CYAN:#}: {next}"))
}

/// `COMPONENT.OUTPUT = VALUE`, a line each; empty when there are none.
pub fn outputs(outputs: &BTreeMap<ComponentId, Map>) -> String {
    let all: Vec<(String, &Value)> = outputs
        .iter()
        .flat_map(|(id, map)| map.iter().map(move |(name, value)| (format!("{id}.{name}"), value)))
        .filter(|(_, value)| **value != Value::Null)
        .collect();
    let widest = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = all
        .iter()
        .map(|(name, value)| match value {
            // Of what failed, or has not been selected.
            Value::Unknown => format!("{name:<widest$} = {DIM}(not made){DIM:#}"),
            value => format!("{name:<widest$} = {BOLD}{}{BOLD:#}", value::whole(value)),
        })
        .collect();
    lines.join("\n")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use standfast_contract::{Section, Sensitive};

    use super::*;

    fn shown(report: &Report) -> String {
        anstream::adapter::strip_str(&text(report)).to_string()
    }

    fn good() -> Report {
        let front = ComponentId::new(Section::LoadBalancers, "front");
        let map = Map::from([
            ("address".into(), "10.77.0.100".into()),
            ("hosts".into(), Value::from_iter(["lb1", "lb2"])),
            ("password".into(), Value::Sensitive(Sensitive::from_digest("d1"))),
        ]);
        Report {
            run: 4,
            created: 12,
            updated: 3,
            outputs: BTreeMap::from([(front, map)]),
            elapsed: Duration::from_millis(14_200),
            ..Report::default()
        }
    }

    #[test]
    fn a_good_end_is_short() {
        insta::assert_snapshot!(shown(&good()), @r"
        Outputs
          load_balancers.front.address  = 10.77.0.100
          load_balancers.front.hosts    = [lb1, lb2]
          load_balancers.front.password = (sensitive)

        Done in 14s: 12 created, 3 updated.
        ");
    }

    #[test]
    fn a_bad_end_says_what_failed_what_waits_and_what_to_do() {
        let blocked =
            (0..14).map(|at| (format!("home/load_balancers.front/listener.{at}"), PACKAGE.to_owned()));
        const PACKAGE: &str = "home/load_balancers.front/package.lb1.haproxy";
        let report = Report {
            failed: vec![Failure {
                address: PACKAGE.into(),
                error: "could not install haproxy on lb1:\nE: no space left".into(),
                hint: Some("`df -h` on lb1 shows what is full".into()),
            }],
            blocked: blocked.collect(),
            rolled_back: 2,
            outputs: BTreeMap::from([(
                ComponentId::new(Section::LoadBalancers, "front"),
                Map::from([("address".into(), Value::Unknown), ("port".into(), Value::Int(80))]),
            )]),
            ..good()
        };
        insta::assert_snapshot!(shown(&report), @r"
        Failed
          home/load_balancers.front/package.lb1.haproxy
            could not install haproxy on lb1:
            E: no space left
            hint: `df -h` on lb1 shows what is full

        Blocked
          by home/load_balancers.front/package.lb1.haproxy
            home/load_balancers.front/listener.0
            home/load_balancers.front/listener.1
            home/load_balancers.front/listener.2
            home/load_balancers.front/listener.3
            home/load_balancers.front/listener.4
            home/load_balancers.front/listener.5
            home/load_balancers.front/listener.6
            home/load_balancers.front/listener.7
            home/load_balancers.front/listener.8
            home/load_balancers.front/listener.9
            home/load_balancers.front/listener.10
            home/load_balancers.front/listener.11
            and 2 more

        Outputs
          load_balancers.front.address = (not made)
          load_balancers.front.port    = 80

        Not all done after 14s: 12 created, 3 updated, 2 rolled back, 1 failed, 14 blocked.

        next: what was rolled back serves as before; mend what failed, then run the same command again: it goes on where this one stopped
        ");
    }

    #[test]
    fn a_hint_of_many_failures_is_told_once_below_them() {
        let failure = |address: &str, hint: &str| Failure {
            address: address.into(),
            error: "it was refused".into(),
            hint: Some(hint.into()),
        };
        let failures = [failure("a", "sign in"), failure("b", "free a disk"), failure("c", "sign in")];
        insta::assert_snapshot!(anstream::adapter::strip_str(&failed(&failures).unwrap()).to_string(), @r"
        Failed
          a
            it was refused
          c
            it was refused
            hint: sign in
          b
            it was refused
            hint: free a disk
        ");
    }

    #[test]
    fn what_was_rolled_back_in_vain_is_not_said_to_serve() {
        let failed =
            vec![Failure { address: "home/a.b/member.c".into(), error: "it is down".into(), hint: None }];
        let report = Report { failed, rolled_back: 2, rolled_back_in_vain: true, ..good() };
        assert!(shown(&report).contains("next: not all that was rolled back serves again: look there first"));
    }

    #[test]
    fn a_stopped_run_goes_on_later() {
        let cancelled = vec!["home/load_balancers.front/service.lb1.haproxy".to_owned()];
        let report = Report { interrupted: true, cancelled, outputs: BTreeMap::new(), ..good() };
        insta::assert_snapshot!(shown(&report), @r"
        Not begun
          home/load_balancers.front/service.lb1.haproxy

        Stopped after 14s: 12 created, 3 updated, 1 not begun.

        next: run the same command again: it goes on where this one stopped
        ");
    }
}
