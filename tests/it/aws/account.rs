//! An empty account: moto on a port of its own, and a folder with a blueprint.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;
use standfast_fault_proxy::Moto;

use crate::cli::{Planned, Ran, Sandbox};

const REGION: &str = "eu-west-1";
/// What must be found nowhere but in the services that it is for.
pub const PASSWORD: &str = "correct-horse-battery";

pub struct Account {
    pub sandbox: Sandbox,
    moto: Moto,
}

/// boto3 lies beside moto.
fn python() -> PathBuf {
    PathBuf::from(std::env::var_os("STANDFAST_MOTO").unwrap()).with_file_name("python")
}

impl Account {
    pub fn new(blueprint: &str) -> Self {
        Account { moto: Moto::start(), sandbox: Sandbox::new(blueprint) }
    }

    pub fn applied(blueprint: &str) -> Self {
        let account = Account::new(blueprint);
        account.run("apply --auto-approve").code(0);
        account
    }

    fn at_home(&self, mut command: Command) -> Command {
        command
            .env("AWS_ENDPOINT_URL", self.moto.url())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SHOP_PASSWORD", PASSWORD);
        command
    }

    pub fn run(&self, line: &str) -> Ran {
        Ran::of(line, self.at_home(self.sandbox.command(line)))
    }

    /// Starts a command and cuts it off as soon as it says this.
    pub fn kill_at(&self, line: &str, said: &str) {
        let mut command = self.at_home(self.sandbox.command(line));
        let file = std::fs::File::create(self.sandbox.path("cut.err")).unwrap();
        let mut running = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        self.sandbox.wait_for("cut.err", said);
        running.kill().unwrap();
        running.wait().unwrap();
    }

    pub fn plan(&self, arguments: &str) -> Planned {
        let ran = self.run(&format!("plan --format json {arguments}"));
        Planned(serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{}", ran.shown())))
    }

    /// Runs Python with `ec2`, `elb`, `asg`, `rds` and `route53` as boto3's clients; gives what it prints.
    pub fn python(&self, code: &str) -> String {
        let clients = "import boto3, json\n\
                       ec2, elb, asg, rds, route53 = (boto3.client(s, region_name='eu-west-1')\n\
                       \x20 for s in ('ec2', 'elbv2', 'autoscaling', 'rds', 'route53'))\n";
        self.interpret(&["-c", &format!("{clients}{code}")])
    }

    fn interpret(&self, arguments: &[&str]) -> String {
        let mut python = Command::new(python());
        python.args(arguments);
        let ran = Ran::of("python", self.at_home(python)).code(0);
        ran.stdout.trim().to_owned()
    }

    /// What is there, by kind.
    pub fn census(&self) -> BTreeMap<String, Vec<Value>> {
        self.census_in(REGION)
    }

    /// The same in another region, with what is of no region.
    pub fn census_in(&self, region: &str) -> BTreeMap<String, Vec<Value>> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/aws/census.py");
        serde_json::from_str(&self.interpret(&[script, region])).unwrap()
    }

    /// Nothing to do; and what is there is what the state knows, each once. Machines are the groups' own.
    #[track_caller]
    pub fn assert_settled(&self) {
        self.assert_settled_in(&[REGION]);
    }

    #[track_caller]
    pub fn assert_settled_in(&self, regions: &[&str]) {
        assert_eq!(self.plan("--refresh-only").steps(), Vec::<String>::new(), "drift");
        assert_eq!(self.plan("").steps(), Vec::<String>::new());
        let listed = self.run("state list --format json").code(0);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        let mut recorded: Vec<String> = listed["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|resource| resource["address"].as_str().unwrap().to_owned())
            .filter(|address| !address.contains("/dns_record."))
            .collect();
        recorded.sort();
        let mut things: BTreeMap<String, Value> = BTreeMap::new();
        for region in regions {
            let census = self.census_in(region).into_iter().filter(|(kind, _)| *kind != "instance");
            for (kind, found) in census {
                let key = |id: &str| format!("{kind} {id}");
                things.extend(found.into_iter().map(|thing| (key(thing["id"].as_str().unwrap()), thing)));
            }
        }
        let mark = |thing: &Value| {
            thing["tags"]["standfast:address"].as_str().unwrap_or("without a mark").to_owned()
        };
        let mut there: Vec<String> = things.values().map(mark).collect();
        there.sort();
        assert_eq!(there, recorded);
    }
}
