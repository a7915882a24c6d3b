//! Names: public zones of Route 53 with the alias records that lead to load balancers that were found. Other records stay as
//! they are, in no blueprint: a zone of ours may have them.

use std::collections::BTreeSet;

use aws_sdk_route53::types::{
    HostedZone, ResourceRecordSet, ResourceRecordSetFailover, RrType, TagResourceType,
};

use super::{
    balancer::Written,
    text::{Names, Text, quoted},
};
use crate::{
    clients::Site,
    failure::{Failure, failed},
    kinds, marks,
};

/// What AWS's console writes before a load balancer's name.
const DUALSTACK: &str = "dualstack.";

/// A record that a blueprint can say.
struct Said<'a> {
    is: &'a ResourceRecordSet,
    /// Whole, and within its zone.
    name: String,
    label: String,
    balancer: &'a str,
    routing: &'static str,
}

pub(super) async fn survey(site: &Site, written: &Written, text: &mut Text) -> Result<(), Failure> {
    let route53 = &site.look.route53;
    let all: Result<Vec<_>, _> = route53.list_hosted_zones().into_paginator().items().send().collect().await;
    let mut names = Names::default();
    let mut is_first = true;
    for zone in all.map_err(failed("route53:ListHostedZones"))? {
        let id = zone.id().rsplit('/').next().unwrap_or_default();
        let origin = zone.name().trim_end_matches('.');
        let records = kinds::records_of(site, id).await?;
        let leading: Vec<(&ResourceRecordSet, &str)> =
            records.iter().filter_map(|record| Some((record, led_to(record, written)?))).collect();
        if leading.is_empty() {
            continue;
        }
        let tags = kinds::route53_tags(site, TagResourceType::Hostedzone, &[id]).await?;
        if tags.get(id).is_some_and(|tags| tags.contains_key(marks::STACK)) {
            text.leave_out(format!("the zone {origin} is a stack's already"));
            continue;
        }
        if is_private(&zone) {
            text.leave_out(format!("the zone {origin} ({id}) is private, which no blueprint says"));
            continue;
        }
        let said = said(text, &site.place.location, origin, &leading);
        if said.is_empty() {
            text.leave_out(format!("the zone {origin} has no record that can be said"));
            continue;
        }
        if std::mem::take(&mut is_first) {
            text.line("dns:");
        }
        // Every zone has its own NS and SOA.
        let others = records.len().saturating_sub(said.len() + 2);
        write(text, id, origin, &said, others, &names.take(origin));
    }
    Ok(())
}

fn is_private(zone: &HostedZone) -> bool {
    zone.config().is_some_and(|config| config.private_zone())
}

/// The load balancer that an alias leads to, by the blueprint's name.
fn led_to<'a>(record: &ResourceRecordSet, written: &'a Written) -> Option<&'a str> {
    let target = record.alias_target().filter(|_| *record.r#type() == RrType::A)?;
    let target = kinds::record_name(target.dns_name());
    let target = target.strip_prefix(DUALSTACK).unwrap_or(&target);
    written.balancers.iter().find(|(own, _)| own == target).map(|(_, name)| name.as_str())
}

/// In the order in which a blueprint has them: of a failover the primary first.
fn said<'a>(
    text: &mut Text,
    location: &str,
    origin: &str,
    leading: &[(&'a ResourceRecordSet, &'a str)],
) -> Vec<Said<'a>> {
    let by_name = |name: &str| -> Vec<&(&'a ResourceRecordSet, &'a str)> {
        leading.iter().filter(|(record, _)| kinds::record_name(record.name()) == name).collect()
    };
    let all: BTreeSet<String> = leading.iter().map(|(record, _)| kinds::record_name(record.name())).collect();
    let mut said = Vec::new();
    for name in all {
        let mut alike = by_name(&name);
        alike.sort_by_key(|(record, _)| record.failover() != Some(&ResourceRecordSetFailover::Primary));
        let targets: BTreeSet<&str> = alike.iter().map(|(_, balancer)| *balancer).collect();
        let routing = match &alike[..] {
            [(record, _)] if record.set_identifier().is_none() => Some("simple"),
            [(record, _)] if record.region().is_some_and(|region| region.as_str() == location) => {
                Some("latency")
            }
            [(one, _), (other, _)]
                if targets.len() == 2 && one.failover().is_some() && other.failover().is_some() =>
            {
                Some("failover")
            }
            _ => None,
        };
        let Some(routing) = routing else {
            text.leave_out(format!(
                "the records of {name} are routed in a way that no blueprint says, or lead to what is in none"
            ));
            continue;
        };
        said.extend(alike.into_iter().map(|(is, balancer)| {
            let set = (routing != "simple").then_some(*balancer);
            let label = kinds::record_label(&name, origin, set);
            Said { is, name: name.clone(), label, balancer, routing }
        }));
    }
    said
}

fn write(text: &mut Text, id: &str, origin: &str, said: &[Said<'_>], others: usize, name: &str) {
    text.line(format!("  {name}:\n    zone: {origin}\n    records:"));
    for Said { name, balancer, routing, .. } in said {
        let within = name.strip_suffix(origin).unwrap_or(name).trim_end_matches('.');
        let within = quoted(if within.is_empty() { "@" } else { within });
        let routing = if *routing == "simple" { String::new() } else { format!(", routing: {routing}") };
        text.line(format!("      - {{ name: {within}, to: {balancer}{routing} }}"));
    }
    if others > 0 {
        text.note(format!(
            "Its other records, {others} beside NS and SOA, stay as they are, in no blueprint."
        ));
    }
    let alias = |one: &Said<'_>| one.is.alias_target().cloned();
    let kept_where = [
        ("target", said.iter().filter_map(alias).any(|alias| alias.dns_name().starts_with(DUALSTACK))),
        ("evaluate_health", said.iter().filter_map(alias).any(|alias| !alias.evaluate_target_health())),
        ("health_check", said.iter().any(|one| one.is.health_check_id().is_some())),
        ("set", said.iter().any(|one| one.is.set_identifier().is_some_and(|set| set != one.balancer))),
    ];
    let kept: Vec<&str> = kept_where.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).collect();
    if kept.contains(&"health_check") {
        text.note("Its health checks stay as they are, in no blueprint.");
    }
    text.keep(&kept);
    let component = format!("dns.{name}");
    text.import(&component, "hosted_zone", "main", Some(id));
    for one in said {
        let own = format!("{id}/{}/{}", one.name, one.is.set_identifier().unwrap_or_default());
        text.import(&component, "dns_record", &one.label, Some(&own));
    }
}
