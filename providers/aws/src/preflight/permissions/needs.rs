//! What the calls of each kind need: a table.

/// What a kind's calls need.
pub(super) struct Needs {
    pub kind: &'static str,
    pub create: &'static [&'static str],
    pub delete: &'static [&'static str],
    /// Where this attribute differs; empty: where any does, but tags.
    pub update: &'static [(&'static str, &'static str)],
    /// Service, region, account and the rest of each ARN that a policy may allow this for.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
    pub arn: &'static str,
}

pub(super) const ADD_TAGS: &str = "elasticloadbalancing:AddTags";
pub(super) const TAG_RDS: &str = "rds:AddTagsToResource";
pub(super) const TAG_CACHE: &str = "elasticache:AddTagsToResource";
pub(super) const TAG_EC2: &str = "ec2:CreateTags";
const MODIFY_TARGET_GROUP: &str = "elasticloadbalancing:ModifyTargetGroup";
const MODIFY_LISTENER: &str = "elasticloadbalancing:ModifyListener";
const UPDATE_GROUP: &str = "autoscaling:UpdateAutoScalingGroup";
const REFRESH: &str = "autoscaling:StartInstanceRefresh";

/// What a create of a kind calls besides, where this attribute is asked for.
pub(super) static WITH: &[(&str, &str, &str)] = &[
    ("security_group", "ingress", "ec2:AuthorizeSecurityGroupIngress"),
    ("security_group", "egress", "ec2:AuthorizeSecurityGroupEgress"),
    ("listener", "rules", "elasticloadbalancing:CreateRule"),
    ("db_parameter_group", "parameters", "rds:ModifyDBParameterGroup"),
    ("db_cluster_parameter_group", "parameters", "rds:ModifyDBClusterParameterGroup"),
    ("autoscaling_group", "scaling", "autoscaling:PutScalingPolicy"),
    ("autoscaling_group", "schedule", "autoscaling:PutScheduledUpdateGroupAction"),
];

/// What a create of a kind calls besides, where this attribute is not asked for: the password that RDS makes is a secret.
/// A copy in a global database has its writer's.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html>
pub(super) static WITHOUT: &[(&str, &str, &str)] = &[
    ("db_instance", "password", "secretsmanager:CreateSecret"),
    ("db_instance", "password", "secretsmanager:TagResource"),
    ("db_cluster", "password", "secretsmanager:CreateSecret"),
    ("db_cluster", "password", "secretsmanager:TagResource"),
];

/// What gives tags, and what takes them away.
pub(super) static UNTAG: &[(&str, &str)] = &[
    (TAG_EC2, "ec2:DeleteTags"),
    (ADD_TAGS, "elasticloadbalancing:RemoveTags"),
    (TAG_RDS, "rds:RemoveTagsFromResource"),
    (TAG_CACHE, "elasticache:RemoveTagsFromResource"),
    ("autoscaling:CreateOrUpdateTags", "autoscaling:DeleteTags"),
    ("iam:TagRole", "iam:UntagRole"),
    ("ssm:AddTagsToResource", "ssm:RemoveTagsFromResource"),
    ("sns:TagResource", "sns:UntagResource"),
    ("cloudwatch:TagResource", "cloudwatch:UntagResource"),
    ("acm:AddTagsToCertificate", "acm:RemoveTagsFromCertificate"),
];

pub(super) static NEEDS: &[Needs] = &[
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
            ("routes", "ec2:DeleteRoute"),
            ("subnets", "ec2:AssociateRouteTable"),
            ("subnets", "ec2:DisassociateRouteTable"),
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
        create: &[
            "ec2:CreateSecurityGroup",
            // AWS lets a new one out to everywhere.
            "ec2:RevokeSecurityGroupEgress",
            TAG_EC2,
        ],
        delete: &["ec2:DeleteSecurityGroup"],
        update: &[
            ("ingress", "ec2:AuthorizeSecurityGroupIngress"),
            ("ingress", "ec2:RevokeSecurityGroupIngress"),
            ("egress", "ec2:AuthorizeSecurityGroupEgress"),
            ("egress", "ec2:RevokeSecurityGroupEgress"),
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
        update: &[
            ("settings", "elasticloadbalancing:ModifyTargetGroupAttributes"),
            ("check_protocol", MODIFY_TARGET_GROUP),
            ("check_path", MODIFY_TARGET_GROUP),
            ("check_port", MODIFY_TARGET_GROUP),
            ("check_matcher", MODIFY_TARGET_GROUP),
            ("check_interval_s", MODIFY_TARGET_GROUP),
            ("check_timeout_s", MODIFY_TARGET_GROUP),
            ("healthy", MODIFY_TARGET_GROUP),
            ("unhealthy", MODIFY_TARGET_GROUP),
            ("tags", ADD_TAGS),
        ],
        arn: "elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/new",
    },
    Needs {
        kind: "listener",
        create: &["elasticloadbalancing:CreateListener", ADD_TAGS],
        delete: &["elasticloadbalancing:DeleteListener"],
        update: &[
            ("protocol", MODIFY_LISTENER),
            ("certificate", MODIFY_LISTENER),
            ("tls_policy", MODIFY_LISTENER),
            ("redirect", MODIFY_LISTENER),
            ("to", MODIFY_LISTENER),
            ("rules", "elasticloadbalancing:CreateRule"),
            ("rules", "elasticloadbalancing:ModifyRule"),
            ("rules", "elasticloadbalancing:DeleteRule"),
            ("tags", ADD_TAGS),
        ],
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
            "iam:PutRolePolicy",
            "iam:CreateInstanceProfile",
            "iam:TagInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            "iam:PassRole",
        ],
        delete: &[
            "iam:GetInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:DeleteRolePolicy",
            "iam:DeleteRole",
        ],
        update: &[
            ("managed_policies", "iam:AttachRolePolicy"),
            ("managed_policies", "iam:DetachRolePolicy"),
            ("profile", "iam:CreateInstanceProfile"),
            ("profile", "iam:TagInstanceProfile"),
            ("profile", "iam:AddRoleToInstanceProfile"),
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
            ("min", UPDATE_GROUP),
            ("max", UPDATE_GROUP),
            ("desired", UPDATE_GROUP),
            ("subnets", UPDATE_GROUP),
            ("health", UPDATE_GROUP),
            ("grace_s", UPDATE_GROUP),
            ("rebalance", UPDATE_GROUP),
            ("template_version", REFRESH),
            ("template_version", "ec2:RunInstances"),
            ("mixed", REFRESH),
            ("mixed", "ec2:RunInstances"),
            ("reports_members", "autoscaling:EnableMetricsCollection"),
            ("scaling", "autoscaling:PutScalingPolicy"),
            ("scaling", "autoscaling:DeletePolicy"),
            ("schedule", "autoscaling:PutScheduledUpdateGroupAction"),
            ("schedule", "autoscaling:DeleteScheduledAction"),
            ("target_groups", "autoscaling:AttachLoadBalancerTargetGroups"),
            ("target_groups", "autoscaling:DetachLoadBalancerTargetGroups"),
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
        update: &[
            ("parameters", "rds:ModifyDBParameterGroup"),
            ("parameters", "rds:ResetDBParameterGroup"),
            ("tags", TAG_RDS),
        ],
        arn: "rds:REGION:ACCOUNT:pg:NAME",
    },
    Needs {
        kind: "db_instance",
        create: &["rds:CreateDBInstance", TAG_RDS],
        delete: &["rds:DeleteDBInstance"],
        update: &[("", "rds:ModifyDBInstance"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:db:NAME secretsmanager:REGION:ACCOUNT:secret:rds!db-new",
    },
    Needs {
        kind: "db_replica",
        create: &["rds:CreateDBInstanceReadReplica", "rds:ModifyDBInstance", TAG_RDS],
        delete: &["rds:DeleteDBInstance"],
        update: &[("", "rds:ModifyDBInstance"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:db:NAME",
    },
    Needs {
        kind: "db_cluster_parameter_group",
        create: &["rds:CreateDBClusterParameterGroup", TAG_RDS],
        delete: &["rds:DeleteDBClusterParameterGroup"],
        update: &[
            ("parameters", "rds:ModifyDBClusterParameterGroup"),
            ("parameters", "rds:ResetDBClusterParameterGroup"),
            ("tags", TAG_RDS),
        ],
        arn: "rds:REGION:ACCOUNT:cluster-pg:NAME",
    },
    Needs {
        kind: "db_cluster",
        create: &["rds:CreateDBCluster", TAG_RDS],
        delete: &["rds:DeleteDBCluster"],
        update: &[("", "rds:ModifyDBCluster"), ("tags", TAG_RDS)],
        arn: "rds:REGION:ACCOUNT:cluster:NAME secretsmanager:REGION:ACCOUNT:secret:rds!cluster-new",
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
        create: &["rds:CreateDBInstanceReadReplica", "rds:ModifyDBInstance", TAG_RDS],
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
        delete: &["rds:RemoveFromGlobalCluster", "rds:DeleteGlobalCluster"],
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
            ("replicas", "elasticache:DecreaseReplicaCount"),
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
