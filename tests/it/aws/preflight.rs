//! What is told before the first change, and what is told when it is not enough: bad input, and denials in the middle.

use standfast_fault_proxy::Fault;

use super::account::Account;

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
        .says("Did you mean `location: eu-west-1` under `regions.refuge`?");
}

#[test]
fn a_zone_that_the_region_has_not_is_told_with_those_that_it_has() {
    let account = Account::new(&SHOP.replace("zones: 2", "zones: [a, z]"));
    account
        .run("plan")
        .code(65)
        .says("eu-west-1 has no zone `eu-west-1z` for this account")
        .says("It has eu-west-1a, eu-west-1b, eu-west-1c");
}

#[test]
fn without_credentials_it_says_how_to_sign_in() {
    let account = Account::new(SHOP);
    account
        .run_signed_out("plan")
        .code(65)
        .says("no credentials were found in the environment, in a profile or from the machine")
        .says("Sign in (`aws sso login`), or set AWS_PROFILE");
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
