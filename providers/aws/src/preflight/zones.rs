//! What stands at Route 53 already, which takes a second zone of a name without a word, and for an UPSERT another's record.

use aws_sdk_route53::types::{HostedZone, ResourceRecordSet, RrType};
use futures::future::join_all;
use standfast_contract::{Call, Obstacle};

use super::{Ahead, text};
use crate::{
    failure::{Failure, Trouble, failed},
    kinds::{record_name, records_of},
};

pub(super) async fn ask(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let mut obstacles = zones(ahead).await;
    obstacles.extend(records(ahead).await);
    obstacles
}

/// Only one of two zones of a name is asked by anybody: that to whose name servers the domain is delegated.
async fn zones(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let creates: Vec<(usize, &Call)> = ahead.creates("hosted_zone").collect();
    if creates.is_empty() {
        return Vec::new();
    }
    let call = ahead.site.look.route53.list_hosted_zones();
    let all: Result<Vec<HostedZone>, _> = call.into_paginator().items().send().collect().await;
    let all = match all.map_err(failed("route53:ListHostedZones")) {
        Ok(all) => all,
        Err(failure) => {
            ahead.unasked("which hosted zones there are", &failure);
            return Vec::new();
        }
    };
    let of = |name: &str, token: &str| {
        all.iter().find(|zone| {
            zone.name().trim_end_matches('.') == name
                && zone.config().is_none_or(|config| !config.private_zone())
                // An earlier try of this very plan.
                && zone.caller_reference() != token
        })
    };
    let clash = |(at, call): (usize, &Call)| {
        let name = text(call, "name")?;
        let zone = of(name, &call.token)?;
        let id = zone.id().rsplit('/').next().unwrap_or_default();
        let records = zone.resource_record_set_count().unwrap_or_default();
        let reason = format!(
            "the account has a zone `{name}` already ({id}, {records} records), and only one of two is asked by anybody"
        );
        let hint = format!(
            "Use that one: `existing: {id}` under `{}`. If a stack of yours made it and its state is lost: `standfast state \
             rebuild`.",
            call.address.component()
        );
        Some(ahead.obstacle(at, call, reason, hint))
    };
    creates.into_iter().filter_map(clash).collect()
}

/// A record that is made would take the place of one that somebody else made.
async fn records(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let creates: Vec<(usize, &Call)> =
        ahead.creates("dns_record").filter(|(_, call)| text(call, "zone").is_some()).collect();
    let mut zones: Vec<&str> = creates.iter().filter_map(|(_, call)| text(call, "zone")).collect();
    zones.sort_unstable();
    zones.dedup();
    let asked = zones.into_iter().map(|zone| async move { (zone, records_of(ahead.site, zone).await) });
    let mut obstacles = Vec::new();
    for (zone, found) in join_all(asked).await {
        let found = match found {
            Ok(found) => found,
            // It goes with what is replaced.
            Err(Failure { trouble: Trouble::NotFound, .. }) => continue,
            Err(failure) => {
                ahead.unasked(&format!("which records the zone {zone} has"), &failure);
                continue;
            }
        };
        for &(at, call) in creates.iter().filter(|(_, call)| text(call, "zone") == Some(zone)) {
            let Some(taken) = found.iter().find(|record| is_in_the_way(record, call)) else { continue };
            let name = text(call, "name").unwrap_or_default();
            let reason = format!("the zone {zone} has a record of `{name}` already: {}", shown(taken));
            let hint = "Remove it there, or give ours another name; nothing was touched.";
            obstacles.push(ahead.obstacle(at, call, reason, hint));
        }
    }
    obstacles
}

/// One that leads where ours shall is an earlier try's.
fn is_in_the_way(record: &ResourceRecordSet, call: &Call) -> bool {
    let takes_it = matches!(record.r#type(), RrType::A | RrType::Cname);
    let is_same_set = match (record.set_identifier(), text(call, "set")) {
        // A name is routed in one way or the other.
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    let leads_there = record.alias_target().is_some_and(|alias| {
        text(call, "target").is_some_and(|target| record_name(alias.dns_name()).eq_ignore_ascii_case(target))
    });
    takes_it && is_same_set && !leads_there && Some(record_name(record.name()).as_str()) == text(call, "name")
}

/// "A to 192.0.2.1".
fn shown(record: &ResourceRecordSet) -> String {
    let to = match record.alias_target() {
        Some(alias) => record_name(alias.dns_name()),
        None => record.resource_records().iter().map(|one| one.value()).collect::<Vec<_>>().join(", "),
    };
    format!("{} to {to}", record.r#type())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::fixtures::{Asking, call};

    const NOBODY: &str = "arn:aws:iam::123456789012:user/jane";
    const ZONES: &str = "<ListHostedZonesResponse><HostedZones>\
        <HostedZone><Id>/hostedzone/Z1PRIVATE</Id><Name>example.net.</Name><CallerReference>a</CallerReference>\
        <Config><PrivateZone>true</PrivateZone></Config></HostedZone>\
        <HostedZone><Id>/hostedzone/Z2OTHERS</Id><Name>example.net.</Name><CallerReference>b</CallerReference>\
        <Config><PrivateZone>false</PrivateZone></Config><ResourceRecordSetCount>14</ResourceRecordSetCount></HostedZone>\
        </HostedZones><Marker></Marker><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesResponse>";
    const RECORDS: &str = "<ListResourceRecordSetsResponse><ResourceRecordSets>\
        <ResourceRecordSet><Name>www.example.net.</Name><Type>A</Type><TTL>300</TTL><ResourceRecords><ResourceRecord>\
        <Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>\
        <ResourceRecordSet><Name>shop.example.net.</Name><Type>A</Type><AliasTarget><HostedZoneId>Z32O12XQLNTSW2</HostedZoneId>\
        <DNSName>front-1.eu-west-1.elb.amazonaws.com.</DNSName><EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget>\
        </ResourceRecordSet>\
        <ResourceRecordSet><Name>mail.example.net.</Name><Type>MX</Type><TTL>300</TTL><ResourceRecords><ResourceRecord>\
        <Value>10 mx.example.org</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>\
        </ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems></ListResourceRecordSetsResponse>";

    async fn told(calls: &[Call], answer: &str) -> String {
        let asking = Asking::new(calls, &[(200, answer)], NOBODY);
        let found = ask(&asking.ahead()).await;
        let lines = found.iter().map(|Obstacle { error, .. }| {
            format!(
                "{error}
  {}",
                error.hint.as_deref().unwrap_or_default()
            )
        });
        lines.collect::<Vec<_>>().join(
            "
",
        )
    }

    #[tokio::test]
    async fn a_second_zone_of_a_name_is_refused_with_the_id_of_the_first() {
        let create = call("hosted_zone", "main", &[("name", "example.net")]);
        insta::assert_snapshot!(told(std::slice::from_ref(&create), ZONES).await, @r"
        could not create refuge/networks.main/hosted_zone.main: the account has a zone `example.net` already (Z2OTHERS, 14 records), and only one of two is asked by anybody
          Use that one: `existing: Z2OTHERS` under `networks.main`. If a stack of yours made it and its state is lost: `standfast state rebuild`.
        ");
        let again = Call { token: "b".into(), ..create };
        assert_eq!(told(&[again], ZONES).await, "", "an earlier try of the same plan");
        let other = call("hosted_zone", "main", &[("name", "example.org")]);
        assert_eq!(told(&[other], ZONES).await, "");
    }

    #[tokio::test]
    async fn a_record_that_somebody_made_is_not_written_over() {
        let record = |label: &str| {
            let name = format!("{label}.example.net");
            let target = ("target", "Front-1.eu-west-1.elb.amazonaws.com");
            call("dns_record", label, &[("zone", "Z2OTHERS"), ("name", &name), target])
        };
        let calls = [record("www"), record("shop"), record("mail"), record("new")];
        insta::assert_snapshot!(told(&calls, RECORDS).await, @r"
        could not create refuge/networks.main/dns_record.www: the zone Z2OTHERS has a record of `www.example.net` already: A to 192.0.2.1
          Remove it there, or give ours another name; nothing was touched.
        ");
    }
}
