//! Session stores: replication groups of ElastiCache. Which VPC one is in is told by its servers alone.

use std::collections::BTreeSet;

use aws_sdk_elasticache::types::{AutomaticFailoverStatus, CacheCluster, MultiAzStatus, ReplicationGroup};

use super::text::{Names, Text};
use crate::{
    clients::Site,
    failure::{Failure, failed},
    marks,
};

/// What stays as it is.
const KEPT: &[&str] = &["subnet_group", "security_groups", "encrypted", "tls"];
const ENGINES: [&str; 2] = ["redis", "valkey"];
/// Where one of a blueprint listens.
const PORT: i32 = 6379;

pub(super) async fn survey(site: &Site, vpc: &str, text: &mut Text) -> Result<(), Failure> {
    let cache = &site.look.elasticache;
    let all: Result<Vec<_>, _> =
        cache.describe_replication_groups().into_paginator().items().send().collect().await;
    let groups: Vec<ReplicationGroup> = all.map_err(failed("elasticache:DescribeReplicationGroups"))?;
    let servers = servers(site, vpc).await?;
    for server in servers.iter().filter(|server| server.replication_group_id().is_none()) {
        let (name, engine) =
            (server.cache_cluster_id().unwrap_or_default(), server.engine().unwrap_or_default());
        text.leave_out(format!("the {engine} server {name} is of no replication group"));
    }
    let mut names = Names::default();
    let mut is_first = true;
    for group in groups {
        let own = group.replication_group_id().unwrap_or_default();
        let Some(server) = servers.iter().find(|server| server.replication_group_id() == Some(own)) else {
            continue;
        };
        let call = cache.list_tags_for_resource().resource_name(group.arn().unwrap_or_default());
        let tags = call.send().await.map_err(failed("elasticache:ListTagsForResource"))?;
        let engine = group.engine().or(server.engine()).unwrap_or("redis");
        if tags.tag_list().iter().any(|tag| tag.key() == Some(marks::STACK)) {
            text.leave_out(format!("the session store {own} is a stack's already"));
        } else if let Some(why) = unsaid(&group, engine) {
            text.leave_out(format!("the session store {own} {why}"));
        } else {
            if std::mem::take(&mut is_first) {
                text.line("session_stores:");
            }
            write(text, &group, server, engine, &names.take(own));
        }
    }
    Ok(())
}

/// What no blueprint says of a group. In cluster mode it has no primary endpoint, also where it has one shard only.
/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Endpoints.html>
fn unsaid(group: &ReplicationGroup, engine: &str) -> Option<String> {
    if group.node_groups().len() > 1 {
        Some("is spread over shards, which no blueprint says".to_owned())
    } else if group.cluster_enabled() == Some(true) {
        Some("is in cluster mode, which no blueprint says".to_owned())
    } else {
        (!ENGINES.contains(&engine)).then(|| format!("is of the engine {engine}"))
    }
}

/// Those in the VPC.
async fn servers(site: &Site, vpc: &str) -> Result<Vec<CacheCluster>, Failure> {
    let cache = &site.look.elasticache;
    let all: Result<Vec<_>, _> =
        cache.describe_cache_subnet_groups().into_paginator().items().send().collect().await;
    let subnets = all.map_err(failed("elasticache:DescribeCacheSubnetGroups"))?;
    let within: BTreeSet<&str> = subnets
        .iter()
        .filter(|group| group.vpc_id() == Some(vpc))
        .filter_map(|group| group.cache_subnet_group_name())
        .collect();
    let all: Result<Vec<_>, _> =
        cache.describe_cache_clusters().into_paginator().items().send().collect().await;
    let mut servers: Vec<CacheCluster> = all.map_err(failed("elasticache:DescribeCacheClusters"))?;
    servers.retain(|server| server.cache_subnet_group_name().is_some_and(|name| within.contains(name)));
    Ok(servers)
}

fn write(text: &mut Text, group: &ReplicationGroup, server: &CacheCluster, engine: &str, name: &str) {
    let replicas = group.member_clusters().len().saturating_sub(1);
    text.line(format!("  {name}:\n    engine: {engine}"));
    text.line(format!("    instance_type: {}", group.cache_node_type().unwrap_or_default()));
    text.line(format!("    replicas: {replicas}"));
    let version = server.engine_version().unwrap_or_default();
    text.note(format!("Its version, {version}, is as it was: without `version` here nothing changes it."));
    if group.auth_token_enabled() == Some(true) {
        text.note("So is its password.");
    }
    if !group.user_group_ids().is_empty() {
        text.note(format!(
            "Its users are those of {}, which no blueprint says.",
            group.user_group_ids().join(", ")
        ));
    }
    if group.transit_encryption_enabled() != Some(true) {
        text.note("It speaks without TLS: its output `url` is not for it, `address` and `port` are.");
    }
    let mut kept = KEPT.to_vec();
    let fails_over = group
        .automatic_failover()
        .is_some_and(|is| matches!(is, AutomaticFailoverStatus::Enabled | AutomaticFailoverStatus::Enabling))
        && group.multi_az().is_none_or(|is| *is == MultiAzStatus::Enabled);
    if fails_over != (replicas > 0) {
        text.note("It does not take over by itself from zone to zone: `failover` below keeps that so.");
        kept.push("failover");
    }
    let endpoint = group.node_groups().first().and_then(|node| node.primary_endpoint());
    if let Some(port) = endpoint.and_then(|endpoint| endpoint.port()).filter(|port| *port != PORT) {
        text.note(format!("It listens at {port}, which no blueprint says: the output `port` is {PORT}."));
    }
    text.keep(&kept);
    text.import(&format!("session_stores.{name}"), "replication_group", "main", group.arn());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_in_cluster_mode_is_left_out_also_with_one_shard() {
        let group = |is_cluster: bool| ReplicationGroup::builder().cluster_enabled(is_cluster).build();
        assert_eq!(unsaid(&group(false), "valkey"), None);
        assert!(unsaid(&group(true), "valkey").unwrap().contains("cluster mode"));
        assert_eq!(unsaid(&group(false), "memcached").unwrap(), "is of the engine memcached");
    }
}
