//! What keeps data: databases of RDS and Aurora, their replicas, and session stores.

use aws_sdk_elasticache::types::{AutomaticFailoverStatus, ReplicationGroup};
use aws_sdk_rds::types::{DbCluster, DbInstance};
use standfast_contract::{Health, HealthState, Map, Value};

use super::{degraded, down, find, healthy};
use crate::{
    clients::Site,
    failure::Failure,
    kinds::{IDS_MAX, Select, Wanted, database_instances},
};

pub(super) type Instances = Result<Vec<DbInstance>, Failure>;
pub(super) type Clusters = Result<Vec<DbCluster>, Failure>;
pub(super) type Stores = Result<Vec<ReplicationGroup>, Failure>;

pub(super) async fn instances(site: &Site, ids: &[&str]) -> Instances {
    let wanted = Wanted::new();
    let mut found = Vec::new();
    for page in ids.chunks(IDS_MAX) {
        found.extend(database_instances(site, Select::Bare(page, &wanted)).await?);
    }
    Ok(found)
}

/// Whether something with this status serves. What RDS or ElastiCache does beside serving leaves it healthy; what may
/// interrupt it does not.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
fn serves(status: &str) -> HealthState {
    match status {
        "available"
        | "backing-up"
        | "snapshotting"
        | "configuring-enhanced-monitoring"
        | "configuring-iam-database-auth"
        | "configuring-log-exports"
        | "storage-config-upgrade"
        | "storage-initialization"
        | "storage-optimization" => HealthState::Healthy,
        "failing-over" | "maintenance" | "modifying" | "renaming" | "resetting-master-credentials" => {
            HealthState::Degraded
        }
        _ => HealthState::Down,
    }
}

/// The status, then what else there is to say; a trouble makes it degraded where it serves.
fn doing(status: Option<&str>, said: &str, trouble: Option<String>) -> Health {
    let status = status.unwrap_or("in no state");
    let said = if said.is_empty() { status.to_owned() } else { format!("{status}, {said}") };
    match (serves(status), trouble) {
        (HealthState::Healthy, None) => healthy(said),
        (state, None) => Health { state, detail: said },
        (HealthState::Down, Some(trouble)) => down(format!("{said}; {trouble}")),
        (_, Some(trouble)) => degraded(format!("{said}; {trouble}")),
    }
}

pub(super) fn database(instances: &Instances, inputs: &Map) -> Result<Health, Failure> {
    let found = match find(instances, inputs, "instance", DbInstance::db_instance_arn)? {
        Ok(found) => found,
        Err(health) => return Ok(health),
    };
    let wants_standby = inputs.get("multi_az").and_then(Value::as_bool).unwrap_or(false);
    let is_multi_az = found.multi_az() == Some(true);
    let standby = match (is_multi_az, found.secondary_availability_zone()) {
        (true, Some(zone)) => format!(", standby in {zone}"),
        (true, None) => ", Multi-AZ".to_owned(),
        (false, _) => String::new(),
    };
    let zone = found.availability_zone().unwrap_or("no zone yet");
    let trouble = (wants_standby && !is_multi_az).then(|| "it has no standby".to_owned());
    Ok(doing(found.db_instance_status(), &format!("primary in {zone}{standby}"), trouble))
}

/// Of one that was promoted nobody says that it follows.
pub(super) fn replica(instances: &Instances, inputs: &Map) -> Result<Health, Failure> {
    let found = match find(instances, inputs, "instance", DbInstance::db_instance_arn)? {
        Ok(found) => found,
        Err(health) => return Ok(health),
    };
    if found.read_replica_source_db_instance_identifier().is_none() {
        let trouble = "it follows nobody: it was promoted".to_owned();
        return Ok(doing(found.db_instance_status(), "", Some(trouble)));
    }
    let follows = found.status_infos().iter().find(|info| info.status_type() == Some("read replication"));
    let trouble = follows.filter(|info| info.normal() == Some(false)).map(|info| {
        let why = info.message().map(|why| format!(": {why}")).unwrap_or_default();
        format!("its replication is {}{why}", info.status().unwrap_or("in no state"))
    });
    let said = if trouble.is_none() { "replicating" } else { "" };
    Ok(doing(found.db_instance_status(), said, trouble))
}

/// A global database's copy has readers alone.
pub(super) fn cluster(clusters: &Clusters, inputs: &Map) -> Result<Health, Failure> {
    let found = match find(clusters, inputs, "cluster", DbCluster::db_cluster_arn)? {
        Ok(found) => found,
        Err(health) => return Ok(health),
    };
    let servers = found.db_cluster_members().len();
    let trouble = (servers == 0).then(|| "it has no server".to_owned());
    let word = if servers == 1 { "server" } else { "servers" };
    Ok(doing(found.status(), &format!("{servers} {word}"), trouble))
}

pub(super) fn server(clusters: &Clusters, instances: &Instances, inputs: &Map) -> Result<Health, Failure> {
    let found = match find(instances, inputs, "instance", DbInstance::db_instance_arn)? {
        Ok(found) => found,
        Err(health) => return Ok(health),
    };
    let own = found.db_instance_identifier();
    let members = clusters.iter().flatten().flat_map(|cluster| cluster.db_cluster_members());
    let member = members.into_iter().find(|member| member.db_instance_identifier() == own);
    // Where the cluster may not be looked at, nobody says which of them writes.
    let does = match member.and_then(|member| member.is_cluster_writer()) {
        Some(true) => "takes writes in ",
        Some(false) => "takes reads in ",
        None => "",
    };
    let zone = found.availability_zone().unwrap_or("no zone yet");
    Ok(doing(found.db_instance_status(), &format!("{does}{zone}"), None))
}

pub(super) fn store(stores: &Stores, inputs: &Map) -> Result<Health, Failure> {
    let found = match find(stores, inputs, "store", ReplicationGroup::arn)? {
        Ok(found) => found,
        Err(health) => return Ok(health),
    };
    let wanted = inputs.get("nodes").and_then(Value::as_int).unwrap_or_default();
    let wanted = usize::try_from(wanted).unwrap_or_default();
    let nodes = found.member_clusters().len();
    let takes_over = found.automatic_failover() == Some(&AutomaticFailoverStatus::Enabled);
    let ill = found.node_groups().iter().find_map(|group| group.status().filter(|it| *it != "available"));
    let trouble = if nodes < wanted {
        Some(format!("{} missing", wanted - nodes))
    } else if wanted > 1 && !takes_over {
        Some("no replica takes over by itself".to_owned())
    } else {
        // While the whole is being changed, so are its parts.
        ill.filter(|_| found.status() == Some("available")).map(|status| format!("its nodes are {status}"))
    };
    Ok(doing(found.status(), &format!("{nodes} of {} nodes", wanted.max(nodes)), trouble))
}
