//! A name that leads to a load balancer: an alias record of Route 53, which costs nothing to ask for and follows the
//! balancer's addresses. Where several records have one name, the healthy one that comes first answers, or the nearest.
//!
//! Records have no tags. Whose one is follows from its zone, which is ours alone: the zone's marks are the record's,
//! with the address in its place. Its id is `ZONE/NAME/SET`.
//!
//! Some records of a name exclude each other, such as a simple one and a routed one, or two that are `PRIMARY`. So a record
//! takes the place of those of the stack that exclude it, in one batch, of which Route 53 makes all changes or none: at no
//! moment nobody answers. Those that go wait for that, and find themselves gone; two that change places do it at once, and
//! the second finds it done. What may be so is told by preflight, which knows the whole plan, and refuses the rest.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, HostedZone, ResourceRecordSet, ResourceRecordSetFailover,
    ResourceRecordSetRegion, RrType,
};
use standfast_contract::{Address, Attribute, Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, fixed, hosted_zone, map, may, must, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::{self, Tags},
};

#[cfg(test)]
mod tests;

pub(super) struct DnsRecord;

/// `set` tells records of one name apart; `target` is a load balancer's name and `target_zone` the zone that AWS keeps
/// it in.
static KIND: Kind = Kind::new(
    "dns_record",
    &[
        ID,
        TAGS,
        fixed("zone"),
        fixed("name"),
        Attribute::new("set").replaces(),
        must("target"),
        must("target_zone"),
        must("evaluate_health"),
        may("health_check"),
        may("failover"),
        may("latency_region"),
    ],
);

const CHANGE: &str = "route53:ChangeResourceRecordSets";
/// How Route 53 says that what is to be deleted is not there, or is other than it was seen.
const DELETED_ELSE: &str = "Tried to delete resource record set";

#[async_trait]
impl Works for DnsRecord {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        for (zone, tags) in zones(site, select).await? {
            let zone_id = zone.id().rsplit('/').next().unwrap_or_default();
            let origin = zone.name().trim_end_matches('.');
            let records = records(site, zone_id).await?;
            let aliases = records
                .iter()
                .filter(|record| record.alias_target().is_some() && *record.r#type() == RrType::A);
            seen.extend(aliases.filter_map(|record| seen_as(record, zone_id, origin, &tags)));
        }
        if let Some(ids) = select.ids() {
            seen.retain(|seen| ids.contains(&seen.id.as_str()));
        }
        Ok(seen)
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        put(job).await?;
        let set = job.maybe("set").unwrap_or_default();
        Ok(id(job.text("zone")?, job.text("name")?, set))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let changing =
            ["target", "target_zone", "evaluate_health", "health_check", "failover", "latency_region"];
        if changing.into_iter().any(|key| job.differs(key, seen)) {
            put(job).await?;
        }
        Ok(())
    }

    /// A record is deleted by its whole content.
    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let zone = id.split('/').next().unwrap_or_default();
        let records = match records(site, zone).await {
            Err(failure) if failure.trouble == Trouble::NotFound => return Ok(()),
            records => records?,
        };
        match records.into_iter().find(|record| *record.r#type() == RrType::A && id_of(record, zone) == id) {
            Some(record) if site.is_displaced(id) => {
                let name = plain(record.name());
                let message = format!(
                    "{name} leads there until its new record takes its place; where that comes later, the same command \
                     again goes on"
                );
                Err(Failure::new(Trouble::InUse, CHANGE, message))
            }
            Some(record) => change_all(site, zone, vec![written(ChangeAction::Delete, record)?]).await,
            None => Ok(()),
        }
    }

    /// It has none of its own.
    async fn tag(&self, _: &Site, _: &str, _: &Tags, _: &[String]) -> Result<(), Failure> {
        Ok(())
    }
}

fn id(zone: &str, name: &str, set: &str) -> String {
    format!("{zone}/{name}/{set}")
}

pub(crate) fn id_of(record: &ResourceRecordSet, zone: &str) -> String {
    id(zone, &plain(record.name()), record.set_identifier().unwrap_or_default())
}

/// As people write it: without the dot at the end, `*` as it is.
pub(crate) fn plain(name: &str) -> String {
    name.trim_end_matches('.').replace("\\052", "*").to_ascii_lowercase()
}

/// The last part of a record's address: `www`, `www.front`; `apex` is the zone itself, `wildcard` is `*`.
pub(crate) fn label(name: &str, origin: &str, set: Option<&str>) -> String {
    let within = name.strip_suffix(origin).map_or(name, |within| within.trim_end_matches('.'));
    let within = if within.is_empty() { "apex".to_owned() } else { within.replace('*', "wildcard") };
    match set {
        Some(set) => format!("{within}.{set}"),
        None => within,
    }
}

/// The zones in which records are looked for, each with its tags.
pub(super) async fn zones(site: &Site, select: Select<'_>) -> Result<Vec<(HostedZone, Tags)>, Failure> {
    match select {
        Select::Ids(ids) => hosted_zone::zones(site, Select::Ids(&zones_of(ids))).await,
        Select::Bare(ids, wanted) => hosted_zone::zones(site, Select::Bare(&zones_of(ids), wanted)).await,
        Select::Stack(stack) => hosted_zone::zones(site, Select::Stack(stack)).await,
        // A create is an UPSERT: made again it makes no second one.
        Select::Token(..) => Ok(Vec::new()),
    }
}

/// The zones of these records, each once.
fn zones_of<'a>(ids: &[&'a str]) -> Vec<&'a str> {
    let zones: BTreeSet<&str> = ids.iter().filter_map(|id| id.split('/').next()).collect();
    zones.into_iter().collect()
}

fn seen_as(record: &ResourceRecordSet, zone: &str, origin: &str, tags: &Tags) -> Option<Seen> {
    let alias = record.alias_target()?;
    let name = plain(record.name());
    let id = id_of(record, zone);
    Some(Seen {
        phase: Phase::Ready,
        tags: marked(tags, &KIND, &name, origin, record.set_identifier())?,
        attributes: map([
            ("zone", zone.into()),
            ("name", name.into()),
            ("set", text(record.set_identifier())),
            ("target", plain(alias.dns_name()).into()),
            ("target_zone", text(Some(alias.hosted_zone_id()))),
            ("evaluate_health", alias.evaluate_target_health().into()),
            ("health_check", text(record.health_check_id())),
            ("failover", text(record.failover().map(ResourceRecordSetFailover::as_str))),
            ("latency_region", text(record.region().map(ResourceRecordSetRegion::as_str))),
        ]),
        outputs: map([("id", id.as_str().into())]),
        id,
        parts: Parts::new(),
    })
}

/// The marks of a record: those of its zone, with its own address.
pub(super) fn marked(zone: &Tags, kind: &Kind, name: &str, origin: &str, set: Option<&str>) -> Option<Tags> {
    let mut tags = zone.clone();
    if let Some(of) = marks::address(&tags) {
        let component = of.component().parse().ok()?;
        let address = Address::new(of.region(), &component, kind.name, &label(name, origin, set));
        tags.insert(marks::ADDRESS.into(), address.to_string());
    }
    tags.remove(marks::TOKEN);
    Some(tags)
}

pub(super) fn refused(error: aws_sdk_route53::error::BuildError) -> Failure {
    Failure::refused("", error.to_string())
}

/// How Route 53 chooses a record among those of its name: its place in a failover, and its region.
pub(crate) type Routing<'a> = (Option<&'a str>, Option<&'a str>);

pub(crate) fn routing(record: &ResourceRecordSet) -> Routing<'_> {
    (record.failover().map(|it| it.as_str()), record.region().map(|it| it.as_str()))
}

pub(crate) fn routing_of(inputs: &Map) -> Routing<'_> {
    let text = |key: &str| inputs.get(key).and_then(Value::as_str);
    (text("failover"), text("latency_region"))
}

/// Whether Route 53 takes a record with these inputs beside one that stands: those of a name are all simple, which is one,
/// or all routed in the same way, each with a place or region of its own.
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html>
pub(crate) fn excludes(record: &ResourceRecordSet, inputs: &Map) -> bool {
    let text = |key: &str| inputs.get(key).and_then(Value::as_str);
    let is_of_name = *record.r#type() == RrType::A && text("name") == Some(plain(record.name()).as_str());
    is_of_name
        && match (record.set_identifier(), text("set")) {
            (Some(one), Some(other)) => one != other && clash(routing(record), routing_of(inputs)),
            (one, other) => one != other,
        }
}

fn clash(one: Routing<'_>, other: Routing<'_>) -> bool {
    one == other || one.0.is_some() != other.0.is_some() || one.1.is_some() != other.1.is_some()
}

/// As it is wanted.
fn wanted(job: &Job<'_>) -> Result<ResourceRecordSet, Failure> {
    let alias = AliasTarget::builder()
        .dns_name(job.text("target")?)
        .hosted_zone_id(job.text("target_zone")?)
        .evaluate_target_health(job.is("evaluate_health"))
        .build()
        .map_err(refused)?;
    ResourceRecordSet::builder()
        .name(job.text("name")?)
        .r#type(RrType::A)
        .set_set_identifier(job.maybe("set").map(str::to_owned))
        .set_failover(job.maybe("failover").map(ResourceRecordSetFailover::from))
        .set_region(job.maybe("latency_region").map(ResourceRecordSetRegion::from))
        .set_health_check_id(job.maybe("health_check").map(str::to_owned))
        .alias_target(alias)
        .build()
        .map_err(refused)
}

async fn put(job: &Job<'_>) -> Result<(), Failure> {
    let (zone, name) = (job.text("zone")?, job.text("name")?);
    let call = job.site.look.route53.list_resource_record_sets().hosted_zone_id(zone);
    // So many of a name as one page holds nobody has.
    let page = call.start_record_name(name).start_record_type(RrType::A).send().await;
    let standing = page.map_err(failed("route53:ListResourceRecordSets"))?.resource_record_sets;
    let is_displaced = |record: &ResourceRecordSet| job.site.is_displaced(&id_of(record, zone));
    let changes = changes(wanted(job)?, &job.call.inputs, &standing, is_displaced)?;
    change_all(job.site, zone, changes).await
}

/// What makes a record as it is wanted, with those in its way out of it: gone, or in the place that it has until now.
fn changes(
    wanted: ResourceRecordSet,
    inputs: &Map,
    standing: &[ResourceRecordSet],
    is_displaced: impl Fn(&ResourceRecordSet) -> bool,
) -> Result<Vec<Change>, Failure> {
    let in_the_way = standing.iter().filter(|record| excludes(record, inputs));
    let (displaced, others): (Vec<_>, Vec<_>) = in_the_way.partition(|record| is_displaced(record));
    let delete = |record: &ResourceRecordSet| written(ChangeAction::Delete, record.clone());
    let mut changes = displaced.into_iter().map(delete).collect::<Result<Vec<_>, _>>()?;
    let is_same = |record: &&ResourceRecordSet| {
        *record.r#type() == RrType::A
            && plain(record.name()) == plain(wanted.name())
            && record.set_identifier() == wanted.set_identifier()
    };
    match (standing.iter().find(is_same), &*others) {
        (Some(old), [other]) if routing(other) == routing(&wanted) => {
            let mut moved = (*other).clone();
            (moved.failover, moved.region) = (old.failover.clone(), old.region.clone());
            changes.extend([delete(old)?, delete(other)?]);
            changes.extend([written(ChangeAction::Create, wanted)?, written(ChangeAction::Create, moved)?]);
        }
        _ => changes.push(written(ChangeAction::Upsert, wanted)?),
    }
    Ok(changes)
}

pub(super) fn written(action: ChangeAction, record: ResourceRecordSet) -> Result<Change, Failure> {
    Change::builder().action(action).resource_record_set(record).build().map_err(refused)
}

/// All of them or none. Where another change came between the look and this one, it is for another look.
pub(super) async fn change_all(site: &Site, zone: &str, changes: Vec<Change>) -> Result<(), Failure> {
    let batch = ChangeBatch::builder().set_changes(Some(changes)).build().map_err(refused)?;
    let call = site.change.route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
    match call.send().await.map_err(failed(CHANGE)) {
        Err(failure) if failure.message.contains(DELETED_ELSE) => {
            Err(Failure { trouble: Trouble::Busy, ..failure })
        }
        other => other.map(drop),
    }
}

/// Page by page.
pub(crate) async fn records(site: &Site, zone: &str) -> Result<Vec<ResourceRecordSet>, Failure> {
    let mut all = Vec::new();
    let mut call = site.look.route53.list_resource_record_sets().hosted_zone_id(zone);
    loop {
        let page = call.send().await.map_err(failed("route53:ListResourceRecordSets"))?;
        all.extend_from_slice(page.resource_record_sets());
        if !page.is_truncated() {
            return Ok(all);
        }
        call = site
            .look
            .route53
            .list_resource_record_sets()
            .hosted_zone_id(zone)
            .set_start_record_name(page.next_record_name)
            .set_start_record_type(page.next_record_type)
            .set_start_record_identifier(page.next_record_identifier);
    }
}
