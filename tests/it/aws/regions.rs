//! Two regions side by side: a shop with a copy of its data in the other region, and a name that fails over.

use super::account::{Account, PASSWORD};

const REGIONS: [&str; 2] = ["eu-west-1", "eu-central-1"];
const IMAGE: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

/// moto looks the subnet group of the copy up in the region of the source: so there is one of its name.
const STRAY: &str = "\
rds.create_db_subnet_group(DBSubnetGroupName='shop-main-3afc6a7a', DBSubnetGroupDescription='for moto', \
  SubnetIds=[subnet['SubnetId'] for subnet in ec2.describe_subnets()['Subnets']][:2])";

/// The blueprint that is shipped, with an image that moto has, and free to be destroyed but for the database.
pub fn account() -> Account {
    let text = include_str!("../../../blueprints/two-regions.yaml")
        .replace("t3.small\n", &format!("t3.small\n    image: {IMAGE}\n"))
        .replace("SHOP_DB_PASSWORD", "SHOP_PASSWORD")
        .replace("    zone: example.net\n", "    zone: example.net\n    deletion_protection: false\n");
    Account::new(&text).of_regions(&REGIONS).beforehand(STRAY)
}

fn applied() -> Account {
    let account = account();
    account.run("apply --auto-approve").code(0);
    account
}

/// The databases of both regions, without their names.
const DATABASES: &str = "\
for region in ('eu-west-1', 'eu-central-1'):\n\
\x20   for one in boto3.client('rds', region_name=region).describe_db_instances()['DBInstances']:\n\
\x20       print(region, one['MultiAZ'], one['StorageEncrypted'], one['PreferredMaintenanceWindow'],\n\
\x20             'copy' if one.get('ReadReplicaSourceDBInstanceIdentifier', '').startswith('arn:aws:rds:eu-west-1:') else 'own')\n";

#[test]
fn two_regions_are_made_once_side_by_side() {
    let account = applied();
    account.assert_settled();
    assert_eq!(
        account.python(DATABASES).lines().collect::<Vec<_>>(),
        ["eu-west-1 True True sun:03:30-sun:04:30 own", "eu-central-1 True True sun:03:30-sun:04:30 copy"]
    );
    // Each group reaches the data of its own region, and nobody else does.
    for region in REGIONS {
        let census = account.census_in(region);
        let counts = ["vpc", "load_balancer", "autoscaling_group", "db_instance", "db_subnet_group"]
            .map(|kind| census[kind].len());
        assert_eq!(counts, [1; 5], "{region}");
        let opened = account.python(&format!(
            "for group in boto3.client('ec2', region_name='{region}').describe_security_groups()['SecurityGroups']:\n\
            \x20   for rule in group['IpPermissions']:\n\
            \x20       if rule.get('FromPort') == 3306:\n\
            \x20           print(len(rule['UserIdGroupPairs']), len(rule['IpRanges']))"
        ));
        assert_eq!(opened, "1 0", "{region}");
    }
    let names = account.python(
        "zone = route53.list_hosted_zones()['HostedZones'][0]['Id']\n\
         checks = {c['Id']: c['HealthCheckConfig'] for c in route53.list_health_checks()['HealthChecks']}\n\
         for one in route53.list_resource_record_sets(HostedZoneId=zone)['ResourceRecordSets']:\n\
        \x20   if 'AliasTarget' in one:\n\
        \x20       check = checks[one['HealthCheckId']]\n\
        \x20       told = check['FullyQualifiedDomainName'] == one['AliasTarget']['DNSName'].rstrip('.')\n\
        \x20       print(one['Failover'], check['Type'], check['Port'], check['RequestInterval'], told)",
    );
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["PRIMARY HTTP 80 10 True", "SECONDARY HTTP 80 30 True"]);

    assert_ne!(account.run("destroy --auto-approve").code, Some(0), "the database is protected");
    account.sandbox.edit("    storage: 20GiB\n", "    storage: 20GiB\n    deletion_protection: false\n");
    account.run("apply --auto-approve").code(0);
    account.run("destroy --auto-approve").code(0);
    for region in REGIONS {
        assert_eq!(account.census_in(region), Default::default(), "{region}");
    }
}

#[test]
fn what_was_changed_by_hand_is_put_back_in_both() {
    let account = applied();
    account.python(
        "there = boto3.client('rds', region_name='eu-central-1')\n\
         copy = there.describe_db_instances()['DBInstances'][0]['DBInstanceIdentifier']\n\
         there.modify_db_instance(DBInstanceIdentifier=copy, MultiAZ=False, DBInstanceClass='db.t4g.small', ApplyImmediately=True)\n\
         main = rds.describe_db_instances()['DBInstances'][0]['DBInstanceIdentifier']\n\
         rds.modify_db_instance(DBInstanceIdentifier=main, PreferredMaintenanceWindow='mon:05:00-mon:06:00',\n\
        \x20                      PreferredBackupWindow='07:00-08:00', ApplyImmediately=True)\n\
         check = [c for c in route53.list_health_checks()['HealthChecks'] if c['HealthCheckConfig']['RequestInterval'] == 10][0]\n\
         route53.update_health_check(HealthCheckId=check['Id'], ResourcePath='/other', FailureThreshold=9)",
    );
    assert_eq!(
        account.plan("").steps(),
        [
            "update frankfurt/disaster_recovery.main/db_copy.orders (drift: class, multi_az)",
            "update frankfurt/dns.names/health_check.www.ireland (drift: path, unhealthy)",
            "update ireland/databases.orders/db_instance.main (drift: backup_window, maintenance_window)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

/// What is edited, and the steps of its plan. Each is applied and settled before the next.
const CHANGES: &[(&str, &str, &[&str])] = &[
    (
        "strategy: warm_standby",
        "strategy: pilot_light",
        &["update frankfurt/disaster_recovery.main/db_copy.orders (changed: multi_az)"],
    ),
    (
        "path: /, interval: 10s }",
        "path: /, interval: 30s, unhealthy: 5 }",
        &[
            "replace frankfurt/dns.names/health_check.www.ireland (interval_s cannot be changed in place)",
            "update frankfurt/dns.names/dns_record.www.ireland (follows a change of what it uses: health_check)",
        ],
    ),
    (
        "sun:03:30-sun:04:30",
        "mon:03:30-mon:05:00",
        &[
            "update frankfurt/disaster_recovery.main/db_copy.orders (changed: maintenance_window)",
            "update ireland/databases.orders/db_instance.main (changed: maintenance_window)",
        ],
    ),
    (
        "db.t4g.medium",
        "db.t4g.large",
        &[
            "update frankfurt/disaster_recovery.main/db_copy.orders (changed: class)",
            "update ireland/databases.orders/db_instance.main (changed: class)",
        ],
    ),
    (
        "window: \"02:00-03:00\", keep: 14d",
        "window: \"01:00-02:00\", keep: 7d",
        &["update ireland/databases.orders/db_instance.main (changed: backup_days, backup_window)"],
    ),
    (
        "      - { name: www, to: ireland, routing: failover,",
        "      - { name: shop, to: ireland, routing: simple }\n      - { name: www, to: ireland, routing: failover,",
        &["create frankfurt/dns.names/dns_record.shop (new)"],
    ),
];

#[test]
fn changes_are_planned_as_they_are_and_leave_nothing_else_in_both() {
    let account = applied();
    for (from, to, steps) in CHANGES {
        account.sandbox.edit(from, to);
        assert_eq!(account.plan("").steps(), *steps, "{from} -> {to}");
        account.run("apply --auto-approve").code(0);
        assert_eq!(account.plan("").steps(), Vec::<String>::new(), "{from} -> {to}");
    }
    account.assert_settled();
}

#[test]
fn a_lost_state_is_found_again_in_both_each_thing_once() {
    let account = applied();
    std::fs::remove_dir_all(account.sandbox.path(".standfast")).unwrap();
    account.run("state rebuild").code(0);
    let steps = account.plan("").steps();
    let deleted: Vec<&String> = steps.iter().filter(|step| !step.starts_with("update ")).collect();
    assert_eq!(deleted, Vec::<&String>::new(), "what two regions share was found twice");
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

#[test]
fn a_run_that_is_killed_is_finished_by_the_next_in_both() {
    let account = account();
    account.apply_through_kills(&[
        "created   frankfurt/networks.frankfurt/vpc.main",
        "created   ireland/databases.orders/db_instance.main",
        "created   frankfurt/disaster_recovery.main/db_copy.orders",
        "created   frankfurt/autoscaling_groups.frankfurt/autoscaling_group.main",
    ]);
}

#[test]
fn a_copy_that_was_promoted_is_left_alone() {
    let account = applied();
    account.python(
        "there = boto3.client('rds', region_name='eu-central-1')\n\
         copy = there.describe_db_instances()['DBInstances'][0]['DBInstanceIdentifier']\n\
         there.promote_read_replica(DBInstanceIdentifier=copy)",
    );
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
}

#[test]
fn the_password_of_two_databases_is_in_no_file() {
    let account = applied();
    assert_eq!(account.sandbox.files_with(PASSWORD), Vec::<std::path::PathBuf>::new());
}
