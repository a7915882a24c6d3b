//! No secret is ever written where it does not belong, whatever its source.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{Ran, SHOP, Sandbox};

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
