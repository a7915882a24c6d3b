//! Load balancers and groups: made, drifted and healed, cut off in the middle. How they change is with the whole shop.

use super::account::Account;

const SHOP: &str = "\
standfast: 1
name: shop
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 3 }
networks:
  main: { cidr: 10.20.0.0/16, nat: single }
load_balancers:
  front:
    listeners:
      - { port: 80, routes: [{ path: /api/*, to: api }, { host: api.example.net, to: api }, { to: web }] }
    stickiness: { cookie: SRV, ttl: 1h }
  raw:
    layer: 4
    listeners: [{ port: 9000, to: api }]
autoscaling_groups:
  web:
    capacity: { min: 3, max: 6 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { package: nginx, files: [{ to: /srv/motd, content: hello }] }
    port: 80
    health_check: { path: /healthz }
    scaling: [{ metric: cpu, target: 60% }, { metric: requests, target: 200 }]
  api:
    capacity: { min: 2, max: 4 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { container: \"registry.example.net/api:1\", command: [serve], environment: { MODE: fast } }
    port: 8080
";

#[test]
fn a_shop_is_made_once_and_leaves_an_empty_account() {
    let account = Account::applied(SHOP);
    let census = account.census();
    let count = |kind: &str| census.get(kind).map_or(0, Vec::len);
    let kinds =
        ["load_balancer", "target_group", "listener", "launch_template", "autoscaling_group", "instance"];
    assert_eq!(kinds.map(count), [2, 3, 2, 2, 2, 5]);
    account.assert_settled();
    let opened = account.python(
        "print(sorted((p['FromPort'], r['CidrIp']) for g in ec2.describe_security_groups()['SecurityGroups'] \
         if g['GroupName'] != 'default' for p in g['IpPermissions'] for r in p['IpRanges']))",
    );
    assert_eq!(
        opened, "[(80, '0.0.0.0/0'), (9000, '0.0.0.0/0')]",
        "anyone may reach listeners, and nothing else"
    );
    let metadata = account.python(
        "print({t['LaunchTemplateData']['MetadataOptions']['HttpTokens'] for t in \
         ec2.describe_launch_template_versions(Versions=['$Latest'], LaunchTemplateName= \
         ec2.describe_launch_templates()['LaunchTemplates'][0]['LaunchTemplateName'])['LaunchTemplateVersions']})",
    );
    assert_eq!(metadata, "{'required'}");
    let rules = account.python(
        "arns = [r['RuleArn'] for l in elb.describe_load_balancers()['LoadBalancers'] if l['Type'] == 'application' \
         for at in elb.describe_listeners(LoadBalancerArn=l['LoadBalancerArn'])['Listeners'] \
         for r in elb.describe_rules(ListenerArn=at['ListenerArn'])['Rules'] if not r['IsDefault']]\n\
         print([{t['Key']: t['Value'] for t in d['Tags']}['standfast:address'] \
         for d in elb.describe_tags(ResourceArns=arns)['TagDescriptions']])",
    );
    assert_eq!(rules, format!("{:?}", ["refuge/load_balancers.front/listener.80"; 2]).replace('"', "'"));
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

#[test]
fn an_internal_load_balancer_is_one_and_facing_the_world_makes_it_anew() {
    let account = Account::applied(
        &SHOP.replace("  raw:\n    layer: 4\n", "  raw:\n    layer: 4\n    internal: true\n"),
    );
    let schemes =
        "print(sorted((b['Type'], b['Scheme']) for b in elb.describe_load_balancers()['LoadBalancers']))";
    assert_eq!(account.python(schemes), "[('application', 'internet-facing'), ('network', 'internal')]");
    account.assert_settled();
    account.sandbox.edit("    internal: true\n", "");
    let steps = account.plan("").steps();
    let anew = "replace refuge/load_balancers.raw/load_balancer.main (scheme cannot be changed in place)";
    assert!(steps.iter().any(|step| step == anew), "{steps:#?}");
}

#[test]
fn what_was_changed_by_hand_is_put_back() {
    let account = Account::applied(SHOP);
    account.python(
        "front = [b for b in elb.describe_load_balancers()['LoadBalancers'] if b['Type'] == 'application'][0]\n\
         listener = elb.describe_listeners(LoadBalancerArn=front['LoadBalancerArn'])['Listeners'][0]['ListenerArn']\n\
         rules = elb.describe_rules(ListenerArn=listener)['Rules']\n\
         elb.delete_rule(RuleArn=[r for r in rules if r['Priority'] == '1'][0]['RuleArn'])\n\
         group = [g for g in elb.describe_target_groups()['TargetGroups'] if g.get('HealthCheckPath') == '/healthz'][0]['TargetGroupArn']\n\
         elb.modify_target_group(TargetGroupArn=group, HealthCheckPath='/other')\n\
         elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[{'Key': 'deregistration_delay.timeout_seconds', 'Value': '7'}])\n\
         web = [g for g in asg.describe_auto_scaling_groups()['AutoScalingGroups'] if g['MinSize'] == 3][0]['AutoScalingGroupName']\n\
         asg.update_auto_scaling_group(AutoScalingGroupName=web, MaxSize=9)\n\
         asg.delete_policy(AutoScalingGroupName=web, PolicyName='ASGAverageCPUUtilization')\n\
         guard = ec2.describe_security_groups(Filters=[{'Name': 'tag:standfast:address', 'Values': ['*autoscaling_groups.api*']}])['SecurityGroups'][0]['GroupId']\n\
         ec2.authorize_security_group_ingress(GroupId=guard, IpProtocol='tcp', FromPort=22, ToPort=22, CidrIp='0.0.0.0/0')",
    );
    assert_eq!(
        account.plan("").steps(),
        [
            "update refuge/autoscaling_groups.api/security_group.main (drift: ingress)",
            "update refuge/autoscaling_groups.web/autoscaling_group.main (drift: max, scaling)",
            "update refuge/load_balancers.front/listener.80 (drift: rules)",
            "update refuge/load_balancers.front/target_group.web (drift: check_path, settings)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

#[test]
fn a_run_that_is_killed_is_finished_by_the_next_without_duplicates() {
    let account = Account::new(SHOP);
    account.apply_through_kills(&[
        "created   refuge/networks.main/vpc.main",
        "created   refuge/load_balancers.raw/load_balancer.main",
        "created   refuge/load_balancers.raw/listener.9000",
    ]);
}
