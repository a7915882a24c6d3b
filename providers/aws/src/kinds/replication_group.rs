//! A replication group of ElastiCache: a primary, and replicas that take over by themselves.
//!
//! ElastiCache takes one change at a time: where two are needed, the second is asked for again once the first is done.
//! Deleting one leaves a final snapshot, whose name follows from the group. From Redis to Valkey it goes in place, and never
//! back. It has the default parameters of its engine and version, which ElastiCache moves along with these.
//!
//! What only its single servers tell (version, subnets, security groups) is compared with the blueprint and not with
//! the world.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_elasticache::types::{
    AuthTokenUpdateStrategyType, AutomaticFailoverStatus, MultiAzStatus, ReplicationGroup as Found,
};
use standfast_contract::{Attribute, Call, Kind, LEFT, Map, Value, Way};
use tokio::time::{Instant, sleep};

use super::{
    ID, Job, Phase, Seen, Select, TAGS, Works,
    db_instance::{has_new_password, plain},
    elasticache, fixed, map, may, must, out,
    rds::{self, name_of},
    text,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
};

#[cfg(test)]
mod tests;

pub(super) struct ReplicationGroup;

/// `failover`: over zones, by itself.
static KIND: Kind = Kind {
    holds_data: true,
    leaves: "`aws elasticache delete-snapshot --snapshot-name NAME` deletes one",
    ..Kind::new(
        "replication_group",
        &[
            ID,
            TAGS,
            fixed("name").kept().unique(),
            must("engine").one_way(Way::Along(&["redis", "valkey"])).effect(FAILS_OVER),
            fixed("encrypted"),
            fixed("tls"),
            fixed("subnet_group").unobserved(),
            may("version").unobserved().one_way(Way::Up).effect(FAILS_OVER),
            must("class").effect(FAILS_OVER),
            must("replicas"),
            must("failover"),
            must("security_groups").unobserved(),
            Attribute::new("password").sensitive().unobserved(),
            // The servers by their names: another number of replicas is another list.
            Attribute::new("members").computed(),
            out("endpoint"),
            out("reader_endpoint"),
            out("port"),
            out(LEFT),
        ],
    )
};

/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/VersionManagement.html>
const FAILS_OVER: &str = "takes no writes for some seconds";

const MODIFY: &str = "elasticache:ModifyReplicationGroup";
/// Among the parts.
const PENDING_PASSWORD: &str = "pending password";
/// A group that calls itself available may be at work on its password for so long.
const ROTATE_MAX: Duration = Duration::from_secs(5 * 60);
/// One that is made or changed may take so long.
const CHANGE_MAX: Duration = Duration::from_secs(60 * 60);

#[async_trait]
impl Works for ReplicationGroup {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let all = groups(site, select).await?;
        let all = elasticache::with_tags(site, select, all, |one| one.arn()).await?;
        Ok(all.into_iter().map(|(found, tags)| seen_as(&found, tags)).collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let failover = job.is("failover");
        let call = job
            .site
            .change
            .elasticache
            .create_replication_group()
            .replication_group_id(job.text("name")?)
            .replication_group_description(job.call.address.component())
            .engine(job.text("engine")?)
            .set_engine_version(job.maybe("version").map(str::to_owned))
            .cache_node_type(job.text("class")?)
            .num_node_groups(1)
            .replicas_per_node_group(job.int("replicas")?)
            .automatic_failover_enabled(failover)
            .multi_az_enabled(failover)
            .cache_subnet_group_name(job.text("subnet_group")?)
            .set_security_group_ids(Some(guards(job)))
            .at_rest_encryption_enabled(job.is("encrypted"))
            .transit_encryption_enabled(job.is("tls"))
            .set_auth_token(password(&job.call.inputs)?)
            .auto_minor_version_upgrade(true)
            .set_tags(Some(elasticache::written(&job.tags())));
        let action = "elasticache:CreateReplicationGroup";
        let made = match call.send().await.map_err(failed(action)) {
            Err(failure) if failure.message.contains("ReplicationGroupAlreadyExists") => {
                return job.context.wait(made_earlier(job)).await?.ok_or(failure);
            }
            made => made?,
        };
        made.replication_group.and_then(|made| made.arn).ok_or_else(|| Failure::lost(action))
    }

    /// Replicas before all else, but after a failover that goes with them.
    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let has = seen.attributes.get("replicas").and_then(Value::as_int).unwrap_or(0);
        let wanted = i64::from(job.int("replicas")?);
        let (counts, modifies) = (wanted != has, modifies(job, seen));
        if counts && (wanted > has || !job.differs("failover", seen)) {
            set_replicas(job, seen, has).await?;
        } else if modifies {
            modify(job, seen).await?;
        }
        if counts && modifies {
            let message = "the next change waits until this one is done";
            return Err(Failure::new(Trouble::Busy, MODIFY, message));
        }
        if has_new_password(job.call) { job.context.wait(set_password(job, seen)).await } else { Ok(()) }
    }

    fn unfinished(&self, job: &Job<'_>, _: &Seen, after: &Seen) -> Option<String> {
        after.parts.get(PENDING_PASSWORD).filter(|_| has_new_password(job.call)).cloned()
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let found = groups(site, Select::Ids(&[id])).await?;
        let Some(found) = found.first().filter(|found| found.status() != Some("deleting")) else {
            return Ok(());
        };
        let call = site
            .change
            .elasticache
            .delete_replication_group()
            .replication_group_id(name_of(id))
            .set_final_snapshot_identifier(final_snapshot(found));
        call.send().await.map_err(failed("elasticache:DeleteReplicationGroup"))?;
        Ok(())
    }

    fn foresee(&self, call: &Call) -> Result<(), Failure> {
        let has_one = call.inputs.get("password").is_some_and(|password| *password != Value::Null);
        if has_new_password(call) && !has_one {
            return Err(Failure::refused(
                MODIFY,
                "ElastiCache takes a password away only where users of its own (RBAC) come in its place, which no blueprint \
                 says: leave `password` as it is, or make another store without one",
            ));
        }
        password(&call.inputs).map(|_| ())
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        elasticache::tag(site, id, set, unset).await
    }
}

/// One by its name, else every one of the region, page by page.
pub(crate) async fn groups(site: &Site, select: Select<'_>) -> Result<Vec<Found>, Failure> {
    let describe = || site.look.elasticache.describe_replication_groups();
    let action = "elasticache:DescribeReplicationGroups";
    if let Some([id]) = select.ids() {
        let call = describe().replication_group_id(name_of(id));
        return match call.send().await.map_err(failed(action)) {
            Ok(answer) => Ok(answer.replication_groups.unwrap_or_default()),
            Err(failure) if failure.trouble == Trouble::NotFound => Ok(Vec::new()),
            Err(failure) => Err(failure),
        };
    }
    let all: Result<Vec<_>, _> = describe().into_paginator().items().send().collect().await;
    all.map_err(failed(action))
}

fn seen_as(found: &Found, tags: Tags) -> Seen {
    let node = found.node_groups().first();
    let primary = node.and_then(|node| node.primary_endpoint());
    // One without any is read where it is written.
    let reader = node.and_then(|node| node.reader_endpoint()).or(primary);
    let port = primary.and_then(|endpoint| endpoint.port());
    let members = i64::try_from(found.member_clusters().len()).unwrap_or(i64::MAX);
    let failover = found
        .automatic_failover()
        .is_some_and(|is| matches!(is, AutomaticFailoverStatus::Enabled | AutomaticFailoverStatus::Enabling))
        && found.multi_az().is_none_or(|is| *is == MultiAzStatus::Enabled);
    Seen {
        id: found.arn().unwrap_or_default().to_owned(),
        phase: phase(found.status().unwrap_or_default()),
        tags,
        attributes: map([
            ("name", text(found.replication_group_id())),
            ("engine", found.engine().unwrap_or("redis").into()),
            ("encrypted", found.at_rest_encryption_enabled().unwrap_or(false).into()),
            ("tls", found.transit_encryption_enabled().unwrap_or(false).into()),
            ("class", text(found.cache_node_type())),
            ("replicas", Value::Int((members - 1).max(0))),
            ("failover", failover.into()),
        ]),
        outputs: map([
            ("id", text(found.arn())),
            ("members", super::list(found.member_clusters().iter().map(String::as_str))),
            ("endpoint", text(primary.and_then(|endpoint| endpoint.address()))),
            ("reader_endpoint", text(reader.and_then(|endpoint| endpoint.address()))),
            ("port", port.map_or(Value::Null, |port| Value::Int(port.into()))),
            (LEFT, text(final_snapshot(found).as_deref())),
        ]),
        parts: pending_password(found).map(|word| (PENDING_PASSWORD.to_owned(), word)).into_iter().collect(),
    }
}

/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ReplicationGroup.html>
fn phase(status: &str) -> Phase {
    match status {
        "available" | "" => Phase::Ready,
        "create-failed" => {
            Phase::Failed("AWS says `create-failed`; `aws elasticache describe-events` says why".into())
        }
        word => Phase::Pending(word.to_owned()),
    }
}

/// What becomes of the password in a group that calls itself available.
fn pending_password(found: &Found) -> Option<String> {
    let status = found.pending_modified_values()?.auth_token_status()?;
    Some(format!("{} the password", status.as_str().to_lowercase()))
}

/// The same for the same group, and another one for a later group of the same name. None where there is nothing to keep,
/// or no way to.
/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/backups.html>
fn final_snapshot(found: &Found) -> Option<String> {
    let is_tiny = found.cache_node_type().is_some_and(|class| class.starts_with("cache.t1."));
    if is_tiny || found.status() == Some("create-failed") {
        return None;
    }
    let name = found.replication_group_id().unwrap_or_default();
    let born = found.replication_group_create_time().map_or(0, |time| time.secs());
    Some(rds::final_snapshot(name, &format!("{} {born}", found.arn().unwrap_or_default())))
}

/// Whether the blueprint asks for another value than it did.
fn is_new(call: &Call, key: &str) -> bool {
    !call.prior.is_empty() && call.prior.get(key) != call.inputs.get(key)
}

fn modifies(job: &Job<'_>, seen: &Seen) -> bool {
    let unseen = ["version", "security_groups"];
    job.differs("engine", seen)
        || job.differs("class", seen)
        || job.differs("failover", seen)
        || unseen.into_iter().any(|key| is_new(job.call, key))
}

async fn modify(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    let new = |key: &str| is_new(job.call, key);
    let failover = job.differs("failover", seen).then(|| job.is("failover"));
    let engine = job.maybe("engine").filter(|_| job.differs("engine", seen));
    let is_other = engine.is_some() || new("version");
    let class = job.maybe("class").filter(|_| job.differs("class", seen));
    let call = job
        .site
        .change
        .elasticache
        .modify_replication_group()
        .replication_group_id(name_of(&seen.id))
        .apply_immediately(true)
        .set_engine(engine.map(str::to_owned))
        .set_engine_version(job.maybe("version").filter(|_| is_other).map(str::to_owned))
        .set_cache_node_type(class.map(str::to_owned))
        .set_automatic_failover_enabled(failover)
        .set_multi_az_enabled(failover)
        .set_security_group_ids(new("security_groups").then(|| guards(job)));
    call.send().await.map_err(failed(MODIFY))?;
    Ok(())
}

/// The new password is taken beside the old one (`ROTATE`) and then alone (`SET`), as ElastiCache has it; a store without
/// one gets its first in the same way. `SET` is tried before, for it does all that is left where a run was cut off between
/// the two. One cut off after both has its password set, which a look does not tell: it is rotated to the same once more.
/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html>
async fn set_password(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    let Some(token) = password(&job.call.inputs)? else { return Ok(()) };
    let put = async |strategy: AuthTokenUpdateStrategyType| {
        let call = job.site.change.elasticache.modify_replication_group();
        let call = call.replication_group_id(name_of(&seen.id)).apply_immediately(true);
        let call = call.auth_token(&token).auth_token_update_strategy(strategy);
        call.send().await.map(drop).map_err(failed(MODIFY))
    };
    until_available(job, seen).await?;
    match put(AuthTokenUpdateStrategyType::Set).await {
        Err(failure) if failure.trouble == Trouble::Refused => {}
        done => return done,
    }
    put(AuthTokenUpdateStrategyType::Rotate).await.map_err(|failure| match failure.trouble {
        Trouble::Refused => {
            let hint = "if a run was cut off when it had set this password already, give it another one";
            Failure { message: format!("{}; {hint}", failure.message), ..failure }
        }
        _ => failure,
    })?;
    sleep(job.site.poll).await;
    until_available(job, seen).await?;
    // It may not have begun to rotate.
    put(AuthTokenUpdateStrategyType::Set).await.map_err(|failure| match failure.trouble {
        Trouble::Refused => Failure { trouble: Trouble::Busy, ..failure },
        _ => failure,
    })
}

async fn until_available(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    let began = Instant::now();
    let mut quiet = began;
    loop {
        let found = groups(job.site, Select::Ids(&[&seen.id])).await?;
        let gone = || Failure::new(Trouble::NotFound, MODIFY, format!("{} is gone", seen.id));
        let found = found.first().ok_or_else(gone)?;
        let word = match (phase(found.status().unwrap_or_default()), pending_password(found)) {
            (Phase::Pending(word), _) if began.elapsed() < CHANGE_MAX => {
                quiet = Instant::now();
                word
            }
            (Phase::Pending(word), _) => {
                return Err(Failure::new(Trouble::Busy, MODIFY, format!("AWS says: {word}")));
            }
            // It may say so until the password is set, which is what comes next.
            (_, Some(word)) if quiet.elapsed() < ROTATE_MAX => word,
            _ => return Ok(()),
        };
        (job.context.progress)(&format!("AWS says: {word}"));
        sleep(job.site.poll).await;
    }
}

/// What has the name, where this very try has made it. While it is being made ElastiCache does not tell its tags, so that
/// the look before the create has not found it.
async fn made_earlier(job: &Job<'_>) -> Result<Option<String>, Failure> {
    let began = Instant::now();
    loop {
        let found = groups(job.site, Select::Ids(&[job.text("name")?])).await?;
        let Some(arn) = found.first().and_then(Found::arn) else { return Ok(None) };
        match elasticache::tags(job.site, arn).await {
            Ok(tags) => {
                return Ok(Select::Token(&job.context.stack, &job.call.token)
                    .takes(arn, &tags)
                    .then(|| arn.into()));
            }
            Err(failure) if failure.trouble == Trouble::Busy && began.elapsed() < CHANGE_MAX => {
                (job.context.progress)(
                    "the name is taken by what is being made; AWS does not tell yet by whom",
                );
            }
            Err(failure) => return Err(failure),
        }
        sleep(job.site.poll).await;
    }
}

async fn set_replicas(job: &Job<'_>, seen: &Seen, has: i64) -> Result<(), Failure> {
    let client = &job.site.change.elasticache;
    let (name, wanted) = (name_of(&seen.id), job.int("replicas")?);
    if i64::from(wanted) > has {
        let call = client.increase_replica_count().replication_group_id(name).new_replica_count(wanted);
        let call = call.apply_immediately(true);
        call.send().await.map_err(failed("elasticache:IncreaseReplicaCount"))?;
    } else {
        let call = client.decrease_replica_count().replication_group_id(name).new_replica_count(wanted);
        let call = call.apply_immediately(true);
        call.send().await.map_err(failed("elasticache:DecreaseReplicaCount"))?;
    }
    Ok(())
}

fn guards(job: &Job<'_>) -> Vec<String> {
    job.texts("security_groups").into_iter().map(str::to_owned).collect()
}

/// The password, where there is one.
fn password(inputs: &Map) -> Result<Option<String>, Failure> {
    let Some(password) = plain(inputs, "password")? else { return Ok(None) };
    match wrong_token(password) {
        Some(why) => {
            Err(Failure::refused("elasticache:CreateReplicationGroup", format!("the password {why}")))
        }
        None => Ok(Some(password.to_owned())),
    }
}

/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html>
pub(crate) fn wrong_token(password: &str) -> Option<String> {
    let length = password.chars().count();
    if !(16..=128).contains(&length) {
        return Some(format!("must have 16 to 128 characters for ElastiCache; it has {length}"));
    }
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "!&#$^<>-".contains(c);
    let is_bad = !password.chars().all(is_taken);
    is_bad.then(|| "may hold letters, digits and `!&#$^<>-` only".to_owned())
}
