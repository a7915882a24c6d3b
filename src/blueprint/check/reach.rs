//! What keeps data and can be reached by nobody. On AWS a port is open for those who refer to it, and for nobody else.

use std::collections::BTreeSet;

use standfast_contract::{
    Component, ComponentId, Region, Target,
    component::{AutoscalingGroup, Common},
};

use super::{
    super::diagnostic::{Diagnostic, Sink},
    conflicts::Placed,
};

/// The provider that opens ports by references.
const AWS: &str = "aws";

pub fn reach(placed: &[Placed<'_>], regions: &[Region], sink: &Sink) {
    let on_aws: BTreeSet<&str> =
        regions.iter().filter(|region| region.provider == AWS).map(|region| region.name.as_str()).collect();
    if on_aws.is_empty() {
        return;
    }
    let groups = placed.iter().filter_map(|one| match one.component {
        Component::AutoscalingGroup(group) if !keeps_its_own(&group.common) => Some(group),
        _ => None,
    });
    let reached: BTreeSet<(&str, ComponentId)> = groups.flat_map(reaches).collect();
    for one in placed {
        let output = match one.component {
            Component::Database(_) => "writer",
            Component::SessionStore(_) => "address",
            _ => continue,
        };
        let (common, id) = (one.component.common(), one.component.id());
        if keeps_its_own(common)
            || !on_aws.contains(&*common.region)
            || reached.contains(&(&*common.region, id.clone()))
        {
            continue;
        }
        sink.push(
            Diagnostic::warning(one.key, format!("nobody can reach `{id}`"))
                .label("no autoscaling group of its region refers to it, so its port is open for none")
                .help(format!(
                    "name it in the `depends_on` of a group, or say `${{{id}.{output}}}` in its workload"
                )),
        );
    }
}

/// What was taken over reaches and is reached as it was.
fn keeps_its_own(component: &Common) -> bool {
    component.lifecycle.ignore_changes.iter().any(|kept| kept == "security_groups")
}

/// What a group may reach, with the region in which it may.
fn reaches(group: &AutoscalingGroup) -> impl Iterator<Item = (&str, ComponentId)> {
    let mut found = group.common.depends_on.clone();
    group.workload.for_each_reference(|reference| {
        if let Target::Component(of) = &reference.of {
            found.push(of.clone());
        }
    });
    found.into_iter().map(|id| (group.common.region.as_str(), id))
}
