//! RDS and ElastiCache. <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html>

use super::{Service, Shape};

static RDS: Service = Service {
    name: "rds",
    throttled: (400, "Throttling", "Rate exceeded"),
    denied: (403, "AccessDenied"),
    tag: |key, value| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"),
    between: "",
};
static ELASTICACHE: Service = Service { name: "elasticache", ..RDS };

const TAGS: &str = "<ListTagsForResourceResponse><ListTagsForResourceResult><TagList>{tags}</TagList>\
    </ListTagsForResourceResult></ListTagsForResourceResponse>";
/// How their ARNs begin.
const RDS_ARN: &str = "arn:aws:rds:eu-west-1:123456789012";

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = vec![
        rds("db_subnet_group", "CreateDBSubnetGroup", "DeleteDBSubnetGroup", (404, "DBSubnetGroupNotFoundFault"))
            .query("DBSubnetGroup", "DescribeDBSubnetGroups", "DBSubnetGroups")
            .of(format!("<DBSubnetGroupName>{{name}}</DBSubnetGroupName><DBSubnetGroupArn>{RDS_ARN}:subgrp:{{name}}</DBSubnetGroupArn>"))
            .told("ListTagsForResource", TAGS)
            .in_use("InvalidDBSubnetGroupStateFault"),
        rds("db_parameter_group", "CreateDBParameterGroup", "DeleteDBParameterGroup", (404, "DBParameterGroupNotFound"))
            .query("DBParameterGroup", "DescribeDBParameterGroups", "DBParameterGroups")
            .of(format!("<DBParameterGroupName>{{name}}</DBParameterGroupName><DBParameterGroupArn>{RDS_ARN}:pg:{{name}}</DBParameterGroupArn>"))
            .told("ListTagsForResource", TAGS)
            .by_id("DescribeDBParameters", "<DescribeDBParametersResponse><DescribeDBParametersResult/></DescribeDBParametersResponse>")
            .in_use("InvalidDBParameterGroupState"),
        rds(
            "db_cluster_parameter_group",
            "CreateDBClusterParameterGroup",
            "DeleteDBClusterParameterGroup",
            (404, "DBParameterGroupNotFound"),
        )
        .query("DBClusterParameterGroup", "DescribeDBClusterParameterGroups", "DBClusterParameterGroups")
        .of(format!("<DBClusterParameterGroupName>{{name}}</DBClusterParameterGroupName><DBClusterParameterGroupArn>{RDS_ARN}:cluster-pg:{{name}}</DBClusterParameterGroupArn>"))
        .told("ListTagsForResource", TAGS)
        .in_use("InvalidDBParameterGroupState"),
        rds("db_cluster", "CreateDBCluster", "DeleteDBCluster", (404, "DBClusterNotFoundFault"))
            .query("DBCluster", "DescribeDBClusters", "DBClusters")
            .of(format!(
                "<DBClusterIdentifier>{{name}}</DBClusterIdentifier><Status>{{state}}</Status>\
                 <DBClusterArn>{RDS_ARN}:cluster:{{name}}</DBClusterArn><TagList>{{tags}}</TagList>"
            ))
            .in_use("InvalidDBClusterStateFault"),
        rds("global_cluster", "CreateGlobalCluster", "DeleteGlobalCluster", (404, "GlobalClusterNotFoundFault"))
            .listed_as("GlobalCluster", "DescribeGlobalClusters", "GlobalClusters", "GlobalClusterMember")
            .of("<GlobalClusterIdentifier>{name}</GlobalClusterIdentifier><Status>{state}</Status>\
                 <GlobalClusterArn>arn:aws:rds::123456789012:global-cluster:{name}</GlobalClusterArn><TagList>{tags}</TagList>")
            .in_use("InvalidGlobalClusterStateFault"),
        rds(
            "db_backup_copy",
            "StartDBInstanceAutomatedBackupsReplication",
            "StopDBInstanceAutomatedBackupsReplication",
            (404, "DBInstanceAutomatedBackupNotFound"),
        )
        .query("DBInstanceAutomatedBackup", "DescribeDBInstanceAutomatedBackups", "DBInstanceAutomatedBackups")
        .of(format!(
            "<DBInstanceAutomatedBackupsArn>{RDS_ARN}:auto-backup:ab-1</DBInstanceAutomatedBackupsArn>\
             <Status>{{state}}</Status><TagList>{{tags}}</TagList>"
        ))
        .in_use("InvalidDBInstanceState"),
        Shape { service: &ELASTICACHE, ..rds("cache_subnet_group", "CreateCacheSubnetGroup", "DeleteCacheSubnetGroup", (400, "CacheSubnetGroupNotFoundFault")) }
            .query("CacheSubnetGroup", "DescribeCacheSubnetGroups", "CacheSubnetGroups")
            .of("<CacheSubnetGroupName>{name}</CacheSubnetGroupName><ARN>arn:aws:elasticache:eu-west-1:123456789012:subnetgroup:{name}</ARN>")
            .told("ListTagsForResource", TAGS)
            .in_use("CacheSubnetGroupInUse"),
        Shape { service: &ELASTICACHE, ..rds("replication_group", "CreateReplicationGroup", "DeleteReplicationGroup", (404, "ReplicationGroupNotFoundFault")) }
            .query("ReplicationGroup", "DescribeReplicationGroups", "ReplicationGroups")
            .of("<ReplicationGroupId>{name}</ReplicationGroupId><Status>{state}</Status><CacheNodeType>{class}</CacheNodeType>\
                 <MemberClusters><ClusterId>{name}-001</ClusterId><ClusterId>{name}-002</ClusterId><ClusterId>{name}-003</ClusterId></MemberClusters>\
                 <AutomaticFailover>enabled</AutomaticFailover><MultiAZ>enabled</MultiAZ>\
                 <ARN>arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:{name}</ARN>")
            .told("ListTagsForResource", TAGS)
            .in_use("InvalidReplicationGroupState"),
    ];
    let instances = [
        ("db_instance", "CreateDBInstance"),
        ("db_replica", "CreateDBInstanceReadReplica"),
        ("db_copy", "CreateDBInstanceReadReplica"),
        ("db_cluster_instance", "CreateDBInstance"),
    ];
    shapes.extend(instances.map(|(kind, create)| {
        rds(kind, create, "DeleteDBInstance", (404, "DBInstanceNotFound"))
            .query("DBInstance", "DescribeDBInstances", "DBInstances")
            .of(format!(
                "<DBInstanceIdentifier>{{name}}</DBInstanceIdentifier><DBInstanceStatus>{{state}}</DBInstanceStatus>\
                 <DBInstanceArn>{RDS_ARN}:db:{{name}}</DBInstanceArn><TagList>{{tags}}</TagList>"
            ))
            .in_use("InvalidDBInstanceState")
    }));
    shapes
}

fn rds(kind: &'static str, create: &'static str, delete: &'static str, gone: (u16, &'static str)) -> Shape {
    Shape::new(kind, &RDS, create, delete, gone)
}
