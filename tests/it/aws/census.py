"""What is in an account's region (and what is of none), counted by boto3 and not by standfast: everything but what every account is born with.

Prints JSON: {kind: [{id, tags}]}, kinds without anything left out. Final snapshots stay after a destroy on purpose, and are
counted apart by the tests; DNS records carry no tags.
"""

import json
import sys

import boto3

REGION = sys.argv[1]


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
    groups = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    yield "autoscaling_group", [
        {"id": one["AutoScalingGroupName"], "tags": tags(one["Tags"])} for one in groups
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
    yield "db_subnet_group", tagged(
        one["DBSubnetGroupArn"] for one in rds.describe_db_subnet_groups()["DBSubnetGroups"]
    )


def elasticache():
    cache = client("elasticache")

    def tagged(arns):
        return [
            {"id": arn, "tags": tags(cache.list_tags_for_resource(ResourceName=arn)["TagList"])} for arn in arns
        ]

    yield "replication_group", tagged(one["ARN"] for one in cache.describe_replication_groups()["ReplicationGroups"])
    groups = cache.describe_cache_subnet_groups()["CacheSubnetGroups"]
    yield "cache_subnet_group", tagged(one["ARN"] for one in groups)


def route53():
    names = client("route53")
    zones = [one["Id"].rsplit("/")[-1] for one in names.list_hosted_zones()["HostedZones"]]

    def of(what, id):
        found = names.list_tags_for_resource(ResourceType=what, ResourceId=id)
        return tags(found["ResourceTagSet"]["Tags"])

    yield "hosted_zone", [{"id": zone, "tags": of("hostedzone", zone)} for zone in zones]
    checks = [one["Id"] for one in names.list_health_checks()["HealthChecks"]]
    yield "health_check", [{"id": check, "tags": of("healthcheck", check)} for check in checks]


census = {}
for service in ec2, elb, autoscaling, rds, elasticache, route53:
    for kind, found in service():
        if found:
            census[kind] = sorted(found, key=lambda one: one["id"])
print(json.dumps(census))
