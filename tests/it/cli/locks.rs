//! One writer at a time.

use std::process::Command;

use super::{PATIENCE, SHOP, Sandbox, snapshot};

fn slow() -> Sandbox {
    Sandbox::new(&SHOP.replace("provider: sim", "provider: sim\n    sim: { latency: 1s }"))
}

#[test]
fn a_second_apply_is_told_who_holds_the_state() {
    let sandbox = slow();
    let mut first = sandbox.start("first", "apply --auto-approve");
    sandbox.wait_for("first.err", "begins");
    let ran = [
        sandbox.run("apply --auto-approve").code(75).says("tester@"),
        sandbox.run("state rm home/databases.orders/replica.db2").code(75),
    ];
    // Looking is always allowed.
    sandbox.run("plan --refresh=false").code(0);
    sandbox.run("state list").code(0);
    sandbox.run("state unlock").code(1).says("holds the lock");
    snapshot("locked", &ran);
    assert_eq!(first.wait().unwrap().code(), Some(0));
}

#[test]
fn or_it_waits() {
    let sandbox = slow();
    let mut first = sandbox.start("first", "apply --auto-approve");
    sandbox.wait_for("first.err", "begins");
    let ran = sandbox.run(&format!("apply --auto-approve --lock-timeout {}s", PATIENCE.as_secs())).code(0);
    assert!(ran.stderr.contains("waiting for the state: tester@"), "{}", ran.shown());
    assert!(ran.stdout.contains("No changes"), "{}", ran.shown());
    assert_eq!(first.wait().unwrap().code(), Some(0));
}

#[test]
fn a_dead_holders_lock_is_free() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.meddle(r#"{"fault":{"address":"databases.orders","verb":"create","kind":"die_before"}}"#);
    assert_eq!(sandbox.run("apply --auto-approve").code, None);
    let begun = std::time::Instant::now();
    // On the same machine it is seen that the process is gone; nobody has to wait for the lease.
    sandbox.run("apply --auto-approve").code(0);
    assert!(begun.elapsed().as_secs() < 10);
    sandbox.assert_settled();
}

#[test]
fn readers_meet_a_writer_without_harm() {
    let sandbox = slow();
    let mut writer = sandbox.start("writer", "apply --auto-approve");
    sandbox.wait_for("writer.err", "begins");
    while writer.try_wait().unwrap().is_none() {
        sandbox.ok("state list");
        sandbox.ok("history");
        sandbox.ok("outputs");
    }
    assert!(writer.wait().unwrap().success());
    let status: Vec<_> = (0..4).map(|_| sandbox.command("plan --format json").spawn_quiet()).collect();
    for mut child in status {
        assert!(child.wait().unwrap().success());
    }
}

trait Quiet {
    fn spawn_quiet(self) -> std::process::Child;
}
impl Quiet for Command {
    fn spawn_quiet(mut self) -> std::process::Child {
        self.stdout(std::process::Stdio::null()).spawn().unwrap()
    }
}
