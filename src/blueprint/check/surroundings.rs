//! DNS, monitoring and disaster recovery.

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
    zone,
};

pub fn dns(reader: &Reader<'_>, common: Option<Common>) -> Option<Dns> {
    zone::check(reader);
    let records: Vec<_> = reader.children("records").map(|it| record(&it)).collect();
    Some(Dns {
        common: common?,
        zone: reader.text("zone")?,
        existing: reader.text("existing"),
        records: records.into_iter().collect::<Option<_>>()?,
    })
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
    Some(DnsRecord {
        name: reader.text("name")?,
        to: ComponentId::new(Section::LoadBalancers, name),
        routing,
        ttl: reader.duration("ttl")?,
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
