"""What of the data services is in an account's region, counted by boto3 and not by standfast.

Prints JSON: {kind: [{id, tags}]}, kinds without anything left out. Final snapshots are left out of `destroy` on purpose,
and counted apart by the tests.
"""

import json
import sys

import boto3

REGION = sys.argv[1]


def client(service):
    return boto3.client(service, region_name=REGION)


def tags(of):
    return {tag["Key"]: tag["Value"] for tag in of or []}


def rds():
    rds = client("rds")

    def tagged(arns):
        return [{"id": arn, "tags": tags(rds.list_tags_for_resource(ResourceName=arn)["TagList"])} for arn in arns]

    instances = rds.describe_db_instances()["DBInstances"]
    yield "db_instance", tagged(one["DBInstanceArn"] for one in instances)
    groups = rds.describe_db_parameter_groups()["DBParameterGroups"]
    groups = [one for one in groups if not one["DBParameterGroupName"].startswith("default.")]
    yield "db_parameter_group", tagged(one["DBParameterGroupArn"] for one in groups)
    yield "db_subnet_group", tagged(
        one["DBSubnetGroupArn"] for one in rds.describe_db_subnet_groups()["DBSubnetGroups"]
    )


def elasticache():
    client_ = client("elasticache")

    def tagged(arns):
        return [
            {"id": arn, "tags": tags(client_.list_tags_for_resource(ResourceName=arn)["TagList"])} for arn in arns
        ]

    yield "replication_group", tagged(one["ARN"] for one in client_.describe_replication_groups()["ReplicationGroups"])
    groups = client_.describe_cache_subnet_groups()["CacheSubnetGroups"]
    yield "cache_subnet_group", tagged(one["ARN"] for one in groups)


def route53():
    names = client("route53")
    zones = [one["Id"].rsplit("/")[-1] for one in names.list_hosted_zones()["HostedZones"]]

    def of(zone):
        found = names.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone)
        return tags(found["ResourceTagSet"]["Tags"])

    yield "hosted_zone", [{"id": zone, "tags": of(zone)} for zone in zones]


census = {}
for service in rds, elasticache, route53:
    for kind, found in service():
        if found:
            census[kind] = sorted(found, key=lambda one: one["id"])
print(json.dumps(census))
