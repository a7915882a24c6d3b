//! What stands at Route 53 already, which takes a second zone of a name without a word, and for an UPSERT another's record.

use std::collections::BTreeSet;

use aws_sdk_route53::types::{HostedZone, ResourceRecordSet, RrType};
use futures::future::join_all;
use standfast_contract::{Call, Obstacle};

use super::{Ahead, text};
use crate::{
    failure::{Failure, Trouble, failed},
    kinds::{record_excludes, record_id, record_name, records_of, routing, routing_of},
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

/// A record that is made, or routed in another way, would take the place of one that somebody else made. Of the stack's
/// own that exclude it, those that go are told to whoever changes them; one that stays must change places with it.
async fn records(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let is_routed_anew =
        |call: &Call| call.changed.iter().any(|key| key == "failover" || key == "latency_region");
    let calls: Vec<(usize, &Call)> = ahead
        .of(RECORD)
        .filter(|(_, call)| call.id.is_none() || is_routed_anew(call))
        .filter(|(_, call)| text(call, "zone").is_some())
        .collect();
    let mut zones: Vec<&str> = calls.iter().filter_map(|(_, call)| text(call, "zone")).collect();
    zones.sort_unstable();
    zones.dedup();
    let asked = zones.into_iter().map(|zone| async move { (zone, records_of(ahead.site, zone).await) });
    let mut obstacles = Vec::new();
    let mut displaced = BTreeSet::new();
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
        for &(at, call) in calls.iter().filter(|(_, call)| text(call, "zone") == Some(zone)) {
            let in_the_way =
                found.iter().filter(|record| is_in_the_way(record, call, is_deleted(ahead, zone, record)));
            let (going, others): (Vec<_>, Vec<_>) = in_the_way
                .partition(|record| is_deleted(ahead, zone, record) && record_excludes(record, &call.inputs));
            displaced.extend(going.into_iter().map(|record| record_id(record, zone)));
            let stays = others.into_iter().find(|record| !changes_places(ahead, zone, &found, record, call));
            obstacles.extend(stays.map(|taken| taken_by(ahead, at, call, zone, taken)));
        }
    }
    ahead.site.displace(displaced);
    obstacles
}

const RECORD: &str = "dns_record";

/// Whether the plan deletes a record as the stack's own.
fn is_deleted(ahead: &Ahead<'_>, zone: &str, record: &ResourceRecordSet) -> bool {
    deletion_of(ahead, zone, record).is_some()
}

fn deletion_of<'a>(ahead: &Ahead<'a>, zone: &str, record: &ResourceRecordSet) -> Option<&'a Call> {
    let id = record_id(record, zone);
    ahead.deletes.iter().copied().find(|call| call.kind == RECORD && call.id.as_deref() == Some(&id))
}

/// The change of a record that is the stack's already.
fn change_of<'a>(ahead: &Ahead<'a>, id: &str) -> Option<&'a Call> {
    ahead.of(RECORD).map(|(_, call)| call).find(|call| call.id.as_deref() == Some(id))
}

/// Whether the plan gives a record the place that another one of the name has until now, and that one its own.
fn changes_places(
    ahead: &Ahead<'_>,
    zone: &str,
    found: &[ResourceRecordSet],
    record: &ResourceRecordSet,
    call: &Call,
) -> bool {
    let old = found.iter().find(|old| call.id.as_deref() == Some(&record_id(old, zone)));
    let other = change_of(ahead, &record_id(record, zone));
    old.zip(other).is_some_and(|(old, other)| {
        routing(record) == routing_of(&call.inputs) && routing(old) == routing_of(&other.inputs)
    })
}

fn taken_by(ahead: &Ahead<'_>, at: usize, call: &Call, zone: &str, taken: &ResourceRecordSet) -> Obstacle {
    let name = text(call, "name").unwrap_or_default();
    if change_of(ahead, &record_id(taken, zone)).is_some() {
        let reason = format!("the records of `{name}` exclude each other until all of them are routed anew");
        let hint = format!(
            "Make two plans of it: lead `{name}` to one load balancer with `routing: simple` and apply, then as it shall be. \
             In both it is answered all the time."
        );
        return ahead.obstacle(at, call, reason, hint);
    }
    if let Some(old) = deletion_of(ahead, zone, taken) {
        let reason = format!("the record of `{name}` would be made and then deleted, as {}", old.address);
        let hint = "Where its component only has another name now, say so under `moved`; else delete the old one in a plan \
                    of its own.";
        return ahead.obstacle(at, call, reason, hint);
    }
    let reason = format!("the zone {zone} has a record of `{name}` already: {}", shown(taken));
    ahead.obstacle(at, call, reason, "Remove it there, or give ours another name; nothing was touched.")
}

/// One that leads where ours shall, with the same set, is an earlier try's, unless the plan deletes it.
fn is_in_the_way(record: &ResourceRecordSet, call: &Call, is_deleted: bool) -> bool {
    let is_of_name = Some(record_name(record.name()).as_str()) == text(call, "name");
    let is_taken = call.id.is_none() && is_of_name && record.set_identifier() == text(call, "set");
    let leads_there = record.alias_target().is_some_and(|alias| {
        text(call, "target").is_some_and(|target| record_name(alias.dns_name()).eq_ignore_ascii_case(target))
    });
    match record.r#type() {
        RrType::A => record_excludes(record, &call.inputs) || (is_taken && (is_deleted || !leads_there)),
        RrType::Cname => is_of_name && call.id.is_none(),
        _ => false,
    }
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

    fn record(set: &str, routing: &str) -> String {
        let set =
            if set.is_empty() { String::new() } else { format!("<SetIdentifier>{set}</SetIdentifier>") };
        format!(
            "<ResourceRecordSet><Name>www.example.net.</Name><Type>A</Type>{set}{routing}<AliasTarget>\
             <HostedZoneId>Z32O12XQLNTSW2</HostedZoneId><DNSName>front-1.eu-west-1.elb.amazonaws.com.</DNSName>\
             <EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget></ResourceRecordSet>"
        )
    }

    /// What is told of these calls where these records stand, and which of them are known to go.
    async fn of_name(standing: &[String], calls: &[Call], deletes: &[Call]) -> (String, Vec<&'static str>) {
        let answer = format!(
            "<ListResourceRecordSetsResponse><ResourceRecordSets>{}</ResourceRecordSets><IsTruncated>false</IsTruncated>\
             <MaxItems>300</MaxItems></ListResourceRecordSetsResponse>",
            standing.concat()
        );
        let mut asking = Asking::new(calls, &[(200, &answer)], NOBODY);
        asking.deletes = deletes;
        let ahead = asking.ahead();
        let told = ask(&ahead).await.into_iter().map(|it| it.error.reason).collect::<Vec<_>>().join("; ");
        let ids = ["", "front", "back"].into_iter();
        (told, ids.filter(|set| ahead.site.is_displaced(&format!("Z1/www.example.net/{set}"))).collect())
    }

    fn wanted(set: &str, routing: &[(&str, &str)], is_there: bool) -> Call {
        let mut inputs =
            vec![("zone", "Z1"), ("name", "www.example.net"), ("target", "other.elb.amazonaws.com")];
        inputs.extend(routing);
        inputs.extend((!set.is_empty()).then_some(("set", set)));
        Call {
            id: is_there.then(|| format!("Z1/www.example.net/{set}")),
            changed: routing.iter().map(|(key, _)| (*key).to_owned()).collect(),
            ..call(RECORD, "www", &inputs)
        }
    }

    #[tokio::test]
    async fn records_of_the_stack_make_room_for_each_other_where_the_plan_says_so() {
        const PRIMARY: &str = "<Failover>PRIMARY</Failover>";
        const SECONDARY: &str = "<Failover>SECONDARY</Failover>";
        let failover =
            |set: &str, place: &'static str, is_there| wanted(set, &[("failover", place)], is_there);
        let simple = || [record("", "")];
        let routed = || [record("front", PRIMARY), record("back", SECONDARY)];
        let of_old = |set: &str| wanted(set, &[], true);
        let free = String::new;

        let both = [failover("front", "PRIMARY", false), failover("back", "SECONDARY", false)];
        assert_eq!(of_name(&simple(), &both, &[of_old("")]).await, (free(), vec![""]));
        let (told, _) = of_name(&simple(), &both[..1], &[]).await;
        assert!(
            told.starts_with("the zone Z1 has a record of `www.example.net` already: A to front-1"),
            "{told}"
        );
        let gone = [of_old("front"), of_old("back")];
        assert_eq!(
            of_name(&routed(), &[wanted("", &[], false)], &gone).await,
            (free(), vec!["front", "back"])
        );

        // The same record under another address would be put and then deleted.
        let renamed = [wanted("", &[], false)];
        let (told, _) = of_name(&simple(), &renamed, &[of_old("")]).await;
        assert!(
            told.starts_with("the record of `www.example.net` would be made and then deleted, as "),
            "{told}"
        );

        let swapped = [failover("front", "SECONDARY", true), failover("back", "PRIMARY", true)];
        assert_eq!(of_name(&routed(), &swapped, &[]).await, (free(), vec![]));
        let (told, _) = of_name(&routed(), &swapped[1..], &[]).await;
        assert!(told.contains("already"), "the other one is somebody's: {told}");
        let near = |set: &str, region: &'static str| wanted(set, &[("latency_region", region)], true);
        let (told, _) =
            of_name(&routed(), &[near("front", "eu-west-1"), near("back", "us-east-1")], &[]).await;
        assert!(told.contains("exclude each other until all of them are routed anew"), "{told}");
    }
}
