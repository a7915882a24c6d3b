//! What somebody else built, described and taken over as it is.

use super::account::Account;

/// A VPC with an ALB, a group behind it, a group behind nothing, and a database; made without standfast.
const BUILT: &str = "\
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
front = elb.create_load_balancer(Name='old-front', Subnets=subnets['public'], SecurityGroups=[guard], Scheme='internet-facing')['LoadBalancers'][0]['LoadBalancerArn']
target = elb.create_target_group(Name='old-web', Protocol='HTTP', Port=8080, VpcId=vpc, HealthCheckPath='/up')['TargetGroups'][0]['TargetGroupArn']
forward = [{'Type': 'forward', 'TargetGroupArn': target}]
listener = elb.create_listener(LoadBalancerArn=front, Protocol='HTTP', Port=80, DefaultActions=forward)['Listeners'][0]['ListenerArn']
elb.create_rule(ListenerArn=listener, Priority=1, Conditions=[{'Field': 'path-pattern', 'Values': ['/api/*']}], Actions=forward)
answer = [{'Type': 'fixed-response', 'FixedResponseConfig': {'StatusCode': '200'}}]
elb.create_listener(LoadBalancerArn=front, Protocol='HTTP', Port=8081, DefaultActions=answer)
elb.create_load_balancer(Name='old-raw', Subnets=subnets['public'], Type='network')
image = ec2.describe_images()['Images'][0]['ImageId']
template = ec2.create_launch_template(LaunchTemplateName='old-web', LaunchTemplateData={'ImageId': image, 'InstanceType': 'm5.large', 'SecurityGroupIds': [guard]})['LaunchTemplate']['LaunchTemplateId']
for name, targets in ('old_web', [target]), ('old_batch', []):
    asg.create_auto_scaling_group(AutoScalingGroupName=name, MinSize=2, MaxSize=4, DesiredCapacity=2, VPCZoneIdentifier=','.join(subnets['private']), TargetGroupARNs=targets, LaunchTemplate={'LaunchTemplateId': template, 'Version': '1'})
rds.create_db_subnet_group(DBSubnetGroupName='old', DBSubnetGroupDescription='old', SubnetIds=subnets['data'])
rds.create_db_instance(DBInstanceIdentifier='orders', Engine='postgres', EngineVersion='15.4', DBInstanceClass='db.m5.large', AllocatedStorage=50, MultiAZ=True, MasterUsername='owner', MasterUserPassword='correct-horse', DBSubnetGroupName='old', BackupRetentionPeriod=10, VpcSecurityGroupIds=[guard])
print(vpc)";

#[test]
fn what_somebody_else_built_is_described_and_taken_over_as_it_is() {
    let account = Account::new("standfast: 1\nname: none\n");
    let vpc = account.python(BUILT);
    std::fs::remove_file(account.sandbox.path("standfast.yaml")).unwrap();
    account.run(&format!("import --from aws --region eu-west-1 --vpc {vpc} --out standfast.yaml")).code(0);
    let written = std::fs::read_to_string(account.sandbox.path("standfast.yaml")).unwrap();
    insta::with_settings!({
        snapshot_path => "told",
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => vec![(r"\b(vpc|lt|ami)-[0-9a-f]+", "$1-ID"), (r"/[0-9a-f]{16}\b", "/ID")],
    }, { insta::assert_snapshot!("import", written); });

    // What runs on the machines cannot be read, and nothing is guessed.
    account.run("check").code(65).says("workload");
    account.sandbox.edit("workload: {}", "workload: { package: nginx }");
    let before = account.census();
    let commands: Vec<&str> =
        written.lines().filter_map(|line| line.strip_prefix("#   standfast ")).collect();
    for command in &commands {
        account.run(&command.replace('\'', "")).code(0);
    }
    let steps = account.plan("").steps();
    let made: Vec<_> = steps.iter().filter(|step| !step.starts_with("create ")).collect();
    assert_eq!(made, Vec::<&String>::new(), "nothing that was there is touched");
    assert!(
        steps.iter().all(|step| [
            "security_group",
            "instance_profile",
            "db_subnet_group",
            "db_parameter_group"
        ]
        .iter()
        .any(|kind| step.contains(kind))),
        "{steps:?}"
    );
    account.run("apply --auto-approve").code(0);
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    for kind in ["load_balancer", "listener", "target_group", "autoscaling_group", "instance", "db_instance"]
    {
        assert_eq!(account.census()[kind], before[kind], "{kind}");
    }

    // The blueprint rules what it is let to rule.
    account.sandbox.edit("max: 4", "max: 5");
    let changed = account.plan("").steps();
    assert_eq!(changed, ["update home/autoscaling_groups.old-web/autoscaling_group.main (changed: max)"]);
    account.run("apply --auto-approve").code(0);
    // What a stack has taken over is left out from then on.
    let again = account.run(&format!("import --from aws --region eu-west-1 --vpc {vpc}")).code(0);
    again.prints("# Not said: the group old_web is a stack's already.");
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
