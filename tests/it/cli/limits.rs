//! Too few open files, too little memory: said before anything is done, or the process ends and the state is whole.

use super::{Ran, SHOP, Sandbox, snapshot};

/// Runs the program under a limit, as prlimit(1) sets it.
fn limited(sandbox: &Sandbox, limit: &str, line: &str) -> Ran {
    let program = sandbox.command(line);
    let mut command = std::process::Command::new("prlimit");
    command.arg(limit).arg(program.get_program()).args(program.get_args());
    command.current_dir(sandbox.path("")).env("USER", "tester").env("RUST_BACKTRACE", "0");
    Ran::of(line, command)
}

#[test]
fn too_few_open_files_are_said_before_anything_is_done() {
    let sandbox = Sandbox::new(SHOP);
    // With fewer than four the system's loader does not get as far as to the program.
    for files in [4, 5, 6, 7, 8, 12, 16, 24, 32, 63] {
        let ran = limited(&sandbox, &format!("--nofile={files}"), "apply --auto-approve").code(1);
        assert!(ran.stderr.contains(&format!("only {files} files may be open at once")), "{}", ran.shown());
        assert!(!sandbox.path(".standfast").exists());
        if files == 63 {
            snapshot("few-open-files", &[ran]);
        }
    }
    limited(&sandbox, "--nofile=64", "apply --auto-approve").code(0);
    sandbox.assert_settled();
}

/// A shell's usual limit may be raised by every process up to the hard one.
#[test]
fn a_low_soft_limit_is_raised() {
    let sandbox = Sandbox::new(SHOP);
    limited(&sandbox, "--nofile=10:4096", "apply --auto-approve").code(0);
    sandbox.assert_settled();
}

#[test]
fn out_of_memory_the_process_ends_and_the_state_is_whole() {
    let (mut ended, mut done) = (0, 0);
    // How much is enough depends on how much of the program there is.
    let mut mib = 40;
    while done < 3 {
        assert!(mib < 8_192, "{mib} MiB were not enough");
        let sandbox = Sandbox::new(SHOP);
        let ran = limited(&sandbox, &format!("--as={}", mib << 20), "apply --auto-approve");
        match ran.code {
            Some(0) => done += 1,
            // Said by us, by the loader, or by a signal.
            Some(1 | 127) | None => ended += 1,
            _ => panic!("{mib} MiB: {}", ran.shown()),
        }
        sandbox.run("apply --auto-approve").code(0);
        sandbox.assert_settled();
        mib += mib / 10;
    }
    println!("{ended} ended, {done} had enough");
    assert!(ended > 0, "{done} had enough");
}
