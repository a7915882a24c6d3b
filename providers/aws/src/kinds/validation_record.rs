//! The record by which ACM knows that a domain is ours, in its zone. It stays for as long as a certificate names the
//! domain: renewals look for it too. The same domain has the same record whichever certificate asks, so that another
//! certificate changes nothing here.
//!
//! Like every record it has no tags, and the marks of its zone. Its id is `ZONE/DOMAIN`.

use async_trait::async_trait;
use aws_sdk_route53::types::{ChangeAction, ResourceRecord, ResourceRecordSet, RrType};
use standfast_contract::{Kind, Map, Value};

use super::{
    ID, Job, Parts, Phase, Seen, Select, TAGS, Works,
    dns_record::{change_all, marked, plain, records, refused, written, zones},
    fixed, map, must,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble},
    marks::Tags,
};

pub(super) struct ValidationRecord;

/// `name` and `value` are what the certificate says.
static KIND: Kind =
    Kind::new("validation_record", &[ID, TAGS, fixed("zone"), fixed("domain"), must("name"), must("value")]);

/// In seconds, as ACM's console has it.
const TTL_S: i64 = 300;
/// How its values end: what else is a CNAME is somebody else's.
const OF_ACM: &str = ".acm-validations.aws";

#[async_trait]
impl Works for ValidationRecord {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        for (zone, tags) in zones(site, select).await? {
            let id = zone.id().rsplit('/').next().unwrap_or_default();
            let origin = zone.name().trim_end_matches('.');
            let all = records(site, id).await?;
            seen.extend(all.iter().filter_map(|record| seen_as(record, id, origin, &tags)));
        }
        Ok(seen)
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        put(job, None).await?;
        Ok(id(job.text("zone")?, job.text("domain")?))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if job.differs("name", seen) || job.differs("value", seen) {
            put(job, Some(seen)).await
        } else {
            Ok(())
        }
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let zone = id.split('/').next().unwrap_or_default();
        let records = match records(site, zone).await {
            Err(failure) if failure.trouble == Trouble::NotFound => return Ok(()),
            records => records?,
        };
        let is_it =
            |record: &ResourceRecordSet| read(record).is_some_and(|it| self::id(zone, &it.domain) == id);
        let gone = records.into_iter().filter(is_it);
        let changes =
            gone.map(|record| written(ChangeAction::Delete, record)).collect::<Result<Vec<_>, _>>()?;
        if changes.is_empty() { Ok(()) } else { change_all(site, zone, changes).await }
    }

    /// It has none of its own.
    async fn tag(&self, _: &Site, _: &str, _: &Tags, _: &[String]) -> Result<(), Failure> {
        Ok(())
    }
}

fn id(zone: &str, domain: &str) -> String {
    format!("{zone}/{domain}")
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

fn seen_as(record: &ResourceRecordSet, zone: &str, origin: &str, tags: &Tags) -> Option<Seen> {
    let Read { name, domain, value } = read(record)?;
    let id = id(zone, &domain);
    Some(Seen {
        phase: Phase::Ready,
        tags: marked(tags, &KIND, &domain, origin, None)?,
        attributes: map([
            ("zone", zone.into()),
            ("domain", domain.into()),
            ("name", name.into()),
            ("value", value.into()),
        ]),
        outputs: map([("id", id.as_str().into())]),
        id,
        parts: Parts::new(),
    })
}

fn of(name: &str, value: &str) -> Result<ResourceRecordSet, Failure> {
    let value = ResourceRecord::builder().value(value).build().map_err(refused)?;
    let record = ResourceRecordSet::builder().name(name).r#type(RrType::Cname).ttl(TTL_S);
    record.resource_records(value).build().map_err(refused)
}

/// In the place of another name of the same domain, where there is one.
async fn put(job: &Job<'_>, seen: Option<&Seen>) -> Result<(), Failure> {
    let (name, value) = (job.text("name")?, job.text("value")?);
    let mut changes = vec![written(ChangeAction::Upsert, of(name, value)?)?];
    let was = |key: &str| seen.and_then(|seen| seen.attributes.get(key)).and_then(Value::as_str);
    if let (Some(old), Some(value)) = (was("name"), was("value"))
        && old != name
    {
        changes.push(written(ChangeAction::Delete, of(old, value)?)?);
    }
    change_all(job.site, job.text("zone")?, changes).await
}
