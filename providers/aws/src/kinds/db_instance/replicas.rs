//! The read replicas of a database before itself: the order in which RDS takes a newer version.
//!
//! Within a line every engine wants all of them first, those in other regions too. To another line MySQL and MariaDB want
//! the same, and RDS takes those of PostgreSQL along that are in the same region. One in another region is taken to no
//! other line here: it would need parameters of that line in its own region before its source is changed.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.MySQL.html>,
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.MariaDB.html>

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_rds::{
    config::{Config, Region},
    types::{DbInstance, Filter},
};
use standfast_contract::Way;
use tokio::time::{Instant, sleep};

use super::{super::is_of_version, Job, MODIFY, Phase, Seen, Trouble, is_of_other_line, rds};
use crate::{
    failure::{Failure, failed},
    marks,
};

/// One that is available, and whose upgrade has been asked for, may not have begun with it for so long.
const BEGIN_MAX: Duration = Duration::from_secs(5 * 60);
/// Of one that is at work.
const UPGRADE_MAX: Duration = Duration::from_secs(60 * 60);

/// Brings them to the version that the database is to get, where RDS wants that, and waits for it.
pub(super) async fn upgrade(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    let replicas = arns(seen);
    let is_major = is_of_other_line(job, seen);
    let region = region_of(&seen.id);
    if is_major && let Some(far) = replicas.iter().find(|arn| region_of(arn) != region) {
        return Err(left_behind(far, job.text("version")?));
    }
    let takes_them_along = is_major && job.maybe("engine") == Some("postgres");
    if replicas.is_empty() || takes_them_along {
        return Ok(());
    }
    job.context.wait(until_upgraded(job, &replicas, is_major)).await
}

/// Why a copy in another region hinders a change to another line.
pub(in super::super) fn left_behind(copy: &str, version: &str) -> Failure {
    let name = rds::name_of(copy);
    let message = format!(
        "RDS does not take {name}, a copy in another region, along to version {version}: leave the database out of \
         `disaster_recovery` and apply, change `version` and apply, then bring it back"
    );
    Failure::refused(MODIFY, message)
}

/// By ARN: RDS has only the names of those in its own region.
fn arns(seen: &Seen) -> Vec<String> {
    let (stem, _) = seen.id.rsplit_once(':').unwrap_or_default();
    let listed = seen.parts.iter().filter(|(key, _)| key.starts_with(rds::REPLICA));
    let arn = |name: &String| if name.contains(':') { name.clone() } else { format!("{stem}:{name}") };
    listed.map(|(_, name)| arn(name)).collect()
}

/// `eu-west-1` of `arn:aws:rds:eu-west-1:123456789012:db:orders`.
fn region_of(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}

async fn until_upgraded(job: &Job<'_>, replicas: &[String], is_major: bool) -> Result<(), Failure> {
    let began = Instant::now();
    let mut quiet = began;
    let mut asked = BTreeSet::new();
    let mut wait = Duration::from_millis(200);
    loop {
        let mut open = Vec::new();
        for arn in replicas {
            // One that is gone is in nobody's way.
            let Some(found) = look(job, arn).await? else { continue };
            match standing(job, &found)? {
                Standing::There => {}
                Standing::Behind => {
                    if asked.insert(arn) {
                        ask(job, arn, &found, is_major).await?;
                        quiet = Instant::now();
                    }
                    open.push(rds::name_of(arn));
                }
                Standing::AtWork => {
                    quiet = Instant::now();
                    open.push(rds::name_of(arn));
                }
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let waits = format!("its read replicas get the version first: {}", open.join(", "));
        if quiet.elapsed() > BEGIN_MAX || began.elapsed() > UPGRADE_MAX {
            return Err(Failure::new(Trouble::Busy, MODIFY, waits));
        }
        (job.context.progress)(&waits);
        sleep(wait).await;
        wait = (wait * 2).min(job.site.poll);
    }
}

enum Standing {
    /// At the version, or beyond it, and ready.
    There,
    AtWork,
    Behind,
}

fn standing(job: &Job<'_>, found: &DbInstance) -> Result<Standing, Failure> {
    let (version, wanted) = (found.engine_version().unwrap_or_default(), job.text("version")?);
    match rds::phase(found.db_instance_status().unwrap_or_default()) {
        Phase::Pending(_) => Ok(Standing::AtWork),
        Phase::Ready => {
            let is_there = is_of_version(version, wanted) || Way::Up.forbids(&version.into(), &wanted.into());
            Ok(if is_there { Standing::There } else { Standing::Behind })
        }
        Phase::Failed(why) => {
            let name = found.db_instance_identifier().unwrap_or_default();
            let message = format!("its read replica {name} has to get version {wanted} first: {why}");
            Err(Failure::refused(MODIFY, message))
        }
        Phase::Gone => Ok(Standing::There),
    }
}

/// What is another's is not changed, though it is in the way.
async fn ask(job: &Job<'_>, arn: &str, found: &DbInstance, is_major: bool) -> Result<(), Failure> {
    let (name, version) = (rds::name_of(arn), job.text("version")?);
    if !marks::is_of(&rds::tags_of(found.tag_list()), &job.context.stack) {
        let message = format!(
            "its read replica {name} is not this stack's, and has to get version {version} first: `aws rds \
             modify-db-instance --region {} --db-instance-identifier {name} --engine-version {version} \
             --apply-immediately`",
            region_of(arn)
        );
        return Err(Failure::refused(MODIFY, message));
    }
    let parameter_group = job.maybe("parameter_group").filter(|_| is_major).map(str::to_owned);
    let call = job
        .site
        .change
        .rds
        .modify_db_instance()
        .db_instance_identifier(name)
        .apply_immediately(true)
        .engine_version(version)
        .set_allow_major_version_upgrade(is_major.then_some(true))
        .set_db_parameter_group_name(parameter_group);
    call.customize().config_override(there(arn)).send().await.map_err(failed(MODIFY))?;
    Ok(())
}

async fn look(job: &Job<'_>, arn: &str) -> Result<Option<DbInstance>, Failure> {
    let by_name = Filter::builder().name("db-instance-id").values(rds::name_of(arn)).build();
    let call = job.site.look.rds.describe_db_instances().filters(by_name);
    match call.customize().config_override(there(arn)).send().await.map_err(failed("rds:DescribeDBInstances"))
    {
        Ok(answer) => {
            let mut all = answer.db_instances.unwrap_or_default().into_iter();
            Ok(all.find(|one| one.db_instance_arn() == Some(arn)))
        }
        Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The region that it is in.
fn there(arn: &str) -> aws_sdk_rds::config::Builder {
    Config::builder().region(Region::new(region_of(arn).to_owned()))
}
