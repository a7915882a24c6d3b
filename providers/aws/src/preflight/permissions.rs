//! Whether whoever signed in may call what the plan calls, by IAM's policy simulator.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
//!
//! A policy may allow an action for certain things only, so what is denied for all things is asked again for those of the
//! plan, by their ARNs. What depends on conditions that nobody knows beforehand counts as allowed. Deletes are asked
//! for too: they come last, and a denied one would leave what nothing uses any more.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use standfast_contract::{Address, Call, Obstacle, ProviderError};

use super::{Ahead, text};
use crate::failure::{Failure, failed};

/// What a kind's calls need.
struct Needs {
    kind: &'static str,
    create: &'static [&'static str],
    delete: &'static [&'static str],
    /// Where this attribute differs; empty: where any does, but tags.
    update: &'static [(&'static str, &'static str)],
    /// Service, region, account and the rest of each ARN that a policy may allow this for.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
    arn: &'static str,
}

const ADD_TAGS: &str = "elasticloadbalancing:AddTags";
const TAG_RDS: &str = "rds:AddTagsToResource";
const TAG_CACHE: &str = "elasticache:AddTagsToResource";
const TAG_EC2: &str = "ec2:CreateTags";

static NEEDS: &[Needs] = &[
    Needs {
        kind: "vpc",
        create: &["ec2:CreateVpc", TAG_EC2, "ec2:ModifyVpcAttribute"],
        delete: &["ec2:DeleteVpc"],
        update: &[("", "ec2:ModifyVpcAttribute"), ("tags", TAG_EC2)],
        arn: "ec2:REGION:ACCOUNT:vpc/new",
    },
    Needs {
        kind: "subnet",
        create: &["ec2:CreateSubnet", TAG_EC2],
        delete: &["ec2:DeleteSubnet"],
        update: &[("", "ec2:ModifySubnetAttribute"), ("tags", TAG_EC2)],
        arn: "ec2:REGION:ACCOUNT:subnet/new",
    },
    Needs {
        kind: "internet_gateway",
        create: &["ec2:CreateInternetGateway", "ec2:AttachInternetGateway", TAG_EC2],
        delete: &["ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"],
        update: &[("tags", TAG_EC2)],
        arn: "ec2:REGION:ACCOUNT:internet-gateway/new",
    },
    Needs {
        kind: "elastic_ip",
        create: &["ec2:AllocateAddress", TAG_EC2],
        delete: &["ec2:ReleaseAddress"],
        update: &[("tags", TAG_EC2)],
        arn: "ec2:REGION:ACCOUNT:elastic-ip/new",
    },
    Needs {
        kind: "nat_gateway",
        create: &["ec2:CreateNatGateway", TAG_EC2],
        delete: &["ec2:DeleteNatGateway"],
        update: &[("tags", TAG_EC2)],
        arn: "ec2:REGION:ACCOUNT:natgateway/new",
    },
    Needs {
        kind: "route_table",
        create: &["ec2:CreateRouteTable", "ec2:CreateRoute", "ec2:AssociateRouteTable", TAG_EC2],
        delete: &["ec2:DisassociateRouteTable", "ec2:DeleteRouteTable"],
        update: &[
            ("routes", "ec2:CreateRoute"),
            ("routes", "ec2:ReplaceRoute"),
            ("subnets", "ec2:AssociateRouteTable"),
            ("tags", TAG_EC2),
        ],
        arn: "ec2:REGION:ACCOUNT:route-table/new",
    },
    Needs {
        kind: "vpc_endpoint",
        create: &["ec2:CreateVpcEndpoint", TAG_EC2],
        delete: &["ec2:DeleteVpcEndpoints"],
        update: &[("", "ec2:ModifyVpcEndpoint"), ("tags", TAG_EC2)],
        arn: "ec2:REGION:ACCOUNT:vpc-endpoint/new",
    },
    Needs {
        kind: "security_group",
        create: &["ec2:CreateSecurityGroup", "ec2:AuthorizeSecurityGroupIngress", TAG_EC2],
        delete: &["ec2:DeleteSecurityGroup"],
        update: &[
            ("ingress", "ec2:AuthorizeSecurityGroupIngress"),
            ("egress", "ec2:AuthorizeSecurityGroupEgress"),
            ("tags", TAG_EC2),
        ],
        arn: "ec2:REGION:ACCOUNT:security-group/new",
    },
    Needs {
        kind: "load_balancer",
        create: &[
            "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
            ADD_TAGS,
        ],
        delete: &["elasticloadbalancing:DeleteLoadBalancer"],
        update: &[
            ("settings", "elasticloadbalancing:ModifyLoadBalancerAttributes"),
            ("security_groups", "elasticloadbalancing:SetSecurityGroups"),
            ("subnets", "elasticloadbalancing:SetSubnets"),
            ("tags", ADD_TAGS),
        ],
        arn: "elasticloadbalancing:REGION:ACCOUNT:loadbalancer/TYPE/NAME/new",
    },
    Needs {
        kind: "target_group",
        create: &[
            "elasticloadbalancing:CreateTargetGroup",
            "elasticloadbalancing:ModifyTargetGroupAttributes",
            ADD_TAGS,
        ],
        delete: &["elasticloadbalancing:DeleteTargetGroup"],
        update: &[("settings", "elasticloadbalancing:ModifyTargetGroupAttributes"), ("tags", ADD_TAGS)],
        arn: "elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/new",
    },
    Needs {
        kind: "listener",
        create: &["elasticloadbalancing:CreateListener", ADD_TAGS],
        delete: &["elasticloadbalancing:DeleteListener"],
        update: &[("rules", "elasticloadbalancing:CreateRule"), ("tags", ADD_TAGS)],
        arn: "elasticloadbalancing:REGION:ACCOUNT:listener/app/new/new/new \
              elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/new/new \
              elasticloadbalancing:REGION:ACCOUNT:loadbalancer/net/new/new",
    },
    Needs {
        kind: "parameter",
        create: &["ssm:PutParameter", "ssm:AddTagsToResource"],
        delete: &["ssm:DeleteParameter"],
        update: &[("value", "ssm:PutParameter"), ("tags", "ssm:AddTagsToResource")],
        arn: "ssm:REGION:ACCOUNT:parameterNAME",
    },
    Needs {
        kind: "instance_profile",
        create: &[
            "iam:CreateRole",
            "iam:TagRole",
            "iam:AttachRolePolicy",
            "iam:CreateInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            "iam:PassRole",
        ],
        delete: &[
            "iam:RemoveRoleFromInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:DetachRolePolicy",
            "iam:DeleteRole",
        ],
        update: &[
            ("managed_policies", "iam:AttachRolePolicy"),
            ("profile", "iam:CreateInstanceProfile"),
            ("policy", "iam:PutRolePolicy"),
            ("tags", "iam:TagRole"),
        ],
        arn: "iam::ACCOUNT:role/NAME iam::ACCOUNT:instance-profile/NAME",
    },
    Needs {
        kind: "launch_template",
        create: &["ec2:CreateLaunchTemplate", TAG_EC2],
        delete: &["ec2:DeleteLaunchTemplate"],
        update: &[
            ("", "ec2:CreateLaunchTemplateVersion"),
            ("", "ec2:ModifyLaunchTemplate"),
            ("tags", TAG_EC2),
        ],
        arn: "ec2:REGION:ACCOUNT:launch-template/new",
    },
    Needs {
        kind: "autoscaling_group",
        create: &[
            "autoscaling:CreateAutoScalingGroup",
            "autoscaling:CreateOrUpdateTags",
            "autoscaling:EnableMetricsCollection",
            "ec2:RunInstances",
        ],
        delete: &["autoscaling:DeleteAutoScalingGroup"],
        update: &[
            ("min", "autoscaling:UpdateAutoScalingGroup"),
            ("max", "autoscaling:UpdateAutoScalingGroup"),
            ("desired", "autoscaling:UpdateAutoScalingGroup"),
            ("template_version", "autoscaling:StartInstanceRefresh"),
            ("template_version", "ec2:RunInstances"),
            ("scaling", "autoscaling:PutScalingPolicy"),
            ("schedule", "autoscaling:PutScheduledUpdateGroupAction"),
            ("target_groups", "autoscaling:AttachLoadBalancerTargetGroups"),
            ("tags", "autoscaling:CreateOrUpdateTags"),
        ],
        arn: "autoscaling:REGION:ACCOUNT:autoScalingGroup:new:autoScalingGroupName/NAME \
              ec2:REGION:ACCOUNT:instance/new ec2:REGION:ACCOUNT:launch-template/new",
    },
    Needs {
        kind: "db_subnet_group",
        create: &["rds:CreateDBSubnetGroup", TAG_RDS],
        delete: &["rds:DeleteDBSubnetGroup"],
        update: &[("", "rds:ModifyDBSubnetGroup"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:subgrp:NAME",
    },
    Needs {
        kind: "db_parameter_group",
        create: &["rds:CreateDBParameterGroup", TAG_RDS],
        delete: &["rds:DeleteDBParameterGroup"],
        update: &[("", "rds:ModifyDBParameterGroup"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:pg:NAME",
    },
    Needs {
        kind: "db_instance",
        create: &["rds:CreateDBInstance", TAG_RDS],
        delete: &["rds:DeleteDBInstance"],
        update: &[("", "rds:ModifyDBInstance"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:db:NAME",
    },
    Needs {
        kind: "db_replica",
        create: &["rds:CreateDBInstanceReadReplica", TAG_RDS],
        delete: &["rds:DeleteDBInstance"],
        update: &[("", "rds:ModifyDBInstance"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:db:NAME",
    },
    Needs {
        kind: "db_cluster_parameter_group",
        create: &["rds:CreateDBClusterParameterGroup", TAG_RDS],
        delete: &["rds:DeleteDBClusterParameterGroup"],
        update: &[("", "rds:ModifyDBClusterParameterGroup"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:cluster-pg:NAME",
    },
    Needs {
        kind: "db_cluster",
        create: &["rds:CreateDBCluster", TAG_RDS],
        delete: &["rds:DeleteDBCluster"],
        update: &[("", "rds:ModifyDBCluster"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:cluster:NAME",
    },
    Needs {
        kind: "db_cluster_instance",
        create: &["rds:CreateDBInstance", TAG_RDS],
        delete: &["rds:DeleteDBInstance"],
        update: &[("", "rds:ModifyDBInstance"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:db:NAME",
    },
    Needs {
        kind: "db_copy",
        create: &["rds:CreateDBInstanceReadReplica", TAG_RDS],
        delete: &["rds:DeleteDBInstance"],
        update: &[("", "rds:ModifyDBInstance"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:db:NAME",
    },
    Needs {
        kind: "db_backup_copy",
        create: &["rds:StartDBInstanceAutomatedBackupsReplication"],
        delete: &["rds:StopDBInstanceAutomatedBackupsReplication"],
        update: &[],
        arn: "rds:REGION:ACCOUNT:auto-backup:new",
    },
    Needs {
        kind: "global_cluster",
        create: &["rds:CreateGlobalCluster", TAG_RDS],
        delete: &["rds:DeleteGlobalCluster"],
        update: &[("tags", TAG_RDS)],
        arn: "rds::ACCOUNT:global-cluster:NAME",
    },
    Needs {
        kind: "cache_subnet_group",
        create: &["elasticache:CreateCacheSubnetGroup", TAG_CACHE],
        delete: &["elasticache:DeleteCacheSubnetGroup"],
        update: &[("", "elasticache:ModifyCacheSubnetGroup"), ("tags", TAG_CACHE)],
        arn: "elasticache:REGION:ACCOUNT:subnetgroup:NAME",
    },
    Needs {
        kind: "replication_group",
        create: &["elasticache:CreateReplicationGroup", TAG_CACHE],
        delete: &["elasticache:DeleteReplicationGroup"],
        update: &[
            ("replicas", "elasticache:IncreaseReplicaCount"),
            ("class", "elasticache:ModifyReplicationGroup"),
            ("engine", "elasticache:ModifyReplicationGroup"),
            ("version", "elasticache:ModifyReplicationGroup"),
            ("tags", TAG_CACHE),
        ],
        arn: "elasticache:REGION:ACCOUNT:replicationgroup:NAME",
    },
    Needs {
        kind: "health_check",
        create: &["route53:CreateHealthCheck", "route53:ChangeTagsForResource"],
        delete: &["route53:DeleteHealthCheck"],
        update: &[("", "route53:UpdateHealthCheck"), ("tags", "route53:ChangeTagsForResource")],
        arn: "route53:::healthcheck/new",
    },
    Needs {
        kind: "hosted_zone",
        create: &["route53:CreateHostedZone", "route53:ChangeTagsForResource"],
        delete: &["route53:DeleteHostedZone"],
        update: &[("tags", "route53:ChangeTagsForResource")],
        arn: "route53:::hostedzone/new",
    },
    Needs {
        kind: "dns_record",
        create: &["route53:ChangeResourceRecordSets"],
        delete: &["route53:ChangeResourceRecordSets"],
        update: &[("", "route53:ChangeResourceRecordSets")],
        arn: "route53:::hostedzone/ZONE",
    },
    Needs {
        kind: "topic",
        create: &["sns:CreateTopic", "sns:TagResource"],
        delete: &["sns:DeleteTopic"],
        update: &[("tags", "sns:TagResource")],
        arn: "sns:REGION:ACCOUNT:NAME",
    },
    Needs {
        kind: "subscription",
        create: &["sns:Subscribe"],
        delete: &["sns:Unsubscribe"],
        update: &[],
        arn: "sns:REGION:ACCOUNT:new",
    },
    Needs {
        kind: "alarm",
        create: &["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"],
        delete: &["cloudwatch:DeleteAlarms"],
        update: &[("", "cloudwatch:PutMetricAlarm"), ("tags", "cloudwatch:TagResource")],
        arn: "cloudwatch:REGION:ACCOUNT:alarm:NAME",
    },
    Needs {
        kind: "dashboard",
        create: &["cloudwatch:PutDashboard"],
        delete: &["cloudwatch:DeleteDashboards"],
        update: &[("", "cloudwatch:PutDashboard")],
        arn: "cloudwatch::ACCOUNT:dashboard/NAME",
    },
    Needs {
        kind: "certificate",
        create: &["acm:ImportCertificate", "acm:AddTagsToCertificate"],
        delete: &["acm:DeleteCertificate"],
        update: &[("pem", "acm:ImportCertificate"), ("tags", "acm:AddTagsToCertificate")],
        arn: "acm:REGION:ACCOUNT:certificate/new",
    },
    Needs {
        kind: "requested_certificate",
        create: &["acm:RequestCertificate", "acm:AddTagsToCertificate"],
        delete: &["acm:DeleteCertificate"],
        update: &[("tags", "acm:AddTagsToCertificate")],
        arn: "acm:REGION:ACCOUNT:certificate/new",
    },
    Needs {
        kind: "validation_record",
        create: &["route53:ChangeResourceRecordSets"],
        delete: &["route53:ChangeResourceRecordSets"],
        update: &[("", "route53:ChangeResourceRecordSets")],
        arn: "route53:::hostedzone/ZONE",
    },
];

/// An action, with the calls that need it and what they are about.
#[derive(Default)]
struct Needed<'a> {
    by: Vec<&'a Call>,
    /// Positions of those that are creates and updates.
    at: Vec<usize>,
    /// Of each call.
    arns: Vec<Vec<String>>,
}

/// Calls of an action whose things are asked about: each is tried with each action.
const CALLS_MAX: usize = 2;

pub(super) async fn ask(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let Some(caller) = ahead.site.caller() else { return Vec::new() };
    let needed = needed(ahead, &caller.arn, &caller.account);
    if needed.is_empty() {
        return Vec::new();
    }
    let Some(principal) = principal(ahead, &caller.arn).await else { return Vec::new() };
    let denied = async {
        let all = needed.keys().copied().collect();
        let denied = simulate(ahead, &principal, all, BTreeSet::new()).await?;
        if denied.is_empty() {
            return Ok(denied);
        }
        let of_denied = denied.iter().filter_map(|action| needed.get(action));
        let arns = of_denied.flat_map(|needed| needed.arns.iter().take(CALLS_MAX).flatten());
        let arns = arns.cloned().collect();
        simulate(ahead, &principal, denied, arns).await
    };
    match denied.await {
        Ok(denied) if denied.is_empty() => Vec::new(),
        Ok(denied) => vec![refusal(ahead, &caller.arn, &denied, &needed)],
        Err(failure) => {
            ahead.unasked("what the plan may do", &failure);
            Vec::new()
        }
    }
}

fn needed<'a>(ahead: &Ahead<'a>, caller: &str, account: &str) -> BTreeMap<&'static str, Needed<'a>> {
    let partition = caller.split(':').nth(1).unwrap_or("aws");
    let mut all: BTreeMap<&'static str, Needed<'a>> = BTreeMap::new();
    let mut add = |at: Option<usize>, call: &'a Call, needs: &Needs, actions: BTreeSet<&'static str>| {
        let own = arns(needs, call, &ahead.site.place.location, partition, account);
        for action in actions {
            let needed = all.entry(action).or_default();
            needed.by.push(call);
            needed.at.extend(at);
            needed.arns.push(own.clone());
        }
    };
    let replaced: BTreeSet<(&Address, &Option<String>)> =
        ahead.deletes.iter().map(|old| (&old.address, &old.id)).collect();
    for &(at, call) in &ahead.calls {
        let Some(needs) = of_kind(call) else { continue };
        let of_update = |(attribute, _): &&(&str, &str)| match *attribute {
            "" => call.changed.iter().any(|changed| changed != "tags"),
            attribute => call.changed.iter().any(|changed| changed == attribute),
        };
        let is_made = call.id.is_none() || replaced.contains(&(&call.address, &call.id));
        let actions = match is_made {
            true => needs.create.iter().copied().collect(),
            false => needs.update.iter().filter(of_update).map(|(_, action)| *action).collect(),
        };
        add(Some(at), call, needs, actions);
    }
    for call in &ahead.deletes {
        if let Some(needs) = of_kind(call) {
            add(None, call, needs, needs.delete.iter().copied().collect());
        }
    }
    all
}

fn of_kind(call: &Call) -> Option<&'static Needs> {
    NEEDS.iter().find(|needs| needs.kind == call.kind)
}

/// Of what there is already its own, of what is to be made such as it will have.
fn arns(needs: &Needs, call: &Call, location: &str, partition: &str, account: &str) -> Vec<String> {
    let id = call.id.as_deref().unwrap_or("new");
    if id.starts_with("arn:") {
        return vec![id.to_owned()];
    }
    let filled = needs
        .arn
        .replace("new", id)
        .replace("REGION", location)
        .replace("ACCOUNT", account)
        .replace("TYPE", if text(call, "type") == Some("network") { "net" } else { "app" })
        .replace("ZONE", text(call, "zone").unwrap_or("new"))
        .replace("NAME", text(call, "name").unwrap_or("new"));
    filled.split(' ').map(|arn| format!("arn:{partition}:{arn}")).collect()
}

/// Whose policies hold: of a session the role, with its path, which the session does not tell. `None` for whom IAM
/// simulates nothing: the root user, who may all, and guests of other kinds.
async fn principal(ahead: &Ahead<'_>, caller: &str) -> Option<String> {
    let (head, rest) = caller.rsplit_once(':')?;
    if head.contains(":iam:") {
        return (rest.starts_with("user/") || rest.starts_with("role/")).then(|| caller.to_owned());
    }
    let role = rest.strip_prefix("assumed-role/")?.split('/').next()?;
    let call = ahead.site.change.iam.get_role().role_name(role);
    match call.send().await.ok().and_then(|answer| answer.role) {
        Some(role) => Some(role.arn),
        None => Some(format!("{}:role/{role}", head.replacen(":sts:", ":iam:", 1))),
    }
}

/// Which of the actions are denied, for these things or for all.
async fn simulate<'n>(
    ahead: &Ahead<'_>,
    principal: &str,
    actions: Vec<&'n str>,
    arns: BTreeSet<String>,
) -> Result<Vec<&'n str>, Failure> {
    let region = ContextEntry::builder()
        .context_key_name("aws:RequestedRegion")
        .context_key_type(ContextKeyTypeEnum::String)
        .context_key_values(&ahead.site.place.location)
        .build();
    // Asked once: an answer is welcome and not needed.
    let call = ahead
        .site
        .change
        .iam
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
        .set_resource_arns(Some(arns.into_iter().collect()).filter(|arns: &Vec<_>| !arns.is_empty()))
        .context_entries(region);
    let results: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let results = results.map_err(failed("iam:SimulatePrincipalPolicy"))?;
    let is_denied = |action: &&str| {
        let mut about = results.iter().filter(|result| result.eval_action_name() == *action).peekable();
        about.peek().is_some() && !about.any(may_be_allowed)
    };
    Ok(actions.into_iter().filter(is_denied).collect())
}

/// It is, for one thing at least; or nobody can tell beforehand.
fn may_be_allowed(result: &EvaluationResult) -> bool {
    let allowed = PolicyEvaluationDecisionType::Allowed;
    *result.eval_decision() == allowed
        || !result.missing_context_values().is_empty()
        || result
            .resource_specific_results()
            .iter()
            .any(|one| *one.eval_resource_decision() == allowed || !one.missing_context_values().is_empty())
}

fn refusal(
    ahead: &Ahead<'_>,
    caller: &str,
    denied: &[&str],
    needed: &BTreeMap<&'static str, Needed<'_>>,
) -> Obstacle {
    let mut calls = BTreeSet::new();
    let mut told = Vec::new();
    for action in denied {
        let Some(needed) = needed.get(action) else { continue };
        calls.extend(needed.at.iter().copied());
        if let [first, others @ ..] = &needed.by[..] {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            told.push(format!("{action} (for {}{more})", first.address));
        }
    }
    let operation = format!("do what is planned in {}", ahead.site.place.location);
    let reason = format!("the policies of {caller} do not allow {}", told.join(", "));
    let error = ProviderError::permanent(operation, reason)
        .hint("Allow them, or sign in as somebody who may; then run it again. Nothing was touched.");
    Obstacle { error, calls: calls.into_iter().collect() }
}

#[cfg(test)]
mod tests;
