//! Clusters of Aurora with their servers. What they are in a global database is told, and stays.

use aws_sdk_rds::types::{DbCluster, DbInstance};

use super::{
    database::{self, Databases},
    text::{Names, Text},
};
use crate::{
    clients::Site,
    expand::line_of,
    failure::{Failure, failed},
    marks,
};

/// What stays as it is.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "subnet_group", "parameter_group", "security_groups", "encrypted", "public", "backup_window",
    "maintenance_window",
];
/// As AWS and as a blueprint calls them.
const ENGINES: [(&str, &str); 2] =
    [("aurora-postgresql", "aurora_postgres"), ("aurora-mysql", "aurora_mysql")];
/// Of servers whose size follows the load.
const SERVERLESS: &str = "db.serverless";

pub(super) struct Cluster<'a> {
    is: DbCluster,
    /// The blueprint's word.
    engine: &'static str,
    servers: Vec<&'a DbInstance>,
    /// The global database that it is in.
    global: Option<String>,
}

pub(super) async fn look<'a>(
    site: &Site,
    found: &'a Databases,
    text: &mut Text,
) -> Result<Vec<Cluster<'a>>, Failure> {
    let rds = &site.look.rds;
    let all: Result<Vec<_>, _> = rds.describe_db_clusters().into_paginator().items().send().collect().await;
    let mut clusters = Vec::new();
    for is in all.map_err(failed("rds:DescribeDBClusters"))? {
        let name = is.db_cluster_identifier().unwrap_or_default();
        let is_of = |server: &&DbInstance| server.db_cluster_identifier() == Some(name);
        let servers: Vec<&DbInstance> = found.members.iter().filter(is_of).collect();
        let engine = ENGINES.iter().find(|(engine, _)| is.engine() == Some(*engine));
        match engine {
            _ if is.db_cluster_members().is_empty() => {
                text.leave_out(format!(
                    "the database cluster {name} has no server, which would tell its VPC"
                ));
            }
            // Of another VPC.
            _ if servers.is_empty() => {}
            _ if is.tag_list().iter().any(|tag| tag.key() == Some(marks::STACK)) => {
                text.leave_out(format!("the database cluster {name} is a stack's already"));
            }
            Some((_, engine)) => clusters.push(Cluster { engine, servers, global: None, is }),
            None => {
                let engine = is.engine().unwrap_or_default();
                text.leave_out(format!("the database cluster {name} is of the engine {engine}"));
            }
        }
    }
    if clusters.is_empty() {
        return Ok(clusters);
    }
    let all: Result<Vec<_>, _> =
        rds.describe_global_clusters().into_paginator().items().send().collect().await;
    for global in all.map_err(failed("rds:DescribeGlobalClusters"))? {
        for member in global.global_cluster_members() {
            let arn = member.db_cluster_arn();
            for cluster in clusters.iter_mut().filter(|cluster| cluster.is.db_cluster_arn() == arn) {
                cluster.global.clone_from(&global.global_cluster_identifier);
            }
        }
    }
    Ok(clusters)
}

/// `is_begun`: whether the section has its heading.
pub(super) fn write(
    text: &mut Text,
    clusters: Vec<Cluster<'_>>,
    zones: &[String],
    names: &mut Names,
    is_begun: bool,
) {
    if !clusters.is_empty() && !is_begun {
        text.line("databases:");
    }
    for cluster in clusters {
        one(text, cluster, zones, names);
    }
}

fn one(text: &mut Text, cluster: Cluster<'_>, zones: &[String], names: &mut Names) {
    let Cluster { is, engine, servers, global } = cluster;
    let name = names.take(is.db_cluster_identifier().unwrap_or_default());
    // As a plan sees it: with what is under way.
    let pending = is.pending_modified_values();
    let version = pending.and_then(|pending| pending.engine_version()).or(is.engine_version());
    let days = pending.and_then(|it| it.backup_retention_period()).or(is.backup_retention_period());
    let classes: Vec<&str> = servers.iter().filter_map(|server| server.db_instance_class()).collect();
    let class = classes.first().copied().unwrap_or_default();
    text.line(format!("  {name}:\n    engine: {engine}"));
    let version = version.unwrap_or_default();
    let upgraded = |server: &&&DbInstance| server.auto_minor_version_upgrade() != Some(false);
    let upgraded = servers.iter().filter(upgraded).count();
    let version = if upgraded > 0 { line_of(is.engine().unwrap_or_default(), version) } else { version };
    text.line(format!("    version: \"{version}\""));
    text.line(format!("    instance_type: {class}"));
    match servers.len() - 1 {
        0 => text.line("    topology: single"),
        readers => text.line(format!("    replicas: {readers}")),
    }
    if let Some(user) = is.master_username() {
        text.line(format!("    username: {user}"));
    }
    text.line(format!("    backup: {{ keep: {}d }}", days.unwrap_or(1)));
    text.line(format!("    deletion_protection: {}", is.deletion_protection() == Some(true)));
    text.note("Its password is as it was: without `password` here nothing changes it.");
    if let Some(global) = global {
        text.note(format!(
            "It is in the global database {global}, which no blueprint takes over: it stays there."
        ));
    }
    if classes.contains(&SERVERLESS) {
        text.note("How far its serverless servers grow is said by no blueprint, and stays.");
    }
    let mut kept = KEPT.to_vec();
    if classes.iter().any(|other| *other != class) {
        text.note(format!("Its servers are of the sizes {}: each stays as it is.", classes.join(", ")));
        kept.push("class");
    }
    if upgraded > 0 && upgraded < servers.len() {
        text.note("RDS brings newer versions to some of its servers only: each stays as it is.");
        kept.push("minor_upgrades");
    }
    let (placed, is_in_zones) = database::placed(servers, zones);
    if !is_in_zones {
        text.note("Its servers are in other zones than their addresses say, and stay there.");
        kept.push("zone");
    }
    text.keep(&kept);
    let component = format!("databases.{name}");
    text.import(&component, "db_cluster", "main", is.db_cluster_arn());
    for (slot, server) in placed {
        text.import(&component, "db_cluster_instance", &slot, server.db_instance_arn());
    }
}
