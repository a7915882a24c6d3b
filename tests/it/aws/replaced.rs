//! What is made anew although nothing of it has changed, or because the network below it has: beside the old one where both
//! can be there, and else after it.

use standfast_fault_proxy::aws::InUse;

use super::{account::Account, shop};

/// Of the thing of this address: its name, and its id.
fn identity(account: &Account, address: &str) -> (String, String) {
    let shown = account.run(&format!("state show {address} --format json")).code(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_else(|| panic!("{shown:#}")).to_owned();
    (text(&shown["inputs"]["name"]), text(&shown["id"]))
}

#[test]
fn what_has_a_name_to_itself_is_made_beside_the_old_one_under_another() {
    let account = shop::account();
    account.run("apply --auto-approve").code(0);
    for address in [
        "home/load_balancers.front/target_group.web",
        "home/load_balancers.front/load_balancer.main",
        "home/load_balancers.front/security_group.main",
        "home/databases.orders/db_parameter_group.main",
    ] {
        let mut names = vec![identity(&account, address)];
        for _ in 0..2 {
            account.run(&format!("apply --auto-approve --replace {address}")).code(0);
            account.assert_settled();
            names.push(identity(&account, address));
        }
        let [(first, old), (second, new), (third, newest)] = &names[..] else { unreachable!() };
        assert_ne!(first, second, "{address}");
        assert_eq!(first, third, "{address}: the name that is free again");
        assert!(old != new && new != newest, "{names:?}");
    }
}

#[test]
fn a_whole_load_balancer_is_replaced_and_serves_again() {
    let account = shop::account();
    account.run("apply --auto-approve").code(0);
    let steps = account.plan("--replace load_balancers.front").steps();
    assert_eq!(
        steps,
        [
            "replace home/load_balancers.front/listener.80 (load_balancer cannot be changed in place)",
            "replace home/load_balancers.front/load_balancer.main (asked for by --replace)",
            "replace home/load_balancers.front/security_group.main (asked for by --replace)",
            "replace home/load_balancers.front/target_group.web (asked for by --replace)",
            "update home/autoscaling_groups.web/autoscaling_group.main (follows a change of what it uses: scaling, target_groups)",
            "update home/autoscaling_groups.web/security_group.main (follows a change of what it uses: ingress)",
            "update home/monitoring.main/alarm.load_balancers.front.errors (follows a change of what it uses: metrics)",
            "update home/monitoring.main/alarm.load_balancers.front.healthy_members.web (follows a change of what it uses: metrics)",
            "update home/monitoring.main/alarm.slow (follows a change of what it uses: metrics)",
        ]
    );
    account.run("apply --auto-approve --replace load_balancers.front").code(0);
    account.assert_settled();
}

#[test]
fn a_network_cannot_be_changed_below_what_keeps_data() {
    let account = shop::account();
    account.run("apply --auto-approve").code(0);
    account.sandbox.edit("10.20.0.0/16", "10.9.0.0/16");
    let refused = account.run("plan").code(1);
    insta::assert_snapshot!(refused.stderr);
    account.sandbox.edit("10.9.0.0/16", "10.20.0.0/16");
    account.assert_settled();
}

/// Nothing that moto cannot do: it frees no address of a NAT gateway, takes no subnet group of a store away, and launches no
/// machine from a template's second version.
const SMALL: &str = "\
standfast: 1
name: shop
secrets: { db: { env: SHOP_DB_PASSWORD } }
regions:
  home: { provider: aws, location: eu-west-1, zones: 2 }
networks:
  main: { cidr: 10.20.0.0/16, nat: none }
load_balancers:
  front: { listeners: [{ port: 80, to: web }] }
  raw: { layer: 4, listeners: [{ port: 9000, to: web }] }
autoscaling_groups:
  web:
    capacity: { min: 0, max: 4 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { package: nginx }
    port: 80
databases:
  orders: { engine: postgres, version: 16, instance_type: db.t4g.medium, storage: 20GiB, replicas: 1, password: \"${secrets.db}\", deletion_protection: false }
";

#[test]
fn a_network_takes_all_that_is_in_it_along() {
    let account = Account::applied(SMALL);
    account.proxy.add("in use", InUse::new(account.upstream(), 1));
    account.sandbox.edit("10.20.0.0/16", "10.9.0.0/16");
    insta::assert_snapshot!(account.plan("").steps().join("\n"));
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    let networks =
        account.python("print([v['CidrBlock'] for v in ec2.describe_vpcs()['Vpcs'] if not v['IsDefault']])");
    assert_eq!(networks, "['10.9.0.0/16']");
}

#[test]
fn what_has_addresses_of_its_own_goes_before_there_is_a_new_one() {
    let account = Account::applied(SMALL);
    // moto would let two have the same addresses.
    let address = |balancer: &str| format!("home/load_balancers.{balancer}/load_balancer.main");
    let planned = account.plan(&format!("--replace {} --replace {}", address("raw"), address("front"))).0;
    let is_first = |balancer: &str| {
        let address = address(balancer);
        let mut steps = planned["steps"].as_array().unwrap().iter();
        steps.find(|step| step["address"] == address.as_str()).unwrap()["create_before_destroy"] == true
    };
    assert_eq!(["front", "raw"].map(is_first), [true, false]);
    account.run("apply --auto-approve --replace home/load_balancers.raw/load_balancer.main").code(0);
    account.assert_settled();
}
