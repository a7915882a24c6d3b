//! A database with its standby and a read replica.

use std::{fs, path::PathBuf};

use super::account::{Account, PASSWORD};

const SHOP: &str = "\
standfast: 1
name: shop
secrets: { db: { env: SHOP_PASSWORD } }
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 3, tags: { team: web } }
networks:
  main: { cidr: 10.20.0.0/16, nat: none }
databases:
  orders:
    engine: postgres
    version: 15
    instance_type: db.t4g.medium
    storage: 20GiB
    replicas: 2
    read_write_split: true
    password: ${secrets.db}
    parameters: { log_min_duration_statement: 500 }
";

fn replaced(pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(SHOP.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn a_database_is_made_once_and_leaves_a_snapshot_and_nothing_else() {
    let account = Account::applied(SHOP);
    let census = account.census();
    let counts = ["db_instance", "db_parameter_group", "db_subnet_group"].map(|kind| census[kind].len());
    assert_eq!(counts, [2, 1, 1]);
    assert!(census.values().flatten().all(|thing| thing["tags"]["team"] == "web"));
    account.assert_settled();
    let made = account.python(
        "one = [i for i in rds.describe_db_instances()['DBInstances'] if i['MultiAZ']][0]\n\
         print(one['StorageEncrypted'], one['DeletionProtection'], one['PubliclyAccessible'], one['BackupRetentionPeriod'],\n\
               one['AllocatedStorage'], one['EngineVersion'], len(one['ReadReplicaDBInstanceIdentifiers']))",
    );
    assert_eq!(made, "True True False 7 20 15 1");

    // Protected by the engine, and by AWS.
    let refused = account.run("destroy --auto-approve");
    assert_ne!(refused.code, Some(0));
    account.sandbox.write("standfast.yaml", &format!("{SHOP}    deletion_protection: false\n"));
    account.run("apply --auto-approve").code(0);
    let destroyed = account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
    let left = account.python("print(*[s['DBSnapshotIdentifier'] for s in rds.describe_db_snapshots(SnapshotType='manual')['DBSnapshots']])");
    assert_eq!(left.matches("-final-").count(), 1, "{left}");
    destroyed.prints(&format!("left behind: the final snapshot {left}, billed by the GB"));
}

#[test]
fn its_password_is_in_no_file() {
    let account = Account::applied(SHOP);
    assert_eq!(account.sandbox.files_with(PASSWORD), Vec::<PathBuf>::new());
}

#[test]
fn what_was_changed_by_hand_is_put_back() {
    let account = Account::applied(SHOP);
    account.python(
        "for one in rds.describe_db_instances()['DBInstances']:\n\
        \x20   name = one['DBInstanceIdentifier']\n\
        \x20   if one['MultiAZ']:\n\
        \x20       rds.modify_db_instance(DBInstanceIdentifier=name, MultiAZ=False, BackupRetentionPeriod=1, PubliclyAccessible=True, ApplyImmediately=True)\n\
        \x20       rds.add_tags_to_resource(ResourceName=one['DBInstanceArn'], Tags=[{'Key': 'team', 'Value': 'db'}, {'Key': 'cost', 'Value': '7'}])\n\
        \x20       group = one['DBParameterGroups'][0]['DBParameterGroupName']\n\
        \x20       rds.modify_db_parameter_group(DBParameterGroupName=group, Parameters=[{'ParameterName': 'log_min_duration_statement', 'ParameterValue': '9', 'ApplyMethod': 'immediate'}])\n\
        \x20   else:\n\
        \x20       rds.modify_db_instance(DBInstanceIdentifier=name, DBInstanceClass='db.t4g.small', ApplyImmediately=True)",
    );
    assert_eq!(
        account.plan("").steps(),
        [
            "update refuge/databases.orders/db_instance.main (drift: backup_days, multi_az, public, tags)",
            "update refuge/databases.orders/db_parameter_group.main (drift: parameters)",
            "update refuge/databases.orders/db_replica.eu-west-1a (drift: class)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    let census = account.census();
    assert!(
        census["db_instance"].iter().any(|one| one["tags"]["cost"] == "7"),
        "what somebody else tagged stays"
    );
}

#[test]
fn a_database_grows_and_is_upgraded_in_place() {
    let account = Account::applied(SHOP);
    account.sandbox.write(
        "standfast.yaml",
        &replaced(&[("20GiB", "40GiB"), ("version: 15", "version: 16"), ("t4g.medium", "t4g.large")]),
    );
    let steps = account.plan("").steps();
    assert!(
        steps.contains(
            &"update refuge/databases.orders/db_instance.main (changed: class, storage_gib, version; \
              follows a change of what it uses: parameter_group)"
                .to_owned()
        ),
        "{steps:?}"
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();

    // Back is not possible, and is refused before anything is touched.
    account.sandbox.write("standfast.yaml", SHOP);
    let refused = account.run("apply --auto-approve");
    assert_ne!(refused.code, Some(0));
    refused.says(
        "the plan would take `storage_gib` of refuge/databases.orders/db_instance.main back from 40 to 20, which cannot be \
         done in place",
    );
}

#[test]
fn a_promoted_replica_is_left_alone() {
    let account = Account::applied(SHOP);
    account.python(
        "name = [i['DBInstanceIdentifier'] for i in rds.describe_db_instances()['DBInstances'] if not i['MultiAZ']][0]\n\
         rds.promote_read_replica(DBInstanceIdentifier=name)",
    );
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
}

#[test]
fn a_lost_state_is_found_again_by_tags() {
    let account = Account::applied(SHOP);
    fs::remove_dir_all(account.sandbox.path(".standfast")).unwrap();
    account.run("state rebuild").code(0);
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}
