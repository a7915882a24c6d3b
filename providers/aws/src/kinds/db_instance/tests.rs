//! Databases as RDS tells of them: answers in the shapes of its API reference.

use standfast_contract::Sensitive;

use super::*;
use crate::{
    failure::Trouble,
    kinds::{Phase, map},
    recorded::{site, with_job},
};

const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:db:shop-orders-1f9a0c3b";

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html>
fn described(status: &str, more: &str) -> String {
    format!(
        "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBInstancesResult><DBInstances>\
         <DBInstance><DBInstanceIdentifier>shop-orders-1f9a0c3b</DBInstanceIdentifier><DBInstanceArn>{ARN}</DBInstanceArn>\
         <DBInstanceStatus>{status}</DBInstanceStatus><Engine>postgres</Engine><EngineVersion>16.3</EngineVersion>\
         <DBInstanceClass>db.t4g.medium</DBInstanceClass><AllocatedStorage>20</AllocatedStorage><StorageType>gp3</StorageType>\
         <StorageEncrypted>true</StorageEncrypted><MasterUsername>dbadmin</MasterUsername><MultiAZ>true</MultiAZ>\
         <BackupRetentionPeriod>7</BackupRetentionPeriod><DeletionProtection>true</DeletionProtection>\
         <PubliclyAccessible>false</PubliclyAccessible><DbiResourceId>db-ABCDEFGHIJ</DbiResourceId>\
         <InstanceCreateTime>2026-01-02T03:04:05.678Z</InstanceCreateTime>\
         <Endpoint><Address>shop-orders-1f9a0c3b.abc.eu-west-1.rds.amazonaws.com</Address><Port>5432</Port></Endpoint>\
         <TagList><Tag><Key>standfast:stack</Key><Value>shop</Value></Tag></TagList>{more}\
         </DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
    )
}

fn refused(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>523e3218-afc7-11c3-90f5-f90431260ab4</RequestId></ErrorResponse>"
    )
}

const DELETED: &str = "<DeleteDBInstanceResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DeleteDBInstanceResult/></DeleteDBInstanceResponse>";
const MODIFIED: &str = "<ModifyDBInstanceResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><ModifyDBInstanceResult/></ModifyDBInstanceResponse>";

async fn look(answers: &[(u16, &str)]) -> Result<Vec<Seen>, Failure> {
    DbInstance.look(&site(answers).0, Select::Ids(&[ARN])).await
}

fn wanted() -> Map {
    map([
        ("engine", "postgres".into()),
        ("version", "16".into()),
        ("class", "db.t4g.medium".into()),
        ("storage_gib", Value::Int(20)),
        ("storage_type", "gp3".into()),
        ("multi_az", true.into()),
        ("backup_days", Value::Int(7)),
        ("deletion_protection", true.into()),
        ("public", false.into()),
        ("minor_upgrades", true.into()),
    ])
}

#[tokio::test]
async fn a_database_is_on_its_way_there_full_or_beyond_help() {
    for (status, phase) in [
        ("creating", Phase::Pending("creating".into())),
        ("backing-up", Phase::Pending("backing-up".into())),
        ("available", Phase::Ready),
        ("storage-full", Phase::Ready),
    ] {
        let seen = look(&[(200, &described(status, ""))]).await.unwrap();
        assert_eq!(seen[0].phase, phase);
        assert_eq!(seen[0].id, ARN);
        assert_eq!(seen[0].outputs["port"], Value::Int(5432));
    }
    let seen = look(&[(200, &described("incompatible-parameters", ""))]).await.unwrap();
    assert!(matches!(&seen[0].phase, Phase::Failed(why) if why.contains("cannot start with its parameters")));
    let gone = refused("DBInstanceNotFound", "DBInstance shop-orders-1f9a0c3b not found.");
    assert_eq!(look(&[(404, &gone)]).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_under_way_is_seen_as_done() {
    let pending = "<PendingModifiedValues><AllocatedStorage>40</AllocatedStorage><DBInstanceClass>db.t4g.large</DBInstanceClass></PendingModifiedValues>";
    let seen = look(&[(200, &described("modifying", pending))]).await.unwrap();
    assert_eq!(seen[0].attributes["storage_gib"], Value::Int(40));
    assert_eq!(seen[0].attributes["class"], "db.t4g.large".into());
    assert_eq!(seen[0].attributes["version"], "16.3".into());
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let cases = [
        (400, "Throttling", Trouble::Throttled),
        (403, "AccessDenied", Trouble::Denied),
        (400, "ExpiredToken", Trouble::Expired),
        (500, "InternalFailure", Trouble::Lost),
    ];
    for (status, code, trouble) in cases {
        let failure = look(&[(status, &refused(code, "because"))]).await.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "rds:DescribeDBInstances"), "{code}");
    }
    let (site, _) = site(&[(400, &refused("InstanceQuotaExceeded", "Too many instances"))]);
    let mut inputs = wanted();
    for key in ["name", "username", "subnet_group", "parameter_group"] {
        inputs.insert(key.into(), "x".into());
    }
    let made =
        with_job(&site, "db_instance", inputs, Map::new(), async |job| DbInstance.make(job).await).await;
    assert_eq!(made.unwrap_err().trouble, Trouble::Quota);
}

#[tokio::test]
async fn an_update_asks_for_what_differs_and_nothing_else() {
    let (site, endpoint) = site(&[(200, &described("available", "")), (200, MODIFIED), (200, MODIFIED)]);
    let seen = DbInstance.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    let fit = async |inputs: Map, prior: Map| {
        with_job(&site, "db_instance", inputs, prior, async |job| DbInstance.fit(job, &seen).await).await
    };
    endpoint.asked();
    fit(wanted(), wanted()).await.unwrap();
    assert_eq!(endpoint.asked(), Vec::<String>::new());

    let larger = Map::from([("storage_gib".to_owned(), Value::Int(40))]);
    fit(wanted().into_iter().chain(larger).collect(), wanted()).await.unwrap();
    let asked = endpoint.asked().join("\n");
    assert!(asked.contains("AllocatedStorage=40") && asked.contains("ApplyImmediately=true"), "{asked}");
    for untouched in ["EngineVersion", "MultiAZ", "DBInstanceClass", "MasterUserPassword", "BackupRetention"]
    {
        assert!(!asked.contains(untouched), "{asked}");
    }

    let pinned = Map::from([("minor_upgrades".to_owned(), Value::Bool(false))]);
    fit(wanted().into_iter().chain(pinned).collect(), wanted()).await.unwrap();
    let asked = endpoint.asked().join("\n");
    assert!(asked.contains("AutoMinorVersionUpgrade=false") && !asked.contains("EngineVersion"), "{asked}");

    let smaller = Map::from([("storage_gib".to_owned(), Value::Int(10))]);
    let failure = fit(wanted().into_iter().chain(smaller).collect(), wanted()).await.unwrap_err();
    assert!(failure.message.contains("cannot shrink"), "{}", failure.message);
    assert_eq!(endpoint.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_database_leaves_one_final_snapshot_and_a_replica_none() {
    let snapshot_of = async |more: &str| {
        let (site, endpoint) = site(&[(200, &described("available", more)), (200, DELETED)]);
        DbInstance.remove(&site, ARN, &Map::new()).await.unwrap();
        endpoint.asked().pop().unwrap()
    };
    let first = snapshot_of("").await;
    assert!(first.contains("FinalDBSnapshotIdentifier=shop-orders-1f9a0c3b-final-"), "{first}");
    assert_eq!(snapshot_of("").await, first, "the same name when it is tried again");
    let replica =
        snapshot_of("<ReadReplicaSourceDBInstanceIdentifier>x</ReadReplicaSourceDBInstanceIdentifier>").await;
    assert!(replica.contains("SkipFinalSnapshot=true") && !replica.contains("Final-"), "{replica}");

    // One that goes already is not deleted again.
    let (site, endpoint) = site(&[(200, &described("deleting", ""))]);
    DbInstance.remove(&site, ARN, &Map::new()).await.unwrap();
    assert_eq!(endpoint.asked().len(), 1);
}

#[tokio::test]
async fn a_protected_or_busy_database_is_not_deleted() {
    for (code, trouble) in
        [("InvalidParameterCombination", Trouble::Refused), ("InvalidDBInstanceState", Trouble::Busy)]
    {
        let answers =
            [(200, described("available", "")), (400, refused(code, "Cannot delete protected DB Instance"))];
        let answers: Vec<(u16, &str)> =
            answers.iter().map(|(status, body)| (*status, body.as_str())).collect();
        let failure = DbInstance.remove(&site(&answers).0, ARN, &Map::new()).await.unwrap_err();
        assert_eq!(failure.trouble, trouble);
    }
}

#[test]
fn a_password_that_rds_would_refuse_is_refused_before() {
    assert_eq!(wrong_password("correct-horse-battery", "mysql"), None);
    assert!(wrong_password("short", "postgres").unwrap().contains("8 to 128"));
    assert!(wrong_password(&"x".repeat(42), "mariadb").unwrap().contains("8 to 41"));
    assert_eq!(wrong_password(&"x".repeat(42), "postgres"), None);
    for bad in ["with a space", "with/slash", "with@sign", "with\"quote", "mit-Ümlaut"] {
        assert!(wrong_password(bad, "postgres").unwrap().contains("printable"), "{bad}");
    }
}

#[test]
fn a_password_is_new_when_its_digest_is() {
    let call = |prior: Option<&str>, inputs: Option<&str>| {
        let of = |digest: Option<&str>| {
            let mut map = wanted();
            let secret = digest
                .map(|digest| ("password".to_owned(), Value::Sensitive(Sensitive::from_digest(digest))));
            map.extend(secret);
            map
        };
        Call {
            address: "refuge/databases.orders/db_instance.main".parse().unwrap(),
            kind: "db_instance".into(),
            place: Value::Null,
            token: String::new(),
            id: None,
            inputs: of(inputs),
            prior: of(prior),
            prior_outputs: Map::new(),
            changed: Vec::new(),
        }
    };
    assert!(!has_new_password(&call(Some("a"), Some("a"))) && !has_new_password(&call(None, None)));
    assert!(has_new_password(&call(Some("a"), Some("b"))) && has_new_password(&call(Some("a"), None)));
    let create = Call { prior: Map::new(), ..call(Some("a"), Some("b")) };
    assert!(!has_new_password(&create), "a create gives it at once");
}

#[test]
fn what_cannot_be_changed_is_known_from_the_record() {
    let database = |storage: i64, version: &str| {
        map([("storage_gib", Value::Int(storage)), ("version", version.into())])
    };
    assert!(check(&Map::new(), &database(20, "15")).is_ok());
    assert!(check(&database(20, "15"), &database(40, "16")).is_ok());
    assert!(check(&database(40, "15"), &database(20, "15")).unwrap_err().message.contains("cannot shrink"));
    assert!(check(&database(20, "16"), &database(20, "15")).unwrap_err().message.contains("cannot go back"));
}
