"""What is in an account's region (and what is of none), counted by boto3 and not by standfast: everything but what every account is born with.

Prints JSON: {kind: [{id, tags}]}, kinds without anything left out. Final snapshots stay after a destroy on purpose, and are
counted apart by the tests; DNS records carry no tags.
"""

import json
import sys

import boto3

REGION = sys.argv[1]
# Cache subnet groups that were deleted as far as AWS is concerned: moto knows no such call.
GONE = sys.argv[2:]
# What a test had to put there itself.
FOR_MOTO = "for moto"


def client(service):
    return boto3.client(service, region_name=REGION)


def tags(of):
    return {tag["Key"]: tag["Value"] for tag in of or []}


def ec2():
    ec2 = client("ec2")
    born = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if vpc["IsDefault"]}

    def ours(things, key, **more):
        return [
            {"id": thing[key], "tags": tags(thing.get("Tags")), **{name: of(thing) for name, of in more.items()}}
            for thing in things
            if thing.get("VpcId") not in born
        ]

    yield "vpc", ours(ec2.describe_vpcs()["Vpcs"], "VpcId")
    yield "subnet", ours(ec2.describe_subnets()["Subnets"], "SubnetId")
    gateways = ec2.describe_internet_gateways()["InternetGateways"]
    gateways = [one for one in gateways if not any(at["VpcId"] in born for at in one["Attachments"])]
    yield "internet_gateway", ours(gateways, "InternetGatewayId")
    yield "elastic_ip", ours(ec2.describe_addresses()["Addresses"], "AllocationId")
    nats = [one for one in ec2.describe_nat_gateways()["NatGateways"] if one["State"] != "deleted"]
    yield "nat_gateway", ours(nats, "NatGatewayId")
    tables = ec2.describe_route_tables()["RouteTables"]
    tables = [one for one in tables if not any(at.get("Main") for at in one["Associations"])]
    yield "route_table", ours(tables, "RouteTableId")
    endpoints = [one for one in ec2.describe_vpc_endpoints()["VpcEndpoints"] if one["State"].lower() != "deleted"]
    yield "vpc_endpoint", ours(endpoints, "VpcEndpointId")
    groups = [one for one in ec2.describe_security_groups()["SecurityGroups"] if one["GroupName"] != "default"]
    yield "security_group", ours(groups, "GroupId")
    yield "launch_template", ours(ec2.describe_launch_templates()["LaunchTemplates"], "LaunchTemplateId")
    instances = [one for all in ec2.describe_instances()["Reservations"] for one in all["Instances"]]
    instances = [one for one in instances if one["State"]["Name"] not in ("terminated", "shutting-down")]
    yield "instance", ours(instances, "InstanceId", subnet=lambda one: one.get("SubnetId"))


def elb():
    elb = client("elbv2")
    balancers = [one["LoadBalancerArn"] for one in elb.describe_load_balancers()["LoadBalancers"]]
    groups = [one["TargetGroupArn"] for one in elb.describe_target_groups()["TargetGroups"]]
    listeners = [
        one["ListenerArn"]
        for balancer in balancers
        for one in elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
    ]
    for kind, arns in ("load_balancer", balancers), ("target_group", groups), ("listener", listeners):
        found = elb.describe_tags(ResourceArns=arns)["TagDescriptions"] if arns else []
        yield kind, [{"id": one["ResourceArn"], "tags": tags(one["Tags"])} for one in found]


def autoscaling():
    pages = client("autoscaling").get_paginator("describe_auto_scaling_groups").paginate()
    groups = [one for page in pages for one in page["AutoScalingGroups"]]
    yield "autoscaling_group", [
        {"id": one["AutoScalingGroupName"], "tags": tags(one["Tags"])} for one in groups
    ]


def iam():
    iam = client("iam")
    roles = [one["RoleName"] for one in iam.list_roles()["Roles"]]
    yield "instance_profile", [
        {"id": role, "tags": tags(iam.list_role_tags(RoleName=role)["Tags"])} for role in roles
    ]
    profiles = [one["InstanceProfileName"] for one in iam.list_instance_profiles()["InstanceProfiles"]]
    yield "profile without a role", [{"id": name, "tags": {}} for name in profiles if name not in roles]


def ssm():
    ssm = client("ssm")
    # Not those that AWS publishes.
    ours = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/standfast/"]}]
    names = [one["Name"] for one in ssm.describe_parameters(ParameterFilters=ours)["Parameters"]]
    yield "parameter", [
        {"id": name, "tags": tags(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"])}
        for name in names
    ]


def rds():
    rds = client("rds")

    def tagged(arns):
        return [{"id": arn, "tags": tags(rds.list_tags_for_resource(ResourceName=arn)["TagList"])} for arn in arns]

    instances = rds.describe_db_instances()["DBInstances"]
    yield "db_instance", tagged(one["DBInstanceArn"] for one in instances)
    yield "db_cluster", tagged(one["DBClusterArn"] for one in rds.describe_db_clusters()["DBClusters"])
    groups = rds.describe_db_cluster_parameter_groups()["DBClusterParameterGroups"]
    groups = [one for one in groups if not one["DBClusterParameterGroupName"].startswith("default.")]
    yield "db_cluster_parameter_group", tagged(one["DBClusterParameterGroupArn"] for one in groups)
    groups = rds.describe_db_parameter_groups()["DBParameterGroups"]
    groups = [one for one in groups if not one["DBParameterGroupName"].startswith("default.")]
    yield "db_parameter_group", tagged(one["DBParameterGroupArn"] for one in groups)
    groups = rds.describe_db_subnet_groups()["DBSubnetGroups"]
    groups = [one for one in groups if one["DBSubnetGroupDescription"] != FOR_MOTO]
    yield "db_subnet_group", tagged(one["DBSubnetGroupArn"] for one in groups)


def elasticache():
    cache = client("elasticache")

    def tagged(arns):
        return [
            {"id": arn, "tags": tags(cache.list_tags_for_resource(ResourceName=arn)["TagList"])} for arn in arns
        ]

    stores = cache.describe_replication_groups()["ReplicationGroups"]
    # AWS ends it; moto shows it so for good.
    yield "replication_group", tagged(one["ARN"] for one in stores if one["Status"] != "deleting")
    groups = cache.describe_cache_subnet_groups()["CacheSubnetGroups"]
    yield "cache_subnet_group", tagged(one["ARN"] for one in groups if one["CacheSubnetGroupName"] not in GONE)


def route53():
    names = client("route53")

    def of(what, id):
        found = names.list_tags_for_resource(ResourceType=what, ResourceId=id)
        return tags(found["ResourceTagSet"]["Tags"])

    # One whose maker died before it was tagged says by its comment whose it is.
    def zone(one):
        id, comment = one["Id"].rsplit("/")[-1], one["Config"].get("Comment", "")
        return {"id": id, "tags": {"standfast:address": comment.split(" ")[-1], **of("hostedzone", id)}}

    yield "hosted_zone", [zone(one) for one in names.list_hosted_zones()["HostedZones"]]
    checks = [one["Id"] for one in names.list_health_checks()["HealthChecks"]]
    yield "health_check", [{"id": check, "tags": of("healthcheck", check)} for check in checks]


def monitoring():
    sns, cloudwatch = client("sns"), client("cloudwatch")
    topics = [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    of = {arn: tags(sns.list_tags_for_resource(ResourceArn=arn)["Tags"]) for arn in topics}
    yield "topic", [{"id": arn, "tags": of[arn]} for arn in topics]

    # It has no tags: it is its topic's.
    def subscribed(one):
        its = dict(of[one["TopicArn"]])
        its["standfast:address"] = its.get("standfast:address", "").replace("/topic.", "/subscription.")
        return {"id": one["SubscriptionArn"], "tags": its}

    yield "subscription", [subscribed(one) for one in sns.list_subscriptions()["Subscriptions"]]
    alarms = [one["AlarmArn"] for one in cloudwatch.describe_alarms()["MetricAlarms"]]
    yield "alarm", [
        {"id": arn, "tags": tags(cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"])} for arn in alarms
    ]

    # Its last widget says whose it is.
    def drawn(name):
        widgets = json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])["widgets"]
        words = widgets[-1]["properties"].get("markdown", "").split() if widgets else []
        return {"id": name, "tags": {"standfast:address": words[-1]} if words else {}}

    names = [one["DashboardName"] for one in cloudwatch.list_dashboards()["DashboardEntries"]]
    yield "dashboard", [drawn(name) for name in names]


def acm():
    acm = client("acm")
    # Without being told the kinds of key it lists those of RSA with 2,048 bits only.
    every = {"keyTypes": ["RSA_2048", "RSA_4096", "EC_prime256v1", "EC_secp384r1"]}
    arns = [one["CertificateArn"] for one in acm.list_certificates(Includes=every)["CertificateSummaryList"]]
    yield "certificate", [
        {"id": arn, "tags": tags(acm.list_tags_for_certificate(CertificateArn=arn)["Tags"])} for arn in arns
    ]


census = {}
for service in ec2, elb, autoscaling, iam, ssm, rds, elasticache, route53, monitoring, acm:
    for kind, found in service():
        if found:
            census[kind] = sorted(found, key=lambda one: one["id"])
print(json.dumps(census))
