//! The record by which ACM knows that a domain is ours, in its zone. It stays for as long as a certificate names the
//! domain: renewals look for it too. ACM asks for the same record for a domain whichever certificate of the account names
//! it, and for another one in every other account. <https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html>
//!
//! So a zone may hold records for one domain that are not ours, and ours may be needed by others. Only the one that has
//! our name and value is touched. In a zone that is not the stack's it stays where it was there before us, and where a
//! certificate of the region that it proves is in use: that one would fail to renew months later. In other regions nobody
//! is asked. A zone of the stack's own is emptied, for it may go next.
//!
//! Like every record it has no tags, and the marks of its zone. Its id is `ZONE/NAME`, with a word for how it came into a
//! zone that is not the stack's; states of earlier builds have `ZONE/DOMAIN`.

use async_trait::async_trait;
use aws_sdk_route53::types::{ChangeAction, ResourceRecord, ResourceRecordSet, RrType};
use standfast_contract::{Kind, Map, Value};

use super::{
    ID, Job, Parts, Phase, Seen, Select, TAGS, Works, certificate,
    dns_record::{change_all, marked, plain, records, refused, written, zones},
    fixed, hosted_zone, map, must,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble},
    marks::{self, Tags},
};

#[cfg(test)]
mod tests;

pub(super) struct ValidationRecord;

/// `name` and `value` are what the certificate says.
static KIND: Kind =
    Kind::new("validation_record", &[ID, TAGS, fixed("zone"), fixed("domain"), must("name"), must("value")]);

const CHANGE: &str = "route53:ChangeResourceRecordSets";
/// In seconds, as ACM's console has it.
const TTL_S: i64 = 300;
/// How its values end: what else is a CNAME is somebody else's.
const OF_ACM: &str = ".acm-validations.aws";
/// What ids of records in zones of others end in: those that were there before, and those that we made.
const FOUND: &str = "/found";
const MADE: &str = "/made";

#[async_trait]
impl Works for ValidationRecord {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        for (zone, tags) in zones(site, select).await? {
            let zone_id = zone.id().rsplit('/').next().unwrap_or_default();
            let origin = zone.name().trim_end_matches('.');
            let all: Vec<Read> = records(site, zone_id).await?.iter().filter_map(read).collect();
            for record in &all {
                // Of several for one domain nobody can tell by the domain which is ours.
                let is_alone = all.iter().filter(|other| other.domain == record.domain).count() == 1;
                let is_it = |id: &&&str| names(id, zone_id, record, is_alone);
                let ids: Vec<String> = match select.ids() {
                    Some(ids) => ids.iter().filter(is_it).map(|id| (*id).to_owned()).collect(),
                    None if is_alone => vec![format!("{zone_id}/{}", record.name)],
                    None => Vec::new(),
                };
                seen.extend(ids.into_iter().filter_map(|id| seen_as(record, id, zone_id, origin, &tags)));
            }
        }
        Ok(seen)
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let (zone, name, value) = (job.text("zone")?, job.text("name")?, job.text("value")?);
        let of_zone = hosted_zone::zones(job.site, Select::Ids(&[zone])).await?;
        let is_own = of_zone.iter().any(|(_, tags)| marks::is_of(tags, &job.context.stack));
        let was_there = !is_own && standing(job.site, zone, name, value).await?.is_some();
        if !was_there {
            put(job).await?;
        }
        let came = if is_own {
            ""
        } else if was_there {
            FOUND
        } else {
            MADE
        };
        Ok(format!("{zone}/{name}{came}"))
    }

    /// What has another name is another record, and maybe another's.
    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if job.differs("name", seen) {
            let address = &job.call.address;
            let is = seen.attributes.get("name").and_then(Value::as_str).unwrap_or_default();
            return Err(Failure::refused(
                CHANGE,
                format!(
                    "ACM knows the domain by {} now, and what is recorded is {is}, which another certificate may need: \
                     `standfast state rm {address}`, then apply again, which makes the other one beside it",
                    job.text("name")?
                ),
            ));
        }
        if job.differs("value", seen) { put(job).await } else { Ok(()) }
    }

    /// What stays is as good as gone: no look has to wait for it.
    async fn remove(&self, site: &Site, id: &str, recorded: &Map) -> Result<(), Failure> {
        let text = |key: &str| recorded.get(key).and_then(Value::as_str).unwrap_or_default();
        let zone = id.split('/').next().unwrap_or_default();
        let ours = standing(site, zone, text("name"), text("value")).await?;
        let stays = || Failure::new(Trouble::NotFound, CHANGE, format!("{id} stays for others"));
        match ours {
            None => Err(stays()),
            Some(_) if id.ends_with(FOUND) => Err(stays()),
            Some(_) if id.ends_with(MADE) && certificate::proves(site, text("domain")).await? => Err(stays()),
            Some(record) => change_all(site, zone, vec![written(ChangeAction::Delete, record)?]).await,
        }
    }

    /// It has none of its own.
    async fn tag(&self, _: &Site, _: &str, _: &Tags, _: &[String]) -> Result<(), Failure> {
        Ok(())
    }
}

/// Whether an id is that of a record.
fn names(id: &str, zone: &str, record: &Read, is_alone: bool) -> bool {
    let own = id.strip_suffix(FOUND).or_else(|| id.strip_suffix(MADE)).unwrap_or(id);
    own.split_once('/').is_some_and(|(of, named)| {
        of == zone && (named == record.name || (is_alone && named == record.domain))
    })
}

struct Read {
    name: String,
    domain: String,
    value: String,
}

/// A record as one of ACM's.
fn read(record: &ResourceRecordSet) -> Option<Read> {
    let value = plain(record.resource_records().first()?.value());
    let name = plain(record.name());
    let domain = name.split_once('.')?.1.to_owned();
    (*record.r#type() == RrType::Cname && value.ends_with(OF_ACM)).then_some(Read { name, domain, value })
}

fn seen_as(record: &Read, id: String, zone: &str, origin: &str, tags: &Tags) -> Option<Seen> {
    let Read { name, domain, value } = record;
    Some(Seen {
        phase: Phase::Ready,
        tags: marked(tags, &KIND, domain, origin, None)?,
        attributes: map([
            ("zone", zone.into()),
            ("domain", domain.as_str().into()),
            ("name", name.as_str().into()),
            ("value", value.as_str().into()),
        ]),
        outputs: map([("id", id.as_str().into())]),
        id,
        parts: Parts::new(),
    })
}

/// The record with this name and value, as it stands.
async fn standing(
    site: &Site,
    zone: &str,
    name: &str,
    value: &str,
) -> Result<Option<ResourceRecordSet>, Failure> {
    let all = match records(site, zone).await {
        Err(failure) if failure.trouble == Trouble::NotFound => return Ok(None),
        all => all?,
    };
    let is_it = |record: &ResourceRecordSet| {
        read(record).is_some_and(|it| it.name == plain(name) && it.value == plain(value))
    };
    Ok(all.into_iter().find(is_it))
}

async fn put(job: &Job<'_>) -> Result<(), Failure> {
    let value = ResourceRecord::builder().value(job.text("value")?).build().map_err(refused)?;
    let record = ResourceRecordSet::builder().name(job.text("name")?).r#type(RrType::Cname).ttl(TTL_S);
    let record = record.resource_records(value).build().map_err(refused)?;
    change_all(job.site, job.text("zone")?, vec![written(ChangeAction::Upsert, record)?]).await
}
