//! No secret is ever written where it does not belong, whatever its source.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    process::Child,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, Ran, SHOP, Sandbox};

const FROM_ENV: &str = "hunter2-from-the-environment";
const FROM_FILE: &str = "hunter2-from-a-file";
const FROM_COMMAND: &str = "hunter2-from-a-command";

fn blueprint() -> String {
    SHOP.replace(
        "databases:\n  orders: { engine: postgres, hosts: [db1, db2] }\n",
        "\
databases:
  orders: { engine: postgres, hosts: [db1, db2], password: \"${secrets.one}\" }
  second: { engine: postgres, hosts: [db1], topology: single, password: \"${secrets.two}\" }
  third: { engine: postgres, hosts: [db1], topology: single, password: \"${secrets.three}\" }
  fourth: { engine: postgres, hosts: [db1], topology: single, password: \"${secrets.four}\" }
secrets:
  one: { env: SHOP_SECRET }
  two: { file: ./secret.txt }
  three: { command: \"cat other.txt\" }
  four: { generate: true }
",
    )
}

fn run(sandbox: &Sandbox, line: &str, secret: &str) -> Ran {
    let mut command = sandbox.command(line);
    command.env("SHOP_SECRET", secret);
    Ran::of(line, command)
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[test]
fn they_are_in_no_output_and_no_file() {
    let sandbox = Sandbox::new(&blueprint());
    sandbox.write("secret.txt", &format!("{FROM_FILE}\n"));
    sandbox.write("other.txt", FROM_COMMAND);
    let mut said = String::new();
    for line in [
        "plan",
        "plan --details",
        "plan --format json",
        "plan --format markdown",
        "plan --format html",
        "plan --out next.plan",
        "show next.plan",
        "show next.plan --format json",
        "apply next.plan",
        "outputs",
        "outputs --format json",
        "state list",
        "state show home/databases.orders/database.main",
        "state show home/databases.orders/database.main --format json",
        "state pull",
        "history",
        "history show 1",
        "history show 1 --format json",
        "drift",
        "status",
        "plan --destroy --target load_balancers.front",
        "apply --auto-approve --replace home/databases.orders/replica.db2 --format json",
        "graph",
    ] {
        let ran = run(&sandbox, line, FROM_ENV).code(0);
        said += &ran.shown();
    }
    let made = fs::read_dir(sandbox.path(".standfast/secrets"))
        .unwrap()
        .map(Result::unwrap)
        .map(|entry| entry.path());
    let made: Vec<_> = made.filter(|path| path.is_file()).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(fs::metadata(&made[0]).unwrap().permissions().mode() & 0o777, 0o600);
    let generated = fs::read_to_string(&made[0]).unwrap().trim().to_owned();
    assert!(generated.len() >= 32);
    for secret in [FROM_ENV, FROM_FILE, FROM_COMMAND, &generated] {
        assert!(!said.contains(secret), "{secret} was printed");
        for (path, bytes) in sandbox.artefacts() {
            let its_own = path.ends_with("secret.txt") || path.ends_with("other.txt") || made.contains(&path);
            assert!(its_own || !holds(&bytes, secret), "{secret} is in {}", path.display());
        }
    }
}

#[test]
fn a_changed_one_is_a_change_that_shows_nothing() {
    let sandbox = Sandbox::new(&blueprint());
    sandbox.write("secret.txt", FROM_FILE);
    sandbox.write("other.txt", FROM_COMMAND);
    run(&sandbox, "apply --auto-approve", FROM_ENV).code(0);
    run(&sandbox, "plan --detailed-exitcode", FROM_ENV).code(0);
    let other = "quite-another-password";
    let ran = run(&sandbox, "plan --detailed-exitcode", other).code(2).prints("(sensitive)");
    assert!(ran.stdout.contains("password"), "{}", ran.shown());
    assert!(!ran.shown().contains(other));
    assert!(ran.stdout.contains("1 to update"), "{}", ran.shown());
    // A plan that was made with one value is not applied with another.
    run(&sandbox, "plan --out next.plan", other).code(0);
    run(&sandbox, "apply next.plan", "and-yet-another").code(1).says("plan again");
    run(&sandbox, "apply --auto-approve", other).code(0);
    run(&sandbox, "plan --detailed-exitcode", other).code(0);
}

#[test]
fn one_that_cannot_be_had_is_told_before_anything_is_done() {
    let sandbox = Sandbox::new(&blueprint());
    sandbox.write("other.txt", FROM_COMMAND);
    let ran = run(&sandbox, "apply --auto-approve", FROM_ENV).code(1).says("secret.txt");
    let unset = {
        let line = "plan";
        sandbox.write("secret.txt", FROM_FILE);
        Ran::of(line, sandbox.command(line)).code(1).says("SHOP_SECRET")
    };
    assert!(!sandbox.world_file().exists() || sandbox.world().is_empty().unwrap());
    super::snapshot("secrets-missing", &[unset]);
    drop(ran);
}

/// The command lines of all processes that there are now, for as long as `child` runs or until `enough`.
fn watch(child: &mut Child, enough: impl Fn() -> bool) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() && !enough() {
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            // Processes come and go.
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            seen.insert(String::from_utf8_lossy(&line).into_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    seen
}

/// While it works, when it crashes, with what it leaves lying open, and when the next run goes on: in clear and sealed.
#[test]
fn they_are_in_no_process_list_and_left_by_no_crash() {
    const PASSPHRASE: &str = "hunter2-for-the-state";
    let sandbox =
        Sandbox::new(&blueprint().replace("provider: sim", "provider: sim\n    sim: { latency: 50ms }"));
    sandbox.write("secret.txt", FROM_FILE);
    sandbox.write("other.txt", FROM_COMMAND);
    let command = |name: &str, line: &str| {
        let file = |end: &str| fs::File::create(sandbox.path(&format!("{name}.{end}"))).unwrap();
        let mut command = sandbox.command(line);
        command.env("SHOP_SECRET", FROM_ENV).env("RUST_BACKTRACE", "full");
        command.env("STANDFAST_STATE_PASSPHRASE", PASSPHRASE);
        command.env("STANDFAST_STATE_NEW_PASSPHRASE", PASSPHRASE);
        command.stdout(file("out")).stderr(file("err"));
        command
    };
    let apply = "apply --auto-approve --parallelism 1 --format json";
    let mut seen = BTreeSet::new();
    for (name, signal) in [("aborted", Some(Signal::ABORT)), ("killed", Some(Signal::KILL)), ("done", None)] {
        let mut child = command(name, apply).spawn().unwrap();
        let pid = Pid::from_child(&child);
        match signal {
            Some(signal) => {
                let begun =
                    || fs::read_to_string(sandbox.path(&format!("{name}.out"))).unwrap().lines().count() > 8;
                seen.append(&mut watch(&mut child, begun));
                kill_process(pid, signal).unwrap();
                assert_eq!(child.wait().unwrap().code(), None, "{name}: killed while it was at work");
            }
            None => {
                seen.append(&mut watch(&mut child, || false));
                let mut sealing = command("sealing", "state rekey --passphrase").spawn().unwrap();
                seen.append(&mut watch(&mut sealing, || false));
                let mut last =
                    command("last", "apply --auto-approve --replace load_balancers.front").spawn().unwrap();
                seen.append(&mut watch(&mut last, || false));
                assert_eq!(last.wait().unwrap().code(), Some(0));
            }
        }
        assert!(sandbox.path(".standfast/shop.db-wal").exists() || signal.is_none(), "left open");
        let generated =
            fs::read_dir(sandbox.path(".standfast/secrets")).unwrap().map(|one| one.unwrap().path());
        let generated: Vec<_> = generated.filter(|path| path.is_file()).collect();
        let made = fs::read_to_string(&generated[0]).unwrap().trim().to_owned();
        for secret in [FROM_ENV, FROM_FILE, FROM_COMMAND, PASSPHRASE, &made] {
            for (path, bytes) in sandbox.artefacts() {
                let own =
                    path.ends_with("secret.txt") || path.ends_with("other.txt") || generated.contains(&path);
                assert!(own || !holds(&bytes, secret), "{name}: {secret} is in {}", path.display());
            }
            let shown = seen.iter().find(|line| line.contains(secret));
            assert_eq!(shown, None, "{name}: {secret} is in the process list");
        }
    }
    assert!(seen.iter().any(|line| line.contains(&apply.replace(' ', "\0"))), "else nothing was seen");
    // Sealed, it holds not even what is no secret.
    for (path, bytes) in sandbox.artefacts() {
        if path.to_string_lossy().contains("shop.db") || path.to_string_lossy().contains("shop.backup") {
            for hidden in ["databases.orders", "10.0.0.", "SHOP_SECRET"] {
                assert!(!holds(&bytes, hidden), "{hidden} is in {}", path.display());
            }
        }
    }
}

/// It never changes by itself: its file was lost, or is on another machine.
#[test]
fn a_generated_secret_that_is_another_one_is_warned_of() {
    let sandbox = Sandbox::new(
        "\
standfast: 1
name: shop
secrets: { db: { generate: true } }
regions: { home: { provider: sim, zones: 2 } }
databases:
  orders: { engine: postgres, password: \"${secrets.db}\" }
",
    );
    sandbox.run("apply --auto-approve").code(0);
    assert!(!sandbox.run("plan").code(0).stdout.contains("secrets.db"));
    fs::remove_dir_all(sandbox.path(".standfast/secrets")).unwrap();
    for _ in 0..2 {
        let plan = sandbox.run("plan").code(0);
        let told = format!("{}{}", plan.stdout, plan.stderr);
        assert!(told.contains("secrets.db") && told.contains("`.standfast/secrets/db` was lost"), "{told}");
    }
}
