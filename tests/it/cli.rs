//! The command line as a user meets it: the real binary, in a folder of its own, on the simulated world.

mod apply;
mod commands;
mod crowds;
mod damage;
mod disks;
mod limits;
mod locks;
mod plan;
mod rollback;
mod saved;
mod sealing;
mod secrets;
mod signals;
mod state;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use standfast_sim::World;

/// Two balancers, two members, a protected database and its replica: ten resources.
pub const SHOP: &str = "\
standfast: 1
name: shop
regions:
  home:
    provider: sim
    zones:
      left: { hosts: { lb1: 10.0.0.11, web1: 10.0.0.21, db1: 10.0.0.31 } }
      right: { hosts: { lb2: 10.0.0.12, web2: 10.0.0.22, db2: 10.0.0.32 } }
load_balancers:
  front:
    hosts: [lb1, lb2]
    virtual_ip: 10.0.0.100
    listeners:
      - { port: 80, to: web }
autoscaling_groups:
  web:
    hosts: [web1, web2]
    capacity: { min: 1, desired: 2, max: 2 }
    workload: { package: nginx }
    port: 80
    health_check: { path: / }
databases:
  orders: { engine: postgres, hosts: [db1, db2] }
";

/// One group of four members behind a balancer, to roll over.
pub const FLEET: &str = "\
standfast: 1
name: fleet
regions:
  home:
    provider: sim
    zones: { only: { hosts: { lb1: 10.0.0.11, w1: 10.0.0.21, w2: 10.0.0.22, w3: 10.0.0.23, w4: 10.0.0.24 } } }
load_balancers:
  front: { hosts: [lb1], listeners: [{ port: 80, to: web }] }
autoscaling_groups:
  web:
    hosts: [w1, w2, w3, w4]
    capacity: { min: 1, desired: 4, max: 4 }
    workload: { package: nginx, version: \"1\" }
    port: 80
    health_check: { path: / }
    update: { max_unavailable: 1, canary: 1, on_failure: rollback }
";

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a blueprint, `standfast.yaml`, and the program.
pub struct Sandbox {
    folder: tempfile::TempDir,
    name: String,
}

impl Sandbox {
    pub fn new(blueprint: &str) -> Self {
        let name = blueprint.lines().find_map(|line| line.strip_prefix("name: ")).unwrap_or("none");
        let sandbox = Sandbox { folder: tempfile::tempdir().unwrap(), name: name.to_owned() };
        sandbox.write("standfast.yaml", blueprint);
        sandbox
    }

    /// One with everything of it applied.
    pub fn applied(blueprint: &str) -> Self {
        let sandbox = Sandbox::new(blueprint);
        // One at a time: what the simulated world calls things then never varies.
        sandbox.ok("apply --auto-approve --parallelism 1");
        assert!(!sandbox.path(&format!(".standfast/{}.db-wal", sandbox.name)).exists(), "closed in order");
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Changes the blueprint. What is replaced must be there.
    pub fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("standfast.yaml")).unwrap();
        assert!(text.contains(from), "`{from}` is not in\n{text}");
        self.write("standfast.yaml", &text.replace(from, to));
    }

    pub fn world_file(&self) -> PathBuf {
        self.path(&format!(".standfast/{}.world.jsonl", self.name))
    }

    /// Appends a line to the world's file, as its documentation allows.
    pub fn meddle(&self, line: &str) {
        use std::io::Write;
        fs::create_dir_all(self.path(".standfast")).unwrap();
        let new = !self.world_file().exists();
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.world_file()).unwrap();
        if new {
            file.write_all(b"{\"world\":{\"version\":1}}\n").unwrap();
        }
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub fn world(&self) -> World {
        World::open(&self.world_file()).unwrap()
    }

    /// The id of what stands at an address.
    pub fn id(&self, address: &str) -> String {
        let objects = self.world().objects().unwrap();
        let found = objects.into_iter().find(|object| object.address.as_str() == address);
        found.unwrap_or_else(|| panic!("nothing stands at {address}")).id
    }

    /// The program with a clean environment, so that nothing of the machine shows.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_standfast"));
        command.args(line.split_whitespace()).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.folder.path());
        command.env("USER", "tester").stdin(Stdio::null());
        // Any do for the server that speaks for AWS.
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    pub fn run(&self, line: &str) -> Ran {
        Ran::of(line, self.command(line))
    }

    /// Runs what must succeed; gives its stdout.
    pub fn ok(&self, line: &str) -> String {
        self.run(line).code(0).stdout
    }

    pub fn json(&self, line: &str) -> Value {
        let ran = self.run(line);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{}", ran.shown()))
    }

    /// The plan of the blueprint with more arguments.
    pub fn plan(&self, arguments: &str) -> Planned {
        Planned(self.json(&format!("plan --format json {arguments}")))
    }

    /// Starts a command; its output goes to `name.out` and `name.err`.
    pub fn start(&self, name: &str, line: &str) -> Child {
        let file = |end: &str| fs::File::create(self.path(&format!("{name}.{end}"))).unwrap();
        self.command(line).stdout(file("out")).stderr(file("err")).spawn().unwrap()
    }

    pub fn wait_for(&self, file: &str, text: &str) {
        let begun = Instant::now();
        while !fs::read_to_string(self.path(file)).unwrap_or_default().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "`{text}` did not come in {file}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs what must come to its end by itself within ten seconds.
    #[track_caller]
    pub fn at_once(&self, line: &str) -> Ran {
        let program = self.command(line);
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", "10"]).arg(program.get_program()).args(program.get_args());
        command.current_dir(self.folder.path()).envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))));
        let ran = Ran::of(line, command);
        assert!(ran.code.is_some() && ran.code != Some(137), "it hangs: {}", ran.shown());
        ran
    }

    /// Nothing to do, and the world holds exactly what the state knows.
    pub fn assert_settled(&self) {
        let plan = self.plan("--refresh-only");
        assert_eq!(plan.steps(), Vec::<String>::new(), "drift");
        let plan = self.plan("");
        assert_eq!(plan.steps(), Vec::<String>::new());
        let recorded: BTreeSet<_> = self.json("state list --format json")["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|resource| resource["address"].as_str().unwrap().parse().unwrap())
            .collect();
        let world = self.world();
        assert_eq!(world.duplicates().unwrap(), []);
        assert_eq!(world.orphans(&recorded).unwrap(), []);
        assert_eq!(world.len().unwrap(), recorded.len());
    }

    /// The files in which this text stands.
    pub fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.artefacts().into_iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect()
    }

    /// Every file that the program wrote, with its bytes.
    pub fn artefacts(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), into);
                } else {
                    into.push((entry.path(), fs::read(entry.path()).unwrap()));
                }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        found
    }
}

/// What a command did.
pub struct Ran {
    pub line: String,
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Ran {
    pub fn of(line: &str, mut command: Command) -> Self {
        let output = command.output().unwrap();
        Ran {
            line: line.to_owned(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}", self.shown());
        self
    }

    /// stderr says this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "does not say `{text}`:\n{}", self.shown());
        self
    }

    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "does not print `{text}`:\n{}", self.shown());
        self
    }

    /// The whole command as a snapshot shows it.
    pub fn shown(&self) -> String {
        let code = self.code.map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        let mut text = format!("$ standfast {}\n{}", self.line, self.stdout);
        if !self.stderr.is_empty() {
            text += &format!("--- stderr\n{}", self.stderr);
        }
        text + &format!("--- exit {code}\n")
    }
}

/// A plan as JSON.
pub struct Planned(pub Value);

impl Planned {
    /// `ACTION ADDRESS (REASON)` of every step, sorted.
    pub fn steps(&self) -> Vec<String> {
        let steps = self.0["steps"].as_array().unwrap();
        let word = |step: &Value, key: &str| step[key].as_str().unwrap().to_owned();
        let mut lines: Vec<String> = steps
            .iter()
            .map(|step| {
                format!("{} {} ({})", word(step, "action"), word(step, "address"), word(step, "reason"))
            })
            .collect();
        lines.sort();
        lines
    }

    pub fn count(&self, action: &str) -> u64 {
        self.0["summary"][action].as_u64().unwrap()
    }
}

/// Compares whole commands with a snapshot, less what differs from run to run.
fn snapshot(name: &str, ran: &[Ran]) {
    let text: Vec<String> = ran.iter().map(|ran| in_any_order(&ran.shown())).collect();
    insta::with_settings!({
        snapshot_path => "cli/told",
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => vec![
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
            (r"\b\d\d:\d\d:\d\d\b", "TIME"),
            // In the history, whose column is as wide as the longest.
            (r"\btook +result\b", "took    result"),
            (r"\b\d+\.\d s {3,}", "TOOK   "),
            (r"\b\d+\.\d ?s\b", "TOOK"),
            // On a slow machine.
            (r"(  | in | after )(\d+m \d\d|[1-5]\d)s\b", "${1}TOOK"),
            (r"tester@[A-Za-z0-9_.-]+( +)", "tester@HOST  "),
            (r"tester@[A-Za-z0-9_.-]+", "tester@HOST"),
            (r"\bby +took\b", "by          took"),
            (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
            (r"\b[0-9a-f]{32}\b", "ID"),
            (r"\(key [0-9a-f]{16}\)", "(key KEY)"),
            (r"process \d+", "process PID"),
            // Which ones there are is a matter of features.
            (r"providers here: .*", "providers here: PROVIDERS"),
            (r"keeps no state in (.*), only in .*", "keeps no state in $1, only in STORES"),
        ],
    }, { insta::assert_snapshot!(name, text.join("\n")); });
}

/// Lines of progress sorted, where they follow each other: which of two tasks ends first is chance. Those that come only
/// where a step takes long are left out.
fn in_any_order(text: &str) -> String {
    let timed = |line: &&str| line.len() > 8 && line.as_bytes()[2] == b':' && line.as_bytes()[5] == b':';
    let sign_of_life = |line: &&str| {
        let verb = line.split_whitespace().nth(1).unwrap_or_default();
        timed(line) && verb.ends_with("ing") && verb != "stopping"
    };
    let mut lines: Vec<&str> = text.lines().filter(|line| !sign_of_life(line)).collect();
    for block in lines.chunk_by_mut(|a, b| timed(a) == timed(b)) {
        if block.first().is_some_and(timed) {
            block.sort_by_key(|line| &line[8..]);
        }
    }
    lines.join("\n") + "\n"
}
