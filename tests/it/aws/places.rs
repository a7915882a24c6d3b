//! Where things are put: into a network that is there already, into another account by a role, under another name.

use super::account::Account;

/// Behind a network of somebody else's; `VPC` stands for its id.
const SHOP: &str = "\
standfast: 1
name: shop
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 2 }
networks:
  main: { existing: VPC }
load_balancers:
  front: { listeners: [{ port: 80, to: web }] }
autoscaling_groups:
  web:
    capacity: { min: 2, max: 2 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { package: nginx }
    port: 80
";

/// Two public and two private subnets, of nobody that standfast knows.
const THEIRS: &str = "\
vpc = ec2.create_vpc(CidrBlock='10.9.0.0/16')['Vpc']['VpcId']
gateway = ec2.create_internet_gateway()['InternetGateway']['InternetGatewayId']
ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
def table(out):
    one = ec2.create_route_table(VpcId=vpc)['RouteTable']['RouteTableId']
    ec2.create_route(RouteTableId=one, DestinationCidrBlock='0.0.0.0/0', **out)
    return one
def subnet(table, at):
    one = ec2.create_subnet(VpcId=vpc, CidrBlock=f'10.9.{at}.0/24', AvailabilityZone='eu-west-1' + 'ab'[at % 2])
    ec2.associate_route_table(RouteTableId=table, SubnetId=one['Subnet']['SubnetId'])
    return one['Subnet']['SubnetId']
public = table({'GatewayId': gateway})
front = [subnet(public, at) for at in (0, 1)]
address = ec2.allocate_address(Domain='vpc')['AllocationId']
nat = ec2.create_nat_gateway(SubnetId=front[0], AllocationId=address)['NatGateway']['NatGatewayId']
private = table({'NatGatewayId': nat})
[subnet(private, at) for at in (2, 3)]
print(vpc)
";

#[test]
fn a_network_that_is_there_is_used_and_never_touched() {
    let account = Account::new("");
    let vpc = account.python(THEIRS);
    let before = account.census();
    account.sandbox.write("standfast.yaml", &SHOP.replace("VPC", &vpc));
    account.run("apply --auto-approve").code(0);
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    let placed = account.python(
        "front = {z['SubnetId'] for b in elb.describe_load_balancers()['LoadBalancers'] for z in b['AvailabilityZones']}\n\
         back = set(asg.describe_auto_scaling_groups()['AutoScalingGroups'][0]['VPCZoneIdentifier'].split(','))\n\
         of = {s['SubnetId']: s['CidrBlock'] for s in ec2.describe_subnets()['Subnets']}\n\
         print(sorted(of[s] for s in front), sorted(of[s] for s in back))",
    );
    assert_eq!(placed, "['10.9.0.0/24', '10.9.1.0/24'] ['10.9.2.0/24', '10.9.3.0/24']");

    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), before, "what is somebody else's is as it was");

    account.sandbox.write("standfast.yaml", &SHOP.replace("VPC", "vpc-0123456789abcdef0"));
    account.run("plan").code(65).says("there is no VPC `vpc-0123456789abcdef0` in eu-west-1");
}

#[test]
fn a_role_leads_into_another_account() {
    let account = Account::applied(
        "\
standfast: 1
name: shop
regions:
  refuge:
    provider: aws
    location: eu-west-1
    zones: 2
    account: \"210987654321\"
    assume_role: arn:aws:iam::210987654321:role/deploy
networks:
  main: { nat: none }
",
    );
    assert_eq!(account.census(), Default::default(), "nothing is where the credentials come from");
    let there = account.python(
        "role = boto3.client('sts', region_name='eu-west-1').assume_role(RoleArn='arn:aws:iam::210987654321:role/deploy', RoleSessionName='look')['Credentials']\n\
         away = boto3.client('ec2', region_name='eu-west-1', aws_access_key_id=role['AccessKeyId'],\n\
         \x20   aws_secret_access_key=role['SecretAccessKey'], aws_session_token=role['SessionToken'])\n\
         print(len([v for v in away.describe_vpcs()['Vpcs'] if not v['IsDefault']]))",
    );
    assert_eq!(there, "1");
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    account.run("destroy --auto-approve").code(0);
}

#[test]
fn what_is_moved_keeps_its_things_and_they_learn_its_name() {
    let account = Account::applied(
        "\
standfast: 1
name: shop
regions: { refuge: { provider: aws, location: eu-west-1, zones: 2 } }
networks: { main: { nat: none } }
",
    );
    let ids = |account: &Account| -> Vec<String> {
        let census = account.census();
        census.values().flatten().map(|thing| thing["id"].as_str().unwrap().to_owned()).collect()
    };
    let before = ids(&account);
    account.sandbox.edit(
        "networks: { main: { nat: none } }",
        "networks: { core: { nat: none } }\nmoved: [{ from: networks.main, to: networks.core }]",
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    assert_eq!(ids(&account), before);
}

/// A protected database would be left behind, with all else, as if it were gone.
#[test]
fn a_region_stays_where_it_is() {
    let account = Account::applied(
        "\
standfast: 1
name: shop
regions: { refuge: { provider: aws, location: eu-west-1, zones: 2 } }
networks: { main: { nat: none } }
",
    );
    let before = account.census();
    account.sandbox.edit("eu-west-1", "eu-central-1");
    for line in ["plan", "apply --auto-approve", "apply --refresh-only --auto-approve", "drift"] {
        let refused = account.run(line).code(1);
        let told = "error: what is in the region `refuge` would be left behind: its location was eu-west-1, and is eu-central-1 now";
        assert!(refused.stderr.contains(told), "{line}: {}", refused.stderr);
    }
    assert_eq!(account.census(), before);
    assert_eq!(account.census_in("eu-central-1"), Default::default());
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

/// AWS renames nothing: what has been moved keeps the name that it was made with.
#[test]
fn what_has_a_name_of_its_own_is_moved_and_not_made_anew() {
    let account = Account::applied(
        "\
standfast: 1
name: shop
secrets: { db: { env: SHOP_PASSWORD } }
regions: { refuge: { provider: aws, location: eu-west-1, zones: 2 } }
networks: { main: { nat: none } }
load_balancers:
  front: { listeners: [{ port: 80, to: web }] }
autoscaling_groups:
  web:
    capacity: { min: 1, max: 2 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { package: nginx }
    port: 80
databases:
  orders: { engine: postgres, version: 16, instance_type: db.t4g.medium, storage: 20GiB, password: \"${secrets.db}\" }
session_stores:
  sessions: { engine: redis, version: \"7.1\", instance_type: cache.t4g.small }
",
    );
    let ids = |account: &Account| -> Vec<String> {
        let census = account.census();
        census.values().flatten().map(|thing| thing["id"].as_str().unwrap().to_owned()).collect()
    };
    let before = ids(&account);
    for (section, from, to) in [
        ("load_balancers", "front", "edge"),
        ("databases", "orders", "ledger"),
        ("session_stores", "sessions", "carts"),
        ("autoscaling_groups", "web", "site"),
    ] {
        account.sandbox.edit(&format!("  {from}:"), &format!("  {to}:"));
        if section == "autoscaling_groups" {
            account.sandbox.edit("to: web", "to: site");
        }
        account.sandbox.edit(
            "name: shop\n",
            &format!("name: shop\nmoved: [{{ from: {section}.{from}, to: {section}.{to} }}]\n"),
        );
        account.run("apply --auto-approve").code(0);
        // moto tells the first tags of a launch template for good.
        if section != "autoscaling_groups" {
            account.assert_settled();
        }
        assert_eq!(ids(&account), before, "{section}");
        account.sandbox.edit(&format!("moved: [{{ from: {section}.{from}, to: {section}.{to} }}]\n"), "");
        assert_eq!(account.plan("").steps(), Vec::<String>::new(), "{section}");
    }
    // What is new at an old name in the blueprint gets another one in the account.
    for (section, anew) in [
        ("load_balancers", "front: { listeners: [{ port: 80, to: web }] }"),
        (
            "autoscaling_groups",
            "web: { capacity: { min: 1, max: 2 }, instance_type: t3.small, port: 80, workload: { package: nginx }, image: \
             /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64 }",
        ),
        (
            "databases",
            "orders: { engine: postgres, version: 16, instance_type: db.t4g.medium, storage: 20GiB, password: \
             \"${secrets.db}\" }",
        ),
        ("session_stores", "sessions: { engine: redis, version: \"7.1\", instance_type: cache.t4g.small }"),
    ] {
        account.sandbox.edit(&format!("{section}:\n"), &format!("{section}:\n  {anew}\n"));
    }
    account.run("apply --auto-approve").code(0);
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    let after = ids(&account);
    assert!(before.iter().all(|id| after.contains(id)), "{before:?}\n{after:?}");
}
