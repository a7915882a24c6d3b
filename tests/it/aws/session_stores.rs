//! A session store. moto deletes none for good and changes no number of replicas: that is shown beside the kind.

use super::account::Account;

const SHOP: &str = "\
standfast: 1
name: shop
secrets: { sessions: { env: SHOP_PASSWORD } }
regions:
  refuge: { provider: aws, location: eu-west-1, zones: 2, tags: { team: web } }
networks:
  main: { cidr: 10.20.0.0/16, nat: none }
session_stores:
  sessions: { engine: redis, version: \"7.1\", instance_type: cache.t4g.small, replicas: 2, password: \"${secrets.sessions}\" }
";

#[test]
fn a_session_store_is_made_once_and_changed_in_place() {
    let account = Account::applied(SHOP);
    account.assert_settled();
    account.sandbox.write("standfast.yaml", &SHOP.replace("cache.t4g.small", "cache.t4g.medium"));
    assert_eq!(
        account.plan("").steps(),
        ["update refuge/session_stores.sessions/replication_group.main (changed: class)"]
    );
    account.run("plan").prints("# takes no writes for some seconds");
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    account
        .run("status")
        .code(0)
        .prints("session_stores.sessions   nodes   ● healthy   available, 3 of 3 nodes");
    let outputs = account.run("outputs");
    assert!(!outputs.stdout.contains("known after apply"), "{}", outputs.shown());
}

#[test]
fn redis_becomes_valkey_in_place_and_never_redis_again() {
    let account = Account::applied(SHOP);
    account.sandbox.edit("engine: redis, version: \"7.1\"", "engine: valkey, version: \"8.0\"");
    assert_eq!(
        account.plan("").steps(),
        ["update refuge/session_stores.sessions/replication_group.main (changed: engine, version)"]
    );
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
    account.sandbox.edit("engine: valkey, version: \"8.0\"", "engine: redis, version: \"8.1\"");
    account.run("plan").code(1).says(
        "the plan would take `engine` of refuge/session_stores.sessions/replication_group.main back from valkey to redis, \
         which cannot be done in place",
    );
    // Consciously it may, where nothing protects it.
    let anew = "plan --replace session_stores.sessions";
    account.run(anew).code(1).says("which is protected");
    account.sandbox.edit("replicas: 2,", "replicas: 2, deletion_protection: false,");
    account.sandbox.edit("engine: redis, version: \"8.1\"", "engine: valkey, version: \"8.0\"");
    account.run("apply --auto-approve").code(0);
    account.sandbox.edit("engine: valkey, version: \"8.0\"", "engine: redis, version: \"7.1\"");
    account.run(anew).code(0);
}

#[test]
fn a_session_store_is_protected_and_leaves_a_snapshot() {
    let account = Account::applied(SHOP);
    account
        .run("destroy --auto-approve")
        .code(1)
        .says("the plan would delete refuge/session_stores.sessions/replication_group.main")
        .says("`deletion_protection: false`");
    account.sandbox.edit("replicas: 2,", "replicas: 2, deletion_protection: false,");
    account.run("apply --auto-approve").code(0);
    account.run("destroy --auto-approve").code(0);
    assert_eq!(account.census(), Default::default());
}
