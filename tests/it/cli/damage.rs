//! What is given as a blueprint, a plan or a state and is none, or no longer: refused at once, for what it is, with the
//! next move, and left as it was.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, symlink},
    path::Path,
    process::Command,
};

use super::{Ran, SHOP, Sandbox, snapshot};

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn what_is_no_file_is_refused_at_once_and_left_alone() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.ok("state pull --out shop.json");
    make_pipe(&sandbox.path("pipe"));
    fs::create_dir(sandbox.path("folder")).unwrap();
    symlink("/dev/zero", sandbox.path("device")).unwrap();
    let mut ran = Vec::new();
    for what in ["pipe", "device", "folder"] {
        for (line, code) in [
            (format!("plan {what}"), 65),
            (format!("apply {what}"), 65),
            (format!("check --var-file {what}"), 65),
            (format!("plan --state sqlite:{what}"), 1),
            (format!("plan --out {what}"), 1),
            (format!("state pull --out {what}"), 1),
            (format!("state push {what}"), 1),
        ] {
            ran.push(sandbox.at_once(&line).code(code));
        }
    }
    // Of plans only what went wrong is of interest.
    for ran in &mut ran {
        ran.stdout.clear();
    }
    snapshot("no-file", &ran);
    assert!(fs::metadata(sandbox.path("pipe")).unwrap().file_type().is_fifo());
    assert!(fs::symlink_metadata(sandbox.path("device")).unwrap().is_symlink());
    sandbox.assert_settled();
}

fn state_of(sandbox: &Sandbox) -> (std::path::PathBuf, Vec<u8>) {
    let path = sandbox.path(".standfast/shop.db");
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_state_that_was_cut_short_is_refused_at_any_length() {
    let sandbox = Sandbox::applied(SHOP);
    let (path, whole) = state_of(&sandbox);
    let lineage = sandbox.json("state pull")["head"]["lineage"].as_str().unwrap().to_owned();
    let mut shown = Vec::new();
    for length in
        [0, 1, 16, 99, 100, 1024, 4095, 4096, 4097, whole.len() / 2, whole.len() - 4096, whole.len() - 1]
    {
        fs::write(&path, &whole[..length]).unwrap();
        for line in ["plan", "apply --auto-approve", "destroy --auto-approve"] {
            let ran = sandbox.run(line).code(1);
            assert!(ran.stderr.contains("is damaged") || length == 0, "{length}: {}", ran.shown());
            assert!(ran.stderr.contains("hint: "), "{length}: {}", ran.shown());
            if line == "plan" && [0, 99, 4096].contains(&length) {
                let stderr = ran.stderr.replace(&sandbox.path("").display().to_string(), "FOLDER/");
                let stderr = stderr.replace(&lineage[..8], "LINEAGE");
                shown.push(Ran { stderr, ..ran });
            }
        }
        assert_eq!(fs::read(&path).unwrap(), whole[..length], "left as it was");
    }
    snapshot("state-cut-short", &shown);
    fs::write(&path, &whole).unwrap();
    sandbox.assert_settled();
}

/// By whole commands; the store's own test goes over every part of the file.
#[test]
fn a_state_with_a_flipped_bit_is_read_as_it_was_or_refused() {
    let sandbox = Sandbox::applied(SHOP);
    let (path, whole) = state_of(&sandbox);
    let plan = |sandbox: &Sandbox| {
        let ran = sandbox.run("plan --format json");
        if ran.code == Some(0) {
            Ok(serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap())
        } else {
            Err(ran)
        }
    };
    let expected = plan(&sandbox).unwrap_or_else(|ran| panic!("{}", ran.shown()));
    let (mut refused, mut harmless) = (0, 0);
    // The same places every time, spread over the file and over the bits of a byte.
    for number in 0..120 {
        let at = number * 7919 % whole.len();
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (number % 8);
        fs::write(&path, &flipped).unwrap();
        match plan(&sandbox) {
            Ok(found) => {
                assert_eq!(found["steps"], expected["steps"], "byte {at}");
                assert_eq!(found["serial"], expected["serial"], "byte {at}");
                harmless += 1;
            }
            Err(ran) => {
                let ran = ran.code(1);
                assert!(!ran.stderr.contains("panicked"), "byte {at}: {}", ran.shown());
                assert!(ran.stderr.contains("\"hint\":\""), "byte {at}: {}", ran.shown());
                refused += 1;
            }
        }
    }
    println!("{refused} refused, {harmless} harmless");
    assert!(refused >= 10, "only {refused} refused");
    fs::write(&path, &whole).unwrap();
    sandbox.assert_settled();
}

#[test]
fn a_state_of_an_older_version_is_read_and_one_of_a_newer_is_refused() {
    let sandbox = Sandbox::new(SHOP);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("state/tests/samples/state-v1.db");
    fs::copy(sample, sandbox.path("old.db")).unwrap();
    let listed = sandbox.json("state list --state sqlite:old.db --format json");
    assert_eq!(listed["resources"].as_array().unwrap().len(), 3, "{listed}");
    // The number of the schema in the header: <https://sqlite.org/fileformat2.html#user_version_number>.
    let mut newer = fs::read(sandbox.path("old.db")).unwrap();
    newer[60..64].copy_from_slice(&99u32.to_be_bytes());
    fs::write(sandbox.path("newer.db"), &newer).unwrap();
    let ran = sandbox.run("apply --auto-approve --state sqlite:newer.db").code(1);
    assert_eq!(fs::read(sandbox.path("newer.db")).unwrap(), newer, "left as it was");
    snapshot("state-newer", &[ran]);
}
