//! Databases as RDS tells of them: answers in the shapes of its API reference.

use super::*;
use crate::{
    kinds::map,
    recorded::{Answer, Recorded, scripted, site, with_job},
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
         <PubliclyAccessible>false</PubliclyAccessible><PreferredBackupWindow>02:00-03:00</PreferredBackupWindow>\
         <PreferredMaintenanceWindow>sun:03:30-sun:04:30</PreferredMaintenanceWindow>\
         <VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-1</VpcSecurityGroupId></VpcSecurityGroupMembership>\
         </VpcSecurityGroups><DbiResourceId>db-ABCDEFGHIJ</DbiResourceId>\
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
    // Also where AWS has something of its own that the blueprint leaves out: windows, security groups.
    fit(wanted(), wanted()).await.unwrap();
    let tagged = Map::from([("tags".to_owned(), map([("cost", "7".into())]).into())]);
    fit(wanted().into_iter().chain(tagged).collect(), wanted()).await.unwrap();
    assert_eq!(endpoint.asked(), Vec::<String>::new());

    let larger = Map::from([("storage_gib".to_owned(), Value::Int(40))]);
    fit(wanted().into_iter().chain(larger).collect(), wanted()).await.unwrap();
    let asked = endpoint.asked().join("\n");
    assert!(asked.contains("AllocatedStorage=40") && asked.contains("ApplyImmediately=true"), "{asked}");
    for untouched in
        ["EngineVersion", "MultiAZ", "DBInstanceClass", "UserPassword", "BackupRetention", "Window", "Iops"]
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

fn with(key: &str, value: impl Into<Value>) -> Map {
    wanted().into_iter().chain([(key.to_owned(), value.into())]).collect()
}

/// What an update asks of a database that is described like this, and what comes of it.
async fn fitted(more: &str, inputs: Map, prior: Map) -> (Result<(), Failure>, String) {
    let (site, endpoint) = site(&[(200, &described("available", more)), (200, MODIFIED)]);
    let seen = DbInstance.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    endpoint.asked();
    let done =
        with_job(&site, "db_instance", inputs, prior, async |job| DbInstance.fit(job, &seen).await).await;
    (done, endpoint.asked().concat())
}

#[tokio::test]
async fn a_password_is_changed_with_the_word_of_who_keeps_it_and_only_where_it_is_to_be() {
    let own = |text: &str| with("password", Value::text(text));
    for (prior, inputs, told) in [
        (own("correct-horse-1"), own("correct-horse-2"), Some("ManageMasterUserPassword=false")),
        (wanted(), own("correct-horse-2"), Some("ManageMasterUserPassword=false")),
        (own("correct-horse-1"), wanted(), Some("ManageMasterUserPassword=true")),
        (own("correct-horse-1"), own("correct-horse-1"), None),
        (wanted(), wanted(), None),
    ] {
        let (done, asked) = fitted("", inputs, prior).await;
        done.unwrap();
        assert_eq!(asked.contains("UserPassword"), told.is_some(), "{asked}");
        assert!(asked.contains(told.unwrap_or_default()), "{asked}");
        let is_own = asked.contains("&MasterUserPassword=correct-horse-2");
        assert_eq!(is_own, asked.contains("ManageMasterUserPassword=false"), "{asked}");
    }
    // One that the blueprint gives and leaves as it is.
    let (site, endpoint) = site(&[(200, &described("available", "")), (200, MODIFIED)]);
    let seen = DbInstance.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    endpoint.asked();
    let mut inputs = own("correct-horse-2");
    inputs.insert("class".into(), "db.t4g.large".into());
    let kept = with_job(&site, "db_instance", inputs, wanted(), async |job| {
        let call = Call { changed: vec!["class".into()], ..job.call.clone() };
        DbInstance.fit(&Job { call: &call, ..*job }, &seen).await
    });
    kept.await.unwrap();
    let asked = endpoint.asked().concat();
    assert!(asked.contains("DBInstanceClass") && !asked.contains("UserPassword"), "{asked}");
}

#[tokio::test]
async fn a_disk_that_has_iops_of_its_own_grows_with_them_and_no_other() {
    let disk = |kind: &str, gib: i64| {
        format!(
            "<StorageType>{kind}</StorageType><AllocatedStorage>{gib}</AllocatedStorage><Iops>12000</Iops>\
             <StorageThroughput>500</StorageThroughput>"
        )
    };
    for (kind, from, told) in [
        ("gp3", 400, ["Iops=12000", "StorageThroughput=500"].as_slice()),
        ("gp3", 399, &[]),
        ("io1", 100, &["Iops=12000"]),
        ("io2", 100, &["Iops=12000"]),
        ("gp2", 500, &[]),
    ] {
        let body = described("available", "").replace(
            "<AllocatedStorage>20</AllocatedStorage><StorageType>gp3</StorageType>",
            &disk(kind, from),
        );
        let (site, endpoint) = site(&[(200, &body), (200, MODIFIED), (200, MODIFIED)]);
        let seen = DbInstance.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
        endpoint.asked();
        let mut inputs = with("storage_gib", Value::Int(1000));
        inputs.insert("storage_type".into(), kind.into());
        let mut other = inputs.clone();
        other.insert("storage_gib".into(), Value::Int(from));
        other.insert("class".into(), "db.m7g.large".into());
        for (inputs, told) in [(inputs, told), (other, &[])] {
            let fit = with_job(&site, "db_instance", inputs, wanted(), async |job| {
                DbInstance.fit(job, &seen).await
            });
            fit.await.unwrap();
            let asked = endpoint.asked().concat();
            for word in ["Iops=12000", "StorageThroughput=500"] {
                assert_eq!(asked.contains(word), told.contains(&word), "{kind} {from}: {asked}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_that_was_asked_for_is_waited_for_while_rds_has_not_done_it() {
    let group = |name: &str, status: &str| {
        format!(
            "<DBParameterGroups><DBParameterGroup><DBParameterGroupName>{name}</DBParameterGroupName>\
             <ParameterApplyStatus>{status}</ParameterApplyStatus></DBParameterGroup></DBParameterGroups>"
        )
    };
    let pending = |what: &str| format!("<PendingModifiedValues>{what}</PendingModifiedValues>");
    let open = |key: &str| Some(format!("available, and not done yet: {key}"));
    for (key, value, after, told) in [
        ("version", "17", pending("<EngineVersion>17.2</EngineVersion>"), open("version")),
        // It is still told as it was.
        ("class", "db.t4g.large", String::new(), open("class")),
        ("class", "db.t4g.large", pending("<DBInstanceClass>db.t4g.large</DBInstanceClass>"), open("class")),
        ("parameter_group", "new", group("new", "applying"), open("parameter_group")),
        ("parameter_group", "new", group("old", "in-sync"), open("parameter_group")),
        // The next start is somebody's to choose, and so is what was put off before.
        ("parameter_group", "new", group("new", "pending-reboot"), None),
        ("parameter_group", "new", group("new", "in-sync"), None),
        ("version", "16", pending("<MultiAZ>true</MultiAZ>"), None),
    ] {
        let before =
            look(&[(200, &described("available", &group("old", "in-sync")))]).await.unwrap().remove(0);
        let after = look(&[(200, &described("available", &after))]).await.unwrap().remove(0);
        let (site, _) = site(&[]);
        let word = with_job(&site, "db_instance", with(key, value), wanted(), async |job| {
            DbInstance.unfinished(job, &before, &after)
        });
        assert_eq!(word.await, told, "{key}");
    }
}

const REPLICA_ARN: &str = "arn:aws:rds:eu-west-1:123456789012:db:shop-orders-a";
const COPY_ARN: &str = "arn:aws:rds:eu-central-1:123456789012:db:shop-main-orders";

/// A read replica of the database, in this region or another one.
fn replica(arn: &str, engine: &str, version: &str, status: &str) -> String {
    let own = "<Tag><Key>standfast:environment</Key><Value>default</Value></Tag></TagList>\
               <ReadReplicaSourceDBInstanceIdentifier>shop-orders-1f9a0c3b</ReadReplicaSourceDBInstanceIdentifier>";
    described(status, "")
        .replace(ARN, arn)
        .replace("Identifier>shop-orders-1f9a0c3b</DBI", &format!("Identifier>{}</DBI", rds::name_of(arn)))
        .replace(
            "<Engine>postgres</Engine><EngineVersion>16.3",
            &format!("<Engine>{engine}</Engine><EngineVersion>{version}"),
        )
        .replace("</TagList>", own)
}

/// Brings a database of this engine and version, with one read replica, to version `to`.
async fn upgraded(
    (engine, from, to): (&str, &str, &str),
    replica_arn: &str,
    then: Vec<(&'static str, Answer)>,
) -> (Result<(), Failure>, Vec<String>) {
    let listed = if replica_arn == REPLICA_ARN { "shop-orders-a" } else { replica_arn };
    let main = described(
        "available",
        &format!(
            "<ReadReplicaDBInstanceIdentifiers><ReadReplicaDBInstanceIdentifier>{listed}</ReadReplicaDBInstanceIdentifier>\
             </ReadReplicaDBInstanceIdentifiers>"
        ),
    );
    let told = format!("<Engine>{engine}</Engine><EngineVersion>{from}");
    let main = main.replace("<Engine>postgres</Engine><EngineVersion>16.3", &told);
    let mut answers = vec![("DescribeDBInstances", Answer::ok(main))];
    answers.extend(then);
    let (site, endpoint) = scripted(answers);
    let seen = DbInstance.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    endpoint.asked();
    let mut inputs = with("version", to);
    inputs.extend([("engine".to_owned(), engine.into()), ("parameter_group".to_owned(), "shop-new".into())]);
    let done =
        with_job(&site, "db_instance", inputs, wanted(), async |job| DbInstance.fit(job, &seen).await).await;
    (done, endpoint.asked())
}

#[tokio::test(start_paused = true)]
async fn read_replicas_get_a_version_before_their_source_where_rds_wants_that() {
    let look = |body: String| ("DescribeDBInstances", Answer::ok(body));
    let modified = || ("ModifyDBInstance", Answer::ok(MODIFIED));
    for (change, arn) in [
        (("postgres", "16.3", "16.6"), REPLICA_ARN),
        (("postgres", "16.3", "16.6"), COPY_ARN),
        (("mysql", "8.0.36", "8.0.40"), REPLICA_ARN),
        (("mysql", "8.0.36", "8.4.3"), REPLICA_ARN),
        (("mariadb", "10.11.8", "11.4.4"), REPLICA_ARN),
    ] {
        let (engine, from, to) = change;
        let then = vec![
            look(replica(arn, engine, from, "available")),
            modified(),
            // It does not begin at once.
            look(replica(arn, engine, from, "available")),
            look(replica(arn, engine, from, "upgrading")),
            look(replica(arn, engine, to, "available")),
            modified(),
        ];
        let (done, asked) = upgraded(change, arn, then).await;
        done.unwrap();
        let (of_replica, of_main) = (&asked[1], &asked[5]);
        assert!(of_replica.contains(&format!("DBInstanceIdentifier={}", rds::name_of(arn))), "{of_replica}");
        let host = format!(
            "https://rds.{}.amazonaws.com",
            if arn == COPY_ARN { "eu-central-1" } else { "eu-west-1" }
        );
        assert!(of_replica.contains(&host), "{of_replica}");
        assert!(of_main.contains("DBInstanceIdentifier=shop-orders-1f9a0c3b"), "{of_main}");
        let is_major = crate::expand::line_of(engine, from) != crate::expand::line_of(engine, to);
        for one in [of_replica, of_main] {
            assert!(one.contains(&format!("EngineVersion={to}")), "{one}");
            assert_eq!(one.contains("AllowMajorVersionUpgrade=true"), is_major, "{one}");
        }
        assert_eq!(of_replica.contains("DBParameterGroupName=shop-new"), is_major, "{of_replica}");
    }
    // RDS takes it along itself.
    let (done, asked) = upgraded(("postgres", "16.3", "17.2"), REPLICA_ARN, vec![modified()]).await;
    done.unwrap();
    assert!(asked[0].contains("AllowMajorVersionUpgrade=true"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_cannot_get_the_version_first_stops_the_change_before_its_source() {
    let look = |body: String| ("DescribeDBInstances", Answer::ok(body));
    let minor = ("postgres", "16.3", "16.6");
    let stopped = vec![look(replica(REPLICA_ARN, "postgres", "16.3", "stopped"))];
    let others =
        vec![look(replica(REPLICA_ARN, "postgres", "16.3", "available").replace(">shop<", ">other<"))];
    for (change, arn, then, told) in [
        (minor, REPLICA_ARN, stopped, "shop-orders-a has to get version 16.6 first: it is stopped"),
        (minor, REPLICA_ARN, others, "is not this stack's, and has to get version 16.6 first: `aws rds"),
        (("postgres", "16.3", "17.2"), COPY_ARN, vec![], "leave the database out of `disaster_recovery`"),
        (("mysql", "8.0.36", "8.4.3"), COPY_ARN, vec![], "leave the database out of `disaster_recovery`"),
    ] {
        let (done, asked) = upgraded(change, arn, then).await;
        let failure = done.unwrap_err();
        assert!(failure.message.contains(told), "{}", failure.message);
        assert_eq!(failure.trouble, Trouble::Refused);
        assert!(asked.iter().all(|asked| !asked.contains("Action=Modify")), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_of_postgres_goes_to_another_line_with_its_source_and_is_never_told_to_by_itself() {
    let fit = async |status: &str, then: Vec<(&'static str, Answer)>| {
        let first = ("DescribeDBInstances", Answer::ok(replica(REPLICA_ARN, "postgres", "16.3", status)));
        let (site, endpoint): (_, Recorded) = scripted([first].into_iter().chain(then));
        let works = crate::kinds::by_name("db_replica").unwrap();
        let seen = works.look(&site, Select::Ids(&[REPLICA_ARN])).await.unwrap().remove(0);
        endpoint.asked();
        let inputs = map([("version", "17".into()), ("parameter_group", "shop-new".into())]);
        let done =
            with_job(&site, "db_replica", inputs, wanted(), async |job| works.fit(job, &seen).await).await;
        (done, endpoint.asked())
    };
    // It takes longer than its source.
    let there = ("DescribeDBInstances", Answer::ok(replica(REPLICA_ARN, "postgres", "17.2", "available")));
    let (done, asked) = fit("upgrading", vec![there, ("ModifyDBInstance", Answer::ok(MODIFIED))]).await;
    done.unwrap();
    assert!(
        asked[1].contains("DBParameterGroupName=shop-new") && !asked[1].contains("EngineVersion"),
        "{asked:?}"
    );

    let refused = Answer::error(
        400,
        "InvalidParameterCombination",
        "The AllowMajorVersionUpgrade flag must be present",
    );
    let (done, asked) = fit("available", vec![("ModifyDBInstance", refused)]).await;
    let failure = done.unwrap_err();
    assert_eq!(failure.trouble, Trouble::Busy, "RDS may not have begun with it");
    assert!(failure.message.contains("together with its source only"), "{}", failure.message);
    assert!(!asked[0].contains("AllowMajorVersionUpgrade"), "{asked:?}");
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
