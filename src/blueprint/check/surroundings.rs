//! DNS, monitoring and disaster recovery.

use std::time::Duration;

use standfast_contract::{
    ComponentId, Section,
    component::{
        Common, DisasterRecovery, Dns, DnsHealthCheck, DnsRecord, DnsRouting, Monitoring, Notify,
        RecoveryStrategy,
    },
};

use super::{
    super::{diagnostic::Diagnostic, reader::Reader},
    alarms,
    common::{Scope, check_path, hosts, region_named},
    domain,
};

/// Longest that a resolver may keep an answer: <https://datatracker.ietf.org/doc/html/rfc2181#section-8>
const TTL_MAX: Duration = Duration::from_secs((1 << 31) - 1);

pub fn dns(reader: &Reader<'_>, common: Option<Common>) -> Option<Dns> {
    let written = reader.text("zone")?;
    let zone = domain::plain(&written);
    let is_zone = domain::told(reader, "zone", "DNS zone", &written, domain::check(&zone));
    let records: Vec<_> = reader
        .children("records")
        .map(|it| {
            let made = record(&it);
            if is_zone && let Some(name) = it.text("name") {
                check_name(&it, &name, &zone);
            }
            made
        })
        .collect();
    let records: Vec<DnsRecord> = records.into_iter().collect::<Option<_>>()?;
    for (it, record) in reader.children("records").zip(&records) {
        let name = full_name(&record.name, &zone);
        let is_alone = records.iter().filter(|other| full_name(&other.name, &zone) == name).count() < 2;
        if record.routing == DnsRouting::Failover && is_alone {
            it.push(
                it.error("routing", format!("nothing takes over for `{name}` when `{}` fails", record.to.name))
                    .label("the only record of its name")
                    .help("give the name a second record, which leads to another load balancer; or say `routing: simple`"),
            );
        }
    }
    Some(Dns { common: common?, zone: written, existing: reader.text("existing"), records })
}

/// The name of a record with its zone's. What ends with that is whole already.
fn full_name(written: &str, zone: &str) -> String {
    let name = domain::plain(written);
    match name.as_str() {
        "@" => zone.to_owned(),
        name if is_within(name, zone) => name.to_owned(),
        name => format!("{name}.{zone}"),
    }
}

fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn check_name(reader: &Reader<'_>, written: &str, zone: &str) {
    let name = domain::plain(written);
    if written.ends_with('.') && !is_within(&name, zone) {
        reader.push(reader.error("name", format!("`{written}` is outside of the zone `{zone}`")).help(
            "a name within it has no dot at its end, and one of another zone belongs under its own `dns`",
        ));
        return;
    }
    let full = full_name(&name, zone);
    let within = full.strip_suffix(zone).map_or("", |rest| rest.trim_end_matches('.'));
    let labels = if within == "*" { "" } else { within.strip_prefix("*.").unwrap_or(within) };
    let checked = match labels {
        "" => domain::check(zone),
        // The part that is written tells what is wrong with it; with the zone it must not be too long.
        labels => {
            domain::check_labels(labels).and_then(|()| domain::check_labels(full.trim_start_matches("*.")))
        }
    };
    if !domain::told(reader, "name", "name of a record", written, checked) {
        return;
    }
    if within.contains('_') {
        reader.push(
            reader
                .warning("name", format!("`{written}` is no name of a host: those have no `_`"))
                .label("some clients refuse it, and no certificate can be had for it")
                .help(format!("say `{}`", written.replace('_', "-"))),
        );
    }
    let top = |name: &str| name.rsplit('.').next().map(str::to_owned);
    if within == name && within.contains('.') && top(within) == top(zone) {
        reader.push(
            reader
                .warning("name", format!("this makes the name `{full}`"))
                .label(format!("taken as a name within `{zone}`"))
                .help("a name of another zone belongs under its own `dns`"),
        );
    }
}

fn record(reader: &Reader<'_>) -> Option<DnsRecord> {
    let written = reader.text("to")?;
    let prefix = format!("{}.", Section::LoadBalancers);
    let name = written.strip_prefix(&prefix).unwrap_or(&written);
    let names = reader.context.names;
    if !names.has_component(Section::LoadBalancers, name) {
        let known = names.components(Section::LoadBalancers);
        let message = format!("no load balancer `{name}`");
        reader.context.dangling(reader.span("to"), message, name, known, "load balancers");
        return None;
    }
    let routing = reader.choice(
        "routing",
        &[
            ("simple", DnsRouting::Simple),
            ("failover", DnsRouting::Failover),
            ("latency", DnsRouting::Latency),
        ],
    )?;
    if let (Some(entry), DnsRouting::Simple) = (reader.entry("health_check"), routing) {
        reader.push(
            Diagnostic::error(entry.key, "a simple record answers always, healthy or not")
                .help("say `routing: failover` or `routing: latency`, or remove `health_check`"),
        );
    }
    let health_check = match reader.child("health_check") {
        None => None,
        Some(it) => Some(name_check(&it)?),
    };
    let ttl = reader.duration("ttl")?;
    if ttl.subsec_nanos() > 0 || ttl > TTL_MAX {
        reader.push(
            reader
                .error("ttl", "DNS counts in whole seconds, 68 years at most")
                .expected("a duration such as `60s`"),
        );
    }
    Some(DnsRecord {
        name: reader.text("name")?,
        to: ComponentId::new(Section::LoadBalancers, name),
        routing,
        ttl,
        health_check,
    })
}

fn name_check(reader: &Reader<'_>) -> Option<DnsHealthCheck> {
    let interval = reader.duration("interval")?;
    if interval.is_zero() {
        reader
            .push(reader.error("interval", "`interval` cannot be zero").expected("a duration such as `30s`"));
    }
    Some(DnsHealthCheck {
        path: check_path(reader),
        port: reader.port("port"),
        interval,
        unhealthy: reader.int("unhealthy")?,
    })
}

pub fn monitoring(reader: &Reader<'_>, common: Option<Common>, scope: Scope<'_>) -> Option<Monitoring> {
    let hosts = hosts(reader, scope, "the monitoring");
    let notify: Vec<_> =
        reader.named("notify").map(|(name, it)| Some((name.to_owned(), receiver(&it)?))).collect();
    Some(Monitoring {
        common: common?,
        hosts: hosts?,
        notify: notify.into_iter().collect::<Option<_>>()?,
        retention: reader.duration("retention"),
        default_alarms: reader.bool("default_alarms")?,
        alarms: alarms::alarms(reader)?,
    })
}

fn receiver(reader: &Reader<'_>) -> Option<Notify> {
    if let Some(url) = reader.value("webhook") {
        if let Some(text) = url.as_str()
            && !text.starts_with("https://")
            && !text.starts_with("http://")
        {
            reader.push(reader.error("webhook", format!("`{text}` is no URL")).expected("`https://...`"));
            return None;
        }
        return Some(Notify::Webhook(url));
    }
    let address = reader.text("email")?;
    if !address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()) {
        reader
            .push(reader.error("email", format!("`{address}` is no e-mail address")).expected("`NAME@HOST`"));
        return None;
    }
    Some(Notify::Email(address))
}

pub fn recovery(reader: &Reader<'_>, common: Option<Common>) -> Option<DisasterRecovery> {
    let into = reader.text("into").and_then(|written| region_named(reader, "into", written));
    if let Some(entry) = reader.entry("region") {
        reader.push(
            Diagnostic::error(entry.key, "disaster recovery belongs to the region that it protects")
                .help("remove `region`: `from` says it"),
        );
    }
    let common = common?;
    let into = into?;
    if common.region == into {
        reader.push(
            reader
                .error("into", format!("region `{into}` cannot take over from itself"))
                .related(reader.span("from"), "the protected region is here"),
        );
    }
    Some(DisasterRecovery {
        from: common.region.clone(),
        common,
        into,
        strategy: reader.choice(
            "strategy",
            &[
                ("backup_restore", RecoveryStrategy::BackupRestore),
                ("pilot_light", RecoveryStrategy::PilotLight),
                ("warm_standby", RecoveryStrategy::WarmStandby),
                ("active_active", RecoveryStrategy::ActiveActive),
            ],
        )?,
    })
}
