//! How everything that serves is doing, as AWS sees it: what `status` asks, and the gate after a change of a group.
//!
//! All questions about a place are answered from one look at each kind of thing, however many questions there are: only
//! the targets of a target group cost a call each, for AWS tells them of one. `members` is a group, `balancer` what sends
//! to it, `data` what keeps data, `watch` what alarms say.
//!
//! Deliberately absent: how far a replica lags. CloudWatch knows, and `monitoring` rings for it.

mod balancer;
mod data;
mod members;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types::AutoScalingGroup;
use futures::{future::join_all, join};
use standfast_contract::{Health, HealthState, Map, Probe, Value};

use crate::{
    clients::Site,
    failure::{Failure, Trouble},
    kinds::{self, Select, Wanted, texts},
};

pub(crate) use members::{MEMBERS, members};
#[cfg(test)]
pub(crate) use watch::receiver_now;
pub(crate) use watch::{ALARMS, RECEIVER};

// Verbs of probes, each with what it is about: ARNs.
/// `balancer`.
pub(crate) const BALANCER: &str = "balancer";
/// `target_group`: what a balancer sends to.
pub(crate) const TARGETS: &str = "targets";
/// `instance`, and `multi_az`, whether it shall have a standby.
pub(crate) const DATABASE: &str = "database";
/// `instance`, which follows another one.
pub(crate) const REPLICA: &str = "replica";
/// `cluster`.
pub(crate) const CLUSTER: &str = "cluster";
/// `cluster` and `instance`, which is a server of it.
pub(crate) const SERVER: &str = "server";
/// `store`, and `nodes`, how many it shall have.
pub(crate) const STORE: &str = "store";

/// Answers in order.
pub(crate) async fn ask(site: &Site, probes: &[&Probe]) -> Vec<Result<Health, Failure>> {
    let seen = look(site, probes).await;
    join_all(probes.iter().map(|probe| answer(site, &seen, probe))).await
}

/// One look at each kind of thing that is asked about.
struct Seen {
    targets: members::AllTargets,
    groups: members::Groups,
    balancers: balancer::Balancers,
    listeners: balancer::Listeners,
    instances: data::Instances,
    clusters: data::Clusters,
    stores: data::Stores,
}

async fn look(site: &Site, probes: &[&Probe]) -> Seen {
    let ids = |key: &str| -> Vec<&str> {
        let ids: BTreeSet<&str> = probes.iter().filter_map(|probe| told(&probe.inputs, key)).collect();
        ids.into_iter().collect()
    };
    let mut target_groups: BTreeSet<&str> = ids("target_group").into_iter().collect();
    target_groups.extend(probes.iter().flat_map(|probe| texts(&probe.inputs, "target_groups")));
    let (group_ids, balancer_ids, instance_ids) = (ids("group"), ids("balancer"), ids("instance"));
    let (cluster_ids, store_ids) = (ids("cluster"), ids("store"));
    let wanted = Wanted::new();
    let of = |ids| Select::Bare(ids, &wanted);
    let (targets, groups, balancers, listeners, instances, clusters, stores) = join!(
        members::all_targets(site, target_groups),
        unless_none(&group_ids, kinds::groups(site, of(&group_ids))),
        unless_none(&balancer_ids, kinds::load_balancers(site, of(&balancer_ids))),
        balancer::all_listeners(site, &balancer_ids),
        unless_none(&instance_ids, data::instances(site, &instance_ids)),
        unless_none(&cluster_ids, kinds::database_clusters(site, of(&cluster_ids))),
        unless_none(&store_ids, kinds::replication_groups(site, of(&store_ids))),
    );
    Seen { targets, groups, balancers, listeners, instances, clusters, stores }
}

/// Nothing is asked where there is nothing to ask about.
async fn unless_none<T>(
    ids: &[&str],
    look: impl Future<Output = Result<Vec<T>, Failure>>,
) -> Result<Vec<T>, Failure> {
    if ids.is_empty() { Ok(Vec::new()) } else { look.await }
}

async fn answer(site: &Site, seen: &Seen, probe: &Probe) -> Result<Health, Failure> {
    let inputs = &probe.inputs;
    match probe.verb.as_str() {
        MEMBERS => match find(&seen.groups, inputs, "group", AutoScalingGroup::auto_scaling_group_name)? {
            Ok(_) => members::of_group(site, &seen.groups, &seen.targets, inputs).await.map(Health::from),
            Err(health) => Ok(health),
        },
        BALANCER => balancer::health(&seen.balancers, &seen.listeners, inputs),
        TARGETS => balancer::targets(&seen.targets, inputs),
        DATABASE => data::database(&seen.instances, inputs),
        REPLICA => data::replica(&seen.instances, inputs),
        CLUSTER => data::cluster(&seen.clusters, inputs),
        SERVER => data::server(&seen.clusters, &seen.instances, inputs),
        STORE => data::store(&seen.stores, inputs),
        ALARMS => watch::alarms_now(site, inputs).await,
        RECEIVER => watch::receiver_now(site, inputs).await,
        verb => Err(Failure::refused("", format!("nobody knows what `{verb}` asks"))),
    }
}

/// Nothing where it is not known yet: its create has failed.
fn told<'a>(inputs: &'a Map, key: &str) -> Option<&'a str> {
    inputs.get(key).and_then(Value::as_str)
}

fn healthy(detail: impl Into<String>) -> Health {
    Health { state: HealthState::Healthy, detail: detail.into() }
}

fn degraded(detail: impl Into<String>) -> Health {
    Health { state: HealthState::Degraded, detail: detail.into() }
}

fn down(detail: impl Into<String>) -> Health {
    Health { state: HealthState::Down, detail: detail.into() }
}

/// One of those that were looked at; down where it is not among them.
fn find<'a, T>(
    found: &'a Result<Vec<T>, Failure>,
    inputs: &Map,
    key: &str,
    arn: impl Fn(&T) -> Option<&str>,
) -> Result<Result<&'a T, Health>, Failure> {
    let Some(id) = told(inputs, key) else { return Ok(Err(down("has not been made yet"))) };
    match found {
        Ok(found) => Ok(found.iter().find(|one| arn(one) == Some(id)).ok_or_else(|| down("is gone"))),
        Err(failure) if failure.trouble == Trouble::NotFound => Ok(Err(down("is gone"))),
        Err(failure) => Err(failure.clone()),
    }
}
