//! Whole commands, word for word: what is printed, where, with which exit code.

use super::{SHOP, Sandbox, snapshot};

#[test]
fn every_command_explains_itself() {
    let sandbox = Sandbox::new(SHOP);
    for command in [
        "",
        "init",
        "import",
        "check",
        "plan",
        "apply",
        "destroy",
        "status",
        "drift",
        "graph",
        "show",
        "history",
        "history prune",
        "rollback",
        "outputs",
        "state",
        "state list",
        "state show",
        "state mv",
        "state rm",
        "state import",
        "state pull",
        "state push",
        "state migrate",
        "state rekey",
        "state unlock",
        "schema",
        "completions",
        "lab",
    ] {
        let ran = sandbox.run(&format!("{command} --help")).code(0);
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ran.shown());
        let name = format!("help {command}").trim_end().replace(' ', "-");
        snapshot(&name, &[ran]);
    }
}

#[test]
fn wrong_arguments_exit_with_64() {
    let sandbox = Sandbox::new(SHOP);
    let ran = ["", "paln", "plan --target", "plan --var x", "apply --parallelism 0", "plan --refresh=maybe"]
        .map(|line| sandbox.run(line).code(64));
    snapshot("wrong-arguments", &ran);
}

#[test]
fn init_writes_a_blueprint_that_checks_and_never_over_one() {
    for provider in ["sim", "ssh", "aws"] {
        let sandbox = Sandbox::new(SHOP);
        let ran = [
            sandbox.run(&format!("init --provider {provider} --name shop")).code(1),
            sandbox.run(&format!("init --provider {provider} --name shop other.yaml")).code(0),
        ];
        snapshot(&format!("init-{provider}"), &ran);
        sandbox.run("check other.yaml").code(0);
        // The others need hosts, or an account: `aws::starter`.
        if provider == "sim" {
            sandbox.ok("apply other.yaml --auto-approve");
            assert!(sandbox.plan("other.yaml").steps().is_empty());
        }
    }
    let sandbox = Sandbox::new(SHOP);
    sandbox.run("init --name No/Name new.yaml").code(64);
    assert!(!sandbox.path("new.yaml").exists());
}

#[test]
fn check_tells_well_formed_from_mistaken() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit(
        "databases:",
        "environments: { staging: { databases: { orders: { storage: 5GiB } } } }\ndatabases:",
    );
    sandbox.write("bad.yaml", &SHOP.replace("hosts: [web1, web2]", "hosts: [web1, wbe2]"));
    let ran = [
        sandbox.run("check standfast.yaml").code(0),
        sandbox.run("check standfast.yaml --env staging").code(0),
        sandbox.run("check standfast.yaml --env stagign").code(65),
        sandbox.run("check bad.yaml").code(65),
        sandbox.run("check none.yaml").code(65),
        sandbox.run("check standfast.yaml --format json").code(0),
        sandbox.run("check bad.yaml --format json").code(65),
    ];
    snapshot("check", &ran);
}

/// What only a provider knows, without asking anybody and without leaving anything behind.
#[cfg(feature = "aws")]
#[test]
fn check_tells_what_a_provider_cannot_build() {
    let sandbox = Sandbox::new(
        "standfast: 1\nname: shop\nregions: { away: { provider: aws, location: eu-west-1, zones: 2 } }\n\
         networks: { main: { cidr: 10.0.0.0/8 } }\n\
         load_balancers: { front: { layer: 4, algorithm: least_connections, listeners: [{ port: 80, to: web }] } }\n\
         autoscaling_groups: { web: { capacity: { min: 1, max: 2 }, port: 80, instance_type: t3.small, workload: { package: nginx } } }\n",
    );
    let refused =
        sandbox.run("check").code(65).says("10.0.0.0/8 is too large for a VPC").says("an NLB cannot choose");
    assert!(!refused.stderr.contains("could not be looked up"), "{}", refused.shown());
    sandbox.edit("10.0.0.0/8", "10.0.0.0/16");
    sandbox.edit("algorithm: least_connections, ", "");
    sandbox.run("check").code(0);
    assert!(!sandbox.path(".standfast").exists(), "a check leaves nothing behind");
}

#[test]
fn which_blueprint_is_meant() {
    let sandbox = Sandbox::new(SHOP);
    std::fs::remove_file(sandbox.path("standfast.yaml")).unwrap();
    let none = sandbox.run("plan").code(1);
    sandbox.write("a.yaml", SHOP);
    let one = sandbox.run("check").code(0);
    sandbox.write("b.yaml", SHOP);
    snapshot("which-blueprint", &[none, one, sandbox.run("plan").code(1)]);
}

#[test]
fn from_nothing_to_nothing() {
    let sandbox = Sandbox::new(SHOP);
    let ran = [
        sandbox.run("status").code(0),
        sandbox.run("outputs").code(0),
        sandbox.run("history").code(0),
        sandbox.run("state list").code(0),
        sandbox.run("plan").code(0),
        sandbox.run("plan --details").code(0),
        sandbox.run("apply").code(1),
        sandbox.run("apply --auto-approve --parallelism 1").code(0),
        sandbox.run("apply --auto-approve").code(0),
        sandbox.run("status").code(0),
        sandbox.run("status --format json").code(0),
        sandbox.run("drift").code(0),
        sandbox.run("outputs").code(0),
        sandbox.run("outputs --format json").code(0),
        sandbox.run("outputs --only load_balancers.front.address").code(0),
        sandbox.run("outputs --only load_balancers.front.adress").code(1),
        sandbox.run("history").code(0),
        sandbox.run("history show 1").code(0),
        sandbox.run("history show 7").code(1),
        sandbox.run("show home/databases.orders/database.main").code(0),
        sandbox.run("show home/databases.orders/database.other").code(1),
    ];
    snapshot("from-nothing", &ran);
    let refused = sandbox.run("destroy --auto-approve").code(1);
    sandbox.edit("engine: postgres,", "engine: postgres, deletion_protection: false,");
    let ran = [
        refused,
        sandbox.run("plan").code(0),
        sandbox.run("apply --auto-approve").code(0),
        sandbox.run("plan --destroy").code(0),
        sandbox.run("destroy").code(1),
        sandbox.run("destroy --auto-approve --parallelism 1").code(0),
        sandbox.run("destroy --auto-approve").code(0),
        sandbox.run("outputs").code(0),
        sandbox.run("status").code(0),
    ];
    snapshot("to-nothing", &ran);
    assert!(sandbox.world().is_empty().unwrap());
}

#[test]
fn a_change_in_every_format() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.edit("package: nginx", "package: nginx, version: \"1.27\"");
    sandbox.edit("virtual_ip: 10.0.0.100", "virtual_ip: 10.0.0.101");
    sandbox.edit("databases:", "session_stores: { sessions: { engine: redis, hosts: [db1] } }\ndatabases:");
    for format in ["text", "json", "markdown", "html"] {
        snapshot(&format!("change-{format}"), &[sandbox.run(&format!("plan --format {format}")).code(0)]);
    }
    let ran = sandbox.run("apply --auto-approve --format json").code(0);
    let lines: Vec<serde_json::Value> = ran
        .shown()
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.iter().any(|line| line["event"] == "task_ended"), "{}", ran.shown());
    snapshot("change-applied", &[sandbox.run("history").code(0)]);
    sandbox.assert_settled();
}

#[test]
fn a_blueprint_is_drawn_in_every_language() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit("workload: {", "depends_on: [databases.orders]\n    workload: {");
    for language in ["dot", "mermaid", "svg"] {
        let ran = [
            sandbox.run(&format!("graph --as {language}")).code(0),
            sandbox.run(&format!("graph --as {language} --resources")).code(0),
        ];
        snapshot(&format!("graph-{language}"), &ran);
    }
    snapshot("graph-json", &[sandbox.run("graph --format json").code(0)]);
    // Components are drawn from the blueprint alone: nothing here could build these, and no host is asked.
    let elsewhere = Sandbox::new(
        "standfast: 1\nname: shop\nregions: { away: { provider: aws, location: eu-west-1, zones: 2 } }\n\
         databases: { orders: { engine: postgres } }\n",
    );
    elsewhere.run("graph --resources").code(65);
    elsewhere.run("graph").code(0).prints("databases.orders");
}

#[test]
fn drift_is_named_and_healed_alone() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.meddle(
        r#"{"tamper":{"address":"home/load_balancers.front/balancer.main","attribute":"algorithm","value":"random"}}"#,
    );
    sandbox.meddle(r#"{"destroy":{"address":"home/databases.orders/replica.db2"}}"#);
    let ran = [
        sandbox.run("drift").code(2),
        sandbox.run("plan --detailed-exitcode").code(2),
        sandbox.run("status").code(2),
        sandbox.run("apply --auto-approve --parallelism 1").code(0),
        sandbox.run("drift").code(0),
    ];
    snapshot("drift", &ran);
    sandbox.assert_settled();
}

#[test]
fn schema_and_completions_are_data() {
    let sandbox = Sandbox::new(SHOP);
    let schema = std::fs::read_to_string("blueprints/schema.json").unwrap();
    assert_eq!(sandbox.ok("schema").trim_end(), schema.trim_end());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(sandbox.ok(&format!("completions {shell}")).contains("auto-approve"), "{shell}");
    }
    // Not one word of the program to a reader that hangs up.
    let command = sandbox.command("schema");
    let line = format!("'{}' schema | head -n 1 > /dev/null", command.get_program().to_str().unwrap());
    let output = std::process::Command::new("bash").args(["-o", "pipefail", "-c", &line]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// What did not arrive as a whole was not done.
#[test]
fn data_that_finds_no_room_is_an_error() {
    let sandbox = Sandbox::applied(SHOP);
    for line in ["completions bash", "state pull", "plan"] {
        let mut command = sandbox.command(line);
        command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {told}");
        assert!(told.contains("could not write to standard output: No space left"), "{line}: {told}");
    }
}

/// A slip in `--out` costs nobody a state or a blueprint.
#[test]
fn what_is_there_and_no_plan_or_export_is_not_written_over() {
    let sandbox = Sandbox::applied(SHOP);
    for line in ["plan --out", "state pull --out"] {
        for file in ["standfast.yaml", ".standfast/shop.db"] {
            let before = std::fs::read(sandbox.path(file)).unwrap();
            sandbox.run(&format!("{line} {file}")).code(1).says("it was left as it is");
            assert!(std::fs::read(sandbox.path(file)).unwrap() == before, "{line} {file}");
        }
        for _ in 0..2 {
            sandbox.ok(&format!("{line} saved"));
        }
        std::fs::remove_file(sandbox.path("saved")).unwrap();
    }
}

/// Every command that prints data prints JSON when asked: one object with `format_version`, or one a line.
#[test]
fn every_command_speaks_json() {
    let sandbox = Sandbox::new(SHOP);
    let replica = "home/databases.orders/replica.db2";
    let other = "home/databases.orders/replica.other";
    let lines = [
        "init --provider sim other.yaml".to_owned(),
        "check standfast.yaml".to_owned(),
        "graph standfast.yaml".to_owned(),
        "graph standfast.yaml --resources".to_owned(),
        "plan standfast.yaml --out first.plan".to_owned(),
        "show first.plan".to_owned(),
        "apply first.plan".to_owned(),
        "apply standfast.yaml --auto-approve".to_owned(),
        "status standfast.yaml".to_owned(),
        "drift standfast.yaml".to_owned(),
        "outputs standfast.yaml".to_owned(),
        "history standfast.yaml".to_owned(),
        "history show 1 --blueprint standfast.yaml".to_owned(),
        "history prune --keep 100 --blueprint standfast.yaml".to_owned(),
        "rollback 1 --plan --blueprint standfast.yaml".to_owned(),
        format!("show {replica} --blueprint standfast.yaml"),
        "state list --blueprint standfast.yaml".to_owned(),
        format!("state show {replica} --blueprint standfast.yaml"),
        format!("state mv {replica} {other} --blueprint standfast.yaml"),
        format!("state mv {other} {replica} --blueprint standfast.yaml"),
        format!("state rm {replica} --blueprint standfast.yaml"),
        format!("state import {replica} --blueprint standfast.yaml"),
        "state unlock --blueprint standfast.yaml".to_owned(),
        "state pull --out pulled.json --blueprint standfast.yaml".to_owned(),
        "state push pulled.json --state sqlite:pushed.db --blueprint standfast.yaml".to_owned(),
        "state migrate --blueprint standfast.yaml sqlite:.standfast/shop.db sqlite:moved.db".to_owned(),
        "destroy standfast.yaml --exclude databases.orders --auto-approve".to_owned(),
    ];
    let mut told = std::collections::BTreeSet::new();
    for line in &lines {
        let ran = sandbox.run(&format!("{line} --format json")).code(0);
        let whole: Result<serde_json::Value, _> = serde_json::from_str(&ran.stdout);
        let objects: Vec<serde_json::Value> = match whole {
            Ok(object) => vec![object],
            Err(_) => ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        };
        assert!(!objects.is_empty(), "{}", ran.shown());
        for object in objects {
            assert_eq!(object["format_version"], 1, "{}", ran.shown());
        }
        told.insert(line.split(' ').next().unwrap().to_owned());
    }
    // What is data by itself, or needs root or AWS, is not in the list; every other command is.
    use clap::CommandFactory;
    let not_here = ["schema", "completions", "lab", "import", "help"];
    for command in standfast::cli::Cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(told.contains(name) || not_here.contains(&name), "`{name}` is not tried");
    }
    let applied = Sandbox::applied(SHOP);
    let one = applied.json("outputs --only load_balancers.front.hosts --format json");
    assert_eq!(one, serde_json::json!(["lb1", "lb2"]));
    let refused = sandbox.run("plan none.yaml --format json").code(65);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&refused.stderr).unwrap()["error"]["exit_code"], 65);
}

#[test]
fn what_is_hardly_meant_is_warned_of() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit("hosts: [lb1, lb2]", "hosts: [lb1]");
    let ran = [sandbox.run("check").code(0), sandbox.run("plan").code(0)];
    for ran in &ran {
        assert!(ran.stderr.contains("a virtual IP with a single host"), "{}", ran.shown());
    }
    let json = sandbox.json("check --format json");
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1);
}
