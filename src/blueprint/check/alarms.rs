//! Alarms: what can be measured of what, and in which unit.

use standfast_contract::{
    ComponentId, Section,
    alarm::{Alarm, Amount, Bound, Metric},
};

use super::{
    super::{diagnostic::Diagnostic, reader::Reader, scalar},
    common::component_named,
};

const METRICS: [(&str, Metric); 10] = [
    ("cpu", Metric::Cpu),
    ("memory", Metric::Memory),
    ("free_storage", Metric::FreeStorage),
    ("connections", Metric::Connections),
    ("replica_lag", Metric::ReplicaLag),
    ("evictions", Metric::Evictions),
    ("healthy_members", Metric::HealthyMembers),
    ("errors", Metric::Errors),
    ("latency", Metric::Latency),
    ("certificate_expiry", Metric::CertificateExpiry),
];

/// What can be measured of the components of a section.
fn measured(section: Section) -> &'static [Metric] {
    match section {
        Section::LoadBalancers => {
            &[Metric::HealthyMembers, Metric::Errors, Metric::Latency, Metric::CertificateExpiry]
        }
        Section::AutoscalingGroups => &[Metric::HealthyMembers, Metric::Cpu, Metric::Memory],
        Section::Databases => {
            &[Metric::Cpu, Metric::Memory, Metric::FreeStorage, Metric::Connections, Metric::ReplicaLag]
        }
        Section::SessionStores => {
            &[Metric::Cpu, Metric::Memory, Metric::Connections, Metric::ReplicaLag, Metric::Evictions]
        }
        _ => &[],
    }
}

pub fn alarms(reader: &Reader<'_>) -> Option<Vec<Alarm>> {
    let all: Vec<_> = reader.named("alarms").map(|(name, it)| alarm(name, &it, reader)).collect();
    all.into_iter().collect()
}

fn alarm(name: &str, reader: &Reader<'_>, monitoring: &Reader<'_>) -> Option<Alarm> {
    let metric = reader.choice("metric", &METRICS);
    let of = component_named(reader, reader.node("of")?);
    if let (Some(of), Some(metric)) = (&of, metric) {
        check_measured(reader, of, metric);
    }
    let bound = match reader.bool("enabled")? {
        true => Some(bound(reader, metric?)?),
        false => None,
    };
    let lasting = reader.duration("for")?;
    if lasting.is_zero() {
        reader.push(reader.error("for", "`for` cannot be zero").expected("a duration such as `5m`"));
    }
    let notify = notify(reader, monitoring);
    Some(Alarm { name: name.to_owned(), of: of?, metric: metric?, bound, lasting, notify: notify? })
}

fn check_measured(reader: &Reader<'_>, of: &ComponentId, metric: Metric) {
    let there = measured(of.section);
    if there.contains(&metric) {
        return;
    }
    let words: Vec<String> = there.iter().map(|metric| format!("`{}`", metric.as_str())).collect();
    if words.is_empty() {
        reader.push(
            reader
                .error("of", format!("nothing is measured of `{of}`"))
                .expected("a load balancer, an autoscaling group, a database or a session store"),
        );
    } else {
        reader.push(
            reader
                .error("metric", format!("`{}` is not measured of `{of}`", metric.as_str()))
                .expected(words.join(", ")),
        );
    }
}

/// One of `above` and `below`, in the metric's unit.
fn bound(reader: &Reader<'_>, metric: Metric) -> Option<Bound> {
    let (key, make): (_, fn(Amount) -> Bound) = match (reader.has("above"), reader.has("below")) {
        (true, false) => ("above", Bound::Above),
        (false, true) => ("below", Bound::Below),
        (true, true) => {
            reader.push(
                reader
                    .error("below", "`above` and `below` exclude each other")
                    .help("an alarm has one bound: make two of it"),
            );
            return None;
        }
        (false, false) => {
            reader.push(
                Diagnostic::error(reader.owner, "an alarm needs `above` or `below`")
                    .expected(format!("for example `above: {}`", example(metric)))
                    .help("or `enabled: false`, to have no alarm of this metric"),
            );
            return None;
        }
    };
    let amount = amount(reader, key, metric);
    if amount.is_none() {
        let written = reader.text(key).unwrap_or_default();
        reader.push(
            reader
                .error(key, format!("`{written}` is no amount of `{}`", metric.as_str()))
                .expected(format!("for example `{}`", example(metric))),
        );
    }
    amount.map(make)
}

fn amount(reader: &Reader<'_>, key: &str, metric: Metric) -> Option<Amount> {
    let text = reader.text(key)?;
    let share = || scalar::share(&text).map(Amount::Share);
    let duration = || scalar::duration(&text).map(Amount::Duration);
    let number = || reader.number(key).filter(|number| *number >= 0.0).map(Amount::Number);
    match metric {
        Metric::Cpu | Metric::Memory | Metric::Errors => share(),
        Metric::FreeStorage => share().or_else(|| scalar::size(&text).map(Amount::Bytes)),
        Metric::Connections => share().or_else(number),
        Metric::ReplicaLag | Metric::Latency | Metric::CertificateExpiry => duration(),
        Metric::Evictions | Metric::HealthyMembers => number(),
    }
}

fn example(metric: Metric) -> &'static str {
    match metric {
        Metric::Cpu | Metric::Memory => "80%",
        Metric::Errors => "5%",
        Metric::FreeStorage => "10GiB` or `10%",
        Metric::Connections => "80%` or `400",
        Metric::ReplicaLag => "30s",
        Metric::Latency => "500ms",
        Metric::CertificateExpiry => "14d",
        Metric::Evictions => "100",
        Metric::HealthyMembers => "2",
    }
}

/// Receivers of the monitoring; all where none is named.
fn notify(reader: &Reader<'_>, monitoring: &Reader<'_>) -> Option<Vec<String>> {
    let known: Vec<&str> = monitoring.entries("notify").map(|(name, _)| name).collect();
    if !reader.has("notify") {
        return Some(known.into_iter().map(str::to_owned).collect());
    }
    let mut found = Vec::new();
    let items = reader.items("notify");
    for node in items {
        let Some(scalar) = node.as_scalar() else { continue };
        if known.contains(&scalar.text.as_str()) {
            found.push(scalar.text.clone());
        } else {
            let message = format!("no receiver `{}`", scalar.text);
            reader.context.dangling(node.span, message, &scalar.text, known.iter().copied(), "receivers");
        }
    }
    found.dedup();
    (found.len() == items.len()).then_some(found)
}
