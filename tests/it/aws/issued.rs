//! A certificate that ACM issues, proven by records in the blueprint's own zone.

use std::sync::Arc;

use standfast_fault_proxy::aws::Issues;

use super::account::Account;

const SHOP: &str = "\
standfast: 1
name: shop
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 2, tags: { team: web } }
networks:
  main: { cidr: 10.20.0.0/16, nat: none }
load_balancers:
  front:
    listeners:
      - { port: 443, certificate: { domain: shop.example.net, also: [\"*.shop.example.net\"] }, to: web }
dns:
  names:
    zone: example.net
    deletion_protection: false
    records: [{ name: shop, to: front }]
autoscaling_groups:
  web:
    capacity: { min: 1, max: 2 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { package: nginx }
    port: 80
";

/// The names that ACM looks for.
const PROOFS: &str = "\
zone = route53.list_hosted_zones()['HostedZones'][0]['Id']\n\
print(sorted(one['Name'].split('.', 1)[1] for one in route53.list_resource_record_sets(HostedZoneId=zone)['ResourceRecordSets']\n\
\x20            if one['Type'] == 'CNAME'))\n";
/// What the listener serves with.
const SERVED: &str = "\
front = elb.describe_load_balancers()['LoadBalancers'][0]['LoadBalancerArn']\n\
print(elb.describe_listeners(LoadBalancerArn=front)['Listeners'][0]['Certificates'][0]['CertificateArn'])\n";

fn shop() -> Account {
    with_issues().0
}

fn with_issues() -> (Account, Arc<Issues>) {
    let account = Account::new(SHOP);
    let issues = Arc::new(Issues::default());
    account.proxy.add("issues", Arc::clone(&issues));
    (account, issues)
}

fn certificates(account: &Account) -> Vec<String> {
    let census = account.census();
    let all = census.get("certificate").into_iter().flatten();
    all.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn it_is_proven_in_the_zone_and_served_once_it_is_issued_and_nothing_is_left() {
    let account = shop();
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    assert_eq!(account.python(PROOFS), "['shop.example.net.']", "one record for the name and all below it");
    assert_eq!(certificates(&account), [account.python(SERVED)]);

    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

#[test]
fn with_other_names_another_one_takes_its_place_before_the_old_one_goes() {
    let account = shop();
    account.run("apply --auto-approve").code(0);
    let before = account.python(SERVED);
    account.sandbox.edit("\"*.shop.example.net\"", "www.example.net");
    let steps = account.plan("").steps();
    assert!(
        steps
            .iter()
            .any(|step| step.starts_with("replace refuge/load_balancers.front/requested_certificate.443")),
        "{steps:?}"
    );
    account.run("apply --auto-approve").code(0);
    let after = account.python(SERVED);
    assert_ne!(after, before);
    assert_eq!(certificates(&account), [after], "the old one is gone");
    assert_eq!(account.python(PROOFS), "['shop.example.net.', 'www.example.net.']");
    account.assert_settled();
}

#[test]
fn one_that_somebody_deleted_is_requested_anew() {
    let account = shop();
    account.run("apply --auto-approve").code(0);
    let before = certificates(&account);
    account.python(&format!("acm.delete_certificate(CertificateArn='{}')", before[0]));
    account.run("apply --auto-approve").code(0);
    assert_ne!(certificates(&account), before);
    assert_eq!(certificates(&account), [account.python(SERVED)]);
    account.assert_settled();
}

#[test]
fn one_that_was_not_proven_in_time_gives_way_to_another_one() {
    let (account, issues) = with_issues();
    account.run("apply --auto-approve").code(0);
    let before = certificates(&account);
    issues.give_up(&before[0]);
    let steps = account.plan("").steps();
    let replaced = "replace refuge/load_balancers.front/requested_certificate.443";
    assert!(steps.iter().any(|step| step.starts_with(replaced)), "{steps:?}");
    account.run("apply --auto-approve").code(0);
    assert_ne!(certificates(&account), before);
    assert_eq!(certificates(&account), [account.python(SERVED)]);
    account.assert_settled();
}

#[test]
fn a_lost_state_is_found_again_with_its_certificate_and_records() {
    let account = shop();
    account.run("apply --auto-approve").code(0);
    let before = certificates(&account);
    std::fs::remove_dir_all(account.sandbox.path(".standfast")).unwrap();
    account.run("state rebuild").code(0);
    account.run("apply --auto-approve").code(0);
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    assert_eq!(certificates(&account), before, "the same one");
}

#[test]
fn a_name_that_no_zone_holds_is_refused_before_the_first_change() {
    let account = shop();
    account.sandbox.edit("domain: shop.example.net", "domain: shop.example.org");
    let refused = account.run("plan");
    assert_ne!(refused.code, Some(0));
    refused.says("no zone of this blueprint holds `shop.example.org`").says("Name its zone under `dns`");
    assert_eq!(account.census(), Default::default());
}
