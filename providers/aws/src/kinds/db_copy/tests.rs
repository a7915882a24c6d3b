//! A copy in another region as RDS tells of it: answers in the shapes of its API reference.

use super::*;
use crate::{
    failure::Trouble,
    kinds::{Phase, map},
    recorded::{site, with_job},
};
use standfast_contract::Value;

const SOURCE: &str = "arn:aws:rds:eu-central-1:123456789012:db:shop-orders-1f9a0c3b";
const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:db:shop-main-orders-0a1b2c3d";

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html>
fn instance(status: &str, more: &str) -> String {
    format!(
        "<DBInstanceIdentifier>shop-main-orders-0a1b2c3d</DBInstanceIdentifier><DBInstanceArn>{ARN}</DBInstanceArn>\
         <DBInstanceStatus>{status}</DBInstanceStatus><Engine>postgres</Engine><EngineVersion>16.3</EngineVersion>\
         <DBInstanceClass>db.t4g.medium</DBInstanceClass><AllocatedStorage>20</AllocatedStorage><MultiAZ>true</MultiAZ>\
         <AvailabilityZone>eu-west-1b</AvailabilityZone><PubliclyAccessible>false</PubliclyAccessible>\
         <DBParameterGroups><DBParameterGroup><DBParameterGroupName>default.postgres16</DBParameterGroupName>\
         <ParameterApplyStatus>in-sync</ParameterApplyStatus></DBParameterGroup></DBParameterGroups>\
         <TagList><Tag><Key>standfast:stack</Key><Value>shop</Value></Tag></TagList>{more}"
    )
}

fn described(status: &str, more: &str) -> String {
    format!(
        "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBInstancesResult>\
         <DBInstances><DBInstance>{}</DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>",
        instance(status, more)
    )
}

fn made() -> String {
    format!(
        "<CreateDBInstanceReadReplicaResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
         <CreateDBInstanceReadReplicaResult><DBInstance>{}</DBInstance></CreateDBInstanceReadReplicaResult>\
         </CreateDBInstanceReadReplicaResponse>",
        instance("creating", "")
    )
}

fn refused(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>523e3218-afc7-11c3-90f5-f90431260ab4</RequestId></ErrorResponse>"
    )
}

const MODIFIED: &str = "<ModifyDBInstanceResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><ModifyDBInstanceResult/></ModifyDBInstanceResponse>";

fn wanted(engine: &str) -> Map {
    map([
        ("name", "shop-main-orders-0a1b2c3d".into()),
        ("source", SOURCE.into()),
        ("engine", engine.into()),
        ("version", "16".into()),
        ("class", "db.t4g.medium".into()),
        ("storage_gib", Value::Int(20)),
        ("kms_key", "alias/aws/rds".into()),
        ("subnet_group", "shop-main".into()),
        ("security_groups", vec![Value::text("sg-1")].into()),
        ("parameter_group", "shop-main-orders".into()),
        ("multi_az", true.into()),
        ("public", false.into()),
        ("minor_upgrades", true.into()),
    ])
}

async fn make(engine: &str, status: u16, answer: &str) -> (Result<String, Failure>, String) {
    let (site, endpoint) = site(&[(status, answer)]);
    let made = with_job(&site, "db_copy", wanted(engine), Map::new(), async |job| DbCopy.make(job).await);
    let made = made.await;
    (made, endpoint.asked().concat())
}

#[tokio::test]
async fn a_copy_is_encrypted_with_a_key_of_its_own_region() {
    let (made, asked) = make("postgres", 200, &made()).await;
    assert_eq!(made.unwrap(), ARN);
    for said in [
        "SourceDBInstanceIdentifier=arn%3Aaws%3Ards%3Aeu-central-1%3A",
        "KmsKeyId=alias%2Faws%2Frds",
        "DBSubnetGroupName=shop-main",
        "MultiAZ=true",
    ] {
        assert!(asked.contains(said), "{said}: {asked}");
    }
    assert!(!asked.contains("DBParameterGroupName") && !asked.contains("PreSignedUrl"), "{asked}");
}

#[tokio::test]
async fn its_parameters_are_given_at_once_where_rds_takes_them_and_later_otherwise() {
    let (_, asked) = make("mysql", 200, &made()).await;
    assert!(asked.contains("DBParameterGroupName=shop-main-orders"), "{asked}");

    let (site, endpoint) = site(&[(200, &described("available", "")), (200, MODIFIED)]);
    let seen = DbCopy.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    endpoint.asked();
    let fitted =
        with_job(&site, "db_copy", wanted("postgres"), Map::new(), async |job| DbCopy.fit(job, &seen).await);
    fitted.await.unwrap();
    let asked = endpoint.asked().concat();
    assert!(asked.contains("DBParameterGroupName=shop-main-orders"), "{asked}");
    assert!(!asked.contains("MultiAZ") && !asked.contains("AllocatedStorage"), "{asked}");
}

#[tokio::test]
async fn its_zone_is_no_concern_and_its_states_are_a_databases() {
    for (status, phase) in [("creating", Phase::Pending("creating".into())), ("available", Phase::Ready)] {
        let (site, _) = site(&[(200, &described(status, ""))]);
        let seen = DbCopy.look(&site, Select::Ids(&[ARN])).await.unwrap();
        assert_eq!(seen[0].phase, phase);
        assert!(!seen[0].attributes.contains_key("zone"));
    }
    let (site, _) = site(&[(200, &described("inaccessible-encryption-credentials", ""))]);
    let seen = DbCopy.look(&site, Select::Ids(&[ARN])).await.unwrap();
    assert!(matches!(&seen[0].phase, Phase::Failed(why) if why.contains("the key that encrypts it")));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, trouble) in [
        (400, "KMSKeyNotAccessibleFault", Trouble::Refused),
        (404, "DBInstanceNotFound", Trouble::NotFound),
        (400, "InvalidDBInstanceState", Trouble::Busy),
        (400, "StorageQuotaExceeded", Trouble::Quota),
        (403, "AccessDenied", Trouble::Denied),
        (400, "Throttling", Trouble::Throttled),
    ] {
        let (made, _) = make("postgres", status, &refused(code, "because")).await;
        let failure = made.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "rds:CreateDBInstanceReadReplica"), "{code}");
    }
}

#[test]
fn another_line_is_refused_before_anything_is_touched_and_a_newer_version_of_the_line_is_not() {
    let foreseen = |engine: &str, from: &str, to: &str| {
        let of = |version: &str| {
            wanted(engine).into_iter().chain([("version".to_owned(), version.into())]).collect::<Map>()
        };
        DbCopy.foresee(&Call {
            address: "refuge/disaster_recovery.main/db_copy.orders".parse().unwrap(),
            kind: "db_copy".into(),
            place: Value::Null,
            token: String::new(),
            id: Some(ARN.into()),
            inputs: of(to),
            prior: of(from),
            prior_outputs: Map::new(),
            changed: vec!["version".into()],
        })
    };
    for (engine, from, to) in [("postgres", "16", "17"), ("mysql", "8.0", "8.4")] {
        let failure = foreseen(engine, from, to).unwrap_err();
        let next = "leave the database out of `disaster_recovery` and apply, change `version` and apply";
        assert!(failure.message.contains(next), "{}", failure.message);
        assert!(failure.message.contains("shop-main-orders-0a1b2c3d"), "{}", failure.message);
    }
    for (engine, from, to) in [("postgres", "16.3", "16.6"), ("mysql", "8.0.36", "8.0.40")] {
        assert!(foreseen(engine, from, to).is_ok());
    }
}
