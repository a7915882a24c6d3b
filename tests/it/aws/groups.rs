//! Groups of several sizes with spot machines, capacities by the clock, and what the machines may do.
//!
//! What moto has not, an instance refresh, is shown beside the kind with recorded answers.

use super::account::{Account, PASSWORD};

const SHOP: &str = "\
standfast: 1
name: shop
secrets:
  app: { env: SHOP_PASSWORD }
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 2 }
networks:
  main: { cidr: 10.20.0.0/16, nat: none }
autoscaling_groups:
  web:
    capacity: { min: 2, desired: 3, max: 6 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { package: nginx }
    port: 80
    schedule:
      days: { cron: \"0 8 * * MON-FRI\", time_zone: Europe/Berlin, min: 4, desired: 4, max: 8 }
      nights: { cron: \"0 20 * * *\", min: 1 }
  batch:
    capacity: { min: 2, max: 4 }
    instance_types: [t3.small, t3a.small]
    spot: { share: 60%, base: 1 }
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload:
      container: \"registry.example.net/batch:1\"
      environment: { MODE: fast, TOKEN: \"${secrets.app}\", QUEUE: \"sqs://${autoscaling_groups.web.name}\" }
    port: 8080
";

const IAM: &str = "iam = boto3.client('iam', region_name='us-east-1')\n\
     role = [r for r in iam.list_roles()['Roles'] if '-web-' in r['RoleName']][0]['RoleName']\n";

#[test]
fn sizes_spot_shares_and_schedules_are_as_asked_and_leave_an_empty_account() {
    let account = Account::applied(SHOP);
    account.assert_settled();
    let mixed = account.python(
        "group = [g for g in asg.describe_auto_scaling_groups()['AutoScalingGroups'] if '-batch-' in g['AutoScalingGroupName']][0]\n\
         policy = group['MixedInstancesPolicy']\n\
         spread = policy['InstancesDistribution']\n\
         print([o['InstanceType'] for o in policy['LaunchTemplate']['Overrides']], spread['OnDemandBaseCapacity'],\n\
         \x20 spread['OnDemandPercentageAboveBaseCapacity'], spread['SpotAllocationStrategy'], group['CapacityRebalance'])",
    );
    assert_eq!(mixed, "['t3.small', 't3a.small'] 1 40 capacity-optimized True");
    let scheduled = account.python(
        "for a in sorted(asg.describe_scheduled_actions()['ScheduledUpdateGroupActions'], key=lambda a: a['ScheduledActionName']):\n\
         \x20 print(a['ScheduledActionName'], a['Recurrence'], a.get('TimeZone'), a.get('MinSize'), a.get('DesiredCapacity'), a.get('MaxSize'))",
    );
    assert_eq!(scheduled, "days 0 8 * * MON-FRI Europe/Berlin 4 4 8\nnights 0 20 * * * Etc/UTC 1 None None");
    let may = account.python(&format!(
        "{IAM}\
         profile = iam.get_instance_profile(InstanceProfileName=role)['InstanceProfile']\n\
         print(iam.get_role(RoleName=role)['Role']['AssumeRolePolicyDocument']['Statement'][0]['Principal'],\n\
         \x20 [p['PolicyName'] for p in iam.list_attached_role_policies(RoleName=role)['AttachedPolicies']],\n\
         \x20 iam.list_role_policies(RoleName=role)['PolicyNames'], [r['RoleName'] == role for r in profile['Roles']])\n\
         versions = [ec2.describe_launch_template_versions(LaunchTemplateId=t['LaunchTemplateId'], Versions=['$Latest'])\n\
         \x20 for t in ec2.describe_launch_templates()['LaunchTemplates']]\n\
         print(role in [v['LaunchTemplateVersions'][0]['LaunchTemplateData']['IamInstanceProfile']['Name'] for v in versions])"
    ));
    assert_eq!(
        may, "{'Service': 'ec2.amazonaws.com'} [] ['own'] [True]\nTrue",
        "Session Manager and nothing else: AWS's policy for it allows to fetch every parameter"
    );
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

#[test]
fn what_the_clock_changes_is_no_drift_and_what_a_hand_changes_is() {
    let account = Account::applied(SHOP);
    let web = "web = [g for g in asg.describe_auto_scaling_groups()['AutoScalingGroups'] if '-web-' in g['AutoScalingGroupName']][0]['AutoScalingGroupName']\n";
    // As the schedule does at eight.
    account.python(&format!(
        "{web}asg.update_auto_scaling_group(AutoScalingGroupName=web, MinSize=4, DesiredCapacity=4, MaxSize=8)"
    ));
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    account.python(&format!(
        "{web}{IAM}\
         asg.delete_scheduled_action(AutoScalingGroupName=web, ScheduledActionName='nights')\n\
         asg.put_scheduled_update_group_action(AutoScalingGroupName=web, ScheduledActionName='days', Recurrence='0 9 * * *', MinSize=4)\n\
         asg.put_scheduled_update_group_action(AutoScalingGroupName=web, ScheduledActionName='lunch', Recurrence='0 12 * * *', MinSize=1)\n\
         asg.put_scheduled_update_group_action(AutoScalingGroupName=web, ScheduledActionName='tonight', StartTime='2099-01-01T00:00:00Z', MinSize=1)\n\
         iam.attach_role_policy(RoleName=role, PolicyArn='arn:aws:iam::aws:policy/AdministratorAccess')\n\
         iam.remove_role_from_instance_profile(InstanceProfileName=role, RoleName=role)\n\
         iam.delete_instance_profile(InstanceProfileName=role)"
    ));
    assert_eq!(
        account.plan("").steps(),
        [
            "update refuge/autoscaling_groups.web/autoscaling_group.main (drift: schedule)",
            "update refuge/autoscaling_groups.web/instance_profile.main (drift: managed_policies, profile)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    let left = account.python(
        "print(sorted(a['ScheduledActionName'] for a in asg.describe_scheduled_actions()['ScheduledUpdateGroupActions']))",
    );
    assert_eq!(left, "['days', 'nights', 'tonight']", "what somebody planned for one night stays");
}

#[test]
fn other_capacities_reach_a_scheduled_group_when_they_are_asked_for() {
    let account = Account::applied(SHOP);
    for (from, to, steps) in [
        (
            "min: 2, desired: 3, max: 6",
            "min: 1, desired: 3, max: 9",
            "update refuge/autoscaling_groups.web/autoscaling_group.main (changed: initial_max, initial_min)",
        ),
        (
            "\"0 20 * * *\", min: 1",
            "\"0 21 * * *\", min: 0",
            "update refuge/autoscaling_groups.web/autoscaling_group.main (changed: schedule)",
        ),
    ] {
        account.sandbox.edit(from, to);
        assert_eq!(account.plan("").steps(), [steps]);
        account.run("apply --auto-approve").code(0);
        account.assert_settled();
    }
    let sizes = account.python(
        "print([(g['MinSize'], g['MaxSize']) for g in asg.describe_auto_scaling_groups()['AutoScalingGroups'] if '-web-' in g['AutoScalingGroupName']])",
    );
    assert_eq!(sizes, "[(1, 9)]");
}

#[test]
fn secrets_and_references_reach_the_machines_and_nobody_else() {
    let account = Account::applied(SHOP);
    let kept = account.python(
        "ssm = boto3.client('ssm', region_name='eu-west-1')\n\
         ours = [{'Key': 'Name', 'Option': 'BeginsWith', 'Values': ['/standfast/']}]\n\
         for p in sorted(ssm.describe_parameters(ParameterFilters=ours)['Parameters'], key=lambda p: p['Name']):\n\
         \x20 print(p['Type'], ssm.get_parameter(Name=p['Name'], WithDecryption=True)['Parameter']['Value'])",
    );
    let (queue, token) = kept.split_once('\n').unwrap();
    assert!(queue.starts_with("SecureString sqs://shop-web-"), "{kept}");
    assert_eq!(token, format!("SecureString {PASSWORD}"));
    let told = account.python(
        "import base64\n\
         iam = boto3.client('iam', region_name='us-east-1')\n\
         for t in ec2.describe_launch_templates()['LaunchTemplates']:\n\
         \x20 v = ec2.describe_launch_template_versions(LaunchTemplateId=t['LaunchTemplateId'], Versions=['$Latest'])\n\
         \x20 data = v['LaunchTemplateVersions'][0]['LaunchTemplateData']\n\
         \x20 if '-batch-' in t['LaunchTemplateName']:\n\
         \x20   print(base64.b64decode(data['UserData']).decode())\n\
         \x20   role = data['IamInstanceProfile']['Name']\n\
         \x20   print(json.dumps(iam.get_role_policy(RoleName=role, PolicyName='own')['PolicyDocument']['Statement']))",
    );
    assert!(told.contains("# TOKEN: version 1\n") && !told.contains(PASSWORD), "{told}");
    let policy = told.lines().last().unwrap();
    assert!(policy.contains(r#""Action": "ssm:GetParameter""#), "{policy}");
    assert_eq!(policy.matches(":parameter/standfast/shop-batch-").count(), 2, "{policy}");
    account.assert_settled();
    assert_eq!(account.sandbox.files_with(PASSWORD), Vec::<std::path::PathBuf>::new());
}
