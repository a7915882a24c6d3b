//! A sealed state as its user meets it: from plain to sealed and back, with every key that does not fit.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    time::Instant,
};

use futures::executor::block_on;
use secrecy::SecretString;
use standfast_state::{
    Cost, Export, Header, Lease, LockRequest, OpenMode, Opening, Seal, SqliteStore, StackId, Store, Wrapping,
    open_sqlite,
};

use super::{Ran, SHOP, Sandbox, snapshot};

const REPLICA: &str = "home/databases.orders/replica.db2";
const FIRST: &str = "correct horse battery staple";
const SECOND: &str = "quite another passphrase";

/// Made for these tests, and used for nothing else.
const ANN: (&str, &str) = (
    "age1s6e6xepaxwdyzedljz0wzw27nwpuxrqhd8tlfm3d3qjx9hgasfzsgj8waf",
    "AGE-SECRET-KEY-1EF7CVAK3PDCDPL0A65MEU2CEMN6X6H2H8XU8YZPTPLJX846AWHYQ849T9K",
);

/// What the encryption of a whole state hides.
const HIDDEN: &[&str] = &["databases.orders", "replica.db2", "10.0.0.", "postgres", "listeners"];

fn run(sandbox: &Sandbox, line: &str, passphrase: &str) -> Ran {
    let mut command = sandbox.command(line);
    command.env("STANDFAST_STATE_PASSPHRASE", passphrase);
    Ran::of(line, command)
}

fn ok(sandbox: &Sandbox, line: &str) -> String {
    run(sandbox, line, FIRST).code(0).stdout
}

fn rekey_command(sandbox: &Sandbox, line: &str, old: &str, new: &str) -> Command {
    let mut command = sandbox.command(line);
    command.env("STANDFAST_STATE_PASSPHRASE", old).env("STANDFAST_STATE_NEW_PASSPHRASE", new);
    command
}

fn rekey(sandbox: &Sandbox, old: &str, new: &str) -> Ran {
    let line = "state rekey --passphrase";
    Ran::of(line, rekey_command(sandbox, line, old, new))
}

/// One with everything of it applied, and then sealed with the first passphrase.
fn sealed() -> Sandbox {
    let sandbox = Sandbox::applied(SHOP);
    rekey(&sandbox, "", FIRST).code(0);
    sandbox
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// No file of the state's holds any of these texts.
fn assert_hidden(sandbox: &Sandbox, texts: &[&str]) {
    let mut looked = 0;
    for (path, bytes) in sandbox.artefacts() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // What is not of the state: the user's own files, and the simulated world.
        if name.ends_with(".yaml") || name.ends_with(".world.jsonl") || name.ends_with(".txt") {
            continue;
        }
        looked += 1;
        for text in texts {
            assert!(!holds(&bytes, text), "{text} is in {}", path.display());
        }
    }
    assert!(looked > 0);
}

fn private(sandbox: &Sandbox, name: &str, text: &str) {
    sandbox.write(name, text);
    fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_state_is_sealed_worked_with_and_opened_again() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.edit("health_check: { path: / }", "health_check: { path: /up }");
    sandbox.ok("apply --auto-approve --parallelism 1");
    let plain = sandbox.json("state pull");
    let told = rekey(&sandbox, "", FIRST).code(0);
    assert_hidden(&sandbox, HIDDEN);
    assert_eq!(fs::read_dir(sandbox.path(".standfast/shop.backup")).unwrap().count(), 0);

    let none = sandbox.run("plan").code(1);
    let wrong = run(&sandbox, "plan", "correct hors").code(1);
    sandbox.edit("health_check: { path: /up }", "health_check: { path: /ok }");
    ok(&sandbox, "apply --auto-approve --parallelism 1");
    ok(&sandbox, &format!("state mv {REPLICA} home/databases.orders/replica.x"));
    ok(&sandbox, &format!("state mv home/databases.orders/replica.x {REPLICA}"));
    for line in ["status", "drift", "outputs", "history", "history show 1", "graph --resources", "plan"] {
        ok(&sandbox, line);
    }
    let listed: serde_json::Value = serde_json::from_str(&ok(&sandbox, "state list --format json")).unwrap();
    assert_eq!(listed["resources"].as_array().unwrap().len(), 10);
    let steps: serde_json::Value = serde_json::from_str(&ok(&sandbox, "plan --format json")).unwrap();
    assert_eq!(steps["steps"], serde_json::json!([]));
    assert_hidden(&sandbox, HIDDEN);

    let off = run(&sandbox, "state rekey --off", FIRST).code(0);
    let after = sandbox.json("state pull");
    assert_eq!(after["head"]["lineage"], plain["head"]["lineage"]);
    assert_eq!(after["runs"][0], plain["runs"][0]);
    assert_eq!(after["meta"], plain["meta"]);
    sandbox.assert_settled();
    let history = sandbox.run("history").code(0);
    let twice = sandbox.run("state rekey --off").code(1);
    let warned = run(&sandbox, "outputs --format json", FIRST).code(0).says("is not sealed");
    let warned = Ran { stdout: String::new(), ..warned };
    snapshot("sealing", &[told, none, wrong, off, history, twice, warned]);
}

#[test]
fn after_a_new_key_the_old_one_opens_nothing() {
    let sandbox = sealed();
    ok(&sandbox, "apply --auto-approve --replace load_balancers.front");
    let before = fs::read(sandbox.path(".standfast/shop.db")).unwrap();
    // Whatever was sealed with the old key, wherever it lies.
    let key = key_id(&sandbox);
    assert!(holds(&before, &format!("sealed1.{key}.")));
    rekey(&sandbox, SECOND, SECOND).code(1).says("the passphrase is wrong");
    rekey(&sandbox, FIRST, SECOND).code(0);
    assert_hidden(&sandbox, &[&key]);
    run(&sandbox, "plan", FIRST).code(1).says("the passphrase is wrong");
    run(&sandbox, "plan --detailed-exitcode", SECOND).code(0);
    // Nobody is locked out by a slip, or by nothing.
    rekey(&sandbox, SECOND, "").code(1).says("STANDFAST_STATE_NEW_PASSPHRASE");
    run(&sandbox, "plan --detailed-exitcode", SECOND).code(0);
}

/// The id of the key, as the header of the state says it.
fn key_id(sandbox: &Sandbox) -> String {
    let export = sandbox.json("state pull");
    Header::parse(export["meta"]["seal"].as_str().unwrap()).unwrap().key_id().to_owned()
}

#[test]
fn recipients_open_it_with_their_identities() {
    let sandbox = sealed();
    private(&sandbox, "ann.txt", &format!("# created: today\n# public key: {}\n{}\n", ANN.0, ANN.1));
    let (_, bob) = standfast_state::Identities::generate();
    sandbox.write("recipients.txt", &format!("# the team\n{bob}\n"));
    let line = format!("state rekey --recipient {} --recipients-file recipients.txt", ANN.0);
    run(&sandbox, &line, FIRST).code(0).prints("is sealed for these recipients");
    run(&sandbox, "plan", FIRST).code(1).says(&format!("it is sealed for {}, {bob}", ANN.0));
    sandbox.run("apply --auto-approve --state-identity ann.txt --refresh-only").code(0);
    let mut with = sandbox.command("plan --detailed-exitcode --format json");
    with.env("STANDFAST_STATE_IDENTITY", "ann.txt");
    Ran::of("plan", with).code(0);

    private(
        &sandbox,
        "eve.txt",
        "AGE-SECRET-KEY-1QMJN9N232DQ8A27THJQ7S5RFH8RTTG4NH5T8NUUSD54CPJ2XL5WSZ4DHGL\n",
    );
    sandbox.run("plan --state-identity eve.txt").code(1).says("no identity that was given fits");
    fs::set_permissions(sandbox.path("ann.txt"), fs::Permissions::from_mode(0o644)).unwrap();
    sandbox
        .run("plan --state-identity ann.txt")
        .code(1)
        .says("others can read it (mode 0644)")
        .says("chmod 600 ann.txt");
    sandbox.run("plan --state-identity none.txt").code(1).says("none.txt cannot be used");
    // The secret half is not taken for a public one, and not repeated.
    let ran = sandbox.run(&format!("state rekey --recipient {}", ANN.1)).code(64);
    assert!(ran.stderr.contains("the secret half of a key"), "{}", ran.shown());
    assert!(!ran.stderr.contains(&ANN.1[20..]), "{}", ran.stderr);
    sandbox.run("state rekey --recipient age1nobody").code(64).says("is no recipient");
    private(&sandbox, "pass.txt", &format!("{FIRST}\n"));
    sandbox.run("plan --state-passphrase-file pass.txt").code(1).says("no identity was given");
    sandbox.run("state rekey").code(64);
    sandbox.run("state rekey --off --passphrase").code(64);
}

#[test]
fn a_passphrase_comes_from_a_private_file_as_well() {
    let sandbox = sealed();
    private(&sandbox, "pass.txt", &format!("{FIRST}\n"));
    sandbox.run("plan --detailed-exitcode --state-passphrase-file pass.txt").code(0);
    // What is named goes before what is in the environment.
    run(&sandbox, "plan --detailed-exitcode --state-passphrase-file pass.txt", SECOND).code(0);
    fs::set_permissions(sandbox.path("pass.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    sandbox.run("plan --state-passphrase-file pass.txt").code(1).says("chmod 600 pass.txt");
}

#[test]
fn a_plan_is_saved_sealed_and_opened_with_the_same_key() {
    let sandbox = sealed();
    sandbox.edit("engine: postgres,", "engine: postgres, storage: 50GiB,");
    ok(&sandbox, "plan --out next.plan");
    assert_hidden(&sandbox, HIDDEN);
    assert_eq!(fs::metadata(sandbox.path("next.plan")).unwrap().permissions().mode() & 0o777, 0o600);
    sandbox.run("show next.plan").code(1).says("could not open the plan next.plan: it is sealed");
    sandbox.run("apply next.plan").code(1).says("none was given");
    run(&sandbox, "apply next.plan", SECOND).code(1).says("the passphrase is wrong");
    let shown: serde_json::Value =
        serde_json::from_str(&ok(&sandbox, "show next.plan --format json")).unwrap();
    assert_eq!(shown["steps"][0]["address"], "home/databases.orders/database.main");

    let text = fs::read_to_string(sandbox.path("next.plan")).unwrap();
    let body = text.rfind("sealed1.").unwrap();
    let mut flipped = text.clone().into_bytes();
    flipped[body + 200] ^= 1;
    sandbox.write("flipped.plan", &String::from_utf8(flipped).unwrap());
    run(&sandbox, "apply flipped.plan", FIRST)
        .code(1)
        .says("could not open the plan flipped.plan: what it holds is damaged")
        .says("plan --out FILE");
    // What another key sealed, put under this header, is forged.
    sandbox.write("forged.plan", &text.replace(&text[body..body + 200], &forged(&text[body..])));
    run(&sandbox, "apply forged.plan", FIRST).code(1).says("what it holds was tampered with");

    // Sealed with the old key, it is for a state that no longer has it.
    rekey(&sandbox, FIRST, SECOND).code(0);
    run(&sandbox, "apply next.plan", SECOND).code(1).says("the passphrase is wrong");
    run(&sandbox, "plan --out next.plan", SECOND).code(0);
    run(&sandbox, "apply next.plan", SECOND).code(0);
    run(&sandbox, "apply next.plan", SECOND).code(1).says("used");
}

/// The head of a sealed text with a byte of its body changed and the checksum made to fit.
fn forged(sealed: &str) -> String {
    let sealed = sealed.split('"').next().unwrap();
    let parts: Vec<&str> = sealed.splitn(4, '.').collect();
    let mut body = parts[3].to_owned().into_bytes();
    body[100] = if body[100] == b'A' { b'B' } else { b'A' };
    let body = String::from_utf8(body).unwrap();
    let sum = crc32(format!("1.{}.{body}", parts[1]).as_bytes());
    format!("sealed1.{}.{sum:08x}.{body}", parts[1])[..200].to_owned()
}

/// CRC-32 (IEEE), bit by bit: what anybody can compute.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(sum & 1)))
    })
}

#[test]
fn exports_and_backups_stay_sealed_wherever_they_go() {
    let sandbox = sealed();
    // Pulled as it is kept, which needs no key; in clear only when that is said.
    sandbox.run("state pull --out sealed.json").code(0).prints("sealed");
    assert_hidden(&sandbox, HIDDEN);
    let plain = run(&sandbox, "state pull --plain", FIRST).code(0).says("not sealed");
    assert!(plain.stdout.contains(REPLICA));
    sandbox.run("state pull --plain").code(1).says("none was given");

    // Into a new place it goes with its seal, and not without its key.
    sandbox.run("state push sealed.json --state sqlite:other.db").code(1).says("could not open sealed.json");
    run(&sandbox, "state push sealed.json --state sqlite:other.db", FIRST).code(0).prints("it is sealed");
    run(&sandbox, "plan --detailed-exitcode --state sqlite:other.db", FIRST).code(0);
    run(&sandbox, "state push sealed.json", FIRST).code(0);
    assert_hidden(&sandbox, HIDDEN);

    // What is in clear is sealed by a sealed state.
    sandbox.write("plain.txt", &plain.stdout);
    run(&sandbox, "state push plain.txt --force", FIRST).code(0).prints("it is sealed");
    run(&sandbox, "plan --detailed-exitcode", FIRST).code(0);
    assert_hidden(&sandbox, HIDDEN);

    // Over one in clear it leaves nothing that is.
    sandbox.ok("state push plain.txt --state sqlite:clear.db");
    sandbox.ok(&format!("state rm {REPLICA} --state sqlite:clear.db"));
    run(&sandbox, "state push sealed.json --force --state sqlite:clear.db", FIRST)
        .code(0)
        .prints("3 backups in clear removed");
    assert_hidden(&sandbox, HIDDEN);

    // Moved as it is, without a key.
    sandbox.run("state migrate sqlite:.standfast/shop.db sqlite:moved.db").code(0).prints("compared");
    run(&sandbox, "plan --detailed-exitcode --state sqlite:moved.db", FIRST).code(0);
    sandbox.run("state migrate sqlite:.standfast/shop.db sqlite:moved.db").code(0);
    assert_hidden(&sandbox, HIDDEN);

    // A copy of the file is as sealed as the file, and comes back so.
    sandbox.edit("health_check: { path: / }", "health_check: { path: /up }");
    ok(&sandbox, "apply --auto-approve");
    let state = sandbox.path(".standfast/shop.db");
    let bytes = fs::read(&state).unwrap();
    fs::write(&state, &bytes[..bytes.len() / 2]).unwrap();
    let said = run(&sandbox, "plan", FIRST).code(1).says("is damaged").stderr;
    let copy = said.split("state push --force ").nth(1).unwrap().split('`').next().unwrap();
    sandbox.run(&format!("state push --force {copy}")).code(1).says("none was given");
    run(&sandbox, &format!("state push --force {copy}"), FIRST).code(0).says("was set aside");
    sandbox.run("plan").code(1).says("it is sealed with a passphrase");
    ok(&sandbox, "apply --auto-approve");
    assert_hidden(&sandbox, HIDDEN);
}

#[test]
fn a_flipped_byte_a_forged_one_and_a_damaged_header_are_told_apart() {
    let sandbox = sealed();
    let export = sandbox.json("state pull");
    let header = export["meta"]["seal"].as_str().unwrap();
    let payload = export["resources"][0]["payload"].as_str().unwrap();
    let swapped = export["resources"][1]["payload"].as_str().unwrap();
    let text = export.to_string();
    let pushed = |name: &str, text: &str| {
        sandbox.write(name, text);
        run(&sandbox, &format!("state push {name} --state sqlite:other.db"), FIRST).code(1)
    };
    let flipped = payload.replace(&payload[60..64], "!!!!");
    pushed("a.json", &text.replace(payload, &flipped)).says("is damaged").says("restore a backup");
    let tag = export["resources"][0]["address"].as_str().unwrap();
    pushed("b.json", &text.replace(payload, swapped))
        .says(&format!("the record that is kept as {tag} was tampered with"))
        .says("who can write there");
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let cut = header.replace("argon2id", "argon2ix");
    pushed("c.json", &text.replace(&json(header), &json(&cut))).says("the header of its seal is damaged");
    let later = "{\"standfast_seal\":7";
    let later = format!("{later},\"checksum\":\"{}\"}}", blake3::hash(later.as_bytes()).to_hex());
    pushed("d.json", &text.replace(&json(header), &json(&later))).says("format 7").says("or a later one");
}

/// Killed at any moment, it leaves the old state or the new one, whole, and a second try ends it.
#[test]
fn a_rekey_that_is_killed_leaves_one_key_or_the_other() {
    let sandbox = sealed();
    let line = "state rekey --passphrase";
    let begun = Instant::now();
    rekey(&sandbox, FIRST, FIRST).code(0);
    let whole = begun.elapsed();
    let listed = ok(&sandbox, "state list");
    let (mut old, mut new) = (0, 0);
    let mut passphrases = (FIRST, SECOND);
    const KILLS: u32 = 6;
    for kill in 1..=KILLS {
        let mut child = rekey_command(&sandbox, line, passphrases.0, passphrases.1)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * kill / KILLS);
        child.kill().unwrap();
        child.wait().unwrap();
        let (by_old, by_new) =
            (run(&sandbox, "state list", passphrases.0), run(&sandbox, "state list", passphrases.1));
        assert_ne!(by_old.code, by_new.code, "{}\n{}", by_old.shown(), by_new.shown());
        if by_new.code == Some(0) {
            assert_eq!(by_new.stdout, listed);
            new += 1;
            passphrases = (passphrases.1, passphrases.0);
        } else {
            assert_eq!(by_old.stdout, listed);
            old += 1;
        }
    }
    println!("{KILLS} kills over {whole:.1?}: {old} left the old key, {new} the new one");
    rekey(&sandbox, passphrases.0, "the last one").code(0);
    run(&sandbox, "plan --detailed-exitcode", "the last one").code(0);
    let history = run(&sandbox, "history --limit 50", "the last one").code(0);
    assert!(history.stdout.contains("state rekey"), "{}", history.shown());
}

/// A command that read the state before its key was changed does not write with the old one, or in clear.
#[test]
fn who_waits_for_the_lock_while_the_key_is_changed_writes_nothing() {
    for old in [FIRST, ""] {
        let sandbox = if old.is_empty() { Sandbox::applied(SHOP) } else { sealed() };
        let (store, lease) = hold(&sandbox);
        let line = format!("state rm {REPLICA} --lock-timeout 60s");
        let file = |name: &str| fs::File::create(sandbox.path(name)).unwrap();
        let mut waiting = rekey_command(&sandbox, &line, old, "")
            .stdout(file("waiting.out"))
            .stderr(file("waiting.err"))
            .spawn()
            .unwrap();
        sandbox.wait_for("waiting.err", "waiting for the state");
        let kept = block_on(store.export()).unwrap();
        let plain = if old.is_empty() { kept } else { opened(&kept, old) };
        let passphrase = SecretString::from(SECOND.to_owned());
        let seal = Seal::new(&Wrapping::Passphrase(passphrase, Cost::RECOMMENDED)).unwrap();
        block_on(store.import(&lease, &seal.seal_export(&plain).unwrap())).unwrap();
        block_on(store.release(lease)).unwrap();
        assert_eq!(waiting.wait().unwrap().code(), Some(1));
        let said = fs::read_to_string(sandbox.path("waiting.err")).unwrap();
        assert!(
            said.contains("the state is sealed with another key") && said.contains("run again"),
            "{said}"
        );
        run(&sandbox, "state list", SECOND).code(0).prints(REPLICA);
    }
}

/// What an export of a sealed state holds.
fn opened(kept: &Export, passphrase: &str) -> Export {
    let header = Header::parse(&kept.meta["seal"]).unwrap();
    let opening = Opening::Passphrase(SecretString::from(passphrase.to_owned()));
    Seal::open(&header, &opening).unwrap().unseal_export(kept).unwrap()
}

/// The lock, held by this process.
fn hold(sandbox: &Sandbox) -> (SqliteStore, Lease) {
    let path = sandbox.path(".standfast/shop.db");
    let store = open_sqlite(path, &StackId::new("shop", None), OpenMode::MustExist).unwrap();
    let request = LockRequest {
        owner: "ann".into(),
        host: "here".into(),
        process: std::process::id(),
        command: "apply".into(),
        lease_ms: 60_000,
    };
    let lease = block_on(store.lock(&request)).unwrap();
    (store, lease)
}

#[cfg(feature = "postgres")]
#[test]
fn a_state_on_a_server_is_sealed_and_survives_a_damaged_header() {
    use standfast_state::conformance::cluster::Cluster;

    let cluster = Cluster::shared();
    let database = cluster.database();
    let state = format!("--state {}", cluster.url(&database));
    let sandbox = Sandbox::new(SHOP);
    sandbox.ok(&format!("apply --auto-approve {state}"));
    let line = format!("state rekey --passphrase {state}");
    Ran::of(&line, rekey_command(&sandbox, &line, "", FIRST))
        .code(0)
        .prints("What the server still keeps of the old rows");
    ok(&sandbox, &format!("apply --auto-approve --replace load_balancers.front {state}"));
    ok(&sandbox, &format!("plan --detailed-exitcode {state}"));
    for (table, columns) in [
        ("resources", "address, kind, id, provider, dependencies, convert_from(payload, 'UTF8')"),
        ("journal", "address, action, token, message, convert_from(payload, 'UTF8')"),
        ("runs", "owner, host, summary, plan_id, convert_from(variables, 'UTF8')"),
        ("blueprints", "convert_from(body, 'UTF8')"),
        ("meta", "value"),
    ] {
        let sql = format!("SELECT string_agg(concat_ws(' ', {columns}), ' ') FROM standfast.{table}");
        let rows = cluster.sql(&database, &sql);
        assert!(rows.contains("sealed1."), "{table}: {rows}");
        for hidden in HIDDEN {
            assert!(!rows.contains(hidden), "{hidden} is in {table}");
        }
    }
    // The views answer all the same, for the sake of the states in clear beside it.
    assert_eq!(cluster.sql(&database, "SELECT count(*) FROM standfast.recorded WHERE payload IS NULL"), "10");

    sandbox.ok(&format!("state pull --out sealed.json {state}"));
    cluster.sql(
        &database,
        "UPDATE standfast.meta SET value = replace(value, 'argon2id', 'argon2ix') WHERE key = 'seal'",
    );
    run(&sandbox, &format!("plan {state}"), FIRST).code(1).says("the header of its seal is damaged");
    run(&sandbox, &format!("state push sealed.json {state}"), FIRST).code(1).says("is damaged");
    run(&sandbox, &format!("state push --force sealed.json {state}"), FIRST).code(0).prints("it is sealed");
    ok(&sandbox, &format!("plan --detailed-exitcode {state}"));
    // A row that nobody with the key wrote: what is pushed over it stays sealed with the same key.
    let forge = "UPDATE standfast.resources SET payload = (SELECT payload FROM standfast.resources LIMIT 1)";
    cluster.sql(&database, forge);
    run(&sandbox, &format!("plan {state}"), FIRST).code(1).says("was tampered with");
    run(&sandbox, &format!("state push --force sealed.json {state}"), FIRST).code(0).prints("it is sealed");
    ok(&sandbox, &format!("plan --detailed-exitcode {state}"));
}

/// Without its header what is sealed is lost, and never taken for a state in clear: a new key over it would be its end.
#[test]
fn what_has_lost_its_header_is_damaged_and_not_in_clear() {
    let sandbox = sealed();
    let export = ok(&sandbox, "state pull");
    let mut headless: serde_json::Value = serde_json::from_str(&export).unwrap();
    headless["meta"].as_object_mut().unwrap().remove("seal").unwrap();
    sandbox.write("headless.json", &headless.to_string());
    run(&sandbox, "state push --force headless.json", FIRST)
        .code(1)
        .says("the header of its seal is damaged");
    let state = rusqlite::Connection::open(sandbox.path(".standfast/shop.db")).unwrap();
    assert_eq!(state.execute("DELETE FROM meta WHERE key = 'seal'", []).unwrap(), 1);
    drop(state);
    for line in ["state list", "plan", "apply --auto-approve", "history"] {
        run(&sandbox, line, FIRST).code(1).says("the header of its seal is damaged");
    }
    rekey(&sandbox, FIRST, SECOND).code(1).says("the header of its seal is damaged");
    sandbox.write("export.json", &export);
    ok(&sandbox, "state push --force export.json");
    ok(&sandbox, "state list");
}

/// One signal while a state is sealed: it is sealed to its end, with no copy in clear left beside it, or not at all.
#[test]
fn ctrl_c_leaves_no_rekey_half_way() {
    let (mut sealed, mut clear) = (0, 0);
    // Later and later, until it comes too late for a few.
    let delays =
        std::iter::successors(Some(0), |delay| Some(delay * 5 / 4 + 10)).take_while(|ms| *ms < 60_000);
    for delay in delays {
        if sealed == 4 {
            break;
        }
        let sandbox = Sandbox::applied(SHOP);
        let line = "state rekey --passphrase";
        let mut child = rekey_command(&sandbox, line, "", FIRST)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        let process = rustix::process::Pid::from_child(&child);
        let _ = rustix::process::kill_process(process, rustix::process::Signal::INT);
        let ended = child.wait().unwrap();
        if sandbox.run("state list").code == Some(0) {
            clear += 1;
            assert!(!ended.success(), "after {delay} ms");
        } else {
            sealed += 1;
            assert!(ended.success(), "after {delay} ms: {ended}");
            assert_hidden(&sandbox, HIDDEN);
        }
    }
    println!("{sealed} sealed, {clear} in clear");
    assert_eq!(sealed, 4);
}
