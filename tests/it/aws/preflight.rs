//! What is told before the first change, and what is told when it is not enough: bad input, and denials in the middle.

use standfast_fault_proxy::{Fault, StatusCode};

use super::{account::Account, regions};

const SHOP: &str = "\
standfast: 1
name: shop
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 2 }
networks:
  main: { cidr: 10.20.0.0/16, nat: none }
load_balancers:
  front: { listeners: [{ port: 80, to: web }] }
autoscaling_groups:
  web:
    capacity: { min: 2, max: 4 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { package: nginx }
    port: 80
";

#[test]
fn what_would_fail_is_told_at_once_before_the_first_change() {
    let account = Account::new(&SHOP.replace("t3.small", "t3.tiny"));
    // With the one that every account is born with, as many as it may have.
    account.python("[ec2.create_vpc(CidrBlock=f'10.{n}.0.0/16') for n in range(4)]");
    let before = account.census();
    account
        .run("apply --auto-approve")
        .code(1)
        .says("nothing was changed; this would have failed:")
        .says("could not make all VPCs in eu-west-1: the account may have 5 VPCs there, has 5, and the plan makes 1")
        .says("--quota-code L-F678F1CE")
        .says("could not create refuge/autoscaling_groups.web/launch_template.main: eu-west-1 offers no `t3.tiny`");
    assert_eq!(account.census(), before);
}

#[test]
fn more_machines_than_the_account_may_run_are_told_before_any_is_made() {
    let account = Account::new(SHOP);
    let quota = |most: &str| {
        // Of everything, also of vCPUs: moto has no quota of those, and tells of no machine how many it has.
        let answer = Fault::answer(StatusCode::OK, format!("{{\"Quota\":{{\"Value\":{most}}}}}"));
        answer.on_action("servicequotas", "GetServiceQuota")
    };
    account.proxy.add("four", quota("4.0"));
    account.run("apply --auto-approve").code(0);
    account.proxy.switch("four", false);
    account.proxy.add("three", quota("3.0"));
    let before = account.census();
    account.sandbox.edit("{ min: 2, max: 4 }", "{ min: 2, desired: 4, max: 4 }");
    account
        .run("apply --auto-approve")
        .code(1)
        .says("could not run the new machines in eu-west-1: the account may run 3 vCPUs of On-Demand Standard instances there")
        .says("and the plan adds 4")
        .says("--quota-code L-1216C47A");
    assert_eq!(account.census(), before);
}

#[test]
fn a_delete_that_is_denied_is_told_before_the_first_change() {
    let account = Account::applied(
        "standfast: 1\nname: shop\nregions:\n  refuge: { provider: aws, location: eu-west-1, zones: 2 }\n\
         networks:\n  main: { cidr: 10.20.0.0/16, nat: none }\n",
    );
    let jane = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                <Arn>arn:aws:iam::123456789012:user/jane</Arn><UserId>AIDA1</UserId><Account>123456789012</Account>\
                </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let denied = "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
                  <SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults><member>\
                  <EvalActionName>ec2:DeleteVpc</EvalActionName><EvalResourceName>*</EvalResourceName>\
                  <EvalDecision>implicitDeny</EvalDecision></member></EvaluationResults></SimulatePrincipalPolicyResult>\
                  </SimulatePrincipalPolicyResponse>";
    account.proxy.add("jane", Fault::answer(StatusCode::OK, jane).on_action("sts", "GetCallerIdentity"));
    let policy = Fault::answer(StatusCode::OK, denied);
    account.proxy.add("policy", policy.on_action("iam", "SimulatePrincipalPolicy"));
    let before = account.census();
    account.run("destroy --auto-approve").code(1).says(
        "arn:aws:iam::123456789012:user/jane do not allow ec2:DeleteVpc (for refuge/networks.main/vpc.main)",
    );
    assert_eq!(account.census(), before);
    account.proxy.switch("policy", false);
    account.run("destroy --auto-approve").code(0);
}

#[test]
fn what_another_state_has_made_is_not_made_again() {
    let account = Account::applied(SHOP);
    std::fs::remove_dir_all(account.sandbox.path(".standfast")).unwrap();
    let before = account.census();
    account
        .run("apply --auto-approve")
        .code(1)
        .says("is taken by refuge/load_balancers.front/load_balancer.main of the stack `shop` (default)")
        .says(
            "is taken by refuge/autoscaling_groups.web/autoscaling_group.main of the stack `shop` (default)",
        )
        .says(
            "Another state has it: name that with `--state`; or let `standfast state rebuild` take it over.",
        );
    assert_eq!(account.census(), before);
    account.run("state rebuild").code(0);
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

#[test]
fn a_misspelt_region_is_told_before_anything_is_asked() {
    let account = Account::new(&SHOP.replace("eu-west-1", "eu-wst-1"));
    account
        .run("plan")
        .code(65)
        .says("there is no AWS region `eu-wst-1`")
        .says("standfast.yaml:4:38")
        .says("`location` of `regions.refuge`")
        .says("Did you mean `location: eu-west-1`?");
    for odd in ["\"eu west 1\"", "../x"] {
        let account = Account::new(&SHOP.replace("eu-west-1", odd));
        account.run("plan").code(65).says("there is no AWS region `").says("`location` of `regions.refuge`");
    }
    account
        .run("import --from aws --region eu-wst-1 --vpc vpc-1")
        .code(1)
        .says("could not look into vpc-1: there is no AWS region `eu-wst-1`")
        .says("Did you mean `--region eu-west-1`?");
}

/// Once, whatever else lacks an answer.
#[test]
fn a_wrong_account_is_one_error_where_it_is_pinned() {
    let pinned = SHOP.replace("zones: 2", "zones: 2, account: \"210987654321\"");
    let account = Account::new(&pinned);
    let ran = account.run("plan").code(65);
    assert_eq!(ran.stderr.matches('×').count(), 1, "{}", ran.shown());
    ran.says("× could not work in AWS account 210987654321: the credentials are of account 123456789012")
        .says("`account` of `regions.refuge`");
}

#[test]
fn a_zone_that_the_region_has_not_is_told_with_those_that_it_has() {
    let account = Account::new(&SHOP.replace("zones: 2", "zones: [a, z]"));
    account
        .run("plan")
        .code(65)
        .says("eu-west-1 has no zone `eu-west-1z` for this account")
        .says("`zones` of `regions.refuge`")
        .says("It has eu-west-1a, eu-west-1b, eu-west-1c");
}

#[test]
fn without_credentials_it_says_how_to_sign_in() {
    let account = Account::new(SHOP);
    account
        .run_signed_out("plan")
        .code(65)
        .says("× could not sign in to AWS (eu-west-1): no credentials were found")
        .says("1 problem in standfast.yaml")
        .says("Sign in (`aws sso login`), or set AWS_PROFILE");
    // Of two regions it is told once too.
    regions::account().run_signed_out("plan").code(65).says("1 problem in standfast.yaml");
}

#[test]
fn a_denial_in_the_middle_stops_only_what_needs_it_and_is_gone_on_from() {
    let account = Account::new(SHOP);
    let denied = Fault::denied(
        "User: arn:aws:sts::123456789012:user/moto is not authorized to perform: \
         elasticloadbalancing:CreateTargetGroup because no identity-based policy allows the \
         elasticloadbalancing:CreateTargetGroup action",
    );
    account.proxy.add("denied", denied.on_action("elasticloadbalancing", "CreateTargetGroup"));
    account
        .run("apply --auto-approve")
        .code(1)
        .says("is not authorized to perform: elasticloadbalancing:CreateTargetGroup")
        // Whom moto takes everybody for.
        .says("Allow `elasticloadbalancing:CreateTargetGroup` to arn:aws:sts::123456789012:user/moto, then run it again.");
    let census = account.census();
    let count = |kind: &str| census.get(kind).map_or(0, Vec::len);
    let kinds = ["load_balancer", "launch_template", "target_group", "listener", "autoscaling_group"];
    assert_eq!(kinds.map(count), [1, 1, 0, 0, 0], "the others go on, what needs it does not");
    account.proxy.switch("denied", false);
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}
