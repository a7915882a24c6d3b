//! Many at once on one state, and clocks that disagree about who was there last.

use std::process::Child;

use super::{FLEET, PATIENCE, SHOP, Sandbox, snapshot};

fn slow(blueprint: &str, latency: &str) -> Sandbox {
    Sandbox::new(
        &blueprint.replace("provider: sim", &format!("provider: sim\n    sim: {{ latency: {latency} }}")),
    )
}

/// The same command `count` times at once; its exit codes.
fn crowd(sandbox: &Sandbox, count: usize, line: &str) -> Vec<i32> {
    let children: Vec<Child> =
        (0..count).map(|number| sandbox.start(&format!("run{number}"), line)).collect();
    children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect()
}

/// Every run that did something is in the history, and no two at one time.
fn runs(sandbox: &Sandbox, more: &str) -> usize {
    let state = sandbox.json(&format!("state pull {more}"));
    let runs = state["runs"].as_array().unwrap();
    let mut last = String::new();
    for run in runs {
        let (started, ended) = (&run["record"]["started"], &run["record"]["ended"]);
        let (started, ended) = (started.as_str().unwrap(), ended.as_str().unwrap());
        assert!(*last <= *started, "a run began before the one before it had ended: {run}");
        last = ended.to_owned();
    }
    runs.len()
}

#[test]
fn two_and_ten_at_once_wait_for_each_other_and_do_it_once() {
    for count in [2, 10] {
        let sandbox = slow(SHOP, "30ms");
        let line = format!("apply --auto-approve --lock-timeout {}s", PATIENCE.as_secs());
        assert_eq!(crowd(&sandbox, count, &line), vec![0; count]);
        assert_eq!(runs(&sandbox, ""), 1, "the others found nothing to do");
        sandbox.assert_settled();
    }
}

#[test]
fn ten_at_once_without_patience_are_told_who_holds_it() {
    let sandbox = slow(SHOP, "300ms");
    let codes = crowd(&sandbox, 10, "apply --auto-approve");
    assert!(codes.contains(&0) && codes.contains(&75), "{codes:?}");
    assert!(codes.iter().all(|code| [0, 75].contains(code)), "{codes:?}");
    assert_eq!(runs(&sandbox, ""), 1);
    sandbox.assert_settled();
}

/// Each wants another thing: the last one's wish holds, and what it does not want is gone.
#[test]
fn ten_of_two_minds_leave_one_world() {
    let sandbox = slow(FLEET, "10ms");
    sandbox.edit("version: \"1\"", "version: \"${variables.version}\"");
    sandbox.edit("name: fleet", "name: fleet\nvariables: { version: { default: \"1\" } }");
    let children: Vec<Child> = (0..10)
        .map(|number| {
            let line = format!("apply --auto-approve --lock-timeout 60s --var version={}", number % 2 + 1);
            sandbox.start(&format!("run{number}"), &line)
        })
        .collect();
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    assert!(runs(&sandbox, "") >= 2);
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
    assert!(sandbox.world().objects().unwrap().iter().all(|object| !object.drained));
}

#[test]
fn environments_of_one_file_are_worked_on_at_the_same_time() {
    let sandbox = slow(SHOP, "300ms");
    sandbox.edit("databases:", "environments: { staging: {}, trial: {} }\ndatabases:");
    let names = ["staging", "trial"];
    let children = names.map(|name| sandbox.start(name, &format!("apply --auto-approve --env {name}")));
    for name in names {
        sandbox.wait_for(&format!("{name}.err"), "begins");
    }
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0), "neither waits for the other");
    }
    for name in names {
        assert_eq!(sandbox.plan(&format!("--env {name}")).steps(), Vec::<String>::new());
    }
    assert_eq!(sandbox.world().len().unwrap(), 20);
    assert_eq!(sandbox.world().duplicates().unwrap(), []);
}

/// Writes into the lock of the state as if its holder's clock had been otherwise. `from` another machine, whose clock
/// alone cannot be compared.
fn set_lock(sandbox: &Sandbox, set: &str) {
    let state = rusqlite::Connection::open(sandbox.path(".standfast/shop.db")).unwrap();
    state.busy_timeout(PATIENCE).unwrap();
    assert_eq!(state.execute(&format!("UPDATE locks SET {set}"), []).unwrap(), 1);
}

const ELSEWHERE: &str = "boot = 'of another machine', heartbeat_boot_ms = NULL, lease_ms = 3000";

/// No test may set this machine's clock: the lock is written as a clock that was set back would leave it.
#[test]
fn a_lock_from_the_future_is_free_one_lease_later() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.meddle(r#"{"fault":{"address":"databases.orders","verb":"create","kind":"die_before"}}"#);
    assert_eq!(sandbox.run("apply --auto-approve").code, None);
    set_lock(&sandbox, &format!("heartbeat_ms = heartbeat_ms + 86400000, {ELSEWHERE}"));
    let refused = sandbox.run("apply --auto-approve").code(75);
    let begun = std::time::Instant::now();
    sandbox.run("apply --auto-approve --lock-timeout 30s").code(0);
    assert!(begun.elapsed().as_secs() >= 2, "a living holder has one lease to renew it in");
    sandbox.assert_settled();
    snapshot("clock-set-back", &[refused]);
}

#[test]
fn a_clock_set_back_under_an_apply_takes_nothing_from_it() {
    let sandbox = slow(SHOP, "1s");
    let mut first = sandbox.start("first", "apply --auto-approve --parallelism 1");
    sandbox.wait_for("first.err", "created");
    // What it wrote before lies in the future now.
    set_lock(&sandbox, "heartbeat_ms = heartbeat_ms + 3600000, since_ms = since_ms + 3600000");
    sandbox.run("apply --auto-approve").code(75);
    sandbox.ok("state list");
    assert_eq!(first.wait().unwrap().code(), Some(0));
    // A run that seems to have ended before it began is shown all the same.
    let state = rusqlite::Connection::open(sandbox.path(".standfast/shop.db")).unwrap();
    state.execute("UPDATE runs SET started_ms = started_ms + 3600000", []).unwrap();
    drop(state);
    sandbox.run("history").code(0).prints("apply");
    sandbox.run("history show 1").code(0);
    sandbox.assert_settled();
}

#[cfg(feature = "postgres")]
mod postgres {
    use standfast_state::conformance::cluster::Cluster;

    use super::*;

    #[test]
    fn ten_at_once_on_a_database_do_it_once() {
        let cluster = Cluster::shared();
        let sandbox = slow(SHOP, "30ms");
        let state = format!("--state {}", cluster.url(&cluster.database()));
        let line = format!("apply --auto-approve --lock-timeout {}s {state}", PATIENCE.as_secs());
        assert_eq!(crowd(&sandbox, 10, &line), vec![0; 10]);
        assert_eq!(runs(&sandbox, &state), 1, "the others found nothing to do");
        assert_eq!(sandbox.plan(&state).steps(), Vec::<String>::new());
        assert_eq!(sandbox.world().duplicates().unwrap(), []);
        assert_eq!(sandbox.world().len().unwrap(), 10);
    }
}
