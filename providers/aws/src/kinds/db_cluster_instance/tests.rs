//! Servers of Aurora as RDS tells of them: answers in the shapes of its API reference.

use super::*;
use crate::{
    failure::Trouble,
    kinds::{Phase, map},
    recorded::{site, with_job},
};

const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:db:shop-orders-eu-west-1a-1f9a0c3b";

fn described(status: &str) -> String {
    format!(
        "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBInstancesResult><DBInstances>\
         <DBInstance><DBInstanceIdentifier>shop-orders-eu-west-1a-1f9a0c3b</DBInstanceIdentifier><DBInstanceArn>{ARN}</DBInstanceArn>\
         <DBInstanceStatus>{status}</DBInstanceStatus><Engine>aurora-postgresql</Engine><EngineVersion>16.4</EngineVersion>\
         <DBInstanceClass>db.r6g.large</DBInstanceClass><AvailabilityZone>eu-west-1a</AvailabilityZone>\
         <DBClusterIdentifier>shop-orders-1f9a0c3b</DBClusterIdentifier><PromotionTier>1</PromotionTier>\
         <PubliclyAccessible>false</PubliclyAccessible><AllocatedStorage>1</AllocatedStorage>\
         </DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
    )
}

fn answered(action: &str, result: &str) -> String {
    format!(
        "<{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{action}Result>{result}</{action}Result></{action}Response>"
    )
}

fn wanted() -> Map {
    map([
        ("name", "shop-orders-eu-west-1a-1f9a0c3b".into()),
        ("cluster", "shop-orders-1f9a0c3b".into()),
        ("engine", "aurora-postgresql".into()),
        ("zone", "eu-west-1a".into()),
        ("class", "db.r6g.large".into()),
        ("public", false.into()),
        ("minor_upgrades", true.into()),
    ])
}

#[tokio::test]
async fn a_server_is_what_its_cluster_has_and_no_more() {
    let (site, _) = site(&[(200, &described("configuring-enhanced-monitoring"))]);
    let seen = DbClusterInstance.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    assert_eq!(seen.phase, Phase::Pending("configuring-enhanced-monitoring".into()));
    assert_eq!(seen.attributes["cluster"], "shop-orders-1f9a0c3b".into());
    for key in ["storage_gib", "version", "multi_az"] {
        assert!(!seen.attributes.contains_key(key), "{key} is the cluster's");
    }
}

#[tokio::test]
async fn it_is_made_in_its_cluster_and_its_zone() {
    let made = answered(
        "CreateDBInstance",
        &format!("<DBInstance><DBInstanceArn>{ARN}</DBInstanceArn></DBInstance>"),
    );
    let (site, endpoint) = site(&[(200, &made)]);
    let id = with_job(&site, "db_cluster_instance", wanted(), Map::new(), async |job| {
        DbClusterInstance.make(job).await
    });
    assert_eq!(id.await.unwrap(), ARN);
    let asked = endpoint.asked().concat();
    assert!(asked.contains("DBClusterIdentifier=shop-orders-1f9a0c3b"), "{asked}");
    assert!(asked.contains("AvailabilityZone=eu-west-1a") && !asked.contains("AllocatedStorage"), "{asked}");
}

#[tokio::test]
async fn another_size_is_an_update_and_a_deletion_leaves_no_snapshot() {
    let (site, endpoint) = site(&[
        (200, &described("available")),
        (200, &answered("ModifyDBInstance", "")),
        (200, &described("available")),
        (200, &answered("DeleteDBInstance", "")),
    ]);
    let seen = DbClusterInstance.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    endpoint.asked();
    let mut larger = wanted();
    larger.insert("class".into(), "db.r6g.xlarge".into());
    for inputs in [wanted(), larger] {
        let fitted = with_job(&site, "db_cluster_instance", inputs, wanted(), async |job| {
            DbClusterInstance.fit(job, &seen).await
        });
        fitted.await.unwrap();
    }
    let asked = endpoint.asked();
    assert!(asked.len() == 1 && asked[0].contains("DBInstanceClass=db.r6g.xlarge"), "{asked:?}");
    DbClusterInstance.remove(&site, ARN, &Map::new()).await.unwrap();
    let asked = endpoint.asked().concat();
    assert!(asked.contains("SkipFinalSnapshot=true") && !asked.contains("FinalDBSnapshot"), "{asked}");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, trouble) in [
        (400, "InsufficientDBInstanceCapacity", Trouble::Refused),
        (400, "InvalidDBClusterStateFault", Trouble::Busy),
        (404, "DBClusterNotFoundFault", Trouble::NotFound),
        (403, "AccessDenied", Trouble::Denied),
        (400, "Throttling", Trouble::Throttled),
    ] {
        let refused = format!(
            "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>because</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        );
        let (site, _) = site(&[(status, &refused)]);
        let made = with_job(&site, "db_cluster_instance", wanted(), Map::new(), async |job| {
            DbClusterInstance.make(job).await
        });
        assert_eq!(made.await.unwrap_err().trouble, trouble, "{code}");
    }
}
