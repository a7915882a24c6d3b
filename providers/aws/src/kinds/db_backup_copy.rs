//! The backups of a database, copied to another region as RDS makes them, with the log that leads to any moment since.
//!
//! It is started and stopped in the region of the copies. What was copied before a stop stays there for as long as it was
//! to be kept, and costs: RDS calls it `retained`, and here it is gone.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReplicateBackups.html>

use async_trait::async_trait;
use aws_sdk_rds::types::DbInstanceAutomatedBackup;
use standfast_contract::{Attribute, Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, fixed, map, out, rds, text};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::{self, Tags},
};

#[cfg(test)]
mod tests;

pub(super) struct DbBackupCopy;

/// `source` is the database's ARN; `kms_key` a key of the copies' own region.
static KIND: Kind = Kind::new(
    "db_backup_copy",
    &[
        ID,
        TAGS,
        fixed("source"),
        Attribute::new("backup_days").required().replaces().unit("days"),
        fixed("kms_key").unobserved(),
        out("identifier"),
    ],
);

#[async_trait]
impl Works for DbBackupCopy {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let describe = || site.look.rds.describe_db_instance_automated_backups();
        let action = "rds:DescribeDBInstanceAutomatedBackups";
        let found = if let Some([id]) = select.ids() {
            match describe().db_instance_automated_backups_arn(*id).send().await.map_err(failed(action)) {
                Ok(answer) => answer.db_instance_automated_backups.unwrap_or_default(),
                Err(failure) if failure.trouble == Trouble::NotFound => Vec::new(),
                Err(failure) => return Err(failure),
            }
        } else {
            let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
            all.map_err(failed(action))?
        };
        Ok(found.iter().filter_map(seen_as).collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let source = job.text("source")?;
        let call = job
            .site
            .change
            .rds
            .start_db_instance_automated_backups_replication()
            .source_db_instance_arn(source)
            .backup_retention_period(job.int("backup_days")?)
            .kms_key_id(key_arn(job.text("kms_key")?, source, &job.site.place.location))
            .set_tags(Some(rds::written(&job.tags())));
        let action = "rds:StartDBInstanceAutomatedBackupsReplication";
        let made = call.send().await.map_err(failed(action))?;
        made.db_instance_automated_backup
            .and_then(|made| made.db_instance_automated_backups_arn)
            .ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, _: &Job<'_>, _: &Seen) -> Result<(), Failure> {
        Ok(())
    }

    async fn remove(&self, site: &Site, _: &str, recorded: &Map) -> Result<(), Failure> {
        let source = recorded.get("source").and_then(Value::as_str).unwrap_or_default();
        let call =
            site.change.rds.stop_db_instance_automated_backups_replication().source_db_instance_arn(source);
        call.send().await.map_err(failed("rds:StopDBInstanceAutomatedBackupsReplication"))?;
        Ok(())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        rds::tag(site, id, set, unset).await
    }
}

/// This call takes a key by its ARN only; the account and the partition are the source's.
fn key_arn(key: &str, source: &str, location: &str) -> String {
    match source.split(':').collect::<Vec<_>>()[..] {
        [_, partition, _, _, account, ..] if key.starts_with("alias/") => {
            format!("arn:{partition}:kms:{location}:{account}:{key}")
        }
        _ => key.to_owned(),
    }
}

/// Nothing for the backups that a database has in its own region, which are listed too and may carry its tags.
fn seen_as(found: &DbInstanceAutomatedBackup) -> Option<Seen> {
    let id = found.db_instance_automated_backups_arn()?;
    let tags = rds::tags_of(found.tag_list());
    if marks::address(&tags).is_some_and(|address| address.kind() != KIND.name) {
        return None;
    }
    let days = found.backup_retention_period().map_or(Value::Null, |days| Value::Int(days.into()));
    Some(Seen {
        id: id.to_owned(),
        phase: match found.status().unwrap_or_default() {
            "retained" | "deleting" => Phase::Gone,
            "pending" | "creating" => Phase::Pending("the first backup is being copied".to_owned()),
            "failed" => Phase::Failed("AWS says `failed`; `aws rds describe-events` says why".to_owned()),
            _ => Phase::Ready,
        },
        tags,
        attributes: map([("source", text(found.db_instance_arn())), ("backup_days", days)]),
        outputs: map([("id", id.into()), ("identifier", text(found.dbi_resource_id()))]),
        parts: Parts::new(),
    })
}
