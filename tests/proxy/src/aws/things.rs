//! What can be made, listed and deleted, and how the calls for it name it.

use std::ops::Range;

use hyper::body::Bytes;

use super::{refusal, xml};
use crate::call::{Answer, Call};

/// One kind of thing.
pub(super) struct Thing {
    service: &'static str,
    create: &'static [&'static str],
    delete: &'static str,
    describe: &'static str,
    /// The element with all of them in the answer to `describe`.
    list: &'static str,
    /// The element with the id, right below one of them; with a capital letter the parameter that names one.
    pub id: &'static str,
    pub not_found: &'static str,
    pub states: Option<States>,
}

/// The element with the state, and its words.
pub(super) struct States {
    pub element: &'static str,
    pub ready: &'static str,
    pub coming: &'static str,
    pub going: Option<&'static str>,
}

const fn ec2(
    create: &'static [&'static str],
    delete: &'static str,
    describe: &'static str,
    list: &'static str,
    id: &'static str,
    not_found: &'static str,
) -> Thing {
    Thing { service: "ec2", create, delete, describe, list, id, not_found, states: None }
}

const fn elb(
    create: &'static [&'static str],
    delete: &'static str,
    describe: &'static str,
    list: &'static str,
    id: &'static str,
    not_found: &'static str,
) -> Thing {
    Thing { service: "elasticloadbalancing", ..ec2(create, delete, describe, list, id, not_found) }
}

const STATES: States =
    States { element: "state", ready: "available", coming: "pending", going: Some("deleting") };

/// Those that take their time, or are seen late.
pub(super) static THINGS: &[Thing] = &[
    ec2(&["CreateVpc"], "DeleteVpc", "DescribeVpcs", "vpcSet", "vpcId", "InvalidVpcID.NotFound"),
    ec2(
        &["CreateSubnet"],
        "DeleteSubnet",
        "DescribeSubnets",
        "subnetSet",
        "subnetId",
        "InvalidSubnetID.NotFound",
    ),
    ec2(
        &["CreateInternetGateway"],
        "DeleteInternetGateway",
        "DescribeInternetGateways",
        "internetGatewaySet",
        "internetGatewayId",
        "InvalidInternetGatewayID.NotFound",
    ),
    ec2(
        &["AllocateAddress"],
        "ReleaseAddress",
        "DescribeAddresses",
        "addressesSet",
        "allocationId",
        "InvalidAllocationID.NotFound",
    ),
    Thing {
        states: Some(STATES),
        ..ec2(
            &["CreateNatGateway"],
            "DeleteNatGateway",
            "DescribeNatGateways",
            "natGatewaySet",
            "natGatewayId",
            "NatGatewayNotFound",
        )
    },
    ec2(
        &["CreateRouteTable"],
        "DeleteRouteTable",
        "DescribeRouteTables",
        "routeTableSet",
        "routeTableId",
        "InvalidRouteTableID.NotFound",
    ),
    Thing {
        states: Some(STATES),
        ..ec2(
            &["CreateVpcEndpoint"],
            "DeleteVpcEndpoints",
            "DescribeVpcEndpoints",
            "vpcEndpointSet",
            "vpcEndpointId",
            "InvalidVpcEndpointId.NotFound",
        )
    },
    ec2(
        &["CreateSecurityGroup"],
        "DeleteSecurityGroup",
        "DescribeSecurityGroups",
        "securityGroupInfo",
        "groupId",
        "InvalidGroup.NotFound",
    ),
    ec2(
        &["CreateLaunchTemplate"],
        "DeleteLaunchTemplate",
        "DescribeLaunchTemplates",
        "launchTemplates",
        "launchTemplateId",
        "InvalidLaunchTemplateId.NotFound",
    ),
    Thing {
        states: Some(States { element: "Code", ready: "active", coming: "provisioning", going: None }),
        ..elb(
            &["CreateLoadBalancer"],
            "DeleteLoadBalancer",
            "DescribeLoadBalancers",
            "LoadBalancers",
            "LoadBalancerArn",
            "LoadBalancerNotFound",
        )
    },
    elb(
        &["CreateTargetGroup"],
        "DeleteTargetGroup",
        "DescribeTargetGroups",
        "TargetGroups",
        "TargetGroupArn",
        "TargetGroupNotFound",
    ),
    elb(
        &["CreateListener"],
        "DeleteListener",
        "DescribeListeners",
        "Listeners",
        "ListenerArn",
        "ListenerNotFound",
    ),
    Thing {
        service: "rds",
        create: &["CreateDBInstance", "CreateDBInstanceReadReplica"],
        delete: "DeleteDBInstance",
        describe: "DescribeDBInstances",
        list: "DBInstances",
        id: "DBInstanceIdentifier",
        not_found: "DBInstanceNotFound",
        states: Some(States {
            element: "DBInstanceStatus",
            ready: "available",
            coming: "creating",
            going: Some("deleting"),
        }),
    },
    Thing {
        service: "elasticache",
        ..ec2(
            &["CreateCacheSubnetGroup"],
            "DeleteCacheSubnetGroup",
            "DescribeCacheSubnetGroups",
            "CacheSubnetGroups",
            "CacheSubnetGroupName",
            "CacheSubnetGroupNotFoundFault",
        )
    },
    Thing {
        service: "elasticache",
        create: &["CreateReplicationGroup"],
        delete: "DeleteReplicationGroup",
        describe: "DescribeReplicationGroups",
        list: "ReplicationGroups",
        id: "ReplicationGroupId",
        not_found: "ReplicationGroupNotFoundFault",
        states: Some(States {
            element: "Status",
            ready: "available",
            coming: "creating",
            going: Some("deleting"),
        }),
    },
];

impl Thing {
    /// What a call has just made, and its id.
    pub fn made(call: &Call, answer: &Answer) -> Option<(&'static Self, String)> {
        let of =
            |thing: &&Self| thing.service == call.service && thing.create.contains(&call.action.as_str());
        let thing = THINGS.iter().find(of).filter(|_| answer.status.is_success())?;
        Some((thing, xml::text(&body(answer), thing.id)?.to_owned()))
    }

    /// What a call has just deleted, and its id.
    pub fn deleted(call: &Call, answer: &Answer) -> Option<(&'static Self, String)> {
        let of = |thing: &&Self| thing.service == call.service && thing.delete == call.action;
        let thing = THINGS.iter().find(of).filter(|_| answer.status.is_success())?;
        let name = thing.parameter();
        Some((thing, call.parameter(&name).or_else(|| call.parameter(&format!("{name}.1")))?))
    }

    /// What a call lists.
    pub fn listed(call: &Call) -> Option<&'static Self> {
        THINGS.iter().find(|thing| thing.service == call.service && thing.describe == call.action)
    }

    fn parameter(&self) -> String {
        let (first, rest) = self.id.split_at(1);
        first.to_uppercase() + rest
    }

    /// Those that an answer lists, each with its id.
    pub fn items(&self, answer: &Answer) -> Vec<(String, String)> {
        let body = body(answer);
        let Some(inner) = xml::find(&body, self.list) else { return Vec::new() };
        let list = &body[inner];
        let items = xml::elements(list).into_iter().map(|item| {
            let id = xml::own(&list[item.inner.clone()], self.id).unwrap_or_default();
            (id.to_owned(), list[item.whole].to_owned())
        });
        items.collect()
    }

    /// Lists these instead. One that was asked for by its id, where the service fails for such, is then not found.
    pub fn relist(&self, call: &Call, answer: &mut Answer, items: &[(String, String)]) {
        let list: String = items.iter().map(|(_, item)| item.as_str()).collect();
        if list.is_empty() && self.fails_for(call) {
            *answer = refusal(call, self.not_found, "it is not there (any more)");
            return;
        }
        let mut text = body(answer);
        match (self.inner(&text), answer.status.is_success()) {
            (Some(inner), true) => {
                // An empty list may be written as one tag, which has no inside.
                let replaced = if text[..inner.start].ends_with("/>") {
                    let tag = inner.start - format!("<{}/>", self.list).len();
                    text.replace_range(tag..inner.start, &format!("<{0}>{list}</{0}>", self.list));
                    text
                } else {
                    text.replace_range(inner, &list);
                    text
                };
                answer.body = Bytes::from(replaced);
            }
            _ => {
                let body = format!(
                    "<{0}Response><{0}Result><{1}>{list}</{1}></{0}Result></{0}Response>",
                    self.describe, self.list
                );
                let headers = std::mem::take(&mut answer.headers);
                *answer = Answer { headers, ..Answer::new(hyper::StatusCode::OK, body) };
            }
        }
    }

    fn inner(&self, text: &str) -> Option<Range<usize>> {
        xml::find(text, self.list)
    }

    /// Filters find nothing; a list of ids fails.
    fn fails_for(&self, call: &Call) -> bool {
        let name = self.parameter();
        let names = [name.clone(), format!("{name}.1"), format!("{name}s.member.1")];
        names.iter().any(|name| call.parameter(name).is_some())
    }
}

pub(super) fn body(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}
