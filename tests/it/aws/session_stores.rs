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
    account.run("apply --auto-approve").code(0);
    account.assert_settled();
}
