//! `blueprints/shop-aws.yaml`, whole: made, made again, changed in twenty ways and more, drifted by hand, taken away.

use super::account::Account;

/// The example, with an image that moto knows, in a folder with what it refers to.
pub fn account() -> Account {
    Account::new(&blueprint())
}

/// Free to be destroyed; without a session store there is nothing to do.
pub fn let_sessions_go(account: &Account) {
    let path = account.sandbox.path("standfast.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text =
        text.replace("sessions: { engine: redis,", "sessions: { deletion_protection: false, engine: redis,");
    std::fs::write(path, text).unwrap();
}

fn blueprint() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/blueprints/shop-aws.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let image = "image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    assert!(text.contains("instance_type: t3.small"));
    text.replace("instance_type: t3.small", &format!("{image}\n    instance_type: t3.small"))
}

#[test]
fn it_is_made_once_and_leaves_an_empty_account() {
    let account = account();
    account.run("apply --auto-approve").code(0);
    let census = account.census();
    let count = |kind: &str| census.get(kind).map_or(0, Vec::len);
    let kinds = [
        ("vpc", 1),
        ("subnet", 9),
        ("nat_gateway", 3),
        ("load_balancer", 1),
        ("autoscaling_group", 1),
        ("instance", 3),
        ("db_instance", 3),
        ("replication_group", 1),
    ];
    assert_eq!(kinds.map(|(kind, _)| (kind, count(kind))), kinds);
    account.assert_settled();
    insta::assert_snapshot!(account.run("status").code(0).stdout, @r"
    component                 what                 state       detail
    load_balancers.front      balancer             ● healthy   serving over 3 zones
                              web                  ● healthy   3 of 3 members up
    autoscaling_groups.web    machines             ● healthy   3 of 3 machines serve (min 3, max 6)
    databases.orders          primary              ● healthy   available, primary in eu-west-1a, Multi-AZ
                              replica eu-west-1a   ● healthy   available, replicating
                              replica eu-west-1b   ● healthy   available, replicating
    session_stores.sessions   nodes                ● healthy   available, 2 of 2 nodes
    monitoring.main           alarms               ● healthy   none of 20 alarms rings
                              mail                 ● healthy   is told

    All 9 healthy.
    ");
    // Who names the stores reaches them, and nobody else.
    let reached = account.python(
        "groups = {g['GroupId']: g for g in ec2.describe_security_groups()['SecurityGroups']}\n\
         of = lambda g: {t['Key']: t['Value'] for t in g.get('Tags', [])}.get('standfast:address', '-')\n\
         print(sorted((of(g), p['FromPort'], of(groups[s['GroupId']])) for g in groups.values() for p in g['IpPermissions']\n\
         \x20   for s in p['UserIdGroupPairs'] if 'FromPort' in p and of(g).split('/')[1] in ('databases.orders', 'session_stores.sessions')))",
    );
    let web = "home/autoscaling_groups.web/security_group.main";
    assert_eq!(
        reached,
        format!(
            "[('home/databases.orders/security_group.main', 5432, '{web}'), \
             ('home/session_stores.sessions/security_group.main', 6379, '{web}')]"
        )
    );
    account.sandbox.edit("parameters: {", "deletion_protection: false\n    parameters: {");
    let_sessions_go(&account);
    account.run("apply --auto-approve").code(0);
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

#[test]
fn what_was_changed_by_hand_everywhere_is_put_back() {
    let account = account();
    account.run("apply --auto-approve").code(0);
    account.python(
        "group = asg.describe_auto_scaling_groups()['AutoScalingGroups'][0]['AutoScalingGroupName']\n\
         asg.update_auto_scaling_group(AutoScalingGroupName=group, MaxSize=9)\n\
         front = elb.describe_load_balancers()['LoadBalancers'][0]['LoadBalancerArn']\n\
         elb.delete_listener(ListenerArn=elb.describe_listeners(LoadBalancerArn=front)['Listeners'][0]['ListenerArn'])\n\
         main = [i for i in rds.describe_db_instances()['DBInstances'] if i['MultiAZ']][0]['DBInstanceIdentifier']\n\
         rds.modify_db_instance(DBInstanceIdentifier=main, MultiAZ=False, DeletionProtection=False, ApplyImmediately=True)\n\
         cache = boto3.client('elasticache', region_name='eu-west-1')\n\
         store = cache.describe_replication_groups()['ReplicationGroups'][0]['ReplicationGroupId']\n\
         cache.modify_replication_group(ReplicationGroupId=store, CacheNodeType='cache.t4g.micro', ApplyImmediately=True)\n\
         guard = ec2.describe_security_groups(Filters=[{'Name': 'tag:standfast:address', 'Values': ['*databases.orders*']}])['SecurityGroups'][0]['GroupId']\n\
         ec2.authorize_security_group_ingress(GroupId=guard, IpProtocol='tcp', FromPort=5432, ToPort=5432, CidrIp='0.0.0.0/0')\n\
         nat = ec2.describe_nat_gateways()['NatGateways'][0]\n\
         ec2.create_tags(Resources=[nat['NatGatewayId']], Tags=[{'Key': 'owner', 'Value': 'nobody'}])",
    );
    let steps = account.plan("").steps();
    let nat = steps.iter().filter(|step| step.contains("nat_gateway")).count();
    let others: Vec<_> = steps.iter().filter(|step| !step.contains("nat_gateway")).collect();
    assert_eq!(nat, 1, "{steps:?}");
    assert_eq!(
        others,
        [
            "create home/load_balancers.front/listener.80 (drift: it is gone)",
            "update home/autoscaling_groups.web/autoscaling_group.main (drift: max)",
            "update home/databases.orders/db_instance.main (drift: deletion_protection, multi_az)",
            "update home/databases.orders/security_group.main (drift: ingress)",
            "update home/monitoring.main/alarm.session_stores.sessions.cpu (follows a change of what it uses: members)",
            "update home/monitoring.main/alarm.session_stores.sessions.evictions (follows a change of what it uses: members)",
            "update home/monitoring.main/alarm.session_stores.sessions.memory (follows a change of what it uses: members)",
            "update home/monitoring.main/alarm.session_stores.sessions.replica_lag (follows a change of what it uses: members)",
            "update home/session_stores.sessions/replication_group.main (drift: class)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

/// What is edited, and the steps of its plan. Each is applied and settled before the next. Not here: another version of a
/// launch template, for moto knows no instance refresh, and other tags of one, which moto forgets.
const CHANGES: &[(&str, &str, &[&str])] = &[
    ("ttl: 1h", "ttl: 2h", &["update home/load_balancers.front/target_group.web (changed: settings)"]),
    (
        "drain_timeout: 30s",
        "drain_timeout: 60s",
        &["update home/load_balancers.front/target_group.web (changed: settings)"],
    ),
    (
        "path: /, interval: 10s",
        "path: /healthz, interval: 10s",
        &["update home/load_balancers.front/target_group.web (changed: check_path)"],
    ),
    (
        "interval: 10s",
        "interval: 20s",
        &["update home/load_balancers.front/target_group.web (changed: check_interval_s)"],
    ),
    (
        "algorithm: least_connections",
        "algorithm: round_robin",
        &["update home/load_balancers.front/target_group.web (changed: settings)"],
    ),
    ("max: 6 }", "max: 8 }", &["update home/autoscaling_groups.web/autoscaling_group.main (changed: max)"]),
    (
        "min: 3, max: 8",
        "min: 4, max: 8",
        &[
            "update home/autoscaling_groups.web/autoscaling_group.main (changed: canary_percent, initial, min, min_healthy_percent)",
            "update home/monitoring.main/alarm.autoscaling_groups.web.healthy_members (changed: description, threshold)",
        ],
    ),
    (
        "target: 200",
        "target: 300",
        &["update home/autoscaling_groups.web/autoscaling_group.main (changed: scaling)"],
    ),
    (
        "      - { metric: requests, target: 300 }\n",
        "",
        &["update home/autoscaling_groups.web/autoscaling_group.main (changed: scaling)"],
    ),
    (
        "    drain_timeout: 60s\n",
        "    drain_timeout: 60s\n    tags: { tier: front }\n",
        &[
            "update home/load_balancers.front/listener.80 (changed: tags)",
            "update home/load_balancers.front/load_balancer.main (changed: tags)",
            "update home/load_balancers.front/security_group.main (changed: tags)",
            "update home/load_balancers.front/target_group.web (changed: tags)",
        ],
    ),
    (
        "      - { port: 80, to: web }\n",
        "      - { port: 80, to: web }\n      - { port: 8080, routes: [{ path: /a/*, to: web }, { host: a.example.net, to: web }, { to: web }] }\n",
        &[
            "create home/load_balancers.front/listener.8080 (new)",
            "update home/load_balancers.front/security_group.main (changed: ingress)",
        ],
    ),
    (
        "{ path: /a/*, to: web }, { host: a.example.net, to: web }",
        "{ host: a.example.net, to: web }, { path: /a/*, to: web }",
        &["update home/load_balancers.front/listener.8080 (changed: rules)"],
    ),
    (
        "{ host: a.example.net, to: web }, ",
        "",
        &["update home/load_balancers.front/listener.8080 (changed: rules)"],
    ),
    (
        "      - { port: 80, to: web }\n",
        "",
        &[
            "delete home/load_balancers.front/listener.80 (no longer in the blueprint)",
            "update home/load_balancers.front/security_group.main (changed: ingress)",
        ],
    ),
    (
        "nat: per_zone",
        "nat: single",
        &[
            "delete home/networks.main/elastic_ip.nat.eu-west-1b (no longer in the blueprint)",
            "delete home/networks.main/elastic_ip.nat.eu-west-1c (no longer in the blueprint)",
            "delete home/networks.main/nat_gateway.eu-west-1b (no longer in the blueprint)",
            "delete home/networks.main/nat_gateway.eu-west-1c (no longer in the blueprint)",
            "update home/networks.main/route_table.private.eu-west-1b (changed: routes)",
            "update home/networks.main/route_table.private.eu-west-1c (changed: routes)",
        ],
    ),
    (
        "nat: single",
        "nat: per_zone",
        &[
            "create home/networks.main/elastic_ip.nat.eu-west-1b (new)",
            "create home/networks.main/elastic_ip.nat.eu-west-1c (new)",
            "create home/networks.main/nat_gateway.eu-west-1b (new)",
            "create home/networks.main/nat_gateway.eu-west-1c (new)",
            "update home/networks.main/route_table.private.eu-west-1b (follows a change of what it uses: routes)",
            "update home/networks.main/route_table.private.eu-west-1c (follows a change of what it uses: routes)",
        ],
    ),
    (
        "db.t4g.medium",
        "db.t4g.large",
        &[
            "update home/databases.orders/db_instance.main (changed: class)",
            "update home/databases.orders/db_replica.eu-west-1a (changed: class)",
            "update home/databases.orders/db_replica.eu-west-1b (changed: class)",
            "update home/monitoring.main/alarm.databases.orders.connections (changed: threshold)",
            "update home/monitoring.main/alarm.databases.orders.connections.eu-west-1a (changed: threshold)",
            "update home/monitoring.main/alarm.databases.orders.connections.eu-west-1b (changed: threshold)",
        ],
    ),
    (
        "20GiB",
        "40GiB",
        &[
            "update home/databases.orders/db_instance.main (changed: storage_gib)",
            "update home/databases.orders/db_replica.eu-west-1a (changed: storage_gib)",
            "update home/databases.orders/db_replica.eu-west-1b (changed: storage_gib)",
            "update home/monitoring.main/alarm.databases.orders.free_storage (changed: threshold)",
            "update home/monitoring.main/alarm.databases.orders.free_storage.eu-west-1a (changed: threshold)",
            "update home/monitoring.main/alarm.databases.orders.free_storage.eu-west-1b (changed: threshold)",
        ],
    ),
    ("keep: 14d", "keep: 21d", &["update home/databases.orders/db_instance.main (changed: backup_days)"]),
    (
        "log_min_duration_statement: 500",
        "log_min_duration_statement: 250",
        &["update home/databases.orders/db_parameter_group.main (changed: parameters)"],
    ),
    (
        "db: { env: SHOP_DB_PASSWORD }",
        "db: { env: SHOP_NEXT_PASSWORD }",
        &["update home/databases.orders/db_instance.main (changed: password)"],
    ),
    (
        "replicas: 3 ",
        "replicas: 2 ",
        &[
            "delete home/databases.orders/db_replica.eu-west-1b (no longer in the blueprint)",
            "delete home/monitoring.main/alarm.databases.orders.connections.eu-west-1b (no longer in the blueprint)",
            "delete home/monitoring.main/alarm.databases.orders.cpu.eu-west-1b (no longer in the blueprint)",
            "delete home/monitoring.main/alarm.databases.orders.free_storage.eu-west-1b (no longer in the blueprint)",
            "delete home/monitoring.main/alarm.databases.orders.replica_lag.eu-west-1b (no longer in the blueprint)",
            "update home/monitoring.main/dashboard.main (changed: widgets)",
        ],
    ),
    (
        "replicas: 2 ",
        "replicas: 3 ",
        &[
            "create home/databases.orders/db_replica.eu-west-1b (new)",
            "create home/monitoring.main/alarm.databases.orders.connections.eu-west-1b (new)",
            "create home/monitoring.main/alarm.databases.orders.cpu.eu-west-1b (new)",
            "create home/monitoring.main/alarm.databases.orders.free_storage.eu-west-1b (new)",
            "create home/monitoring.main/alarm.databases.orders.replica_lag.eu-west-1b (new)",
            "update home/monitoring.main/dashboard.main (follows a change of what it uses: widgets)",
        ],
    ),
    (
        "version: 16",
        "version: 17",
        &[
            "replace home/databases.orders/db_parameter_group.main (family cannot be changed in place)",
            "update home/databases.orders/db_instance.main (changed: version; follows a change of what it uses: parameter_group)",
            "update home/databases.orders/db_replica.eu-west-1a (changed: version; follows a change of what it uses: parameter_group)",
            "update home/databases.orders/db_replica.eu-west-1b (changed: version; follows a change of what it uses: parameter_group)",
        ],
    ),
    (
        "    port: 80\n",
        "    port: 81\n",
        &[
            "replace home/load_balancers.front/target_group.web (port cannot be changed in place)",
            "update home/autoscaling_groups.web/autoscaling_group.main (follows a change of what it uses: target_groups)",
            "update home/autoscaling_groups.web/security_group.main (changed: ingress)",
            "update home/load_balancers.front/listener.8080 (follows a change of what it uses: rules, to)",
            "update home/load_balancers.front/security_group.main (changed: egress)",
            "update home/monitoring.main/alarm.load_balancers.front.healthy_members.web (follows a change of what it uses: metrics)",
        ],
    ),
    (
        "cache.t4g.small",
        "cache.t4g.medium",
        &[
            "update home/monitoring.main/alarm.session_stores.sessions.cpu (follows a change of what it uses: members)",
            "update home/monitoring.main/alarm.session_stores.sessions.evictions (follows a change of what it uses: members)",
            "update home/monitoring.main/alarm.session_stores.sessions.memory (follows a change of what it uses: members)",
            "update home/monitoring.main/alarm.session_stores.sessions.replica_lag (follows a change of what it uses: members)",
            "update home/session_stores.sessions/replication_group.main (changed: class)",
        ],
    ),
    (
        "load_balancers:\n",
        "load_balancers:\n  raw: { layer: 4, listeners: [{ port: 9000, to: web }] }\n",
        &[
            "create home/load_balancers.raw/elastic_ip.eu-west-1a (new)",
            "create home/load_balancers.raw/elastic_ip.eu-west-1b (new)",
            "create home/load_balancers.raw/elastic_ip.eu-west-1c (new)",
            "create home/load_balancers.raw/listener.9000 (new)",
            "create home/load_balancers.raw/load_balancer.main (new)",
            "create home/load_balancers.raw/security_group.main (new)",
            "create home/load_balancers.raw/target_group.web (new)",
            "create home/monitoring.main/alarm.load_balancers.raw.healthy_members.web (new)",
            "update home/autoscaling_groups.web/autoscaling_group.main (follows a change of what it uses: target_groups)",
            "update home/autoscaling_groups.web/security_group.main (follows a change of what it uses: ingress)",
            "update home/monitoring.main/dashboard.main (follows a change of what it uses: widgets)",
        ],
    ),
    (
        "  raw: { layer: 4, listeners: [{ port: 9000, to: web }] }\n",
        "",
        &[
            "delete home/load_balancers.raw/elastic_ip.eu-west-1a (no longer in the blueprint)",
            "delete home/load_balancers.raw/elastic_ip.eu-west-1b (no longer in the blueprint)",
            "delete home/load_balancers.raw/elastic_ip.eu-west-1c (no longer in the blueprint)",
            "delete home/load_balancers.raw/listener.9000 (no longer in the blueprint)",
            "delete home/load_balancers.raw/load_balancer.main (no longer in the blueprint)",
            "delete home/load_balancers.raw/security_group.main (no longer in the blueprint)",
            "delete home/load_balancers.raw/target_group.web (no longer in the blueprint)",
            "delete home/monitoring.main/alarm.load_balancers.raw.healthy_members.web (no longer in the blueprint)",
            "update home/autoscaling_groups.web/autoscaling_group.main (changed: target_groups)",
            "update home/autoscaling_groups.web/security_group.main (changed: ingress)",
            "update home/monitoring.main/dashboard.main (changed: widgets)",
        ],
    ),
    (
        "    parameters: {",
        "    deletion_protection: false\n    parameters: {",
        &["update home/databases.orders/db_instance.main (changed: deletion_protection)"],
    ),
];

#[test]
fn changes_are_planned_as_they_are_and_leave_nothing_else() {
    let account = account();
    account.run("apply --auto-approve").code(0);
    let mut wrong = Vec::new();
    for (from, to, steps) in CHANGES {
        account.sandbox.edit(from, to);
        let planned = account.plan("").steps();
        if planned != *steps {
            wrong.push((from, to, planned));
        }
        account.run("apply --auto-approve").code(0);
        assert_eq!(account.plan("").steps(), Vec::<String>::new(), "{from} -> {to}");
    }
    assert!(wrong.is_empty(), "planned otherwise: {wrong:#?}");
    account.assert_settled();
    let_sessions_go(&account);
    account.run("apply --auto-approve").code(0);
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}
