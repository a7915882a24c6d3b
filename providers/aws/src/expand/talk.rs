//! Who talks to whom: the autoscaling groups that may reach what keeps data are those that refer to it in their
//! workload, or name it in `depends_on`. Nobody else can, from inside the network or from outside.

use standfast_contract::{
    Address, Component, ComponentId, OutputRef, Target, Value, component::AutoscalingGroup,
};

use super::{Build, keeps, network::Within};
use crate::{
    kinds::map,
    names::{self, LONG_MAX},
};

/// The security group of the component: those who talk to it, at its port.
pub(super) fn add_guard(build: &mut Build<'_>, within: &Within, port: u16) -> Address {
    guard(build, within, "main", port, None)
}

/// The same for a part of the component: those who refer to this output of it.
pub(super) fn add_guard_of(build: &mut Build<'_>, within: &Within, output: &str, port: u16) -> Address {
    guard(build, within, output, port, Some(output))
}

fn guard(build: &mut Build<'_>, within: &Within, name: &str, port: u16, output: Option<&str>) -> Address {
    let ingress: Vec<Value> = talkers(build, output)
        .map(|group| {
            let from = Address::new(&build.region.name, &group, "security_group", "main");
            let from = OutputRef::resource(&from, "id");
            map([("protocol", "tcp".into()), ("port", port.into()), ("group", from)]).into()
        })
        .collect();
    let address = build.address("security_group", name);
    build.add(
        "ec2",
        "security_group",
        name,
        [
            ("vpc", within.vpc.clone()),
            ("name", names::name(build.request.stack, &address, LONG_MAX).into()),
            ("description", format!("{}: those who refer to it", build.id).into()),
            ("ingress", if ingress.is_empty() { Value::Null } else { ingress.into() }),
        ],
    )
}

fn talkers<'a>(build: &Build<'a>, output: Option<&str>) -> impl Iterator<Item = ComponentId> {
    let (id, region) = (build.id.clone(), build.region.name.clone());
    build.request.components.iter().filter_map(move |component| match component {
        Component::AutoscalingGroup(group)
            if group.common.region == region
                && !keeps(&group.common, "security_groups")
                && (group.common.depends_on.contains(&id) || refers(group, &id, output)) =>
        {
            Some(component.id())
        }
        _ => None,
    })
}

fn refers(group: &AutoscalingGroup, id: &ComponentId, output: Option<&str>) -> bool {
    let mut found = false;
    group.workload.for_each_reference(|reference| {
        let is_asked = output.is_none_or(|output| reference.output == output);
        found = found || is_asked && matches!(&reference.of, Target::Component(of) if of == id);
    });
    found
}
