//! Where a state is kept: chosen by a URL, pulled, pushed, moved from one store to another, restored, only looked at.

use std::{fs, path::PathBuf, process::Command};

use crate::cli::{Ran, SHOP, Sandbox};

const REPLICA: &str = "home/databases.orders/replica.db2";

fn export(sandbox: &Sandbox, more: &str) -> serde_json::Value {
    sandbox.json(&format!("state pull {more}"))
}

/// The copies beside the state, oldest first.
fn backups(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folder = fs::read_dir(sandbox.path(".standfast/shop.backup")).unwrap();
    let mut found: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn a_place_without_a_store_is_refused_with_what_there_is() {
    let sandbox = Sandbox::new(SHOP);
    for url in ["gs://bucket/prefix", "consul:here"] {
        let ran = sandbox.run(&format!("plan --state {url}")).code(64);
        ran.says("this standfast keeps no state in").says("`sqlite:PATH`").says("STANDFAST_STATE");
    }
    sandbox.run("plan --state sqlite:").code(64);
    sandbox.run("plan --state sqlite:elsewhere.db").code(0);
    assert!(sandbox.path("elsewhere.db").exists());
}

#[test]
fn a_pulled_state_comes_back_as_it_was() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.ok("state pull --out shop.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(sandbox.path("shop.json")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let before = export(&sandbox, "");
    assert_eq!(before["format"], 1);
    assert_eq!(before["resources"].as_array().unwrap().len(), 10);
    // Pushed into a place where nothing is: no question to ask.
    sandbox.run("state push shop.json --state sqlite:other.db").code(0).prints("with 10 resources");
    let after = export(&sandbox, "--state sqlite:other.db");
    assert_eq!((&after["head"], &after["resources"]), (&before["head"], &before["resources"]));
    assert_eq!(sandbox.json("plan --format json --state sqlite:other.db")["steps"], serde_json::json!([]));
}

#[test]
fn a_push_that_would_lose_something_is_refused_with_both_sides() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.ok("state pull --out old.json");
    let old = export(&sandbox, "")["head"].clone();
    sandbox.ok(&format!("state rm {REPLICA}"));
    let (was, is) = (old["serial"].as_u64().unwrap(), old["serial"].as_u64().unwrap() + 1);
    sandbox
        .run("state push old.json")
        .code(1)
        .says(&format!("it is older: serial {was}, and what is there has serial {is}"))
        .says("--force");
    sandbox.ok("apply --auto-approve --state sqlite:other.db");
    sandbox
        .run("state push old.json --state sqlite:other.db")
        .code(1)
        .says(&format!("it is of another lineage: {}", old["lineage"].as_str().unwrap()));
    assert_ne!(export(&sandbox, "--state sqlite:other.db")["head"], old, "left as it was");
    sandbox.run("state push old.json --force").code(0);
    assert_eq!(export(&sandbox, "")["head"], old);

    sandbox.write("later.json", "{\"format\": 2, \"states\": []}");
    sandbox.run("state push later.json").code(1).says("has format 2, and this standfast reads 1");
    sandbox.write("none.json", "{}");
    sandbox.run("state push none.json").code(1).says("is no exported state");
}

#[test]
fn a_damaged_state_is_restored_from_the_copy_that_its_error_names() {
    let sandbox = Sandbox::applied(SHOP);
    let whole = export(&sandbox, "");
    sandbox.edit("health_check: { path: / }", "health_check: { path: /up }");
    // A second run begins with a copy of what the first one left.
    sandbox.ok("apply --auto-approve");
    let state = sandbox.path(".standfast/shop.db");
    let bytes = fs::read(&state).unwrap();
    fs::write(&state, &bytes[..bytes.len() / 2]).unwrap();
    let copy = backups(&sandbox).pop().unwrap();
    let said = sandbox.run("plan").code(1).says("is damaged").says("state push --force");
    assert!(said.stderr.contains(copy.file_name().unwrap().to_str().unwrap()), "{}", said.shown());
    let ran = sandbox.run(&format!("state push {}", copy.display())).code(1);
    ran.says("is damaged");
    sandbox.run(&format!("state push --force {}", copy.display())).code(0).says("was set aside as");
    assert!(sandbox.path(".standfast/shop.db.damaged-1").exists());
    let restored = export(&sandbox, "");
    assert_eq!(restored["resources"], whole["resources"]);
    // What was changed since is seen in the world.
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

/// Runs the program in a folder in which nothing can be written: by root within a mount of its own, since root may
/// write everywhere else.
fn read_only(sandbox: &Sandbox, line: &str) -> Ran {
    let program = sandbox.command(line);
    let folder = sandbox.path("");
    let script = "mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" && exec \"$@\"";
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", script, "sh"]).arg(program.get_program());
        command
    } else {
        for path in [".standfast", ""] {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(0o500)).unwrap();
        }
        Command::new(program.get_program())
    };
    command.args(program.get_args()).current_dir(folder).env("USER", "tester");
    Ran::of(line, command)
}

#[test]
fn where_nothing_can_be_written_the_state_can_still_be_looked_at() {
    let sandbox = Sandbox::applied(SHOP);
    let listed = sandbox.ok("state list");
    assert_eq!(read_only(&sandbox, "state list").code(0).stdout, listed);
    read_only(&sandbox, "history").code(0).prints("apply");
    read_only(&sandbox, "outputs").code(0);
    read_only(&sandbox, "state pull").code(0).prints("\"format\": 1");
    // What writes says so, and the world is as it was.
    sandbox.edit("health_check: { path: / }", "health_check: { path: /up }");
    read_only(&sandbox, "apply --auto-approve").code(1).says("Read-only file system");
    read_only(&sandbox, &format!("state rm {REPLICA}"))
        .code(1)
        .says("could not lock the state")
        .says("read-only");
    sandbox.edit("health_check: { path: /up }", "health_check: { path: / }");
    sandbox.assert_settled();
}

/// What every shared store must do for whole commands.
#[cfg(any(feature = "aws", feature = "postgres"))]
mod shared {
    use super::*;
    use crate::cli::FLEET;

    fn slow(blueprint: &str, latency: &str) -> Sandbox {
        let slow = format!("provider: sim\n    sim: {{ latency: {latency} }}");
        Sandbox::new(&blueprint.replace("provider: sim", &slow))
    }

    pub fn a_second_writer_is_told_who_holds_it(url: &str) {
        let (shop, fleet) = (slow(SHOP, "3s"), Sandbox::new(FLEET));
        let mut first = shop.start("first", &format!("apply --auto-approve --state {url}"));
        shop.wait_for("first.err", "begins");
        // Only the first takes long; the others come all at once, before its end.
        shop.edit("latency: 3s", "latency: 1ms");
        let waiting = |seconds: u32| {
            let line = format!("apply --auto-approve --lock-timeout {seconds}s --state {url}");
            shop.start(&format!("waits-{seconds}"), &line)
        };
        let (mut hasty, mut patient) = (waiting(1), waiting(60));
        shop.run(&format!("apply --auto-approve --state {url}")).code(75).says("held by tester@");
        for file in ["waits-1.err", "waits-60.err"] {
            shop.wait_for(file, "waiting for the state: tester@");
        }
        assert_eq!(hasty.wait().unwrap().code(), Some(75));
        fleet.ok(&format!("apply --auto-approve --state {url}"));
        assert_eq!(patient.wait().unwrap().code(), Some(0));
        assert_eq!(first.wait().unwrap().code(), Some(0));
        assert_eq!(shop.json(&format!("plan --format json --state {url}"))["steps"], serde_json::json!([]));
        assert!(!shop.path(".standfast/shop.db").exists(), "nothing of it is kept here");
        fleet.run(&format!("history --state {url}")).code(0).prints("apply");
        fleet.run(&format!("destroy --auto-approve --state {url}")).code(0);
    }

    pub fn two_environments_are_applied_at_the_same_time(url: &str) {
        let blueprint = format!("{SHOP}environments:\n  blue: {{}}\n  green: {{}}\n");
        // Two runners, each with a world of its own.
        let mut runners = ["blue", "green"].map(|environment| {
            let runner = slow(&blueprint, "1s");
            let line = format!("apply --auto-approve --env {environment} --state {url}");
            let child = runner.start("apply", &line);
            (environment, runner, child)
        });
        for (_, runner, child) in &mut runners {
            runner.wait_for("apply.err", "begins");
            assert_eq!(child.try_wait().unwrap(), None, "both at the same time");
        }
        for (environment, runner, child) in &mut runners {
            assert_eq!(child.wait().unwrap().code(), Some(0));
            let plan = runner.json(&format!("plan --format json --env {environment} --state {url}"));
            assert_eq!(plan["steps"], serde_json::json!([]));
            let history = runner.json(&format!("history --format json --env {environment} --state {url}"));
            assert_eq!(history["runs"].as_array().unwrap().len(), 1);
        }
    }

    pub fn a_holder_that_was_killed_blocks_nobody(url: &str) {
        let sandbox = Sandbox::new(SHOP);
        sandbox.meddle(r#"{"fault":{"address":"databases.orders","verb":"create","kind":"die_before"}}"#);
        assert_eq!(sandbox.run(&format!("apply --auto-approve --state {url}")).code, None);
        sandbox.run(&format!("apply --auto-approve --state {url}")).code(0);
        let listed = sandbox.json(&format!("state list --format json --state {url}"));
        assert_eq!(listed["resources"].as_array().unwrap().len(), sandbox.world().len().unwrap());
        assert_eq!(
            sandbox.json(&format!("plan --format json --state {url}"))["steps"],
            serde_json::json!([])
        );
    }

    /// `shown` is the place as messages have it.
    pub fn a_state_moves_there_and_back_with_its_history(url: &str, shown: &str) {
        let sandbox = Sandbox::applied(SHOP);
        let before = export(&sandbox, "");
        sandbox
            .run(&format!("state migrate sqlite:.standfast/shop.db {url}"))
            .code(0)
            .prints(&format!("copied to {shown}"))
            .prints("STANDFAST_STATE");
        let there = export(&sandbox, &format!("--state {url}"));
        assert_eq!((&there["head"], &there["resources"]), (&before["head"], &before["resources"]));
        assert_eq!(there["runs"].as_array().unwrap().len(), before["runs"].as_array().unwrap().len());
        let steps = &sandbox.json(&format!("plan --format json --state {url}"))["steps"];
        assert_eq!(*steps, serde_json::json!([]));
        // Again is no harm; back to another file neither; over a state of its own it is refused.
        sandbox.run(&format!("state migrate sqlite:.standfast/shop.db {url}")).code(0);
        sandbox.run(&format!("state migrate {url} sqlite:back.db")).code(0);
        assert_eq!(export(&sandbox, "--state sqlite:back.db")["runs"], before["runs"]);
        sandbox.ok("apply --auto-approve --state sqlite:own.db");
        sandbox.run(&format!("state migrate {url} sqlite:own.db")).code(1).says("of another lineage");
        sandbox.run(&format!("state migrate sqlite:none.db {url}")).code(1).says("there is nothing there");
        // With a holder on either side nothing moves.
        sandbox.run(&format!("state migrate {url} {url}")).code(64);
    }
}

#[cfg(feature = "aws")]
mod s3 {
    use standfast_fault_proxy::{Fault, Moto, Proxy};

    use super::*;

    /// A new bucket, reached through a server at `endpoint`.
    fn url(endpoint: &str) -> String {
        let bucket = Moto::shared().bucket();
        format!("s3://{bucket}/states?region=us-east-1&endpoint={endpoint}")
    }

    #[test]
    fn a_second_writer_is_told_who_holds_it() {
        shared::a_second_writer_is_told_who_holds_it(&url(&Moto::shared().url()));
    }

    #[test]
    fn two_environments_are_applied_at_the_same_time() {
        shared::two_environments_are_applied_at_the_same_time(&url(&Moto::shared().url()));
    }

    #[test]
    fn a_holder_that_was_killed_blocks_nobody() {
        shared::a_holder_that_was_killed_blocks_nobody(&url(&Moto::shared().url()));
    }

    #[test]
    fn a_state_moves_there_and_back_with_its_history() {
        shared::a_state_moves_there_and_back_with_its_history(&url(&Moto::shared().url()), "s3://");
    }

    /// Whole commands, while answers are lost after their effect and calls fail.
    #[test]
    fn an_apply_over_a_bad_line_is_an_apply() {
        let proxy = Proxy::start(Moto::shared().address).unwrap();
        proxy.add("lost", Fault::lose_answer().every(5));
        proxy.add("failed", Fault::internal_error().every(7));
        let url = url(&proxy.url());
        let sandbox = Sandbox::new(SHOP);
        sandbox.ok(&format!("apply --auto-approve --state {url}"));
        let ran = sandbox.json(&format!("apply --auto-approve --format json --state {url}"));
        assert_eq!(ran["error"], serde_json::Value::Null);
        assert_eq!(
            sandbox.json(&format!("plan --format json --state {url}"))["steps"],
            serde_json::json!([])
        );
        let listed = sandbox.json(&format!("state list --format json --state {url}"));
        assert_eq!(listed["resources"].as_array().unwrap().len(), sandbox.world().len().unwrap());
        assert!(proxy.struck("lost") >= 4, "only {} answers were lost", proxy.struck("lost"));
    }

    #[test]
    fn a_place_that_refuses_says_what_to_do() {
        let endpoint = Moto::shared().url();
        let sandbox = Sandbox::new(SHOP);
        let at =
            |rest: &str| format!("plan --state s3://nowhere/x?region=us-east-1&endpoint={endpoint}{rest}");
        sandbox.run(&at("")).code(1).says("s3://nowhere/x is refused (NoSuchBucket").says("aws s3 mb");
        sandbox.run(&at("&regoin=1")).code(64).says("a parameter `regoin`");
        let mut command = sandbox.command(&at(""));
        command.env_remove("AWS_ACCESS_KEY_ID").env("AWS_EC2_METADATA_DISABLED", "true");
        Ran::of("plan", command).code(1).says("credentials").says("aws sso login");
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use standfast_state::conformance::cluster::Cluster;

    use super::*;

    fn url() -> String {
        let cluster = Cluster::shared();
        cluster.url(&cluster.database())
    }

    #[test]
    fn a_second_writer_is_told_who_holds_it() {
        shared::a_second_writer_is_told_who_holds_it(&url());
    }

    #[test]
    fn two_environments_are_applied_at_the_same_time() {
        shared::two_environments_are_applied_at_the_same_time(&url());
    }

    #[test]
    fn a_holder_that_was_killed_blocks_nobody() {
        shared::a_holder_that_was_killed_blocks_nobody(&url());
    }

    #[test]
    fn a_state_moves_there_and_back_with_its_history() {
        shared::a_state_moves_there_and_back_with_its_history(&url(), "postgres://postgres@");
    }

    #[test]
    fn a_password_is_never_shown() {
        let sandbox = Sandbox::new(SHOP);
        let url = "postgres://ann:hush-hush@127.0.0.1:1/states";
        for line in ["plan", "state list", "state push none.json"] {
            let ran = sandbox.run(&format!("{line} --state {url}")).code(1);
            assert!(!ran.stderr.contains("hush-hush") && !ran.stdout.contains("hush-hush"), "{}", ran.stderr);
        }
        let mut help = sandbox.command("plan --help");
        let help = Ran::of("plan --help", {
            help.env("STANDFAST_STATE", url);
            help
        });
        assert!(!help.stdout.contains("hush-hush"));
        let ran = sandbox.run(&format!("state migrate {url} sqlite:x.db")).code(1);
        ran.says("postgres://ann@127.0.0.1:1/states cannot be reached").says("check that the server runs");
    }
}
