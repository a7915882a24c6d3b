//! Copied backups as RDS tells of them: moto has no such call. Shapes:
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstanceAutomatedBackups.html>

use super::*;
use crate::recorded::{site, stack, with_job};

const SOURCE: &str = "arn:aws:rds:eu-central-1:123456789012:db:shop-orders-1f9a0c3b";
const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:auto-backup:ab-l7po5pl4bxd3vdgrkqtb2vzxm2gs3hqsbcq3aaa";

fn backup(status: &str, kind: &str) -> String {
    format!(
        "<DBInstanceArn>{SOURCE}</DBInstanceArn><DbiResourceId>db-ABCDEFGHIJ</DbiResourceId><Region>eu-central-1</Region>\
         <DBInstanceIdentifier>shop-orders-1f9a0c3b</DBInstanceIdentifier><Status>{status}</Status>\
         <BackupRetentionPeriod>14</BackupRetentionPeriod><Encrypted>true</Encrypted>\
         <DBInstanceAutomatedBackupsArn>{ARN}</DBInstanceAutomatedBackupsArn>\
         <TagList><Tag><Key>standfast:stack</Key><Value>shop</Value></Tag><Tag><Key>standfast:environment</Key>\
         <Value>default</Value></Tag><Tag><Key>standfast:address</Key>\
         <Value>refuge/disaster_recovery.main/{kind}.orders</Value></Tag></TagList>"
    )
}

fn listed(inner: &str) -> String {
    let list = if inner.is_empty() {
        String::new()
    } else {
        format!("<DBInstanceAutomatedBackup>{inner}</DBInstanceAutomatedBackup>")
    };
    format!(
        "<DescribeDBInstanceAutomatedBackupsResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
         <DescribeDBInstanceAutomatedBackupsResult><DBInstanceAutomatedBackups>{list}</DBInstanceAutomatedBackups>\
         </DescribeDBInstanceAutomatedBackupsResult></DescribeDBInstanceAutomatedBackupsResponse>"
    )
}

fn started() -> String {
    format!(
        "<StartDBInstanceAutomatedBackupsReplicationResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
         <StartDBInstanceAutomatedBackupsReplicationResult><DBInstanceAutomatedBackup>{}</DBInstanceAutomatedBackup>\
         </StartDBInstanceAutomatedBackupsReplicationResult></StartDBInstanceAutomatedBackupsReplicationResponse>",
        backup("pending", "db_backup_copy")
    )
}

fn refused(code: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>because</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

fn wanted() -> Map {
    map([("source", SOURCE.into()), ("backup_days", Value::Int(14)), ("kms_key", "alias/aws/rds".into())])
}

async fn make(status: u16, answer: &str) -> (Result<String, Failure>, String) {
    let (site, endpoint) = site(&[(status, answer)]);
    let made =
        with_job(&site, "db_backup_copy", wanted(), Map::new(), async |job| DbBackupCopy.make(job).await);
    let made = made.await;
    (made, endpoint.asked().concat())
}

#[tokio::test]
async fn copying_is_started_with_a_key_and_tags_of_its_own() {
    let (made, asked) = make(200, &started()).await;
    assert_eq!(made.unwrap(), ARN);
    for said in [
        "SourceDBInstanceArn=arn%3Aaws%3Ards%3Aeu-central-1",
        "BackupRetentionPeriod=14",
        "KmsKeyId=arn%3Aaws%3Akms%3Aeu-west-1%3A123456789012%3Aalias%2Faws%2Frds",
    ] {
        assert!(asked.contains(said), "{said}: {asked}");
    }
    assert!(asked.contains("standfast%3Atoken"), "{asked}");
}

#[tokio::test]
async fn it_is_on_its_way_going_on_or_over() {
    for (status, phase) in [
        ("pending", Phase::Pending("the first backup is being copied".to_owned())),
        ("replicating", Phase::Ready),
        ("active", Phase::Ready),
        ("retained", Phase::Gone),
    ] {
        let (site, _) = site(&[(200, &listed(&backup(status, "db_backup_copy")))]);
        let seen = DbBackupCopy.look(&site, Select::Ids(&[ARN])).await.unwrap();
        assert_eq!((&seen[0].phase, seen[0].id.as_str()), (&phase, ARN), "{status}");
        assert_eq!(seen[0].attributes["backup_days"], Value::Int(14));
        assert_eq!(seen[0].attributes["source"], SOURCE.into());
    }
    let (site, _) = site(&[(404, &refused("DBInstanceAutomatedBackupNotFound"))]);
    assert_eq!(DbBackupCopy.look(&site, Select::Ids(&[ARN])).await.unwrap(), []);
}

#[tokio::test]
async fn a_databases_own_backups_are_not_taken_for_copies() {
    let stack = stack();
    for (kind, count) in [("db_backup_copy", 1), ("db_instance", 0)] {
        let (site, _) = site(&[(200, &listed(&backup("active", kind)))]);
        let seen = crate::kinds::look(&DbBackupCopy, &site, Select::Stack(&stack)).await.unwrap();
        assert_eq!(seen.len(), count, "{kind}");
    }
}

#[tokio::test]
async fn it_is_stopped_by_its_source() {
    let stopped = "<StopDBInstanceAutomatedBackupsReplicationResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
                   <StopDBInstanceAutomatedBackupsReplicationResult/></StopDBInstanceAutomatedBackupsReplicationResponse>";
    let (site, endpoint) = site(&[(200, stopped)]);
    DbBackupCopy.remove(&site, ARN, &wanted()).await.unwrap();
    assert!(endpoint.asked().concat().contains("SourceDBInstanceArn=arn%3Aaws%3Ards%3Aeu-central-1"));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, trouble) in [
        (400, "DBInstanceAutomatedBackupQuotaExceeded", Trouble::Quota),
        (400, "InvalidDBInstanceState", Trouble::Busy),
        (400, "StorageTypeNotSupported", Trouble::Refused),
        (403, "AccessDenied", Trouble::Denied),
        (400, "Throttling", Trouble::Throttled),
        (500, "InternalFailure", Trouble::Lost),
    ] {
        let failure = make(status, &refused(code)).await.0.unwrap_err();
        let action = "rds:StartDBInstanceAutomatedBackupsReplication";
        assert_eq!((failure.trouble, failure.action), (trouble, action), "{code}");
    }
}
