//! Disaster recovery: in the region that takes over, a copy of every database of the region that may be lost.
//!
//! `backup_restore` copies backups; the other strategies keep a replica that a failover promotes, with a standby of its own
//! where it must be ready at once (`warm_standby`, `active_active`). What serves there is written out in the blueprint,
//! and joined by `dns`. Session stores are not copied: a session that is lost is begun again.
//!
//! What is made is in the region that takes over, so that it is found, changed and taken away there when the other one
//! does not answer; but for a global database of Aurora, which is of no region and made of the cluster that is copied.

use standfast_contract::{
    Component, ExpandRequest, Problem, Region,
    component::{Database, DisasterRecovery, Failover, RecoveryStrategy, Topology},
};

use super::{
    Build, PROVIDER,
    database::{
        self,
        copy::{self, Readiness, Source},
    },
    network,
};
use crate::place::Place;

#[cfg(test)]
mod tests;

pub(super) fn expand(build: &mut Build<'_>, recovery: &DisasterRecovery) {
    let Some(into) = into(build, recovery) else { return };
    let databases: Vec<&Database> = build
        .request
        .components
        .iter()
        .filter_map(|component| match component {
            Component::Database(database) if database.common.region == recovery.from => Some(database),
            _ => None,
        })
        .collect();
    if databases.is_empty() {
        build.problem(
            "from",
            format!("region `{}` has no database: there is nothing to copy", recovery.from),
            "Remove the disaster recovery, or put a database there.",
        );
        return;
    }
    let request = ExpandRequest { region: into, ..*build.request };
    let expanded = Build::new(&request, build.answers).and_then(|mut there| {
        there.output("into", into.name.as_str());
        copies(build, &mut there, recovery, &databases);
        there.finish()
    });
    match expanded {
        Ok(expansion) => {
            build.out.resources.extend(expansion.resources);
            build.out.outputs.extend(expansion.outputs);
            build.out.probes.extend(expansion.probes);
        }
        // What stands in the way is in the region that takes over.
        Err(problems) => build.problems.extend(problems.into_iter().map(|problem| match &*problem.key {
            key if key == "region" || key.starts_with("region.") => Problem { key: "into".into(), ..problem },
            _ => problem,
        })),
    }
}

/// What expansion has to know of the region that takes over too.
pub(super) fn elsewhere<'a>(
    request: &ExpandRequest<'a>,
    recovery: &DisasterRecovery,
) -> Option<ExpandRequest<'a>> {
    let into = request.regions.iter().find(|region| region.name == recovery.into)?;
    // A name that is none would be waited for until DNS gives up.
    let is_known = Place::of_region(into).is_some_and(|place| place.no_region("").is_none());
    let is_ours = into.provider == PROVIDER && is_known;
    is_ours.then_some(ExpandRequest { region: into, ..*request })
}

fn into<'a>(build: &mut Build<'a>, recovery: &DisasterRecovery) -> Option<&'a Region> {
    let from = build.region;
    let into = build.request.regions.iter().find(|region| region.name == recovery.into)?;
    let told = if into.provider != PROVIDER {
        Some((
            format!(
                "region `{}` is of provider `{}`: data on AWS is copied to AWS only",
                into.name, into.provider
            ),
            "Name a region of the provider `aws`.",
        ))
    } else if into.location == from.location {
        Some((
            format!("`{}` and `{}` are the same AWS region, and lost together", from.name, into.name),
            "Name one with another `location`.",
        ))
    } else if let (Some(one), Some(other)) = (&from.account, &into.account)
        && one != other
    {
        Some((
            format!("`{}` is of account {one} and `{}` of {other}", from.name, into.name),
            "RDS copies within one account.",
        ))
    } else if [from, into].into_iter().any(needs_signature) {
        Some((
            "copies between regions of China or GovCloud are not built yet in this version".to_owned(),
            "Leave the disaster recovery out.",
        ))
    } else {
        None
    };
    match told {
        Some((message, hint)) => {
            build.problem("into", message, hint);
            None
        }
        None => Some(into),
    }
}

/// RDS wants a request to the source's region signed there only.
fn needs_signature(region: &Region) -> bool {
    let location = region.location.as_deref().unwrap_or_default();
    location.starts_with("cn-") || location.starts_with("us-gov-")
}

fn copies(home: &mut Build<'_>, there: &mut Build<'_>, recovery: &DisasterRecovery, databases: &[&Database]) {
    let sources = databases.iter().map(|database| Source { database, region: &recovery.from });
    if recovery.strategy == RecoveryStrategy::BackupRestore {
        sources.for_each(|source| copy::add_backups(there, &source));
        return;
    }
    let Some(within) = network::within(there) else { return };
    let is_ready =
        matches!(recovery.strategy, RecoveryStrategy::WarmStandby | RecoveryStrategy::ActiveActive);
    let subnets = database::add_subnet_group(there, &within);
    for source in sources {
        let database = source.database;
        let takes_over = database.topology != Topology::Single && database.failover == Failover::Automatic;
        let readiness = if is_ready && takes_over { Readiness::Standby } else { Readiness::Data };
        let global = source.is_aurora().then(|| database::add_global(home, &source));
        if let Some(endpoint) = copy::add(there, &within, &subnets, &source, readiness, global.as_ref()) {
            there.output(&database.common.name, endpoint);
        }
    }
}
