//! The records by hand: list, show, mv, rm, import, unlock.

use super::{SHOP, Sandbox, snapshot};

const REPLICA: &str = "home/databases.orders/replica.db2";

#[test]
fn it_is_listed_and_shown() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.ok("apply --auto-approve --parallelism 1");
    let ran = [
        sandbox.run("state list").code(0),
        sandbox.run("state list load_balancers.front home/databases.orders/replica.*").code(0),
        sandbox.run("state list nothing.there").code(0),
        sandbox.run("state list databases.orders --format json").code(0),
        sandbox.run(&format!("state show {REPLICA}")).code(0),
        sandbox.run(&format!("state show {REPLICA} --format json")).code(0),
        sandbox.run("state show home/databases.orders/replica.db7").code(1),
    ];
    snapshot("state-list-and-show", &ran);
}

#[test]
fn a_forgotten_one_is_imported_again() {
    let sandbox = Sandbox::applied(SHOP);
    let id = sandbox.id(REPLICA);
    let ran = [
        sandbox.run(&format!("state rm {REPLICA}")).code(0),
        sandbox.run(&format!("state rm {REPLICA}")).code(1),
        sandbox.run("state rm").code(64),
        sandbox.run("state import home/databases.orders/replica.db9").code(1),
        sandbox.run("state import nonsense").code(64),
        sandbox.run(&format!("state import {REPLICA}")).code(0),
        sandbox.run(&format!("state import {REPLICA}")).code(1),
    ];
    snapshot("state-rm-and-import", &ran);
    assert_eq!(sandbox.id(REPLICA), id);
    sandbox.assert_settled();
}

#[test]
fn a_forgotten_one_is_not_made_twice_behind_the_users_back() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.ok(&format!("state rm {REPLICA}"));
    assert_eq!(sandbox.plan("").steps(), [format!("create {REPLICA} (new)")]);
}

#[test]
fn a_record_is_renamed() {
    let sandbox = Sandbox::applied(SHOP);
    let ran = [
        sandbox.run("state mv home/databases.orders/replica.db9 home/databases.orders/replica.x").code(1),
        sandbox.run(&format!("state mv {REPLICA} home/databases.orders/database.main")).code(1),
        sandbox.run(&format!("state mv {REPLICA} nonsense")).code(64),
        sandbox.run(&format!("state mv {REPLICA} home/databases.orders/replica.copy")).code(0),
        sandbox.run("state list databases.orders").code(0),
    ];
    snapshot("state-mv", &ran);
    sandbox.ok(&format!("state mv home/databases.orders/replica.copy {REPLICA}"));
    sandbox.assert_settled();
}

#[test]
fn a_state_that_is_none_is_refused() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.write("text.db", "this is no database, whatever its name may say; it is a text\n");
    sandbox.write("empty.db", "");
    let ran = [
        sandbox.run("state list --state sqlite:text.db").code(1),
        sandbox.run("state list --state sqlite:empty.db").code(1),
        sandbox.run("plan --state gs://bucket/key").code(64),
    ];
    snapshot("state-refused", &ran);
    // The state of another stack is not taken for this one's.
    let other = Sandbox::applied(&SHOP.replace("name: shop", "name: other"));
    let copy = other.path(".standfast/other.db");
    let ran = sandbox.run(&format!("state list --state sqlite:{}", copy.display()));
    assert!(ran.code != Some(0) || ran.stdout.contains("Nothing is recorded"), "{}", ran.shown());
}

#[test]
fn environments_have_their_own_records() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit(
        "databases:",
        "environments: { staging: { databases: { orders: { deletion_protection: false } } } }\ndatabases:",
    );
    sandbox.ok("apply --auto-approve");
    assert_eq!(sandbox.plan("--env staging").count("create"), 10);
    sandbox.ok("apply --auto-approve --env staging");
    assert_eq!(sandbox.world().len().unwrap(), 20);
    sandbox.ok("destroy --auto-approve --env staging");
    assert_eq!(sandbox.world().len().unwrap(), 10);
    assert!(sandbox.plan("").steps().is_empty());
}

/// The state is lost, or one record of it: what stands in the world is found by its marks.
#[test]
fn a_lost_one_is_not_taken_for_a_new_one_while_copies_of_it_are_left() {
    let sandbox = Sandbox::applied(SHOP);
    lose(&sandbox);
    let refused = sandbox.run("apply --auto-approve").code(1);
    let copies = std::fs::read_dir(sandbox.path(".standfast/shop.backup")).unwrap();
    let copy = copies.map(|copy| copy.unwrap().path()).max().unwrap();
    refused.says(&format!("push --force {}`", copy.display()));
    sandbox.ok(&format!("state push --force {}", copy.display()));
    sandbox.ok("state rebuild");
    sandbox.assert_settled();
    lose(&sandbox);
    sandbox.ok("state rebuild");
    sandbox.assert_settled();
}

/// Takes the state away, and leaves its copies.
fn lose(sandbox: &Sandbox) {
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(sandbox.path(&format!(".standfast/shop.db{end}")));
    }
}

#[test]
fn a_lost_one_is_rebuilt() {
    let sandbox = Sandbox::applied(SHOP);
    std::fs::remove_dir_all(sandbox.path(".standfast/shop.backup")).unwrap();
    lose(&sandbox);
    assert_eq!(sandbox.plan("").steps().len(), 10, "nothing is known any more");
    let rebuilt = sandbox.run("state rebuild").code(0);
    sandbox.assert_settled();
    sandbox.ok("state rm autoscaling_groups.web");
    let some = sandbox.run("state rebuild").code(0);
    sandbox.assert_settled();
    // What the blueprint no longer has is told, and what holds data is protected as ever.
    sandbox.ok("state rm databases.orders");
    sandbox.edit("databases:\n  orders: { engine: postgres, hosts: [db1, db2] }\n", "");
    let unwanted = sandbox.run("state rebuild").code(0);
    let refused = sandbox.run("plan").code(1);
    snapshot("state-rebuild", &[rebuilt, some, unwanted, refused]);
    assert_eq!(sandbox.world().len().unwrap(), 10);
}

#[test]
fn a_lost_one_is_not_rebuilt_from_a_part() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.ok("state rm home");
    sandbox.meddle(r#"{"fault":{"address":"home","verb":"find","kind":"unreachable"}}"#);
    let ran = sandbox.run("state rebuild").code(1);
    assert!(ran.stderr.contains("not every place answered"), "{}", ran.shown());
    assert_eq!(sandbox.json("state list --format json")["resources"].as_array().unwrap().len(), 0);
    sandbox.ok("state rebuild");
    sandbox.assert_settled();
}
