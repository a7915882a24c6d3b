//! What somebody else built, described and taken over as it is.

use standfast_fault_proxy::Fault;

use super::account::Account;

/// A VPC of two zones, made without standfast like all below.
const NETWORK: &str = "\
vpc = ec2.create_vpc(CidrBlock='10.8.0.0/16')['Vpc']['VpcId']
gateway = ec2.create_internet_gateway()['InternetGateway']['InternetGatewayId']
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
subnets = {}
for tier, third in ('public', 0), ('private', 16), ('data', 32):
    table = ec2.create_route_table(VpcId=vpc)['RouteTable']['RouteTableId']
    subnets[tier] = [ec2.create_subnet(VpcId=vpc, CidrBlock=f'10.8.{third + n}.0/24', AvailabilityZone='eu-west-1' + z)['Subnet']['SubnetId'] for n, z in enumerate('ab')]
    for one in subnets[tier]:
        ec2.associate_route_table(RouteTableId=table, SubnetId=one)
    if tier == 'public':
        ec2.create_route(RouteTableId=table, DestinationCidrBlock='0.0.0.0/0', GatewayId=gateway)
    if tier == 'private':
        held = ec2.allocate_address(Domain='vpc')['AllocationId']
        nat = ec2.create_nat_gateway(SubnetId=subnets['public'][0], AllocationId=held)['NatGateway']['NatGatewayId']
        ec2.create_route(RouteTableId=table, DestinationCidrBlock='0.0.0.0/0', NatGatewayId=nat)
guard = ec2.create_security_group(GroupName='old', Description='old', VpcId=vpc)['GroupId']
image = ec2.describe_images()['Images'][0]['ImageId']
template = ec2.create_launch_template(LaunchTemplateName='old-web', LaunchTemplateData={'ImageId': image, 'InstanceType': 'm5.large', 'SecurityGroupIds': [guard], 'UserData': 'IyEvYmluL3NoCg=='})['LaunchTemplate']['LaunchTemplateId']
def group(name, targets):
    asg.create_auto_scaling_group(AutoScalingGroupName=name, MinSize=2, MaxSize=4, DesiredCapacity=2, VPCZoneIdentifier=','.join(subnets['private']), TargetGroupARNs=targets, LaunchTemplate={'LaunchTemplateId': template, 'Version': '1'})
def target(name, protocol, port, **more):
    return elb.create_target_group(Name=name, Protocol=protocol, Port=port, VpcId=vpc, **more)['TargetGroups'][0]['TargetGroupArn']
def listener(balancer, protocol, port, target):
    return elb.create_listener(LoadBalancerArn=balancer, Protocol=protocol, Port=port, DefaultActions=[{'Type': 'forward', 'TargetGroupArn': target}])['Listeners'][0]['ListenerArn']
";

/// An ALB, a group behind it, a group behind nothing, and a database.
const SHOP: &str = "\
front = elb.create_load_balancer(Name='old-front', Subnets=subnets['public'], SecurityGroups=[guard], Scheme='internet-facing')['LoadBalancers'][0]['LoadBalancerArn']
web = target('old-web', 'HTTP', 8080, HealthCheckPath='/up')
at_80 = listener(front, 'HTTP', 80, web)
elb.create_rule(ListenerArn=at_80, Priority=1, Conditions=[{'Field': 'path-pattern', 'Values': ['/api/*']}], Actions=[{'Type': 'forward', 'TargetGroupArn': web}])
answer = [{'Type': 'fixed-response', 'FixedResponseConfig': {'StatusCode': '200'}}]
elb.create_listener(LoadBalancerArn=front, Protocol='HTTP', Port=8081, DefaultActions=answer)
group('old_web', [web])
group('old_batch', [])
rds.create_db_subnet_group(DBSubnetGroupName='old', DBSubnetGroupDescription='old', SubnetIds=subnets['data'])
rds.create_db_instance(DBInstanceIdentifier='orders', Engine='postgres', EngineVersion='15.4', DBInstanceClass='db.m5.large', AllocatedStorage=50, MultiAZ=True, MasterUsername='owner', MasterUserPassword='correct-horse', DBSubnetGroupName='old', BackupRetentionPeriod=10, VpcSecurityGroupIds=[guard])
";

/// An account in which somebody built this, and the blueprint that `import` wrote of it.
fn described(built: &str) -> (Account, String) {
    let account = Account::new("standfast: 1\nname: none\n");
    let vpc = account.python(&format!("{built}print(vpc)"));
    std::fs::remove_file(account.sandbox.path("standfast.yaml")).unwrap();
    account.run(&format!("import --from aws --region eu-west-1 --vpc {vpc} --out standfast.yaml")).code(0);
    let written = std::fs::read_to_string(account.sandbox.path("standfast.yaml")).unwrap();
    (account, written)
}

fn told(name: &str, written: &str) {
    let ids = [
        (r"\b(vpc|lt|ami|eipalloc)-[0-9a-f]+", "$1-ID"),
        (r"/[0-9a-f]{16}\b", "/ID"),
        (r"\b[0-9A-Z]{20,}\b", "ZONE"),
    ];
    insta::with_settings!({
        snapshot_path => "told",
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => ids,
    }, { insta::assert_snapshot!(name, written); });
}

/// Records what the blueprint names, and holds that a plan has nothing to do: what there is of each kind stays as it is.
fn taken_over(account: &Account, written: &str, kinds: &[&str]) {
    assert_eq!(account.run("check").code(0).stderr, "");
    let before = account.census();
    for command in written.lines().filter_map(|line| line.strip_prefix("#   standfast ")) {
        account.run(&command.replace('\'', "")).code(0);
    }
    assert_eq!(
        account.plan("").steps(),
        Vec::<String>::new(),
        "nothing that was there is touched, and nothing is new"
    );
    account.run("apply --auto-approve").code(0);
    let after = account.census();
    for kind in kinds {
        assert!(before.get(*kind).is_some_and(|found| !found.is_empty()), "no {kind}");
        assert_eq!(after[*kind], before[*kind], "{kind}");
    }
}

/// What a plan would do to the world; not what it would only write down.
fn changes(account: &Account) -> Vec<String> {
    let mut steps = account.plan("").steps();
    steps.retain(|step| !step.starts_with("refresh "));
    steps
}

#[test]
fn what_somebody_else_built_is_described_and_taken_over_as_it_is() {
    let (account, written) = described(&format!("{NETWORK}{SHOP}"));
    told("import", &written);
    taken_over(
        &account,
        &written,
        &["load_balancer", "listener", "target_group", "autoscaling_group", "instance", "db_instance"],
    );

    // The blueprint rules what it is let to rule, and nothing beside it.
    account.sandbox.edit("max: 4", "max: 5");
    account.sandbox.edit("instance_type: m5.large", "instance_type: m5.xlarge");
    assert_eq!(
        account.plan("").steps(),
        [
            "update home/autoscaling_groups.old-web/autoscaling_group.main (changed: max)",
            "update home/autoscaling_groups.old-web/launch_template.main (changed: instance_type)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    let scripts = account.python(
        "template = ec2.describe_launch_templates()['LaunchTemplates'][0]['LaunchTemplateId']\n\
         print([v['LaunchTemplateData'].get('UserData') for v in ec2.describe_launch_template_versions(LaunchTemplateId=template)['LaunchTemplateVersions']])",
    );
    assert_eq!(scripts, "['IyEvYmluL3NoCg==', 'IyEvYmluL3NoCg==']", "its own script");
    // What a stack has taken over is left out from then on.
    let vpc = written.split("existing: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let again = account.run(&format!("import --from aws --region eu-west-1 --vpc {vpc}")).code(0);
    again.prints("# Not said: the group old_web is a stack's already.");
}

/// An internal ALB, an NLB with addresses of its own and one without, and one that does what no blueprint says.
const BALANCERS: &str = "\
inner = elb.create_load_balancer(Name='old-inner', Subnets=subnets['private'], SecurityGroups=[guard], Scheme='internal')['LoadBalancers'][0]['LoadBalancerArn']
api = target('old-api', 'HTTP', 8080, HealthCheckPath='/up', HealthCheckPort='8081', Matcher={'HttpCode': '204'})
listener(inner, 'HTTP', 80, api)
group('old-api', [api])
raw = elb.create_load_balancer(Name='old-raw', Subnets=subnets['public'], Type='network', Scheme='internet-facing')['LoadBalancers'][0]['LoadBalancerArn']
tcp = target('old-tcp', 'TCP', 9000, HealthCheckProtocol='TCP', HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=10)
listener(raw, 'TCP', 9000, tcp)
group('old-tcp', [tcp])
deep = elb.create_load_balancer(Name='old-deep', Subnets=subnets['private'], SecurityGroups=[guard], Type='network', Scheme='internal')['LoadBalancers'][0]['LoadBalancerArn']
checked = target('old-checked', 'TCP', 9001, HealthCheckProtocol='HTTPS', HealthCheckPath='/up')
listener(deep, 'TCP', 9001, checked)
group('old-checked', [checked])
datagrams = target('old-udp', 'UDP', 53, HealthCheckProtocol='TCP')
listener(deep, 'UDP', 53, datagrams)
";

#[test]
fn internal_and_network_load_balancers_are_taken_over_as_they_are() {
    let (account, written) = described(&format!("{NETWORK}{BALANCERS}"));
    told("import-balancers", &written);
    taken_over(
        &account,
        &written,
        &["load_balancer", "listener", "target_group", "autoscaling_group", "elastic_ip"],
    );

    account.sandbox.edit("check_matcher, tls_policy] }\n  old-raw", "tls_policy] }\n  old-raw");
    let matcher = "update home/load_balancers.old-inner/target_group.old-api (changed: check_matcher)";
    assert_eq!(changes(&account), [matcher]);
    account.sandbox.edit("elastic_ips, check_protocol] }", "elastic_ips] }");
    let protocol = "update home/load_balancers.old-deep/target_group.old-checked (changed: check_protocol)";
    assert_eq!(changes(&account), [protocol, matcher]);
    account.python(
        "[elb.delete_load_balancer(LoadBalancerArn=b['LoadBalancerArn']) for b in elb.describe_load_balancers()['LoadBalancers'] if b['LoadBalancerName'] == 'old-inner']",
    );
    account.run("apply --auto-approve").code(0);
    let schemes =
        account.python("print(sorted(b['Scheme'] for b in elb.describe_load_balancers()['LoadBalancers']))");
    assert_eq!(schemes, "['internal', 'internal', 'internet-facing']", "made anew as it was");
}

#[test]
fn an_internal_load_balancer_is_not_replaced_by_one_that_faces_the_internet() {
    let (account, written) = described(&format!("{NETWORK}{BALANCERS}"));
    taken_over(&account, &written, &["load_balancer"]);
    account.sandbox.edit("  old-inner:\n    internal: true\n", "  old-inner:\n");
    account.run("plan").code(1).says("scheme cannot be changed in place");
}

const SUBNETS: &str = "rds.create_db_subnet_group(DBSubnetGroupName='old', DBSubnetGroupDescription='old', SubnetIds=subnets['data'])\n";

/// A database with a standby and two read replicas, one bigger than it; one without a standby whose replica is in another
/// zone than the first; and a replica of a replica.
const REPLICAS: &str = "\
def database(name, **more):
    rds.create_db_instance(DBInstanceIdentifier=name, EngineVersion='15.4', DBInstanceClass='db.m5.large', AllocatedStorage=50, MasterUsername='owner', MasterUserPassword='correct-horse', DBSubnetGroupName='old', BackupRetentionPeriod=10, VpcSecurityGroupIds=[guard], Engine='postgres', **more)
def replica(name, source, zone, size='db.m5.large'):
    rds.create_db_instance_read_replica(DBInstanceIdentifier=name, SourceDBInstanceIdentifier=source, AvailabilityZone=zone, DBInstanceClass=size, MultiAZ=False)
database('orders', MultiAZ=True)
replica('orders-b', 'orders', 'eu-west-1b')
replica('orders-a', 'orders', 'eu-west-1a', 'db.m5.xlarge')
database('books', AvailabilityZone='eu-west-1a')
replica('books-b', 'books', 'eu-west-1b')
replica('books-deep', 'books-b', 'eu-west-1a')
";

#[test]
fn read_replicas_are_taken_over_with_what_they_follow() {
    let (account, written) = described(&format!("{NETWORK}{SUBNETS}{REPLICAS}"));
    told("import-replicas", &written);
    taken_over(&account, &written, &["db_instance"]);

    account.sandbox.edit("password, class]", "password]");
    assert_eq!(
        changes(&account),
        ["update home/databases.orders/db_replica.eu-west-1a (changed: class)"],
        "the replica as its database"
    );
}

/// A cluster over two zones whose servers are both in the first, in a global database; one of one server; one of none.
const AURORA: &str = "\
def cluster(name, servers, **more):
    rds.create_db_cluster(DBClusterIdentifier=name, MasterUsername='owner', MasterUserPassword='correct-horse', DBSubnetGroupName='old', VpcSecurityGroupIds=[guard], StorageEncrypted=True, BackupRetentionPeriod=5, **more)
    for number, size in enumerate(servers):
        rds.create_db_instance(DBInstanceIdentifier=f'{name}-{number}', DBClusterIdentifier=name, Engine=more['Engine'], DBInstanceClass=size, DBSubnetGroupName='old', AvailabilityZone='eu-west-1a')
rds.create_global_cluster(GlobalClusterIdentifier='old-world', Engine='aurora-postgresql', EngineVersion='15.4', StorageEncrypted=True)
cluster('ledger', ['db.r6g.large', 'db.r6g.xlarge'], Engine='aurora-postgresql', EngineVersion='15.4', GlobalClusterIdentifier='old-world')
cluster('carts', ['db.r6g.large'], Engine='aurora-mysql', EngineVersion='8.0.mysql_aurora.3.04.0')
cluster('empty', [], Engine='aurora-postgresql', EngineVersion='15.4')
";

#[test]
fn aurora_clusters_are_taken_over_with_their_servers() {
    // Its subnets have a way out: none of a blueprint's tiers is for databases.
    let network = NETWORK.replace("tier == 'private'", "tier != 'public'");
    let (account, written) = described(&format!("{network}{SUBNETS}{AURORA}"));
    told("import-aurora", &written);
    taken_over(&account, &written, &["db_cluster", "db_instance"]);

    account.sandbox.edit("maintenance_window, class, zone]", "maintenance_window, zone]");
    assert_eq!(
        changes(&account),
        ["update home/databases.ledger/db_cluster_instance.eu-west-1b (changed: class)"]
    );
}

/// A store with a replica, one that does not fail over and speaks without TLS, one over shards, and a server of no group.
/// AWS itself makes the servers of a group, which moto leaves out.
const STORES: &str = "\
cache.create_cache_subnet_group(CacheSubnetGroupName='old', CacheSubnetGroupDescription='old', SubnetIds=subnets['data'])
def server(name, **more):
    cache.create_cache_cluster(CacheClusterId=name, CacheNodeType='cache.t4g.small', EngineVersion='7.1.0', CacheSubnetGroupName='old', **more)
def store(name, servers, **more):
    cache.create_replication_group(ReplicationGroupId=name, ReplicationGroupDescription='old', Engine='redis', EngineVersion='7.1', CacheNodeType='cache.t4g.small', CacheSubnetGroupName='old', **more)
    for number in range(servers):
        server(f'{name}-{number + 1:03}', Engine='redis', ReplicationGroupId=name)
store('old-sessions', 2, NumNodeGroups=1, ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True, MultiAZEnabled=True, TransitEncryptionEnabled=True, AtRestEncryptionEnabled=True, AuthToken='correct-horse-battery')
store('old-jobs', 2, NumNodeGroups=1, ReplicasPerNodeGroup=1)
store('old-shards', 4, NumNodeGroups=2, ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True)
server('old-memory', Engine='memcached', NumCacheNodes=1)
";

#[test]
fn session_stores_are_taken_over_as_they_are() {
    let network = NETWORK.replace("tier == 'private'", "tier != 'public'");
    let (account, written) = described(&format!("{network}{STORES}"));
    told("import-stores", &written);
    taken_over(&account, &written, &["replication_group"]);

    account.sandbox.edit("encrypted, tls, failover]", "encrypted, tls]");
    assert_eq!(
        changes(&account),
        ["update home/session_stores.old-jobs/replication_group.main (changed: failover)"]
    );
}

/// A zone with a name of the load balancer as AWS's console writes it, its apex, a failover to the one and the other, a
/// weighted record and records of others; a private zone; and a zone of somebody else's things.
const NAMES: &str = "\
inner = elb.create_load_balancer(Name='old-spare', Subnets=subnets['public'], SecurityGroups=[guard], Scheme='internet-facing')['LoadBalancers'][0]['LoadBalancerArn']
spare = target('old-spare', 'HTTP', 8080, HealthCheckPath='/up')
listener(inner, 'HTTP', 80, spare)
group('old-spare', [spare])
by_name = {one['LoadBalancerName']: one for one in elb.describe_load_balancers()['LoadBalancers']}
def alias(zone, name, balancer, prefix='', watched=True, **more):
    to = by_name[balancer]
    record = {'Name': name, 'Type': 'A', 'AliasTarget': {'HostedZoneId': to['CanonicalHostedZoneId'], 'DNSName': prefix + to['DNSName'], 'EvaluateTargetHealth': watched}, **more}
    put(zone, record)
def put(zone, record):
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={'Changes': [{'Action': 'CREATE', 'ResourceRecordSet': record}]})
def zone(name, **more):
    return route53.create_hosted_zone(Name=name, CallerReference=name + str(more), **more)['HostedZone']['Id'].split('/')[-1]
shop = zone('shop.example')
check = route53.create_health_check(CallerReference='old', HealthCheckConfig={'Type': 'TCP', 'IPAddress': '192.0.2.1', 'Port': 80})['HealthCheck']['Id']
alias(shop, 'www.shop.example', 'old-front', 'dualstack.', watched=False)
alias(shop, 'shop.example', 'old-front')
alias(shop, 'api.shop.example', 'old-front', SetIdentifier='first', Failover='PRIMARY', HealthCheckId=check)
alias(shop, 'api.shop.example', 'old-spare', SetIdentifier='second', Failover='SECONDARY')
alias(shop, 'near.shop.example', 'old-front', SetIdentifier='west', Region='eu-west-1')
alias(shop, 'some.shop.example', 'old-front', SetIdentifier='half', Weight=1)
put(shop, {'Name': 'mail.shop.example', 'Type': 'TXT', 'TTL': 60, 'ResourceRecords': [{'Value': '\"v=spf1 -all\"'}]})
alias(zone('inside.example', VPC={'VPCRegion': 'eu-west-1', 'VPCId': vpc}, HostedZoneConfig={'PrivateZone': True}), 'www.inside.example', 'old-front')
put(zone('others.example'), {'Name': 'www.others.example', 'Type': 'A', 'TTL': 60, 'ResourceRecords': [{'Value': '192.0.2.2'}]})
";

#[test]
fn names_of_what_was_found_are_taken_over_as_they_are() {
    let (account, written) = described(&format!("{NETWORK}{SHOP}{NAMES}"));
    told("import-names", &written);
    let records = "print(sum(len(route53.list_resource_record_sets(HostedZoneId=z['Id'])['ResourceRecordSets']) for z in route53.list_hosted_zones()['HostedZones']))";
    let before = account.python(records);
    taken_over(&account, &written, &["hosted_zone", "load_balancer"]);
    assert_eq!(account.python(records), before);

    account.sandbox.edit("target, evaluate_health,", "target,");
    assert_eq!(changes(&account), ["update home/dns.shop-example/dns_record.www (changed: evaluate_health)"]);
}

#[test]
fn a_service_that_may_not_be_looked_at_is_named_and_the_others_are_described() {
    let account = Account::new("standfast: 1\nname: none\n");
    let vpc = account.python(&format!("{NETWORK}{SHOP}print(vpc)"));
    for (service, action) in [("elasticache", "DescribeReplicationGroups"), ("rds", "DescribeDBInstances")] {
        account.proxy.add(action, Fault::denied("jane is not authorized").on_action(service, action));
    }
    account
        .run(&format!("import --from aws --region eu-west-1 --vpc {vpc}"))
        .code(0)
        .prints("  old-front:")
        .prints("# Not said: the databases, which may not be looked at (rds:DescribeDBInstances: jane is not authorized (AccessDenied)).")
        .prints("# Not said: the session stores, which may not be looked at (elasticache:DescribeReplicationGroups: ");
}

#[test]
fn what_is_not_there_or_in_the_way_is_said() {
    let account = Account::new("standfast: 1\nname: none\n");
    let line = "import --from aws --region eu-west-1 --vpc vpc-0123456789abcdef0";
    account
        .run(line)
        .code(1)
        .says("could not describe what is in vpc-0123456789abcdef0 in eu-west-1: there is no such VPC");
    account.run(&format!("{line} --out standfast.yaml")).code(1).says("standfast.yaml is there already");
    for provider in ["ssh", "sim"] {
        account.run(&line.replace("aws", provider)).code(1).says("could not describe what is");
    }
}
