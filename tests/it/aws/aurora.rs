//! A cluster of Aurora: its servers over the zones, and who writes left to itself.

use super::account::Account;

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
    engine: aurora_postgres
    version: 16
    instance_type: db.r6g.large
    replicas: 2
    read_write_split: true
    password: ${secrets.db}
    backup: { window: \"02:00-03:00\", keep: 14d }
    maintenance_window: \"sun:03:30-sun:04:30\"
    parameters: { log_min_duration_statement: 500 }
";

#[test]
fn a_cluster_is_made_once_and_leaves_a_snapshot_and_nothing_else() {
    let account = Account::applied(SHOP);
    let census = account.census();
    let kinds = ["db_cluster", "db_instance", "db_cluster_parameter_group", "db_subnet_group"];
    assert_eq!(kinds.map(|kind| census[kind].len()), [1, 3, 1, 1]);
    assert!(census.values().flatten().all(|thing| thing["tags"]["team"] == "web"));
    account.assert_settled();
    let made = account.python(
        "one = rds.describe_db_clusters()['DBClusters'][0]\n\
         print(one['Engine'], one['StorageEncrypted'], one['DeletionProtection'], one['BackupRetentionPeriod'],\n\
        \x20     one['PreferredBackupWindow'], one['PreferredMaintenanceWindow'])\n\
         print(sorted(i['AvailabilityZone'] for i in rds.describe_db_instances()['DBInstances']))",
    );
    assert_eq!(
        made,
        "aurora-postgresql True True 14 02:00-03:00 sun:03:30-sun:04:30\n\
         ['eu-west-1a', 'eu-west-1b', 'eu-west-1c']"
    );
    let outputs = account.run("outputs").code(0).stdout;
    assert!(outputs.contains(".cluster-ro-"), "{outputs}");

    assert_ne!(account.run("destroy --auto-approve").code, Some(0), "it is protected");
    account.sandbox.write("standfast.yaml", &format!("{SHOP}    deletion_protection: false\n"));
    account.run("apply --auto-approve").code(0);
    let destroyed = account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
    let left = account.python(
        "print(*[s['DBClusterSnapshotIdentifier'] for s in rds.describe_db_cluster_snapshots(SnapshotType='manual')['DBClusterSnapshots']])",
    );
    assert_eq!(left.matches("-final-").count(), 1, "{left}");
    destroyed.prints(&format!("left behind: the final snapshot {left}, billed by the GB"));
}

#[test]
fn drift_is_healed_and_a_failover_is_none() {
    let account = Account::applied(SHOP);
    account.python(
        "cluster = rds.describe_db_clusters()['DBClusters'][0]\n\
         name = cluster['DBClusterIdentifier']\n\
         reader = [m['DBInstanceIdentifier'] for m in cluster['DBClusterMembers'] if not m['IsClusterWriter']][0]\n\
         rds.failover_db_cluster(DBClusterIdentifier=name, TargetDBInstanceIdentifier=reader)",
    );
    assert_eq!(account.plan("").steps(), Vec::<String>::new(), "who writes is Aurora's to decide");
    account.python(
        "name = rds.describe_db_clusters()['DBClusters'][0]['DBClusterIdentifier']\n\
         rds.modify_db_cluster(DBClusterIdentifier=name, BackupRetentionPeriod=1, DeletionProtection=False)\n\
         one = [i['DBInstanceIdentifier'] for i in rds.describe_db_instances()['DBInstances'] if i['AvailabilityZone'] == 'eu-west-1b'][0]\n\
         rds.modify_db_instance(DBInstanceIdentifier=one, DBInstanceClass='db.r6g.xlarge', ApplyImmediately=True)",
    );
    assert_eq!(
        account.plan("").steps(),
        [
            "update refuge/databases.orders/db_cluster.main (drift: backup_days, deletion_protection)",
            "update refuge/databases.orders/db_cluster_instance.eu-west-1b (drift: class)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

#[test]
fn readers_come_and_go_and_a_lost_state_is_found_again() {
    let account = Account::applied(SHOP);
    account.sandbox.edit("replicas: 2", "replicas: 1");
    let steps = account.plan("").steps();
    assert_eq!(
        steps,
        ["delete refuge/databases.orders/db_cluster_instance.eu-west-1c (no longer in the blueprint)"]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    std::fs::remove_dir_all(account.sandbox.path(".standfast")).unwrap();
    account.run("state rebuild").code(0);
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

#[test]
fn a_run_that_is_killed_is_finished_by_the_next_without_duplicates() {
    let account = Account::new(SHOP);
    account.apply_through_kills(&[
        "created   refuge/databases.orders/db_subnet_group.main",
        "created   refuge/databases.orders/db_cluster.main",
        "created   refuge/databases.orders/db_cluster_instance.",
    ]);
}
