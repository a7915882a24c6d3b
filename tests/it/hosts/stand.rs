//! A blueprint in a folder of its own, a lab for it, and the binary that a user would run there.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use standfast::lab::{Lab, Roots};

const REQUIRE_ENV: &str = "STANDFAST_REQUIRE_LAB";
const BINARY: &str = env!("CARGO_BIN_EXE_standfast");
/// No step of a scenario takes longer.
const PATIENCE: Duration = Duration::from_secs(90);
/// But for the hosts themselves: the first of all builds the image that they are made from.
const LAB_UP_PATIENCE: Duration = Duration::from_secs(600);

/// The hosts are taken down when it is dropped, also by a panic.
pub struct Stand {
    pub lab: Lab,
    /// The first three numbers of every address: `10.81.7`.
    pub net: String,
    folder: tempfile::TempDir,
}

impl Stand {
    /// `blueprint` gives the text for a name and a network; `files` writes what it names. `None` where this machine
    /// cannot hold a lab.
    pub fn up(
        name: &str,
        blueprint: impl FnOnce(&str, &str) -> String,
        files: impl FnOnce(&Stand),
    ) -> Option<Stand> {
        if let Some(why) = no_lab() {
            assert!(std::env::var_os(REQUIRE_ENV).is_none(), "{why}");
            println!("no lab here: {why}");
            return None;
        }
        // Not under /tmp, which may be a tmpfs too small for disks.
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let roots = Roots { state: folder.path().join("labs"), cache: Roots::from_env().cache };
        let number =
            name.bytes().fold(std::process::id(), |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
        let stand = Stand {
            lab: Lab::open_in(name, roots).unwrap(),
            net: format!("10.81.{}", number % 200 + 50),
            folder,
        };
        stand.write("shop.yaml", &blueprint(name, &stand.net));
        files(&stand);
        let up = stand.lab_up();
        println!("lab up: {:.1} s", up.took.as_secs_f64());
        Some(stand)
    }

    #[track_caller]
    pub fn lab_up(&self) -> Ran {
        self.start(["lab", "up", "shop.yaml"]).end_within(LAB_UP_PATIENCE).succeeded()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces a part of a file of the folder, which must be there.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no `{from}`");
        self.write(name, &text.replace(from, to));
    }

    fn command(&self, arguments: &[&OsStr]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).current_dir(self.folder.path());
        command.env("STANDFAST_LAB_ROOT", self.folder.path().join("labs"));
        // Its connections lie in a folder of its own, so that they can be counted.
        command.env("XDG_RUNTIME_DIR", self.folder.path());
        for variable in ["STANDFAST_LAB", "STANDFAST_STATE", "STANDFAST_ENV"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs the binary in the folder to its end.
    pub fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Ran {
        self.start(arguments).end()
    }

    /// The same, with variables of the environment.
    pub fn run_with<const N: usize>(&self, env: &[(&str, &str)], arguments: [&str; N]) -> Ran {
        let mut command = self.command(&arguments.map(OsStr::new));
        command.envs(env.iter().copied());
        Going::new(command).end()
    }

    /// `standfast --lab apply shop.yaml`, told as events.
    pub fn apply(&self) -> Ran {
        self.run(["--lab", "apply", "shop.yaml", "--auto-approve", "--format", "json"])
    }

    /// The same, still going.
    pub fn applying(&self) -> Going {
        self.start(["--lab", "apply", "shop.yaml", "--auto-approve", "--format", "json"])
    }

    /// What a plan would change: address and action of each step.
    pub fn planned(&self) -> Vec<(String, String)> {
        let ran = self.run(["--lab", "plan", "shop.yaml", "--format", "json"]).succeeded();
        steps(&ran.json())
    }

    /// `status` once the hosts have recovered, or as it is after 20 s.
    pub fn recovered(&self) -> Ran {
        let began = Instant::now();
        loop {
            let status = self.run(["--lab", "status", "shop.yaml"]);
            if status.code == Some(0) || began.elapsed() > Duration::from_secs(20) {
                return status;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// The load balancer that has the virtual IP.
    #[track_caller]
    pub fn holder(&self) -> &'static str {
        let address = format!("{}.100", self.net);
        let holds = |host: &&str| self.told(host, "ip -brief -4 address").contains(&address);
        ["lb1", "lb2"].into_iter().find(holds).expect("a load balancer has the virtual IP")
    }

    /// The world is as the blueprint says.
    #[track_caller]
    pub fn clean(&self, when: &str) {
        let ran = self.run(["--lab", "plan", "shop.yaml", "--detailed-exitcode"]);
        assert_eq!(ran.code, Some(0), "the plan {when}:\n{}\n{}", ran.stdout, ran.stderr);
    }

    pub fn start<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Going {
        let arguments: Vec<S> = arguments.into_iter().collect();
        let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        Going::new(self.command(&arguments))
    }

    /// What a run told the user, as a snapshot: without progress, and without what differs from run to run.
    #[track_caller]
    pub fn snapshot(&self, name: &str, ran: &Ran) {
        let progress =
            |line: &&str| line.len() > 8 && line.as_bytes()[2] == b':' && line.as_bytes()[5] == b':';
        let said = if ran.stderr.is_empty() { &ran.stdout } else { &ran.stderr };
        let told: Vec<&str> = said.lines().filter(|line| !progress(line)).collect();
        let folder = self.folder.path().display().to_string();
        let told = told.join("\n").replace(&folder, "FOLDER").replace(&self.net, "10.81.0");
        insta::with_settings!({
            snapshot_path => "told",
            prepend_module_to_snapshot => false,
            omit_expression => true,
            filters => vec![
                // First what times and durations could be found in.
                (r"SHA256:[A-Za-z0-9+/]{43}=?", "SHA256:FINGERPRINT"),
                (r"([0-9a-f]{2}:){5}[0-9a-f]{2}", "MAC"),
                (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "TIME"),
                (r"\b\d\d:\d\d:\d\d\b", "TIME"),
                (r"\b\d+(\.\d+)? ?s\b", "TOOK"),
                (r"\b(process|pid) \d+", "$1 PID"),
                (r"held by [A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+", "held by USER@HOST"),
                (r"serial \d+ of the state, which is at \d+", "serial N of the state, which is at M"),
                (r"seen from a\d", "seen from HOST"),
                (r"cannot be reached: .*", "cannot be reached: WHY"),
                (r" \(\d+\) : ", " (PID) : "),
                (r"(tmpfs|overlay)( +\d+){3} +\d+%", "$1 ... FULL%"),
                (r"\b\d+ MiB free", "N MiB free"),
            ],
        }, { insta::assert_snapshot!(name, told); });
    }

    pub fn ssh(&self, host: &str, script: &str) -> Output {
        self.lab.ssh_command(host).unwrap().args(["-o", "ConnectTimeout=3", script]).output().unwrap()
    }

    /// Runs a script on a host as root, which must succeed, and returns what it printed.
    #[track_caller]
    pub fn told(&self, host: &str, script: &str) -> String {
        let script = format!("sudo sh -c '{}'", script.replace('\'', "'\\''"));
        let output = self.ssh(host, &script);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{host}: {script}: {words}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        if let Err(error) = self.lab.down(false) {
            println!("the test's lab is still there: {error}");
        }
    }
}

fn no_lab() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).exists());
    if !rustix::process::geteuid().is_root() {
        return Some("labs need root");
    }
    (!has("systemd-nspawn") || !has("mmdebstrap")).then_some("labs need systemd-nspawn and mmdebstrap")
}

/// Address and action of each step of a plan.
pub fn steps(plan: &Value) -> Vec<(String, String)> {
    let word = |step: &Value, key: &str| step[key].as_str().unwrap().to_owned();
    let steps = plan["steps"].as_array().unwrap().iter();
    let mut steps: Vec<_> = steps.map(|step| (word(step, "address"), word(step, "action"))).collect();
    steps.sort();
    steps
}

/// A run of the binary that has ended.
#[derive(Debug)]
pub struct Ran {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ran {
    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn succeeded(self) -> Ran {
        self.exits(0)
    }

    /// stderr or stdout has each of these.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Ran {
        for part in parts {
            let said = self.stderr.contains(part) || self.stdout.contains(part);
            assert!(said, "`{part}` was not said.\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn events(&self) -> Vec<Value> {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The last event of an apply, with the counts; or, of one that found nothing to do, the plan.
    #[track_caller]
    pub fn report(&self) -> Value {
        self.events().pop().unwrap_or_else(|| panic!("no report: {self:?}"))
    }

    /// Addresses of the tasks that ended well, without health checks and the like.
    pub fn done(&self) -> Vec<String> {
        let events = self.events();
        let done = |event: &&Value| event["event"] == "task_ended" && event["outcome"] == "done";
        let change = |event: &&Value| {
            ["created", "updated", "replaced", "deleted"].iter().any(|did| event["did"] == *did)
        };
        let mut done: Vec<String> = events
            .iter()
            .filter(done)
            .filter(change)
            .map(|event| event["address"].as_str().unwrap().to_owned())
            .collect();
        done.sort();
        done
    }
}

/// A run of the binary that goes on.
pub struct Going {
    child: Child,
    began: Instant,
    stdout: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<String>>,
}

impl Going {
    fn new(mut command: Command) -> Going {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let stdout = Arc::new(Mutex::new(String::new()));
        let (out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let kept = Arc::clone(&stdout);
        let lines = std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut line = String::new();
            while out.read_line(&mut line).unwrap_or(0) > 0 {
                kept.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
            String::new()
        });
        let talk = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = err.read_to_string(&mut text);
            text
        });
        Going { child, began: Instant::now(), stdout, readers: vec![lines, talk] }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a line of stdout has all of these.
    #[track_caller]
    pub fn until(&mut self, parts: &[&str]) {
        loop {
            let text = self.stdout.lock().unwrap().clone();
            if text.lines().any(|line| parts.iter().all(|part| line.contains(part))) {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}) before it said {parts:?}:\n{text}");
            assert!(self.began.elapsed() < PATIENCE, "waited for {parts:?}:\n{text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.group(), signal).unwrap();
    }

    /// A signal to all that the run has started, too, as a terminal's Ctrl-C is.
    pub fn signal_group(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process_group(self.group(), signal).unwrap();
    }

    /// The run leads a process group of its own, which has its number.
    fn group(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap()
    }

    /// How many lines of stdout came so far; `None` once the run has ended.
    pub fn lines(&mut self) -> Option<usize> {
        let going = self.child.try_wait().unwrap().is_none();
        going.then(|| self.stdout.lock().unwrap().lines().count())
    }

    #[track_caller]
    pub fn end(self) -> Ran {
        self.end_within(PATIENCE)
    }

    #[track_caller]
    fn end_within(mut self, patience: Duration) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.began.elapsed() > patience {
                let _ = self.child.kill();
                panic!("it went on for {patience:?}:\n{}", self.stdout.lock().unwrap());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = self.began.elapsed();
        let talk = self.readers.drain(..).map(|reader| reader.join().unwrap()).collect::<String>();
        let stdout = self.stdout.lock().unwrap().clone();
        Ran { code: status.code(), stdout, stderr: talk, took }
    }
}

/// A certificate to rehearse with, as the head of shop.yaml says.
pub fn certificate(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let arguments =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"];
    let made = Command::new("openssl").args(arguments).args(["-keyout", "-", "-out", "-"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::write(path, made.stdout).unwrap();
}
