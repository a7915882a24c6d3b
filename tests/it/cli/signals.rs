//! Who stops a command, when, and how: signals once and twice, a terminal that is closed, a reader that has gone away.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use super::{PATIENCE, Ran, SHOP, Sandbox, snapshot};

const SIGNALS: [&str; 3] = ["INT", "TERM", "HUP"];

/// Latency makes every call long enough to be met in the middle.
fn slow(latency: &str) -> Sandbox {
    Sandbox::new(&SHOP.replace("provider: sim", &format!("provider: sim\n    sim: {{ latency: {latency} }}")))
}

fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// What `start` wrote to files, and how it ended.
fn ended(sandbox: &Sandbox, name: &str, line: &str, mut child: Child) -> Ran {
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{line} does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read =
        |end: &str| std::fs::read_to_string(sandbox.path(&format!("{name}.{end}"))).unwrap_or_default();
    Ran { line: line.to_owned(), stdout: read("out"), stderr: read("err"), code: status.code() }
}

/// What the world has and the state knows, which is the same; then the next apply makes the rest.
fn recorded_and_gone_on_with(sandbox: &Sandbox) {
    let world = sandbox.world().len().unwrap();
    assert!((1..10).contains(&world), "{world}");
    let recorded = sandbox.json("state list --format json")["resources"].as_array().unwrap().len();
    assert_eq!(recorded, world, "what was in flight is recorded");
    assert!(sandbox.ok("history").contains("interrupted"));
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

#[test]
fn each_signal_once_lets_what_is_in_flight_end() {
    for name in SIGNALS {
        let sandbox = slow("700ms");
        let line = "apply --auto-approve --parallelism 1";
        let child = sandbox.start("apply", line);
        sandbox.wait_for("apply.err", "created");
        signal(name, child.id());
        let ran = ended(&sandbox, "apply", line, child).code(130);
        assert!(ran.stderr.contains("Stopped") || ran.stderr.contains("not begun"), "{}", ran.shown());
        recorded_and_gone_on_with(&sandbox);
    }
}

/// The journal has a call without an outcome.
fn is_in_flight(sandbox: &Sandbox) -> bool {
    sandbox.plan("--refresh=false").0["in_flight"].as_array().is_some_and(|all| !all.is_empty())
}

#[test]
fn each_signal_twice_stops_at_once() {
    for name in SIGNALS {
        let sandbox = slow("20s");
        let line = "apply --auto-approve --refresh=false";
        let child = sandbox.start("apply", line);
        sandbox.wait_for("apply.err", "begins");
        let begun = Instant::now();
        while !is_in_flight(&sandbox) {
            assert!(begun.elapsed() < PATIENCE, "{name}: nothing is in flight");
        }
        signal(name, child.id());
        // Two at once would be one.
        sandbox.wait_for("apply.err", "stops at once");
        let second = Instant::now();
        signal(name, child.id());
        ended(&sandbox, "apply", line, child).code(130);
        assert!(second.elapsed() < Duration::from_secs(10), "{name}: {:?}", second.elapsed());
        assert!(!sandbox.path(".standfast/shop.db-wal").exists(), "{name}: closed in order");
        assert!(is_in_flight(&sandbox), "{name}");
        sandbox.edit("latency: 20s", "latency: 1ms");
        sandbox.ok("apply --auto-approve");
        sandbox.assert_settled();
    }
}

/// It holds the state's lock already.
#[test]
fn a_signal_while_it_plans_changes_nothing_and_gives_the_lock_back() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.edit("provider: sim", "provider: sim\n    sim: { latency: 20s }");
    let line = "apply --auto-approve";
    for name in SIGNALS {
        let child = sandbox.start("apply", line);
        let begun = Instant::now();
        while !is_locked(&sandbox) {
            assert!(begun.elapsed() < PATIENCE, "it takes no lock");
        }
        signal(name, child.id());
        let ran = ended(&sandbox, "apply", line, child).code(130).says("stopped before anything was changed");
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        assert!(!is_locked(&sandbox), "{}", ran.shown());
        if name == "INT" {
            snapshot("stopped-while-planning", &[ran]);
        }
    }
    assert_eq!(sandbox.ok("history").matches("apply").count(), 1, "nothing that was stopped is a run");
    sandbox.edit("\n    sim: { latency: 20s }", "");
    sandbox.assert_settled();
}

fn is_locked(sandbox: &Sandbox) -> bool {
    // Without a terminal nobody is asked whether to break it.
    sandbox.run("state unlock").stderr.contains("holds the lock")
}

#[test]
fn a_signal_while_it_waits_for_the_lock_ends_the_waiting() {
    let sandbox = slow("1s");
    let first = sandbox.start("first", "apply --auto-approve");
    sandbox.wait_for("first.err", "begins");
    for name in SIGNALS {
        let line = "apply --auto-approve --lock-timeout 60s";
        let second = sandbox.start("second", line);
        sandbox.wait_for("second.err", "waiting for the state");
        signal(name, second.id());
        ended(&sandbox, "second", line, second).code(130).says("stopped before anything was changed");
    }
    ended(&sandbox, "first", "apply", first).code(0);
    sandbox.assert_settled();
}

/// A terminal with a program on it, as a terminal emulator holds it.
struct Terminal {
    master: File,
    reader: JoinHandle<()>,
    shown: Arc<Mutex<String>>,
    closed: Arc<AtomicBool>,
}

impl Terminal {
    fn start(sandbox: &Sandbox, line: &str) -> (Terminal, Child) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let program = sandbox.command(line);
        // Makes it the terminal of a session of its own, and becomes the program.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args());
        command.current_dir(sandbox.path("")).env("USER", "tester").env("TERM", "xterm");
        let stream = || Stdio::from(slave.try_clone().unwrap());
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        // Not waiting in a read: only so can it be closed at any time.
        fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK).unwrap();
        let master = File::from(master);
        let (shown, closed) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicBool::new(false)));
        let mut screen = master.try_clone().unwrap();
        let (kept, over) = (Arc::clone(&shown), Arc::clone(&closed));
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while !over.load(Ordering::Relaxed) {
                match screen.read(&mut piece) {
                    Ok(read) => kept.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read])),
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        (Terminal { master, reader, shown, closed }, child)
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// As when its window is closed.
    fn close(self) {
        self.closed.store(true, Ordering::Relaxed);
        self.reader.join().unwrap();
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.shown().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "`{text}` did not come:\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn write(&mut self, keys: &[u8]) {
        self.master.write_all(keys).unwrap();
    }
}

#[test]
fn ctrl_c_instead_of_an_approval_changes_nothing() {
    let sandbox = Sandbox::new(SHOP);
    let (mut terminal, child) = Terminal::start(&sandbox, "apply");
    terminal.wait_for("is taken as consent");
    terminal.write(b"\x03");
    ended(&sandbox, "none", "apply", child).code(130);
    terminal.wait_for("stopped before anything was changed");
    assert!(!is_locked(&sandbox));
    // And who does approve is heard.
    let (mut terminal, child) = Terminal::start(&sandbox, "apply");
    terminal.wait_for("is taken as consent");
    terminal.write(b"yes\n");
    ended(&sandbox, "none", "apply", child).code(0);
    sandbox.assert_settled();
}

#[test]
fn a_terminal_that_is_closed_lets_what_is_in_flight_end() {
    let sandbox = slow("700ms");
    let (terminal, child) = Terminal::start(&sandbox, "apply --auto-approve --parallelism 1");
    terminal.wait_for("created");
    terminal.close();
    ended(&sandbox, "none", "apply", child).code(130);
    recorded_and_gone_on_with(&sandbox);
}

#[test]
fn a_terminal_that_is_closed_approves_nothing() {
    let sandbox = Sandbox::new(SHOP);
    let (terminal, child) = Terminal::start(&sandbox, "apply");
    terminal.wait_for("is taken as consent");
    terminal.close();
    // The end of its input and the signal come together.
    let ran = ended(&sandbox, "none", "apply", child);
    assert!(matches!(ran.code, Some(1 | 130)), "{:?}", ran.code);
    assert!(!is_locked(&sandbox));
    assert!(!sandbox.world_file().exists() || sandbox.world().is_empty().unwrap());
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

/// `standfast plan | head -1`, and the same for what is read from it while it works.
#[test]
fn a_reader_that_has_gone_away_stops_nothing() {
    let sandbox = Sandbox::new(SHOP);
    for (line, codes) in [
        ("plan", [0, 0]),
        ("plan --format json", [0, 0]),
        ("apply --auto-approve --format json", [0, 0]),
        ("state list", [0, 0]),
        ("drift --format json", [0, 0]),
        ("destroy", [1, 1]),
    ] {
        for (stream, code) in ["stdout", "stderr"].into_iter().zip(codes) {
            let mut command = sandbox.command(line);
            match stream {
                "stdout" => command.stdout(Stdio::piped()).stderr(Stdio::null()),
                _ => command.stdout(Stdio::null()).stderr(Stdio::piped()),
            };
            let mut child = command.spawn().unwrap();
            drop((child.stdout.take(), child.stderr.take()));
            assert_eq!(child.wait().unwrap().code(), Some(code), "{line} without {stream}");
        }
    }
    sandbox.assert_settled();
}
