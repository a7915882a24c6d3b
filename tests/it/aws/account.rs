//! An empty account: moto on a port of its own, and a folder with a blueprint.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use standfast_fault_proxy::{
    Fault, Halt, Moto, Proxy,
    aws::{Ends, Slow, changes},
    cbor::Translate,
};

use crate::cli::{Planned, Ran, Sandbox};

const REGION: &str = "eu-west-1";
/// How long a run may take until it comes to the point where it is to be killed.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long each change takes while runs are cut off: nothing that comes after the point is recorded before the cut.
const BETWEEN_CUTS: Duration = Duration::from_millis(200);
/// What must be found nowhere but in the services that it is for.
pub const PASSWORD: &str = "correct-horse-battery";

pub struct Account {
    pub sandbox: Sandbox,
    /// What the program calls. boto3 asks moto itself.
    pub proxy: Proxy,
    moto: Moto,
    /// What moto cannot delete, and was told to.
    ends: Arc<Ends>,
    /// Those that count.
    regions: &'static [&'static str],
    /// What is put into an empty account.
    beforehand: &'static str,
}

/// boto3 lies beside moto.
fn python() -> PathBuf {
    PathBuf::from(std::env::var_os("STANDFAST_MOTO").unwrap()).with_file_name("python")
}

impl Account {
    pub fn new(blueprint: &str) -> Self {
        let moto = Moto::start();
        let proxy = Proxy::start(moto.address).unwrap();
        proxy.add("moto speaks no CBOR", Translate);
        // What moto shows as deleting for good is gone.
        proxy.add("slow", Slow::new(0));
        let ends = Arc::new(Ends::default());
        proxy.add("ends", Arc::clone(&ends));
        let sandbox = Sandbox::new(blueprint);
        Account { proxy, moto, ends, sandbox, regions: &[REGION], beforehand: "" }
    }

    pub fn of_regions(self, regions: &'static [&'static str]) -> Self {
        Account { regions, ..self }
    }

    /// Runs Python in the account now, and whenever it has been emptied.
    pub fn beforehand(self, python: &'static str) -> Self {
        self.python(python);
        Account { beforehand: python, ..self }
    }

    /// Where the service itself answers.
    pub fn upstream(&self) -> SocketAddr {
        self.moto.address
    }

    /// Empty again, without a state.
    pub fn reset(&self) {
        self.moto.reset();
        let _ = std::fs::remove_dir_all(self.sandbox.path(".standfast"));
        self.python(self.beforehand);
    }

    pub fn applied(blueprint: &str) -> Self {
        let account = Account::new(blueprint);
        account.run("apply --auto-approve").code(0);
        account
    }

    fn at_home(&self, mut command: Command, endpoint: String) -> Command {
        command
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SHOP_PASSWORD", PASSWORD)
            .env("SHOP_DB_PASSWORD", PASSWORD)
            .env("SHOP_NEXT_PASSWORD", "battery-horse-correct")
            .env("SHOP_SESSIONS_PASSWORD", PASSWORD);
        command
    }

    /// The program, in the account.
    pub fn command(&self, line: &str) -> Command {
        self.at_home(self.sandbox.command(line), self.proxy.url())
    }

    pub fn run(&self, line: &str) -> Ran {
        Ran::of(line, self.command(line))
    }

    /// Without any credentials.
    pub fn run_signed_out(&self, line: &str) -> Ran {
        let mut command = self.command(line);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        Ran::of(line, command)
    }

    /// Starts a command and cuts it off as soon as it says this.
    #[track_caller]
    fn kill_at(&self, line: &str, said: &str) {
        let mut command = self.command(line);
        let file = std::fs::File::create(self.sandbox.path("cut.err")).unwrap();
        let mut running = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let begun = Instant::now();
        loop {
            let ended = running.try_wait().unwrap();
            let text = std::fs::read_to_string(self.sandbox.path("cut.err")).unwrap_or_default();
            assert!(ended.is_none(), "{line} ended ({ended:?}) before it was cut off at `{said}`:\n{text}");
            if text.contains(said) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{line}: `{said}` did not come:\n{text}");
            std::thread::sleep(Duration::from_millis(5));
        }
        running.kill().unwrap();
        running.wait().unwrap();
    }

    /// Applies, cut off as soon as each of these is said, and once more to the end: nothing is there twice.
    #[track_caller]
    pub fn apply_through_kills(&self, said: &[&str]) {
        // A killed run holds the lock until its lease is over.
        let line = "apply --auto-approve --lock-timeout 60s";
        // The answer, not the call, is late: what a killed run has sent has taken effect when the next one looks.
        self.proxy.add("cuts", Fault::late_answer(BETWEEN_CUTS).on(changes));
        for said in said {
            self.kill_at(line, said);
        }
        self.proxy.switch("cuts", false);
        self.run(line).code(0);
        self.assert_settled();
    }

    /// Starts a command and cuts it off at the call that `halt` is armed for. False where it does not come so far.
    pub fn kill_at_call(&self, line: &str, halt: &Halt) -> bool {
        let mut running = self.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while running.try_wait().unwrap().is_none() && !halt.holds() {
            assert!(begun.elapsed() < PATIENCE, "{line}: neither ended nor came to its point");
            std::thread::sleep(Duration::from_millis(2));
        }
        let is_there = halt.holds();
        running.kill().unwrap();
        running.wait().unwrap();
        halt.arm(None);
        is_there
    }

    pub fn plan(&self, arguments: &str) -> Planned {
        let ran = self.run(&format!("plan --format json {arguments}"));
        Planned(serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{}", ran.shown())))
    }

    /// Runs Python with `ec2`, `elb`, `asg`, `rds`, `route53`, `acm`, `cloudwatch`, `sns` and `cache` (ElastiCache) as boto3's
    /// clients; gives what it prints.
    pub fn python(&self, code: &str) -> String {
        let clients = "import boto3, json\n\
                       ec2, elb, asg, rds, route53, acm, cloudwatch, sns, cache = (boto3.client(s, region_name='eu-west-1')\n\
                       \x20 for s in ('ec2', 'elbv2', 'autoscaling', 'rds', 'route53', 'acm', 'cloudwatch', 'sns', 'elasticache'))\n";
        self.interpret(&["-c", &format!("{clients}{code}")])
    }

    fn interpret(&self, arguments: &[&str]) -> String {
        let mut python = Command::new(python());
        python.args(arguments);
        let ran = Ran::of("python", self.at_home(python, self.moto.url())).code(0);
        ran.stdout.trim().to_owned()
    }

    /// What is there, by kind, each thing once.
    pub fn census(&self) -> BTreeMap<String, Vec<Value>> {
        let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (kind, found) in self.regions.iter().flat_map(|region| self.census_in(region)) {
            let things = all.entry(kind).or_default();
            let is_new = |thing: &Value| !things.iter().any(|other| other["id"] == thing["id"]);
            let new: Vec<Value> = found.into_iter().filter(is_new).collect();
            things.extend(new);
        }
        all
    }

    /// The same in one region, with what is of no region.
    pub fn census_in(&self, region: &str) -> BTreeMap<String, Vec<Value>> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/aws/census.py");
        let gone = self.ends.gone();
        let arguments: Vec<&str> =
            [script, region].into_iter().chain(gone.iter().map(String::as_str)).collect();
        serde_json::from_str(&self.interpret(&arguments)).unwrap()
    }

    /// Nothing to do; and what is there is what the state knows, each once.
    #[track_caller]
    pub fn assert_settled(&self) {
        assert_eq!(self.plan("--refresh-only").steps(), Vec::<String>::new(), "drift");
        assert_eq!(self.plan("").steps(), Vec::<String>::new());
        let (there, recorded) = self.counted();
        assert_eq!(there, recorded);
    }

    /// The addresses that things carry, and those that the state knows, sorted. Machines are the groups' own, and records of
    /// names carry no marks.
    pub fn counted(&self) -> (Vec<String>, Vec<String>) {
        let listed = self.run("state list --format json").code(0);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        let mut recorded: Vec<String> = listed["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|resource| resource["address"].as_str().unwrap().to_owned())
            .filter(|address| {
                !["/dns_record.", "/validation_record."].iter().any(|kind| address.contains(kind))
            })
            .collect();
        recorded.sort();
        let mark =
            |thing: Value| thing["tags"]["standfast:address"].as_str().unwrap_or("without a mark").to_owned();
        let things = self.census().into_iter().filter(|(kind, _)| *kind != "instance");
        let mut there: Vec<String> = things.flat_map(|(_, things)| things).map(mark).collect();
        there.sort();
        (there, recorded)
    }
}
