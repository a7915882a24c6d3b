//! Names and watchers: DNS records, and an alarm for every component of the region.

use standfast_contract::{
    Address, Component, Map, OutputRef, Value,
    alarm::lasting,
    component::{Dns, DnsHealthCheck, Monitoring, Notify},
};

use super::{Build, list, ms, word};

pub(super) fn expand_dns(build: &mut Build<'_>, dns: &Dns) {
    let mut all = Vec::new();
    let mut names = Vec::new();
    for record in &dns.records {
        let address = build.add(
            "record",
            &record.name,
            [
                ("zone", dns.zone.as_str().into()),
                ("name", record.name.as_str().into()),
                ("value", OutputRef::component(record.to.clone(), "address")),
                ("ttl_ms", ms(record.ttl)),
                ("routing", word(record.routing)),
                ("health_check", record.health_check.as_ref().map_or(Value::Null, check)),
            ],
        );
        all.push(address);
        names.push(record.name.clone());
    }
    build.output("names", list(&names));
    build.probe("records", &all, &[]);
}

fn check(check: &DnsHealthCheck) -> Value {
    let mut inputs =
        Map::from([("interval_ms".into(), ms(check.interval)), ("unhealthy".into(), check.unhealthy.into())]);
    inputs.extend(check.path.as_deref().map(|path| ("path".into(), path.into())));
    inputs.extend(check.port.map(|port| ("port".into(), port.into())));
    Value::Map(inputs)
}

pub(super) fn expand_monitoring(build: &mut Build<'_>, monitoring: &Monitoring) {
    let collector = build.add(
        "collector",
        "main",
        [("hosts", list(&monitoring.hosts)), ("retention_ms", monitoring.retention.map_or(Value::Null, ms))],
    );
    let mut channels = Vec::new();
    for (name, notify) in &monitoring.notify {
        let (kind, target) = match notify {
            Notify::Webhook(url) => ("webhook", url.clone()),
            Notify::Email(address) => ("email", address.as_str().into()),
        };
        let channel = build.add("channel", name, [("type", kind.into()), ("target", target)]);
        channels.push((name.as_str(), OutputRef::resource(&channel, "id")));
    }
    let mut all = vec![collector.clone()];
    for alarm in &monitoring.alarms {
        let Some(bound) = alarm.bound else { continue };
        let told = channels.iter().filter(|(name, _)| alarm.notify.iter().any(|told| told == name));
        let told = told.map(|(_, channel)| channel.clone()).collect();
        let condition = format!("{} {bound} for {}", alarm.metric.as_str(), lasting(alarm.lasting));
        all.push(add_alarm(build, &alarm.name, &alarm.of.to_string(), &collector, &condition, told));
    }
    let all_channels: Vec<Value> = channels.iter().map(|(_, channel)| channel.clone()).collect();
    let components = if monitoring.default_alarms { build.request.components } else { &[] };
    for component in components {
        let condition = match component {
            Component::LoadBalancer(_) => "no healthy target for 30s",
            Component::AutoscalingGroup(_) => "fewer members than desired for 5m",
            Component::Database(_) => "no writer for 30s, or replication lag above 30s",
            Component::SessionStore(_) => "no primary for 30s",
            Component::DisasterRecovery(_) => "copy in the second region older than 5m",
            Component::Network(_) | Component::Baseline(_) | Component::Dns(_) | Component::Monitoring(_) => {
                continue;
            }
        };
        if component.common().region != build.region.name {
            continue;
        }
        let watched = component.id().to_string();
        all.push(add_alarm(build, &watched, &watched, &collector, condition, all_channels.clone()));
    }
    build.output("collector", OutputRef::resource(&collector, "id"));
    build.probe("alarms", &all, &[collector]);
}

fn add_alarm(
    build: &mut Build<'_>,
    name: &str,
    watched: &str,
    collector: &Address,
    condition: &str,
    channels: Vec<Value>,
) -> Address {
    build.add(
        "alarm",
        name,
        [
            ("watches", watched.into()),
            ("collector", OutputRef::resource(collector, "id")),
            ("condition", condition.into()),
            ("channels", if channels.is_empty() { Value::Null } else { channels.into() }),
        ],
    )
}
