//! A zone that is there already: ours are the records in it that the blueprint names, and nothing else.

use super::account::Account;

const SHOP: &str = "\
standfast: 1
name: shop
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 2, tags: { team: web } }
networks:
  main: { cidr: 10.20.0.0/16, nat: none }
load_balancers:
  front: { listeners: [{ port: 80, redirect: https }] }
dns:
  names:
    zone: example.net
    records: [{ name: shop, to: front }, { name: \"@\", to: front }]
";

const RECORDS: &str = "\
zone = route53.list_hosted_zones()['HostedZones'][0]['Id']\n\
print(sorted((one['Name'], one['Type']) for one in route53.list_resource_record_sets(HostedZoneId=zone)['ResourceRecordSets']\n\
\x20            if one['Type'] not in ('NS', 'SOA')))\n";

#[test]
fn a_zone_that_is_there_is_used_and_left_with_what_others_have_in_it() {
    let account = Account::new(SHOP);
    let id = account.python(
        "zone = route53.create_hosted_zone(Name='example.net.', CallerReference='by hand')['HostedZone']['Id']\n\
         change = lambda name, type, value: {'Action': 'CREATE', 'ResourceRecordSet': {'Name': name, 'Type': type, 'TTL': 300,\n\
         \x20 'ResourceRecords': [{'Value': value}]}}\n\
         route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={'Changes': [\n\
         \x20 change('example.net.', 'MX', '10 mx.example.org'), change('www.example.net.', 'A', '192.0.2.1')]})\n\
         print(zone.rsplit('/', 1)[1])",
    );
    let before = account.python(RECORDS);
    account
        .run("apply --auto-approve")
        .code(1)
        .says("the account has a zone `example.net` already")
        .says(&format!("Use that one: `existing: {id}` under `dns.names`."));
    account.sandbox.edit("zone: example.net", &format!("zone: example.org\n    existing: {id}"));
    account
        .run("plan")
        .code(65)
        .says(&format!("the zone `{id}` is `example.net`, and not `example.org`"))
        .says("`existing` of `dns.names`");
    account.sandbox.edit("zone: example.org", "zone: example.net");
    account.sandbox.edit("name: shop, to: front", "name: www, to: front");
    account
        .run("apply --auto-approve")
        .code(1)
        .says("has a record of `www.example.net` already: A to 192.0.2.1");
    account.sandbox.edit("name: www, to: front", "name: shop, to: front");
    account.run("apply --auto-approve").code(0).says("name_servers");
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    assert_eq!(
        account.python(RECORDS),
        "[('example.net.', 'A'), ('example.net.', 'MX'), ('shop.example.net.', 'A'), ('www.example.net.', 'A')]"
    );
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.python(RECORDS), before);
}

#[test]
fn a_zone_that_is_not_there_is_told_where_it_is_named() {
    let account =
        Account::new(&SHOP.replace("zone: example.net", "zone: example.net\n    existing: Z0NOTTHERE"));
    account
        .run("plan")
        .code(65)
        .says("the account has no hosted zone `Z0NOTTHERE`")
        .says("`existing` of `dns.names`");
}
