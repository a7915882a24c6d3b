//! TLS from a PEM file, and a log of requests in a bucket.

use std::fs;

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
      - { port: 80, redirect: https }
      - { port: 443, certificate: ./shop.pem, to: web }
    access_logs: s3://shop-logs/front
autoscaling_groups:
  web:
    capacity: { min: 1, max: 2 }
    instance_type: t3.small
    image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
    workload: { package: nginx }
    port: 80
";

/// Writes a new certificate that nobody trusts, with its key.
const MAKE: &str = "\
import datetime, sys\n\
from cryptography import x509\n\
from cryptography.hazmat.primitives import hashes, serialization\n\
from cryptography.hazmat.primitives.asymmetric import ec\n\
key = ec.generate_private_key(ec.SECP256R1())\n\
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'shop.example.net')])\n\
now = datetime.datetime.now(datetime.timezone.utc)\n\
made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(\n\
\x20   x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(\n\
\x20   now + datetime.timedelta(days=30)).sign(key, hashes.SHA256())\n\
pem = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM,\n\
\x20   serialization.PrivateFormat.PKCS8, serialization.NoEncryption())\n";

fn furnished() -> Account {
    let account = Account::new(SHOP);
    account.python("boto3.client('s3', region_name='us-east-1').create_bucket(Bucket='shop-logs')");
    renew(&account);
    account.run("apply --auto-approve").code(0);
    account
}

/// Another certificate into the file.
fn renew(account: &Account) {
    let path = account.sandbox.path("shop.pem");
    account.python(&format!("{MAKE}open({:?}, 'wb').write(pem)", path.display().to_string()));
}

/// The certificate's ARN, and the serial number of what is in it.
fn imported(account: &Account) -> (String, String) {
    let census = account.census();
    let arn = census["certificate"][0]["id"].as_str().unwrap();
    let described =
        format!("print(acm.describe_certificate(CertificateArn='{arn}')['Certificate']['Serial'])");
    (arn.to_owned(), account.python(&described))
}

#[test]
fn a_certificate_is_imported_once_and_renewed_in_place() {
    let account = furnished();
    account.assert_settled();
    let (arn, serial) = imported(&account);
    let served = account.python(
        "front = elb.describe_load_balancers()['LoadBalancers'][0]['LoadBalancerArn']\n\
         secure = [l for l in elb.describe_listeners(LoadBalancerArn=front)['Listeners'] if l['Port'] == 443][0]\n\
         print(secure['Protocol'], secure['Certificates'][0]['CertificateArn'])",
    );
    assert_eq!(served, format!("HTTPS {arn}"));

    renew(&account);
    assert_eq!(
        account.plan("").steps(),
        ["update refuge/load_balancers.front/certificate.443 (changed: pem)"]
    );
    account.run("apply --auto-approve").code(0);
    // Of what is imported again moto forgets the tags, AWS does not: it is not held against the census any more.
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    let renewed = imported(&account);
    assert_eq!(renewed.0, arn, "listeners go on with it");
    assert_ne!(renewed.1, serial);

    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}

#[test]
fn a_private_key_is_in_no_file_but_its_own() {
    let account = furnished();
    let pem = fs::read_to_string(account.sandbox.path("shop.pem")).unwrap();
    let key = pem.split("PRIVATE KEY-----").nth(1).unwrap().lines().nth(1).unwrap();
    assert_eq!(account.sandbox.files_with(key), [account.sandbox.path("shop.pem")]);
}

#[test]
fn a_file_that_cannot_serve_is_refused_before_the_first_change() {
    let account = Account::new(SHOP);
    account.sandbox.write("shop.pem", "-----BEGIN CERTIFICATE-----\na\n-----END CERTIFICATE-----\n");
    let refused = account.run("apply --auto-approve");
    assert_ne!(refused.code, Some(0));
    refused.says("the PEM file has no private key");
    assert_eq!(account.census(), Default::default());
}

#[test]
fn logs_go_where_they_shall_until_they_are_no_longer_wanted() {
    let account = furnished();
    let logs = "front = elb.describe_load_balancers()['LoadBalancers'][0]['LoadBalancerArn']\n\
                told = elb.describe_load_balancer_attributes(LoadBalancerArn=front)['Attributes']\n\
                print([a['Value'] for k in ('enabled', 'bucket', 'prefix') for a in told if a['Key'] == 'access_logs.s3.' + k])";
    assert_eq!(account.python(logs), "['true', 'shop-logs', 'front']");
    account.sandbox.edit("    access_logs: s3://shop-logs/front\n", "");
    assert_eq!(
        account.plan("").steps(),
        ["update refuge/load_balancers.front/load_balancer.main (changed: settings)"]
    );
    account.run("apply --auto-approve").code(0);
    assert!(account.python(logs).starts_with("['false'"));
    account.assert_settled();
}

#[test]
fn a_lost_state_is_found_again_by_tags() {
    let account = furnished();
    let before = imported(&account);
    fs::remove_dir_all(account.sandbox.path(".standfast")).unwrap();
    account.run("state rebuild").code(0);
    account.run("apply --auto-approve").code(0);
    assert_eq!(account.plan("").steps(), Vec::<String>::new());
    assert_eq!(imported(&account), before, "the same one");
}
