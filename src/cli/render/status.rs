//! How every component is doing, as its probes answered.

use std::collections::BTreeMap;

use anstyle::Style;
use serde::Serialize;
use standfast_contract::{ComponentId, Health, HealthState, Probe};

use super::{listing, words};
use crate::cli::terminal::{BOLD, GREEN, RED, YELLOW};

/// Of [`json`].
pub const FORMAT_VERSION: u32 = 1;

/// A row for each probe, components together, and a sentence about the whole.
pub fn table(rows: &[(Probe, Health)]) -> String {
    let mut last = None;
    let cells: Vec<Vec<String>> = sorted(rows)
        .into_iter()
        .map(|(probe, health)| {
            let again = last.replace(&probe.component) == Some(&probe.component);
            let component = if again { String::new() } else { format!("{BOLD}{}{BOLD:#}", probe.component) };
            let style = style(health.state);
            let state = format!("{style}{} {}{style:#}", mark(health.state), word(health.state));
            let subject = words::one_line(&probe.subject).into_owned();
            vec![component, subject, state, words::one_line(&health.detail).into_owned()]
        })
        .collect();
    let table = listing::table(&["component", "what", "state", "detail"], &cells);
    format!("{table}\n\n{}", summary(rows))
}

/// "All 6 healthy." or "5 of 6 healthy; down: web3 of autoscaling_groups.web."
fn summary(rows: &[(Probe, Health)]) -> String {
    let healthy = rows.iter().filter(|row| row.1.state == HealthState::Healthy).count();
    if healthy == rows.len() {
        let all = if healthy == 1 { "Healthy.".to_owned() } else { format!("All {healthy} healthy.") };
        return format!("{GREEN}{all}{GREEN:#}");
    }
    let mut parts = vec![format!("{healthy} of {} healthy", rows.len())];
    for state in [HealthState::Down, HealthState::Unreachable, HealthState::Degraded] {
        let style = style(state);
        let names: Vec<String> = sorted(rows)
            .into_iter()
            .filter(|row| row.1.state == state)
            .map(|(probe, _)| format!("{} of {}", words::one_line(&probe.subject), probe.component))
            .collect();
        if !names.is_empty() {
            parts.push(format!("{style}{}{style:#}: {}", word(state), words::list(&names, 4)));
        }
    }
    format!("{}.", parts.join("; "))
}

/// Components in the order of a blueprint, the rows of each as they came.
fn sorted(rows: &[(Probe, Health)]) -> Vec<&(Probe, Health)> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|row| &row.0.component);
    rows
}

fn word(state: HealthState) -> &'static str {
    match state {
        HealthState::Healthy => "healthy",
        HealthState::Degraded => "degraded",
        HealthState::Down => "down",
        HealthState::Unreachable => "unreachable",
    }
}

fn mark(state: HealthState) -> &'static str {
    match state {
        HealthState::Healthy => "●",
        HealthState::Degraded => "◐",
        HealthState::Down => "○",
        HealthState::Unreachable => "?",
    }
}

fn style(state: HealthState) -> Style {
    match state {
        HealthState::Healthy => GREEN,
        HealthState::Degraded => YELLOW,
        HealthState::Down | HealthState::Unreachable => RED,
    }
}

/// The worst of several states: what one word says of them all.
pub fn worst<'a>(rows: impl IntoIterator<Item = &'a (Probe, Health)>) -> HealthState {
    let rank = |state: &HealthState| match state {
        HealthState::Healthy => 0,
        HealthState::Degraded => 1,
        HealthState::Unreachable => 2,
        HealthState::Down => 3,
    };
    rows.into_iter().map(|row| row.1.state).max_by_key(rank).unwrap_or(HealthState::Healthy)
}

#[derive(Serialize)]
struct Shown<'a> {
    format_version: u32,
    /// The worst of all.
    state: HealthState,
    components: Vec<ShownComponent<'a>>,
}

#[derive(Serialize)]
struct ShownComponent<'a> {
    component: &'a ComponentId,
    state: HealthState,
    probes: Vec<ShownProbe<'a>>,
}

#[derive(Serialize)]
struct ShownProbe<'a> {
    subject: &'a str,
    provider: &'a str,
    state: HealthState,
    detail: &'a str,
}

/// The same for programs, on one line.
pub fn json(rows: &[(Probe, Health)]) -> String {
    let mut components: BTreeMap<&ComponentId, Vec<&(Probe, Health)>> = BTreeMap::new();
    for row in rows {
        components.entry(&row.0.component).or_default().push(row);
    }
    let components = components
        .into_iter()
        .map(|(component, rows)| ShownComponent {
            component,
            state: worst(rows.iter().copied()),
            probes: rows
                .iter()
                .map(|(probe, health)| ShownProbe {
                    subject: &probe.subject,
                    provider: &probe.provider,
                    state: health.state,
                    detail: &health.detail,
                })
                .collect(),
        })
        .collect();
    // Only a map with a key that is no text could fail, and there is none.
    serde_json::to_string(&Shown { format_version: FORMAT_VERSION, state: worst(rows), components })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use standfast_contract::{Map, Section, Value};

    use super::*;

    fn row(section: Section, name: &str, subject: &str, state: HealthState, detail: &str) -> (Probe, Health) {
        let probe = Probe {
            component: ComponentId::new(section, name),
            subject: subject.to_owned(),
            provider: "ssh".to_owned(),
            place: Value::Null,
            verb: "health".to_owned(),
            inputs: Map::new(),
        };
        (probe, Health { state, detail: detail.to_owned() })
    }

    fn rows() -> Vec<(Probe, Health)> {
        use HealthState::{Degraded, Down, Healthy, Unreachable};
        vec![
            row(Section::AutoscalingGroups, "web", "web1", Healthy, "serving, 200 in 3 ms"),
            row(Section::LoadBalancers, "front", "lb1", Degraded, "serving, 2 of 3 members up"),
            row(Section::LoadBalancers, "front", "lb2", Healthy, "standing by"),
            row(Section::AutoscalingGroups, "web", "web2", Down, "connection\nrefused"),
            row(Section::AutoscalingGroups, "web", "web3", Unreachable, "no route to host"),
        ]
    }

    #[test]
    fn a_status_for_a_terminal() {
        insta::assert_snapshot!(anstream::adapter::strip_str(&table(&rows())).to_string(), @r"
        component                what   state           detail
        load_balancers.front     lb1    ◐ degraded      serving, 2 of 3 members up
                                 lb2    ● healthy       standing by
        autoscaling_groups.web   web1   ● healthy       serving, 200 in 3 ms
                                 web2   ○ down          connection refused
                                 web3   ? unreachable   no route to host

        2 of 5 healthy; down: web2 of autoscaling_groups.web; unreachable: web3 of autoscaling_groups.web; degraded: lb1 of load_balancers.front.
        ");
    }

    #[test]
    fn a_status_for_programs_has_the_worst_of_each_component() {
        let value: serde_json::Value = serde_json::from_str(&json(&rows())).unwrap();
        assert_eq!(value["state"], "down");
        assert_eq!(value["components"][0]["component"], "load_balancers.front");
        assert_eq!(value["components"][0]["state"], "degraded");
        assert_eq!(value["components"][1]["probes"][2]["subject"], "web3");
    }

    #[test]
    fn all_well_is_one_sentence() {
        let rows = &rows()[2..3];
        assert!(table(rows).contains("Healthy."));
    }
}
