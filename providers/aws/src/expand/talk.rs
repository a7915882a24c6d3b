//! Who talks to whom: the autoscaling groups that may reach what keeps data are those that refer to it in their
//! workload, or name it in `depends_on`. Nobody else can, from inside the network or from outside.

use standfast_contract::{
    Address, Component, ComponentId, OutputRef, Target, Value,
    component::{AutoscalingGroup, FileContent},
};

use super::{Build, network::Within};
use crate::{
    kinds::map,
    names::{self, LONG_MAX},
};

/// The security group of the component: those who talk to it, at its port.
pub(super) fn add_guard(build: &mut Build<'_>, within: &Within, port: u16) -> Address {
    let ingress: Vec<Value> = talkers(build)
        .map(|group| {
            let from = Address::new(&build.region.name, &group, "security_group", "main");
            let from = OutputRef::resource(&from, "id");
            map([("protocol", "tcp".into()), ("port", port.into()), ("group", from)]).into()
        })
        .collect();
    let address = build.address("security_group", "main");
    build.add(
        "ec2",
        "security_group",
        "main",
        [
            ("vpc", within.vpc.clone()),
            ("name", names::name(build.request.stack, &address, LONG_MAX).into()),
            ("description", format!("{}: those who refer to it", build.id).into()),
            ("ingress", if ingress.is_empty() { Value::Null } else { ingress.into() }),
        ],
    )
}

fn talkers<'a>(build: &Build<'a>) -> impl Iterator<Item = ComponentId> + use<'a> {
    let (id, region) = (build.id.clone(), build.region.name.clone());
    build.request.components.iter().filter_map(move |component| match component {
        Component::AutoscalingGroup(group)
            if group.common.region == region
                && (group.common.depends_on.contains(&id) || refers(group, &id)) =>
        {
            Some(component.id())
        }
        _ => None,
    })
}

fn refers(group: &AutoscalingGroup, id: &ComponentId) -> bool {
    let mut found = false;
    let mut visit = |reference: &OutputRef| {
        found = found || matches!(&reference.of, Target::Component(of) if of == id);
    };
    group.workload.environment.values().for_each(|value| value.for_each_reference(&mut visit));
    for file in &group.workload.files {
        match &file.content {
            FileContent::Inline(value) => value.for_each_reference(&mut visit),
            FileContent::Template { variables, .. } => {
                variables.values().for_each(|value| value.for_each_reference(&mut visit));
            }
            FileContent::From(_) => {}
        }
    }
    found
}
