//! What the kinds of RDS have in common: instances and what their states mean, tags, names within ARNs.

use aws_sdk_rds::types::{DbInstance, Filter, Tag};
use futures::future::try_join_all;
use standfast_contract::{LEFT, Map, Value, Way};

use super::{Job, Parts, Phase, Seen, Select, db_instance::has_new_password, list, map, text};
use crate::{
    clients::Site,
    expand::line_of,
    failure::{Failure, Trouble, failed},
    marks::Tags,
    names,
};

/// `shop-orders-1f9a0c3b` of `arn:aws:rds:eu-west-1:123456789012:db:shop-orders-1f9a0c3b`.
pub(super) fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

pub(super) fn written(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn tags_of(tags: &[Tag]) -> Tags {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    tags.iter().map(|tag| (text(tag.key()), text(tag.value()))).collect()
}

pub(super) async fn tag(site: &Site, arn: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
    let rds = &site.change.rds;
    if !set.is_empty() {
        let call = rds.add_tags_to_resource().resource_name(arn).set_tags(Some(written(set)));
        call.send().await.map_err(failed("rds:AddTagsToResource"))?;
    }
    if !unset.is_empty() {
        let call = rds.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(unset.to_vec()));
        call.send().await.map_err(failed("rds:RemoveTagsFromResource"))?;
    }
    Ok(())
}

/// Those that were asked for, each with its tags. Groups are listed without them: a call each, but only for those whose
/// name can be the stack's.
pub(super) async fn with_tags<T>(
    site: &Site,
    select: Select<'_>,
    mut all: Vec<T>,
    arn: impl Fn(&T) -> Option<&str>,
) -> Result<Vec<(T, Tags)>, Failure> {
    all.retain(|one| arn(one).is_some_and(|arn| may_be(select, arn)));
    if !select.asks("tags") {
        return Ok(all.into_iter().map(|one| (one, Tags::new())).collect());
    }
    let asked = all.into_iter().map(|one| async {
        let call = site.look.rds.list_tags_for_resource().resource_name(arn(&one).unwrap_or_default());
        match call.send().await.map_err(failed("rds:ListTagsForResource")) {
            Ok(answer) => Ok(Some((one, tags_of(answer.tag_list())))),
            Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    });
    let found = try_join_all(asked).await?.into_iter().flatten();
    Ok(found.filter(|(one, tags)| select.takes(arn(one).unwrap_or_default(), tags)).collect())
}

/// Whether the name in an ARN can be the stack's: also of what ElastiCache keeps.
pub(super) fn may_be(select: Select<'_>, arn: &str) -> bool {
    match select {
        Select::Ids(ids) | Select::Bare(ids, _) => ids.contains(&arn),
        Select::Stack(stack) | Select::Token(stack, _) => name_of(arn).starts_with(&names::beginning(stack)),
    }
}

/// By their names, else every one of the region, page by page; each comes with its tags.
pub(crate) async fn instances(site: &Site, select: Select<'_>) -> Result<Vec<DbInstance>, Failure> {
    let describe = || site.look.rds.describe_db_instances();
    let action = "rds:DescribeDBInstances";
    let of_ids = select.ids().map(|ids| {
        let names = ids.iter().map(|id| name_of(id).to_owned()).collect();
        vec![Filter::builder().name("db-instance-id").set_values(Some(names)).build()]
    });
    let call = describe().set_filters(of_ids);
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let mut all = match all.map_err(failed(action)) {
        Err(failure) if failure.trouble == Trouble::NotFound => Vec::new(),
        all => all?,
    };
    all.retain(|one| {
        let tags = tags_of(one.tag_list());
        select.takes(one.db_instance_arn().unwrap_or_default(), &tags)
    });
    Ok(all)
}

/// What a state means. What can be mended by an update is ready for one: `storage-full` by more storage.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
pub(super) fn phase(status: &str) -> Phase {
    match status {
        "available"
        | "storage-full"
        | "storage-optimization"
        | "storage-config-upgrade"
        | "storage-initialization"
        | "" => Phase::Ready,
        "stopped" => {
            Phase::Failed("it is stopped: `aws rds start-db-instance` or `start-db-cluster` starts it".into())
        }
        "incompatible-parameters" => {
            Phase::Failed("it cannot start with its parameters (incompatible-parameters)".into())
        }
        "inaccessible-encryption-credentials" | "inaccessible-encryption-credentials-recoverable" => {
            Phase::Failed(format!("the key that encrypts it cannot be used ({status})"))
        }
        "failed" | "restore-error" | "insufficient-capacity" => {
            Phase::Failed(format!("AWS says `{status}`; `aws rds describe-events` says why"))
        }
        _ if status.starts_with("incompatible-") || status.ends_with("-failed") => {
            Phase::Failed(format!("AWS says `{status}`; `aws rds describe-events` says why"))
        }
        word => Phase::Pending(word.to_owned()),
    }
}

/// How to be rid of a final snapshot.
pub(super) const LEAVES: &str = "`aws rds delete-db-snapshot --db-snapshot-identifier NAME` deletes one";

/// The name of what is left of a thing: `own` tells it from a later one of the same name.
pub(super) fn final_snapshot(name: &str, own: &str) -> String {
    let digest = blake3::hash(own.as_bytes()).to_hex();
    format!("{name}-final-{}", &digest[..8])
}

/// That of an instance, where it holds data of its own: a replica that nobody promoted does not, nor a server of a cluster.
/// The same for the same instance, and another one for a later instance of the same name.
pub(super) fn final_snapshot_of(found: &DbInstance) -> Option<String> {
    // RDS takes none of these.
    let status = found.db_instance_status().unwrap_or_default();
    let has_nothing = matches!(status, "failed" | "incompatible-restore" | "incompatible-network");
    let is_copy = found.read_replica_source_db_instance_identifier().is_some();
    let is_member = found.db_cluster_identifier().is_some();
    let born = found.instance_create_time().map_or(0, |time| time.secs());
    (!has_nothing && !is_copy && !is_member).then(|| {
        final_snapshot(
            found.db_instance_identifier().unwrap_or_default(),
            &format!("{} {born}", found.dbi_resource_id().unwrap_or_default()),
        )
    })
}

/// As it will be when what is under way is done: else the same change would be planned again meanwhile.
pub(crate) fn attributes(found: &DbInstance) -> Map {
    let pending = found.pending_modified_values();
    let whole = |number: Option<i32>| number.map_or(Value::Null, |number| Value::Int(number.into()));
    let flag = |flag: Option<bool>| flag.unwrap_or(false).into();
    let groups = found.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id());
    let parameters = found.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name());
    map([
        ("name", text(found.db_instance_identifier())),
        ("engine", text(found.engine())),
        ("version", text(pending.and_then(|pending| pending.engine_version()).or(found.engine_version()))),
        ("class", text(pending.and_then(|it| it.db_instance_class()).or(found.db_instance_class()))),
        ("storage_gib", whole(pending.and_then(|it| it.allocated_storage()).or(found.allocated_storage()))),
        ("storage_type", text(pending.and_then(|it| it.storage_type()).or(found.storage_type()))),
        ("encrypted", flag(found.storage_encrypted())),
        ("username", text(found.master_username())),
        ("subnet_group", text(found.db_subnet_group().and_then(|group| group.db_subnet_group_name()))),
        ("security_groups", list(groups)),
        ("parameter_group", text(parameters)),
        ("multi_az", flag(pending.and_then(|it| it.multi_az()).or(found.multi_az()))),
        (
            "backup_days",
            whole(pending.and_then(|it| it.backup_retention_period()).or(found.backup_retention_period())),
        ),
        ("backup_window", text(found.preferred_backup_window())),
        ("maintenance_window", text(found.preferred_maintenance_window())),
        ("deletion_protection", flag(found.deletion_protection())),
        ("public", flag(found.publicly_accessible())),
        ("minor_upgrades", found.auto_minor_version_upgrade().unwrap_or(true).into()),
        // A name, and an ARN where it is in another region.
        ("source", text(found.read_replica_source_db_instance_identifier())),
        ("zone", text(found.availability_zone())),
        ("cluster", text(found.db_cluster_identifier())),
    ])
}

/// What of an instance is no attribute, and a change of it needs. The database that it follows, where it does:
pub(super) const SOURCE: &str = "source";
pub(super) const ENGINE: &str = "engine";
pub(super) const STORAGE_TYPE: &str = "storage_type";
pub(super) const IOPS: &str = "iops";
pub(super) const THROUGHPUT: &str = "throughput";
/// Each of its read replicas: by name, and one in another region by its ARN.
pub(super) const REPLICA: &str = "replica.";
/// What RDS has taken and not done yet, by the attribute.
pub(super) const PENDING: &str = "pending.";

pub(super) fn parts(found: &DbInstance) -> Parts {
    let number = |number: Option<i32>| number.filter(|number| *number > 0).map(|number| number.to_string());
    let given = [
        (SOURCE, found.read_replica_source_db_instance_identifier().map(str::to_owned)),
        (ENGINE, found.engine().map(str::to_owned)),
        (STORAGE_TYPE, found.storage_type().map(str::to_owned)),
        (IOPS, number(found.iops())),
        (THROUGHPUT, number(found.storage_throughput())),
    ];
    let given = given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let replicas = found.read_replica_db_instance_identifiers().iter();
    let replicas = replicas.map(|name| (format!("{REPLICA}{name}"), name.clone()));
    let applying = found.db_parameter_groups().iter();
    let applying = applying.map(|group| group.parameter_apply_status()).any(is_applying);
    let pending = found.pending_modified_values().map(|pending| {
        [
            ("version", pending.engine_version().is_some()),
            ("class", pending.db_instance_class().is_some()),
            ("storage_gib", pending.allocated_storage().is_some()),
            ("storage_type", pending.storage_type().is_some()),
            ("multi_az", pending.multi_az().is_some()),
            ("backup_days", pending.backup_retention_period().is_some()),
            ("password", pending.master_user_password().is_some()),
        ]
    });
    let pending = pending.into_iter().flatten().chain([("parameter_group", applying)]);
    given.chain(replicas).chain(marked_pending(pending)).collect()
}

/// One in `pending-reboot` waits for somebody, and is nothing to wait for.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBParameterGroupStatus.html>
pub(super) fn is_applying(status: Option<&str>) -> bool {
    status == Some("applying")
}

/// As parts.
pub(super) fn marked_pending<'a>(
    all: impl Iterator<Item = (&'a str, bool)>,
) -> impl Iterator<Item = (String, String)> {
    let pending = all.filter(|(_, is_pending)| *is_pending);
    pending.map(|(key, _)| (format!("{PENDING}{key}"), key.to_owned()))
}

/// What of a change RDS has not begun with or not done, though it calls the thing available, as it does for some seconds
/// after it has taken one. `changing`: what one call changes.
pub(super) fn unfinished(job: &Job<'_>, before: &Seen, after: &Seen, changing: &[&str]) -> Option<String> {
    let is_pending = |key: &str| after.parts.contains_key(&format!("{PENDING}{key}"));
    // What has just been made is as it was asked for, or told to be pending.
    let is_update = !job.call.prior.is_empty();
    let is_as_before = |key: &str| {
        is_update && job.asks(key, after) && after.attributes.get(key) == before.attributes.get(key)
    };
    let asked = changing.iter().copied().filter(|key| job.asks(key, before));
    let open = asked.filter(|key| is_pending(key) || is_as_before(key));
    let password = Some("password").filter(|key| has_new_password(job.call) && is_pending(key));
    let open: Vec<&str> = open.chain(password).collect();
    (!open.is_empty()).then(|| format!("available, and not done yet: {}", open.join(", ")))
}

/// Whether a version is of another line than there is: a major version, as RDS calls that.
pub(super) fn is_of_other_line(engine: &str, from: &str, to: &str) -> bool {
    line_of(engine, from) != line_of(engine, to)
}

pub(super) fn outputs(found: &DbInstance) -> Map {
    let endpoint = found.endpoint();
    let port = endpoint.and_then(|endpoint| endpoint.port());
    map([
        ("id", text(found.db_instance_arn())),
        ("identifier", text(found.db_instance_identifier())),
        ("endpoint", text(endpoint.and_then(|endpoint| endpoint.address()))),
        ("port", port.map_or(Value::Null, |port| Value::Int(port.into()))),
        ("secret", text(found.master_user_secret().and_then(|secret| secret.secret_arn()))),
        (LEFT, text(final_snapshot_of(found).as_deref())),
    ])
}

/// Refuses what RDS would refuse, or round to something else that would be planned again for ever.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.StorageTypes.html>
pub(super) fn check_storage(from_gib: i64, to_gib: i64) -> Result<(), Failure> {
    let refused = |message| Err(Failure::refused("rds:ModifyDBInstance", message));
    if to_gib < from_gib {
        return refused(format!(
            "the storage of a database cannot shrink from {from_gib} to {to_gib} GiB: say `storage: {from_gib}GiB`, \
             or copy the data into a new database"
        ));
    }
    let least = (from_gib * 11).div_euclid(10) + i64::from(from_gib % 10 != 0);
    if to_gib > from_gib && to_gib < least {
        return refused(format!(
            "storage grows by a tenth at least: from {from_gib} GiB to {least} GiB or more, not to {to_gib}"
        ));
    }
    Ok(())
}

/// Refuses an older version than there is.
pub(super) fn check_version(from: &str, to: &str) -> Result<(), Failure> {
    if Way::Up.forbids(&from.into(), &to.into()) {
        return Err(Failure::refused(
            "rds:ModifyDBInstance",
            format!(
                "a database cannot go back from version {from} to {to}: keep `version`, or restore a snapshot"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_ready_on_their_way_or_beyond_help() {
        let word = |status: &str| match phase(status) {
            Phase::Ready => "ready".to_owned(),
            Phase::Pending(word) => format!("pending {word}"),
            Phase::Failed(why) => format!("failed: {why}"),
            Phase::Gone => "gone".to_owned(),
        };
        for status in ["available", "storage-full", "storage-optimization"] {
            assert_eq!(word(status), "ready");
        }
        for status in ["creating", "backing-up", "modifying", "upgrading", "deleting", "rebooting"] {
            assert_eq!(word(status), format!("pending {status}"));
        }
        for status in ["failed", "incompatible-parameters", "incompatible-network", "stopped"] {
            assert!(word(status).starts_with("failed: "), "{status}");
        }
    }

    #[test]
    fn storage_grows_by_a_tenth_and_never_shrinks() {
        assert!(
            check_storage(20, 20).is_ok() && check_storage(20, 22).is_ok() && check_storage(25, 28).is_ok()
        );
        assert!(check_storage(25, 27).unwrap_err().message.contains("to 28 GiB or more"));
        assert!(check_storage(20, 19).unwrap_err().message.contains("cannot shrink"));
    }

    #[test]
    fn versions_go_forward_only() {
        assert!(check_version("15.4", "15").is_ok() && check_version("15.4", "16").is_ok());
        assert!(check_version("8.0.35", "8.4").is_ok() && check_version("9.6", "10").is_ok());
        assert!(check_version("15.4", "14").is_err() && check_version("15.4", "15.3").is_err());
    }
}
