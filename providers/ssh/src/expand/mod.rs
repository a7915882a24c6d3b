//! Component to resources, purely: what hosts shall have, from the blueprint and the answers to its lookups.
//!
//! `balancer` makes `load_balancers` (`haproxy` and `keepalived` write their files), `group` makes
//! `autoscaling_groups` (a `package_workload` or a `release`), `baseline` makes `baselines`. `site` is one component on
//! one host, which all of them speak through.
//!
//! Deliberately absent: any look at the world. The same blueprint and answers give the same resources, whoever asks.

mod balancer;
mod balancer_check;
mod baseline;
mod files;
mod firewall;
#[cfg(test)]
mod fixtures;
mod group;
mod haproxy;
mod keepalived;
mod names;
mod package_workload;

mod release;
mod site;
mod template;
#[cfg(test)]
mod tests;
mod units;
mod writer;

use standfast_contract::{Answers, Component, ExpandRequest, Expansion, Lookup, Problem, outputs};

use self::site::Problems;

/// What `expand` must know of local files and of hosts.
pub fn lookups(request: &ExpandRequest<'_>) -> Vec<Lookup> {
    let mut found = match request.component {
        Component::LoadBalancer(it) => balancer::lookups(request, it),
        Component::AutoscalingGroup(it) => group::lookups(it),
        Component::Baseline(it) => baseline::lookups(request, it),
        _ => Vec::new(),
    };
    found.sort();
    found.dedup();
    found
}

/// What the component becomes, or everything that is wrong with it.
pub fn expand(request: &ExpandRequest<'_>, answers: &Answers) -> Result<Expansion, Vec<Problem>> {
    let mut problems = Problems::of(request.component);
    let expansion = match request.component {
        Component::LoadBalancer(it) => balancer::expand(request, it, answers, &mut problems),
        Component::AutoscalingGroup(it) => group::expand(request, it, answers, &mut problems),
        Component::Baseline(it) => baseline::expand(request, it, answers, &mut problems),
        other => {
            problems.add(
                "",
                format!("the ssh provider cannot build {} yet ({})", other.section(), other.id()),
                "it builds load_balancers, autoscaling_groups and baselines; leave the component out, or put it into \
                 a region of a provider that builds it",
            );
            Expansion::default()
        }
    };
    debug_assert!(
        outputs::are_known(request.component.section(), "ssh", &expansion.outputs),
        "{}: {:?}",
        request.component.id(),
        expansion.outputs
    );
    problems.into_result(expansion)
}
