//! Back to an earlier run, and a history that does not grow for ever.

use std::fs;

use super::{FLEET, Ran, SHOP, Sandbox, snapshot};

/// The fleet with its release as a variable.
fn fleet() -> String {
    FLEET
        .replace("regions:\n", "variables:\n  release: { default: \"1\" }\nregions:\n")
        .replace("version: \"1\"", "version: \"${var.release}\"")
}

fn releases(sandbox: &Sandbox) -> Vec<String> {
    let objects = sandbox.world().objects().unwrap();
    let mut releases: Vec<String> = objects
        .iter()
        .filter(|object| object.kind == "member")
        .map(|object| object.inputs["release"].as_str().unwrap().to_owned())
        .collect();
    releases.dedup();
    releases
}

#[test]
fn without_a_run_it_goes_back_to_before_the_last_change() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.ok("apply --auto-approve");
    sandbox.edit("version: \"1\"", "version: \"2\"");
    sandbox.ok("apply --auto-approve --parallelism 1");
    assert_eq!(releases(&sandbox), ["nginx=2"]);
    let back = sandbox.run("rollback --auto-approve --parallelism 1").code(0);
    assert_eq!(releases(&sandbox), ["nginx=1"]);
    let listed = sandbox.run("history").code(0);
    // The file was not touched: it would go forward again, and back once more.
    assert_eq!(sandbox.plan("").count("update"), 4);
    sandbox.ok("rollback --auto-approve");
    assert_eq!(releases(&sandbox), ["nginx=2"]);
    snapshot("rollback", &[back, listed]);
}

/// Not deleted under its new name and made anew under the old one.
#[test]
fn what_has_been_moved_since_gets_its_old_name_back() {
    let sandbox = Sandbox::applied(SHOP);
    let ids = |sandbox: &Sandbox| -> Vec<String> {
        sandbox.world().objects().unwrap().into_iter().map(|object| object.id).collect()
    };
    let before = ids(&sandbox);
    sandbox.edit("  orders:", "  ledger:");
    sandbox.edit("name: shop\n", "name: shop\nmoved: [{ from: databases.orders, to: databases.ledger }]\n");
    sandbox.ok("apply --auto-approve");
    sandbox.ok("rollback --auto-approve");
    assert_eq!(ids(&sandbox), before);
    let there = sandbox.ok("state list");
    assert!(there.contains("databases.orders/database.main"), "{there}");
}

#[test]
fn it_takes_the_variables_of_the_run_and_not_those_of_now() {
    let sandbox = Sandbox::new(&fleet());
    sandbox.ok("apply --auto-approve --var release=7");
    sandbox.ok("apply --auto-approve --var release=8");
    let mut command = sandbox.command("rollback 1 --auto-approve");
    let ran = Ran::of("rollback 1", {
        command.env("STANDFAST_VAR_release", "9");
        command
    })
    .code(0);
    assert!(ran.stderr.contains("does not say what run 1 did"), "{}", ran.shown());
    assert_eq!(releases(&sandbox), ["nginx=7"]);
    let detail = sandbox.json("history show 3 --format json");
    assert_eq!(detail["variables"], r#"{"release":"7"}"#);
    assert_eq!(detail["record"]["command"], "rollback");
    assert!(detail["record"]["summary"].as_str().unwrap().starts_with("back to run 1: "), "{detail}");
}

#[test]
fn the_blueprint_may_be_broken_by_now_or_of_an_environment() {
    let text = format!(
        "{}environments:\n  staging: {{ autoscaling_groups: {{ web: {{ workload: {{ version: \"5\" }} }} }} }}\n",
        FLEET
    );
    let sandbox = Sandbox::new(&text);
    sandbox.ok("apply --auto-approve --env staging");
    assert_eq!(releases(&sandbox), ["nginx=5"]);
    sandbox.edit("version: \"5\"", "version: \"6\"");
    sandbox.ok("apply --auto-approve --env staging");
    sandbox.edit("load_balancers:", "load_balancer:");
    sandbox.run("plan --env staging").code(65);
    sandbox.ok("rollback --auto-approve --env staging");
    assert_eq!(releases(&sandbox), ["nginx=5"]);
    // The state of the other environment has nothing to go back to.
    sandbox.run("rollback --auto-approve").code(1).says("nothing has been applied yet");
}

#[test]
fn what_holds_data_goes_only_when_it_is_named() {
    let open = SHOP.replace("engine: postgres,", "engine: postgres, deletion_protection: false,");
    let cut = open.find("databases:").unwrap();
    let sandbox = Sandbox::applied(&open[..cut]);
    sandbox.write("standfast.yaml", &open);
    sandbox.ok("apply --auto-approve --parallelism 1");
    let database = "home/databases.orders/database.main";
    let refused = sandbox.run("rollback 1 --auto-approve").code(1);
    assert_eq!(sandbox.world().len().unwrap(), 10);
    let other = sandbox.run(&format!("rollback 1 --auto-approve --destroy {database}-2")).code(64);
    sandbox.run(&format!("rollback 1 --auto-approve --destroy {database}")).code(0);
    assert!(sandbox.world().objects().unwrap().iter().all(|object| object.kind != "database"));
    snapshot("rollback-data", &[refused, other]);
}

#[test]
fn deletion_protection_holds_all_the_same() {
    let cut = SHOP.find("databases:").unwrap();
    let sandbox = Sandbox::applied(&SHOP[..cut]);
    sandbox.write("standfast.yaml", SHOP);
    sandbox.ok("apply --auto-approve");
    sandbox
        .run("rollback 1 --auto-approve --destroy home/databases.orders/database.main")
        .code(1)
        .says("protected");
    assert_eq!(sandbox.world().len().unwrap(), 10);
}

#[test]
fn a_run_that_cannot_be_gone_back_to_is_told_why() {
    let sandbox = Sandbox::new(FLEET);
    let nothing = sandbox.run("rollback").code(1);
    sandbox.ok("apply --auto-approve");
    let only = sandbox.run("rollback").code(1);
    sandbox.ok("state rm load_balancers.front");
    let bare = sandbox.run("rollback 2").code(1);
    let unknown = sandbox.run("rollback 77").code(1);
    snapshot("rollback-refused", &[nothing, only, bare, unknown]);
}

#[test]
fn it_can_be_looked_at_and_saved_first() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.edit("version: \"1\"", "version: \"2\"");
    sandbox.ok("apply --auto-approve");
    sandbox.run("rollback --plan").code(0).prints("4 to update");
    assert_eq!(releases(&sandbox), ["nginx=2"]);
    sandbox.ok("rollback --out back.plan");
    sandbox.ok("apply back.plan");
    assert_eq!(releases(&sandbox), ["nginx=1"]);
}

#[test]
fn after_a_destroy_it_makes_everything_again() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.ok("destroy --auto-approve");
    sandbox.ok("rollback --auto-approve");
    sandbox.assert_settled();
    assert!(!sandbox.world().is_empty().unwrap());
}

#[test]
fn the_run_that_is_the_present_one_changes_nothing() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.run("rollback 1 --auto-approve").code(0).prints("No changes");
}

#[test]
fn old_runs_leave_the_history_and_the_file_stops_growing() {
    let sandbox = Sandbox::applied(FLEET);
    for release in 2..8 {
        sandbox.edit(&format!("version: \"{}\"", release - 1), &format!("version: \"{release}\""));
        sandbox.ok("apply --auto-approve");
    }
    let pruned = sandbox.run("history prune --keep 2").code(0);
    let listed = sandbox.run("history").code(0);
    let none = sandbox.run("history prune --keep 0").code(64);
    sandbox.run("rollback --auto-approve").code(0);
    assert_eq!(releases(&sandbox), ["nginx=6"]);
    sandbox.edit("version: \"7\"", "version: \"6\"");
    sandbox.assert_settled();
    // A copy of before is there.
    assert!(fs::read_dir(sandbox.path(".standfast/fleet.backup")).unwrap().count() > 0);
    snapshot("history-prune", &[pruned, listed, none]);
}
