//! Clusters of Aurora as RDS tells of them: answers in the shapes of its API reference.

use super::*;
use crate::{
    kinds::Phase,
    recorded::{site, stack, with_job},
};

const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:cluster:shop-orders-1f9a0c3b";

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusters.html>
fn described(status: &str, more: &str) -> String {
    format!(
        "<DescribeDBClustersResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBClustersResult><DBClusters>\
         <DBCluster><DBClusterIdentifier>shop-orders-1f9a0c3b</DBClusterIdentifier><DBClusterArn>{ARN}</DBClusterArn>\
         <Status>{status}</Status><Engine>aurora-postgresql</Engine><EngineVersion>16.4</EngineVersion>\
         <MasterUsername>dbadmin</MasterUsername><DBSubnetGroup>shop-orders</DBSubnetGroup><StorageEncrypted>true</StorageEncrypted>\
         <BackupRetentionPeriod>7</BackupRetentionPeriod><PreferredBackupWindow>02:00-03:00</PreferredBackupWindow>\
         <PreferredMaintenanceWindow>sun:03:30-sun:04:30</PreferredMaintenanceWindow><DeletionProtection>true</DeletionProtection>\
         <DBClusterParameterGroup>shop-orders</DBClusterParameterGroup><DbClusterResourceId>cluster-ABC</DbClusterResourceId>\
         <ClusterCreateTime>2026-01-02T03:04:05.678Z</ClusterCreateTime><Port>5432</Port>\
         <Endpoint>shop-orders.cluster-abc.eu-west-1.rds.amazonaws.com</Endpoint>\
         <ReaderEndpoint>shop-orders.cluster-ro-abc.eu-west-1.rds.amazonaws.com</ReaderEndpoint>\
         <DBClusterMembers><DBClusterMember><DBInstanceIdentifier>one</DBInstanceIdentifier><IsClusterWriter>true</IsClusterWriter>\
         </DBClusterMember></DBClusterMembers>\
         <TagList><Tag><Key>standfast:stack</Key><Value>shop</Value></Tag><Tag><Key>standfast:environment</Key>\
         <Value>default</Value></Tag></TagList>{more}</DBCluster></DBClusters></DescribeDBClustersResult></DescribeDBClustersResponse>"
    )
}

fn refused(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

/// The global databases of the account: none, or one with the cluster in it.
fn globals(has_member: bool) -> String {
    let member = format!(
        "<GlobalClusterMember><DBClusterArn>{ARN}</DBClusterArn><IsWriter>true</IsWriter></GlobalClusterMember>"
    );
    let member = if has_member { member } else { String::new() };
    format!(
        "<DescribeGlobalClustersResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeGlobalClustersResult>\
         <GlobalClusters><GlobalClusterMember><GlobalClusterIdentifier>shop-main-orders</GlobalClusterIdentifier>\
         <GlobalClusterMembers>{member}</GlobalClusterMembers></GlobalClusterMember></GlobalClusters>\
         </DescribeGlobalClustersResult></DescribeGlobalClustersResponse>"
    )
}

fn done(action: &str) -> String {
    format!(
        "<{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{action}Result/></{action}Response>"
    )
}

fn wanted() -> Map {
    map([
        ("name", "shop-orders-1f9a0c3b".into()),
        ("engine", "aurora-postgresql".into()),
        ("version", "16".into()),
        ("subnet_group", "shop-orders".into()),
        ("encrypted", true.into()),
        ("backup_days", Value::Int(7)),
        ("backup_window", "02:00-03:00".into()),
        ("maintenance_window", "sun:03:30-sun:04:30".into()),
        ("deletion_protection", true.into()),
        ("parameter_group", "shop-orders".into()),
    ])
}

async fn look(status: u16, answer: &str) -> Result<Vec<Seen>, Failure> {
    DbCluster.look(&site(&[(status, answer)]).0, Select::Ids(&[ARN])).await
}

#[tokio::test]
async fn a_cluster_is_on_its_way_there_moving_or_beyond_help() {
    for (status, phase) in [
        ("creating", Phase::Pending("creating".into())),
        ("failing-over", Phase::Pending("failing-over".into())),
        ("upgrading", Phase::Pending("upgrading".into())),
        ("available", Phase::Ready),
    ] {
        assert_eq!(look(200, &described(status, "")).await.unwrap()[0].phase, phase);
    }
    for status in ["inaccessible-encryption-credentials", "migration-failed", "stopped"] {
        let seen = look(200, &described(status, "")).await.unwrap();
        assert!(matches!(seen[0].phase, Phase::Failed(_)), "{status}");
    }
    assert_eq!(look(404, &refused("DBClusterNotFoundFault", "not found")).await.unwrap(), []);
    let seen = look(200, &described("available", "")).await.unwrap();
    assert_eq!(
        seen[0].outputs["reader_endpoint"],
        "shop-orders.cluster-ro-abc.eu-west-1.rds.amazonaws.com".into()
    );
    // Who writes is nobody's business.
    assert!(seen[0].attributes.keys().all(|key| !key.contains("writer") && !key.contains("member")));
}

#[tokio::test]
async fn what_is_under_way_is_seen_as_done() {
    let pending = "<PendingModifiedValues><EngineVersion>17.2</EngineVersion><BackupRetentionPeriod>14</BackupRetentionPeriod></PendingModifiedValues>";
    let seen = look(200, &described("modifying", pending)).await.unwrap();
    assert_eq!(seen[0].attributes["version"], "17.2".into());
    assert_eq!(seen[0].attributes["backup_days"], Value::Int(14));
}

#[tokio::test]
async fn a_copy_joins_its_global_database_without_a_user() {
    let made = format!(
        "<CreateDBClusterResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><CreateDBClusterResult><DBCluster>\
         <DBClusterArn>{ARN}</DBClusterArn></DBCluster></CreateDBClusterResult></CreateDBClusterResponse>"
    );
    let asked = async |more: Map| {
        let (site, endpoint) = site(&[(200, &made)]);
        let inputs = wanted().into_iter().chain(more).collect();
        let id = with_job(&site, "db_cluster", inputs, Map::new(), async |job| DbCluster.make(job).await);
        assert_eq!(id.await.unwrap(), ARN);
        endpoint.asked().concat()
    };
    let copy = [
        ("username", "dbadmin".into()),
        ("global_cluster", "shop-main-orders".into()),
        ("kms_key", "alias/aws/rds".into()),
    ];
    let copy = asked(map(copy)).await;
    assert!(
        copy.contains("GlobalClusterIdentifier=shop-main-orders") && copy.contains("KmsKeyId="),
        "{copy}"
    );
    assert!(!copy.contains("MasterUser") && !copy.contains("PreSignedUrl"), "{copy}");

    let own = asked(map([("username", "dbadmin".into())])).await;
    assert!(own.contains("ManageMasterUserPassword=true") && own.contains("StorageEncrypted=true"), "{own}");
    assert!(!own.contains("GlobalClusterIdentifier"), "{own}");
}

#[tokio::test]
async fn an_update_asks_for_what_differs_and_goes_forward_only() {
    let (site, endpoint) = site(&[(200, &described("available", "")), (200, &done("ModifyDBCluster"))]);
    let seen = DbCluster.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    endpoint.asked();
    let fit = async |key: &str, value: Value| {
        let inputs = wanted().into_iter().chain([(key.to_owned(), value)]).collect();
        with_job(&site, "db_cluster", inputs, wanted(), async |job| DbCluster.fit(job, &seen).await).await
    };
    fit("version", "16".into()).await.unwrap();
    // What nobody says is AWS's own.
    for key in ["backup_window", "maintenance_window", "parameter_group"] {
        fit(key, Value::Null).await.unwrap();
    }
    assert_eq!(endpoint.asked(), Vec::<String>::new());
    fit("backup_days", Value::Int(14)).await.unwrap();
    let asked = endpoint.asked().concat();
    assert!(asked.contains("BackupRetentionPeriod=14") && asked.contains("ApplyImmediately=true"), "{asked}");
    assert!(!asked.contains("EngineVersion") && !asked.contains("Window"), "{asked}");
    assert!(fit("version", "15".into()).await.unwrap_err().message.contains("cannot go back"));
}

#[tokio::test]
async fn one_leaves_its_global_database_then_a_snapshot() {
    let remove = async |has_member: bool| {
        let (there, listed) = (described("available", ""), globals(has_member));
        let (left, gone) = (done("RemoveFromGlobalCluster"), done("DeleteDBCluster"));
        let mut answers = vec![(200, &*there), (200, &*listed)];
        if has_member {
            answers.push((200, &left));
        }
        answers.push((200, &gone));
        let (site, endpoint) = site(&answers);
        DbCluster.remove(&site, ARN, &Map::new()).await.unwrap();
        endpoint.asked()
    };
    let (alone, member) = (remove(false).await, remove(true).await);
    let last = alone.last().unwrap();
    assert!(last.contains("FinalDBSnapshotIdentifier=shop-orders-1f9a0c3b-final-"), "{last}");
    assert_eq!(member.last(), Some(last), "the same name when it is tried again");
    assert!(member[2].contains("Action=RemoveFromGlobalCluster") && member.len() == 4, "{member:?}");

    // While it leaves, or still has servers, it is tried again; a protected one is not.
    for (code, trouble) in
        [("InvalidDBClusterStateFault", Trouble::Busy), ("InvalidParameterCombination", Trouble::Refused)]
    {
        let (there, listed, refusal) = (described("available", ""), globals(false), refused(code, "because"));
        let (site, _) = site(&[(200, &there), (200, &listed), (400, &refusal)]);
        assert_eq!(DbCluster.remove(&site, ARN, &Map::new()).await.unwrap_err().trouble, trouble);
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_anothers_clusters_left_alone() {
    for (status, code, trouble) in [
        (400, "Throttling", Trouble::Throttled),
        (403, "AccessDenied", Trouble::Denied),
        (400, "DBClusterQuotaExceededFault", Trouble::Quota),
        (500, "InternalFailure", Trouble::Lost),
    ] {
        let failure = look(status, &refused(code, "because")).await.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "rds:DescribeDBClusters"), "{code}");
    }
    let stack = stack();
    let (site, _) = site(&[(200, &described("available", "").replace(">shop<", ">other<"))]);
    assert_eq!(crate::kinds::look(&DbCluster, &site, Select::Stack(&stack)).await.unwrap(), []);
}

#[tokio::test]
async fn a_member_of_a_global_database_gets_no_other_version_by_itself() {
    let fit = async |version: &str, has_member: bool| {
        let (there, listed, modified) =
            (described("available", ""), globals(has_member), done("ModifyDBCluster"));
        let (site, endpoint) = site(&[(200, &*there), (200, &*listed), (200, &*modified)]);
        let seen = DbCluster.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
        endpoint.asked();
        let inputs = wanted().into_iter().chain([("version".to_owned(), version.into())]).collect();
        let fitted =
            with_job(&site, "db_cluster", inputs, wanted(), async |job| DbCluster.fit(job, &seen).await)
                .await;
        (fitted, endpoint.actions())
    };
    for (version, next) in [
        (
            "17.2",
            "aws rds modify-global-cluster --global-cluster-identifier shop-main-orders --engine-version 17.2",
        ),
        ("16.6", "its copies go first"),
    ] {
        let (refused, asked) = fit(version, true).await;
        let failure = refused.unwrap_err();
        assert!(failure.message.contains(next), "{}", failure.message);
        assert_eq!(asked, ["DescribeGlobalClusters"]);
        let (alone, asked) = fit(version, false).await;
        alone.unwrap();
        assert_eq!(asked, ["DescribeGlobalClusters", "ModifyDBCluster"]);
    }

    // A copy says so itself, before anything is touched.
    let global = [("global_cluster".to_owned(), Value::text("shop-main-orders"))];
    let of = |version: &str| {
        let own = [("version".to_owned(), version.into())];
        wanted().into_iter().chain(global.clone()).chain(own).collect::<Map>()
    };
    let (site, _) = site(&[]);
    for (version, is_refused) in [("17.2", true), ("16.4", false)] {
        let foreseen =
            with_job(&site, "db_cluster", of(version), of("16.4"), async |job| DbCluster.foresee(job.call));
        assert_eq!(foreseen.await.is_err(), is_refused, "{version}");
    }
}

#[tokio::test]
async fn a_change_that_was_asked_for_is_waited_for_while_rds_has_not_done_it() {
    let applying = |status: &str| {
        let status = format!("<DBClusterParameterGroupStatus>{status}</DBClusterParameterGroupStatus>");
        described("available", "").replace("</DBClusterMember>", &format!("{status}</DBClusterMember>"))
    };
    let pending = "<PendingModifiedValues><EngineVersion>17.2</EngineVersion></PendingModifiedValues>";
    let open = |key: &str| Some(format!("available, and not done yet: {key}"));
    let named =
        |body: String| body.replace("<DBClusterParameterGroup>shop-orders<", "<DBClusterParameterGroup>new<");
    for (key, value, after, told) in [
        ("version", "17.2", described("available", pending), open("version")),
        ("version", "17.2", described("available", ""), open("version")),
        ("version", "16", described("available", pending), None),
        ("parameter_group", "new", named(applying("applying")), open("parameter_group")),
        ("parameter_group", "new", named(applying("pending-reboot")), None),
    ] {
        let before = look(200, &described("available", "")).await.unwrap().remove(0);
        let after = look(200, &after).await.unwrap().remove(0);
        let inputs = wanted().into_iter().chain([(key.to_owned(), value.into())]).collect();
        let (site, _) = site(&[]);
        let word = with_job(&site, "db_cluster", inputs, wanted(), async |job| {
            DbCluster.unfinished(job, &before, &after)
        });
        assert_eq!(word.await, told, "{key} {value}");
    }
}
