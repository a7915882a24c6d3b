//! The blueprint that `init` gives whoever begins on AWS, as it is written.

use super::account::Account;

const IMAGE: &str = "image: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

/// In an empty account, as written but for the image: moto knows no Debian.
fn begun() -> Account {
    let account = Account::new("standfast: 1\nname: none\n");
    std::fs::remove_file(account.sandbox.path("standfast.yaml")).unwrap();
    account.run("init --provider aws --name site").code(0).prints("standfast plan standfast.yaml");
    account
        .sandbox
        .edit("    instance_type: t3.small ", &format!("    {IMAGE}\n    instance_type: t3.small "));
    account
}

#[test]
fn what_init_writes_is_applied_and_taken_away() {
    let account = begun();
    assert_eq!(account.run("check").code(0).stderr, "");
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    account.run("status").code(0);
    let census = account.census();
    let count = |kind: &str| census.get(kind).map_or(0, Vec::len);
    let kinds = [("nat_gateway", 2), ("load_balancer", 1), ("instance", 2), ("db_instance", 1)];
    assert_eq!(kinds.map(|(kind, _)| (kind, count(kind))), kinds);
    account.run("destroy --auto-approve").code(1).says("deletion_protection");
    account.sandbox.edit("deletion_protection: true", "deletion_protection: false");
    account.run("apply --auto-approve").code(0);
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
    // Nothing of it is simulated.
    assert!(!account.sandbox.path(".standfast/site.world.jsonl").exists());
}

/// What stands in comments is meant to be taken out of them.
#[test]
fn what_is_commented_out_checks_too() {
    let account = begun();
    for (from, to) in [
        ("    # account: ", "    account: "),
        (
            "      # - { port: 443, certificate: ./tls/site.pem, to: web }",
            "      - { port: 443, certificate: \"arn:aws:acm:eu-west-1:123456789012:certificate/1\", to: web }",
        ),
        ("{ port: 80, to: web }", "{ port: 80, redirect: https }"),
        ("# monitoring:\n#   notify:", "monitoring:\n  notify:"),
    ] {
        account.sandbox.edit(from, to);
    }
    account.run("plan").code(0).prints("+ topic.ops ");
}
