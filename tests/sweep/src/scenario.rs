//! What is killed: one command of each kind, on a stack of more than forty resources.

/// The blueprint that everything begins with.
const SHOP: &str = "\
standfast: 1
name: shop
regions:
  home: { provider: sim, zones: 3, tags: { owner: ops } }
networks:
  main: { cidr: 10.20.0.0/16 }
databases:
  orders: { engine: postgres, version: 15, replicas: 2, storage: 20GiB, deletion_protection: false }
  users: { engine: mariadb, replicas: 2, deletion_protection: false }
session_stores:
  sessions: { engine: redis, deletion_protection: false }
autoscaling_groups:
  web:
    capacity: { min: 2, desired: 6, max: 8 }
    workload: { package: nginx, version: \"1\" }
    instance_type: small
    port: 8080
    health_check: { path: / }
    scaling: [{ metric: cpu, target: 60% }]
    update: { max_unavailable: 2, canary: 1, on_failure: rollback }
  api:
    capacity: { min: 1, desired: 4, max: 4 }
    workload: { package: nginx, version: \"1\" }
    port: 8081
    health_check: { path: / }
    update: { max_unavailable: 1, on_failure: rollback }
load_balancers:
  front:
    algorithm: round_robin
    listeners: [{ port: 80, routes: [{ path: /api/*, to: api }, { to: web }] }]
dns:
  public: { zone: example.net, records: [{ name: www, to: front }, { name: shop, to: front }] }
monitoring:
  notify: { page: { email: ops@example.net } }
";

/// How many resources it has.
pub const RESOURCES: usize = 46;

/// One member that is named in the scenarios of single records.
const ONE: &str = "home/load_balancers.front/target_group.web";

/// A command line, without the program and the place of the state; `@` is the folder.
#[derive(Clone, Debug)]
pub struct Line {
    pub text: String,
    /// The exit codes that are as they should be.
    pub codes: &'static [u8],
}

/// What is done before and after the command that is killed.
#[derive(Clone, Debug)]
pub enum Deed {
    /// The blueprint's file from now on.
    Write(String),
    Run(Line),
    /// Lines of the simulated world's file.
    Meddle(String),
    /// The state's file is lost.
    LoseState,
}

/// One kind of plan or command.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// Done once; every try begins with a copy of what that left.
    pub before: Vec<Deed>,
    /// Done in each of the copies: a saved plan names the folder that it was made in.
    pub each: Vec<Deed>,
    /// What is killed.
    pub line: Line,
    /// What a person does then. At its end the stack is as the blueprint says.
    pub after: Vec<Deed>,
}

fn line(text: &str, codes: &'static [u8]) -> Line {
    Line { text: text.to_owned(), codes }
}

fn run(text: &str) -> Deed {
    Deed::Run(line(text, &[0]))
}

fn write(edits: &[(&str, &str)]) -> Deed {
    let mut text = SHOP.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "`{from}` is not in the blueprint");
        text = text.replace(from, to);
    }
    Deed::Write(text)
}

const APPLY: &str = "apply @/standfast.yaml --auto-approve --parallelism N";
const SAVE: &str = "plan @/standfast.yaml --out @/next.plan";
const SAVED: &str = "apply @/next.plan --auto-approve --parallelism N";
const DESTROY: &str = "destroy @/standfast.yaml --auto-approve --parallelism N";

/// A change of the blueprint that is applied.
fn change(name: &'static str, edits: &[(&str, &str)]) -> Scenario {
    Scenario {
        name,
        before: vec![write(&[]), run(APPLY), write(edits)],
        each: Vec::new(),
        line: line(APPLY, &[0]),
        after: vec![run(APPLY)],
    }
}

/// The same as a saved plan. One that was carried out to its end before the death is refused the second time.
fn saved(scenario: Scenario, name: &'static str) -> Scenario {
    Scenario {
        name,
        each: vec![run(SAVE)],
        line: line(SAVED, &[0]),
        after: vec![Deed::Run(line(SAVED, &[0, 1]))],
        ..scenario
    }
}

/// A repair of records by hand, which may be over when it is tried again; `back` undoes it.
fn repair(name: &'static str, text: &str, back: &str) -> Scenario {
    let mut after = vec![Deed::Run(line(text, &[0, 1]))];
    after.extend((!back.is_empty()).then(|| run(back)));
    Scenario { name, before: vec![write(&[]), run(APPLY)], each: Vec::new(), line: line(text, &[0]), after }
}

const IN_PLACE: &[(&str, &str)] = &[
    ("owner: ops", "owner: shop"),
    ("algorithm: round_robin", "algorithm: least_connections"),
    ("storage: 20GiB", "storage: 30GiB"),
    ("target: 60%", "target: 70%"),
];
const RELEASE: &[(&str, &str)] = &[("version: \"1\"", "version: \"2\"")];

/// Every kind.
pub fn all() -> Vec<Scenario> {
    let create = Scenario {
        name: "create",
        before: vec![write(&[])],
        each: Vec::new(),
        line: line(APPLY, &[0]),
        after: vec![run(APPLY)],
    };
    let destroy = Scenario {
        name: "destroy",
        before: vec![write(&[]), run(APPLY)],
        each: Vec::new(),
        line: line(DESTROY, &[0]),
        // Everything is made again, so that nothing of the old is in the way.
        after: vec![run(DESTROY), run(APPLY)],
    };
    let remove = change(
        "remove components",
        &[
            ("  users: { engine: mariadb, replicas: 2, deletion_protection: false }\n", ""),
            ("session_stores:\n  sessions: { engine: redis, deletion_protection: false }\n", ""),
            (
                "dns:\n  public: { zone: example.net, records: [{ name: www, to: front }, { name: shop, to: front }] }\n",
                "",
            ),
        ],
    );
    // The network and all that stands in it: old ones go first.
    let replace = change("replace", &[("cidr: 10.20.0.0/16", "cidr: 10.30.0.0/16")]);
    // Templates, target groups and parameter groups: new ones come first, and members roll onto them.
    let before_destroy = change(
        "replace, made before destroyed",
        &[
            ("instance_type: small", "instance_type: large"),
            ("port: 8081", "port: 8082"),
            ("version: 15", "version: 16"),
        ],
    );
    let undone = Scenario {
        name: "rolling update that is rolled back",
        before: vec![
            write(&[]),
            run(APPLY),
            Deed::Meddle(
                r#"{"fault":{"address":"home/autoscaling_groups.web/member.web-3","verb":"health","kind":"refused","when":{"release":"nginx=2"},"forever":true,"reason":"GET / answered 500"}}"#
                    .to_owned(),
            ),
            write(RELEASE),
        ],
        each: Vec::new(),
        line: line(APPLY, &[1]),
        after: vec![Deed::Run(line(APPLY, &[1])), write(&[]), run(APPLY)],
    };
    let mut scenarios = vec![
        create.clone(),
        change("update", IN_PLACE),
        replace,
        before_destroy,
        remove,
        destroy,
        change("rolling update", RELEASE),
        undone,
        saved(create, "saved plan, create"),
        saved(change("", RELEASE), "saved plan, rolling update"),
        repair(
            "state mv",
            &format!("state mv {ONE} {ONE}-moved --blueprint @/standfast.yaml"),
            &format!("state mv {ONE}-moved {ONE} --blueprint @/standfast.yaml"),
        ),
        repair(
            "state rm",
            &format!("state rm {ONE} --blueprint @/standfast.yaml"),
            &format!("state import {ONE} --blueprint @/standfast.yaml"),
        ),
    ];
    let rm = run(&format!("state rm {ONE} --blueprint @/standfast.yaml"));
    let mut import = repair("state import", &format!("state import {ONE} --blueprint @/standfast.yaml"), "");
    import.before.push(rm);
    let mut rebuild = repair("state rebuild", "state rebuild --blueprint @/standfast.yaml", APPLY);
    rebuild.before.push(Deed::LoseState);
    scenarios.extend([import, rebuild]);
    scenarios
}
