//! A saved plan: applied exactly as shown, to the state it was made from, once.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{FLEET, SHOP, Sandbox, snapshot};

#[test]
fn it_is_applied_exactly_as_shown_and_once() {
    let sandbox = Sandbox::new(SHOP);
    let made = sandbox.run("plan --out next.plan").code(0);
    let shown = sandbox.json("show next.plan --format json");
    // The blueprint may change meanwhile, or be gone: the plan is what was shown.
    sandbox.edit("engine: postgres,", "engine: postgres, storage: 50GiB,");
    let applied = sandbox.run("apply next.plan --parallelism 1").code(0);
    for step in shown["steps"].as_array().unwrap() {
        sandbox.id(step["address"].as_str().unwrap());
    }
    assert_eq!(shown["steps"].as_array().unwrap().len(), sandbox.world().len().unwrap());
    assert_eq!(
        sandbox.plan("").steps(),
        ["update home/databases.orders/database.main (changed: storage_bytes)"]
    );
    let again = sandbox.run("apply next.plan").code(1);
    snapshot("saved-plan", &[made, applied, again]);
}

#[test]
fn one_that_is_not_there_is_told_from_a_blueprint() {
    let sandbox = Sandbox::new(SHOP);
    let told = |args: &str| sandbox.run(args).stderr;
    let plan = told("apply next.plan");
    assert!(
        plan.contains("there is no saved plan next.plan") && plan.contains("plan --out next.plan"),
        "{plan}"
    );
    let shown = told("show next.plan");
    assert!(shown.contains("there is no saved plan next.plan") && shown.contains("state list"), "{shown}");
    let blueprint = told("apply next.yaml");
    assert!(blueprint.contains("init") && !blueprint.contains("saved plan"), "{blueprint}");
}

#[test]
fn a_stale_one_is_refused() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.ok("plan --out next.plan");
    sandbox.ok("apply --auto-approve --target databases.orders");
    let stale = sandbox.run("apply next.plan").code(1).says("stale");
    assert_eq!(sandbox.world().len().unwrap(), 3);
    snapshot("saved-plan-stale", &[stale]);
}

#[test]
fn one_of_another_state_is_refused() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.ok("plan --out next.plan");
    let other = sandbox.run("apply next.plan --state sqlite:other.db").code(1).says("another state");
    assert!(!sandbox.world_file().exists() || sandbox.world().is_empty().unwrap());
    snapshot("saved-plan-of-another", &[other]);
}

#[test]
fn a_used_one_without_effect_on_the_serial_is_used_all_the_same() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.meddle(r#"{"fault":{"address":"home/*","verb":"create","kind":"refused","forever":true}}"#);
    sandbox.ok("plan --out next.plan");
    sandbox.run("apply next.plan").code(1);
    sandbox.run("apply next.plan").code(1).says("used");
}

#[test]
fn a_damaged_or_foreign_one_is_refused() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.ok("plan --out next.plan");
    let text = fs::read_to_string(sandbox.path("next.plan")).unwrap();
    sandbox.write("changed.plan", &text.replace("postgres", "mariadbx"));
    sandbox.write("cut.plan", &text[..text.len() / 2]);
    sandbox.write("newer.plan", &text.replacen("\"version\":1", "\"version\":99", 1));
    sandbox.write("foreign.plan", "{\"format\":\"standfast plan\",\"version\":1}");
    let ran =
        ["changed", "cut", "newer", "foreign"].map(|name| sandbox.run(&format!("apply {name}.plan")).code(1));
    assert!(!sandbox.world_file().exists() || sandbox.world().is_empty().unwrap());
    snapshot("saved-plan-damaged", &ran);
}

#[test]
fn it_and_the_state_are_for_their_owner_only() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.ok("plan --out next.plan");
    sandbox.ok("apply next.plan");
    for name in ["next.plan", ".standfast/shop.db"] {
        let mode = fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}: {mode:o}");
    }
    let mode = fs::metadata(sandbox.path(".standfast")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "{mode:o}");
}

#[test]
fn an_empty_one_changes_nothing() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.ok("plan --out next.plan");
    sandbox.run("apply next.plan").code(0).prints("No changes");
}

#[test]
fn one_that_destroys_or_refreshes_is_applied_as_well() {
    let sandbox =
        Sandbox::applied(&SHOP.replace("engine: postgres,", "engine: postgres, deletion_protection: false,"));
    sandbox.meddle(r#"{"destroy":{"address":"home/databases.orders/replica.db2"}}"#);
    sandbox.ok("plan --refresh-only --out next.plan");
    sandbox.ok("apply next.plan");
    sandbox.run("drift").code(0);
    sandbox.ok("plan --destroy --out next.plan");
    sandbox.ok("apply next.plan");
    assert!(sandbox.world().is_empty().unwrap());
}

#[test]
fn it_is_not_saved_where_it_cannot_be() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.run("plan --out no/such/folder/next.plan").code(1).says("could not write the plan");
}

/// Killed at every call of the provider, the same plan is applied again until it is through: nothing is made twice, and
/// what was done is not done again.
#[test]
fn one_whose_run_was_killed_is_gone_on_with() {
    for verb in ["die_before", "die_after"] {
        let sandbox = Sandbox::new(SHOP);
        sandbox.ok("plan --out next.plan");
        let mut deaths = 0;
        for nth in 1..=3 {
            sandbox.meddle(&format!(
                r#"{{"fault":{{"address":"home/*","verb":"create","kind":"{verb}","nth":{nth}}}}}"#
            ));
            deaths += u32::from(sandbox.run("apply next.plan --auto-approve --parallelism 2").code.is_none());
        }
        assert_eq!(deaths, 3);
        let ran = sandbox.run("apply next.plan --auto-approve").code(0);
        assert!(ran.stdout.contains("Goes on with run"), "{}", ran.shown());
        sandbox.assert_settled();
        let world = sandbox.world();
        assert_eq!((world.duplicates().unwrap(), world.len().unwrap()), (Vec::new(), 10));
        let again = sandbox.run("apply next.plan --auto-approve").code(1);
        assert!(again.stderr.contains("which carried it out"), "{}", again.shown());
    }
}

#[test]
fn one_that_was_begun_is_not_gone_on_with_when_something_else_came_between() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.ok("plan --out next.plan");
    sandbox.meddle(r#"{"fault":{"address":"home/*","verb":"create","kind":"die_after","nth":4}}"#);
    assert_eq!(sandbox.run("apply next.plan --auto-approve --parallelism 1").code, None);
    let recorded = sandbox.json("state list --format json");
    sandbox.ok(&format!("state rm {}", recorded["resources"][0]["address"].as_str().unwrap()));
    let ran = sandbox.run("apply next.plan --auto-approve").code(1);
    assert!(ran.stderr.contains("other commands have changed the state since"), "{}", ran.shown());
}

/// A rolling update that was killed with a member drained goes on with that member.
#[test]
fn a_rolling_update_that_was_killed_is_gone_on_with() {
    for verb in ["drain", "update", "undrain"] {
        let sandbox = Sandbox::applied(FLEET);
        sandbox.edit("version: \"1\"", "version: \"2\"");
        sandbox.ok("plan --out next.plan");
        sandbox.meddle(&format!(
            r#"{{"fault":{{"address":"autoscaling_groups.web","verb":"{verb}","kind":"die_after","nth":2}}}}"#
        ));
        assert_eq!(sandbox.run("apply next.plan --auto-approve").code, None, "{verb}");
        sandbox.run("apply next.plan --auto-approve").code(0);
        sandbox.assert_settled();
        assert!(sandbox.world().objects().unwrap().iter().all(|object| !object.drained), "{verb}");
    }
}

/// What the killed run had changed is rolled back as well when the one that goes on with it fails.
#[test]
fn a_rolling_update_that_is_gone_on_with_is_rolled_back_whole() {
    let sandbox = Sandbox::applied(FLEET);
    let member = |number: u32| format!("home/autoscaling_groups.web/member.w{number}");
    sandbox.edit("version: \"1\"", "version: \"2\"");
    sandbox.ok("plan --out next.plan");
    sandbox.meddle(
        r#"{"fault":{"address":"autoscaling_groups.web","verb":"drain","kind":"die_after","nth":2}}"#,
    );
    assert_eq!(sandbox.run("apply next.plan --auto-approve").code, None);
    sandbox.meddle(&format!(
        r#"{{"fault":{{"address":"{}","verb":"health","kind":"refused","when":{{"release":"nginx=2"}},"forever":true}}}}"#,
        member(3)
    ));
    sandbox.run("apply next.plan --auto-approve").code(1);
    for object in sandbox.world().objects().unwrap().iter().filter(|object| object.kind == "member") {
        assert_eq!(object.inputs["release"].as_str(), Some("nginx=1"), "{object:#?}");
        assert!(!object.drained, "{object:#?}");
    }
}
