//! Names that lead to load balancers.

use std::sync::Arc;

use standfast_fault_proxy::{Halt, Moment};

use super::account::Account;

const SHOP: &str = "\
standfast: 1
name: shop
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 2, tags: { team: web } }
networks:
  main: { cidr: 10.20.0.0/16, nat: none }
load_balancers:
  front: { layer: 7, listeners: [{ port: 80, redirect: https }] }
  back: { layer: 7, listeners: [{ port: 80, redirect: https }] }
dns:
  names:
    zone: example.net
    deletion_protection: false
    records:
      - { name: \"@\", to: front }
      - { name: \"*.shop\", to: front }
      - { name: www, to: front, routing: failover }
      - { name: www, to: back, routing: failover }
";

/// Every alias of the zone: its name, whether it is the first, and whether it follows the health of what it leads to.
const ALIASES: &str = "\
zone = route53.list_hosted_zones()['HostedZones'][0]['Id']\n\
for one in route53.list_resource_record_sets(HostedZoneId=zone)['ResourceRecordSets']:\n\
\x20   if 'AliasTarget' in one:\n\
\x20       print(one['Name'], one.get('Failover', '-'), one['AliasTarget']['EvaluateTargetHealth'])\n";

#[test]
fn names_are_made_once_drift_is_healed_and_nothing_is_left() {
    let account = Account::applied(SHOP);
    account.assert_settled();
    let aliases = account.python(ALIASES);
    let mut lines: Vec<&str> = aliases.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "*.shop.example.net. - True",
            "example.net. - True",
            "www.example.net. PRIMARY True",
            "www.example.net. SECONDARY True"
        ]
    );

    account.python(
        "zone = route53.list_hosted_zones()['HostedZones'][0]['Id']\n\
         sets = route53.list_resource_record_sets(HostedZoneId=zone)['ResourceRecordSets']\n\
         gone = [one for one in sets if one['Name'].startswith('*')][0]\n\
         bent = [one for one in sets if one['Name'] == 'example.net.' and one['Type'] == 'A'][0]\n\
         bent['AliasTarget'] = dict(bent['AliasTarget'], DNSName='elsewhere.example.org.')\n\
         changes = [{'Action': 'DELETE', 'ResourceRecordSet': gone}, {'Action': 'UPSERT', 'ResourceRecordSet': bent}]\n\
         route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={'Changes': changes})",
    );
    assert_eq!(
        account.plan("").steps(),
        [
            "create refuge/dns.names/dns_record.wildcard.shop (drift: it is gone)",
            "update refuge/dns.names/dns_record.apex (drift: target)",
        ]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    assert_eq!(account.python(ALIASES), aliases);

    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

#[test]
fn a_lost_state_is_found_again_by_the_zone() {
    let account = Account::applied(SHOP);
    std::fs::remove_dir_all(account.sandbox.path(".standfast")).unwrap();
    account.run("state rebuild").code(0);
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}

/// A health check is made without its tags. Who dies in between has left one that says nothing but which try made it.
#[test]
fn a_health_check_that_a_dead_run_left_without_tags_is_found_and_taken_away() {
    let checked = "routing: failover, health_check: { path: / } }";
    let account = Account::new(&SHOP.replacen("routing: failover }", checked, 1));
    let halt = Arc::new(Halt::on(|call| call.action == "POST /2013-04-01/healthcheck"));
    account.proxy.add("halt", Arc::clone(&halt));
    let there = || account.python("print(len(route53.list_health_checks()['HealthChecks']))");
    let kill = || {
        halt.arm(Some((1, Moment::After)));
        assert!(account.kill_at_call("apply --auto-approve", &halt));
    };
    kill();
    assert_eq!(there(), "1");
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
    kill();
    assert_eq!(there(), "1");
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    // Nor one that was to take the place of another.
    account.sandbox.edit("health_check: { path: / }", "health_check: { path: /, interval: 10s }");
    kill();
    assert_eq!(there(), "2");
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    assert_eq!(there(), "1");
}
