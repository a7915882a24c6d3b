//! What a check takes in and gives out. What it says of mistakes is in `blueprints/broken`.

use std::{path::Path, time::Duration};

use standfast_contract::{
    Component, ComponentId, OutputRef, Problem, SecretSource, Section, Value,
    component::{AutoscalingGroup, Baseline, FileContent, WorkloadSource},
};

use super::{Blueprint, Diagnostic, Options, Problems, Severity, pipeline};

mod rules;

const HEAD: &str = "\
standfast: 1
name: shop
regions:
  home:
    provider: ssh
    zones:
      a: { hosts: { lb1: 10.0.0.11, web1: 10.0.0.21, db1: 10.0.0.31 } }
      b: { hosts: { lb2: 10.0.0.12, web2: 10.0.0.22, db2: 10.0.0.32 } }
";

const WEB: &str = "\
autoscaling_groups:
  web:
    hosts: [web1, web2]
    capacity: { min: 1, max: 2 }
    workload: { package: nginx }
    port: 80
";

fn run(text: &str, options: &Options) -> Result<Blueprint, Problems> {
    let environment = |name: &str| match name {
        "STANDFAST_VAR_from_environment" => Some("environment".to_owned()),
        _ => None,
    };
    pipeline::check(text, Path::new("/blueprints/shop.yaml"), options, &environment)
}

fn good(text: &str) -> Blueprint {
    good_with(text, &Options::default())
}

fn good_with(text: &str, options: &Options) -> Blueprint {
    match run(text, options) {
        Ok(blueprint) => blueprint,
        Err(problems) => panic!("{problems}: {:#?}", problems.diagnostics),
    }
}

/// The messages, each with its line and what is underlined.
fn bad_with(text: &str, options: &Options) -> Vec<String> {
    let problems = run(text, options).unwrap_err();
    problems
        .diagnostics
        .iter()
        .map(|one| format!("{}: {} [{}]", one.line, one.message, &text[one.span.clone()]))
        .collect()
}

fn bad(text: &str) -> Vec<String> {
    bad_with(text, &Options::default())
}

fn group<'a>(blueprint: &'a Blueprint, name: &str) -> &'a AutoscalingGroup {
    match blueprint.component(&ComponentId::new(Section::AutoscalingGroups, name)) {
        Some(Component::AutoscalingGroup(group)) => group,
        other => panic!("{other:?}"),
    }
}

fn baseline(blueprint: &Blueprint) -> &Baseline {
    blueprint
        .components
        .iter()
        .find_map(|one| match one {
            Component::Baseline(baseline) => Some(baseline),
            _ => None,
        })
        .unwrap()
}

#[test]
fn defaults_come_from_the_table() {
    let blueprint = good(&format!("{HEAD}{WEB}"));
    let web = group(&blueprint, "web");
    assert_eq!((web.capacity.min, web.capacity.desired, web.capacity.max), (1, 1, 2));
    assert_eq!(web.common.region, "home");
    assert_eq!(web.health_check.interval, Duration::from_secs(2));
    assert_eq!((web.update.max_unavailable, web.update.canary), (1, 1));
    assert_eq!(
        web.workload.source,
        WorkloadSource::Package { package: "nginx".into(), version: None, service: "nginx".into() }
    );
    assert_eq!(blueprint.environment, "default");
}

#[test]
fn scalars_keep_their_source_text() {
    let blueprint = good(&format!(
        "{HEAD}baselines:\n  base:\n    files:\n      - {{ to: /a, content: 0755, mode: 0640 }}\n    sysctl: {{ net.a: 1, net.b: 007, net.c: 1.50 }}\n    tags: {{ on: true, n: 010 }}\n"
    ));
    let base = baseline(&blueprint);
    assert_eq!(base.hosts, ["lb1", "web1", "db1", "lb2", "web2", "db2"]);
    assert_eq!(base.files[0].mode, "0640");
    assert_eq!(base.files[0].content, FileContent::Inline(Value::text("0755")));
    let sysctl: Vec<_> = base.sysctl.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(sysctl, [Value::Int(1), Value::text("007"), Value::Float(1.5)]);
    assert_eq!(base.common.tags["on"], Value::text("true"));
    assert_eq!(base.common.tags["n"], Value::text("010"));
}

#[test]
fn references_become_values_that_are_known_later() {
    let blueprint = good(&format!(
        "{HEAD}{WEB}load_balancers:\n  front:\n    hosts: [lb1, lb2]\n    listeners: [{{ port: 80, to: web }}]\nsecrets:\n  key: {{ generate: {{ length: 20 }} }}\nvariables:\n  colour: {{ default: blue }}\nbaselines:\n  base:\n    files:\n      - to: /conf\n        content: \"${{var.colour}} ${{load_balancers.front.address}} ${{secrets.key}} $${{x}}\"\n      - to: /key\n        content: ${{secrets.key}}\n      - to: /colour\n        content: ${{variables.colour}}\n"
    ));
    let files = &baseline(&blueprint).files;
    let address = OutputRef::component(ComponentId::new(Section::LoadBalancers, "front"), "address");
    let key = Value::Secret(SecretSource::Generate { name: "key".into(), length: 20 });
    assert_eq!(
        files[0].content,
        FileContent::Inline(Value::Join(vec![
            Value::text("blue "),
            address,
            Value::text(" "),
            key.clone(),
            Value::text(" ${x}")
        ]))
    );
    assert_eq!(files[1].content, FileContent::Inline(key));
    assert_eq!(files[2].content, FileContent::Inline(Value::text("blue")));
    assert_eq!(blueprint.variables["colour"], Value::text("blue"));
}

#[test]
fn a_variable_alone_keeps_its_type() {
    let text = format!(
        "{HEAD}variables:\n  port: {{ default: 8080 }}\n  pool: {{ default: [web1, web2] }}\n  name: {{ default: ngi }}\n{}",
        WEB.replace("[web1, web2]", "${variables.pool}")
            .replace("port: 80", "port: ${variables.port}")
            .replace("nginx", "\"${variables.name}nx\"")
    );
    let web = group(&good(&text), "web").clone();
    assert_eq!((web.port, web.hosts.len()), (8080, 2));
    let given = |name: &str, value: &str| Options {
        variables: vec![(name.into(), value.into())],
        ..Options::default()
    };
    assert_eq!(group(&good_with(&text, &given("port", "81")), "web").port, 81);
    assert_eq!(group(&good_with(&text, &given("pool", "web2, db1")), "web").hosts, ["web2", "db1"]);
    let told = bad_with(&text, &given("port", "http"));
    assert!(told[0].contains("`--var` gives variable `port` the value `http`"), "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_variable_that_is_a_text_by_default_stays_one() {
    let text = format!(
        "{HEAD}variables: {{ a: {{ default: \"80\" }}, b: {{ default: blue }}, c: {{ type: text, default: 1 }}, d: {{ default: 1 }} }}\n"
    );
    let variables = ["a", "b", "d"].map(|name| (name.to_owned(), "7".to_owned())).to_vec();
    let blueprint = good_with(&text, &Options { variables, ..Options::default() });
    let values: Vec<_> = blueprint.variables.values().cloned().collect();
    assert_eq!(values, [Value::text("7"), Value::text("7"), Value::text("1"), Value::Int(7)]);
}

#[test]
fn variables_are_taken_from_the_nearest_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vars.yaml");
    std::fs::write(&file, "from_file: file\nfrom_option: file\nfrom_environment: file\n").unwrap();
    let text = format!(
        "{HEAD}variables:\n  from_default: {{ default: default }}\n  from_environment: {{ default: default }}\n  from_file: {{ required: true }}\n  from_option: {{}}\n"
    );
    let files = Options {
        variable_files: vec![file],
        variables: vec![("from_option".into(), "option".into())],
        ..Options::default()
    };
    let shown = |blueprint: &Blueprint| {
        blueprint.variables.values().map(|value| value.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&good_with(&text, &files)), ["default", "file", "file", "option"]);
    let without_file = Options { variable_files: Vec::new(), ..files };
    let told = bad_with(&text, &without_file);
    assert_eq!(told, ["12: variable `from_file` has no value [from_file]"]);
}

#[test]
fn a_variable_that_is_not_declared_is_told_with_the_one_that_was_meant() {
    let options = Options { variables: vec![("relase".into(), "1".into())], ..Options::default() };
    let problems =
        run(&format!("{HEAD}variables: {{ release: {{ default: \"1\" }} }}\n"), &options).unwrap_err();
    assert_eq!(problems.diagnostics[0].help.as_deref(), Some("did you mean `release`?"));
    assert_eq!(problems.diagnostics[0].line, 0);
}

#[test]
fn an_environment_is_laid_over_and_keeps_its_places() {
    let text = format!(
        "{HEAD}{WEB}environments:\n  staging:\n    autoscaling_groups: {{ web: {{ capacity: {{ min: 2 }} }} }}\n  broken:\n    autoscaling_groups: {{ web: {{ capacity: {{ max: 9 }} }} }}\n"
    );
    let staging = Options { environment: Some("staging".into()), ..Options::default() };
    let blueprint = good_with(&text, &staging);
    assert_eq!((group(&blueprint, "web").capacity.min, blueprint.environment.as_str()), (2, "staging"));
    assert_eq!(group(&good(&text), "web").capacity.min, 1);
    let broken = Options { environment: Some("broken".into()), ..Options::default() };
    assert_eq!(bad_with(&text, &broken), ["19: `max` is 9, and the group has only 2 hosts [9]"]);
    let unknown = Options { environment: Some("stagin".into()), ..Options::default() };
    let problems = run(&text, &unknown).unwrap_err();
    assert_eq!(problems.diagnostics[0].help.as_deref(), Some("did you mean `staging`?"));
}

#[test]
fn an_environment_that_is_not_chosen_is_checked_too() {
    let text =
        format!("{HEAD}{WEB}environments:\n  staging: {{ autoscaling_groups: {{ web: {{ prot: 81 }} }} }}\n");
    assert_eq!(bad(&text), ["16: unknown key `prot` [prot]"]);
}

#[test]
fn defaults_lie_below_every_component() {
    let text = format!(
        "{HEAD}defaults:\n  autoscaling_groups:\n    port: 8080\n    health_check: {{ path: /healthz, interval: 5s }}\n    tags: {{ team: shop }}\n{}    health_check: {{ interval: 3s }}\n",
        WEB.replace("    port: 80\n", "")
    );
    let web = group(&good(&text), "web").clone();
    assert_eq!((web.port, web.health_check.path.as_deref()), (8080, Some("/healthz")));
    assert_eq!(web.health_check.interval, Duration::from_secs(3));
    assert_eq!(web.common.tags["team"], Value::text("shop"));
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let text = format!(
        "{HEAD}{}  api:\n    <<: *web\n    port: 81\n    health_check: *check\n",
        WEB.replace("  web:\n", "  web: &web\n") + "    health_check: &check { path: /ok }\n"
    );
    let blueprint = good(&text);
    let (web, api) = (group(&blueprint, "web"), group(&blueprint, "api"));
    assert_eq!((web.port, api.port), (80, 81));
    assert_eq!(api.hosts, web.hosts);
    assert_eq!(api.health_check.path.as_deref(), Some("/ok"));
}

#[test]
fn a_provider_that_makes_machines_names_no_hosts() {
    let cloud =
        "standfast: 1\nname: shop\nregions: { cloud: { provider: aws, location: eu-west-1, zones: 3 } }\n";
    let text = format!("{cloud}{}", WEB.replace("    hosts: [web1, web2]\n", ""));
    let blueprint = good(&text);
    let zones: Vec<_> = blueprint.regions[0].zones.iter().map(|zone| zone.name.as_str()).collect();
    assert_eq!(zones, ["a", "b", "c"]);
    assert!(group(&blueprint, "web").hosts.is_empty());
    assert_eq!(bad(&format!("{cloud}{WEB}")), ["6: region `cloud` has no hosts to name [hosts]"]);
}

#[test]
fn a_later_problem_is_shown_at_its_place() {
    let text = format!(
        "{HEAD}{WEB}load_balancers:\n  front:\n    hosts: [lb1, lb2]\n    listeners:\n      - {{ port: 80, to: web }}\n      - {{ port: 443, redirect: https }}\n"
    );
    let blueprint = good(&text);
    let at = |key: &str| {
        let component = ComponentId::new(Section::LoadBalancers, "front");
        let problem = Problem {
            component,
            key: key.into(),
            message: "unsupported".into(),
            hint: Some("do not".into()),
            unanswered: false,
        };
        let problems = blueprint.problems(&[problem]);
        let one = &problems.diagnostics[0];
        assert_eq!(one.help.as_deref(), Some("do not"));
        format!("{}:{} {}", one.line, one.column, &text[one.span.clone()])
    };
    assert_eq!(at("listeners[1].port"), "20:17 443");
    assert_eq!(at("listeners[1].certificate"), "20:9 { port: 443, redirect: https }");
    assert_eq!(at("stickiness.cookie"), "16:3 front");
    assert_eq!(at("hosts"), "17:5 hosts");
    assert_eq!(at(""), "16:3 front");
}

#[test]
fn warnings_do_not_refuse() {
    let text = format!("{HEAD}{WEB}    health_check: {{ interval: 1s, timeout: 1s }}\n");
    let blueprint = good(&text);
    assert_eq!(blueprint.warnings.len(), 1);
    assert_eq!(blueprint.warnings[0].severity, Severity::Warning);
    assert_eq!(blueprint.warnings[0].line, 15);
}

#[test]
fn rules_of_load_balancers() {
    let front = |rest: &str| {
        let mut told = bad(&format!("{HEAD}{WEB}load_balancers:\n  front:\n    hosts: [lb1, lb2]\n{rest}"));
        told.iter_mut().for_each(|one| *one = one.split_once(": ").unwrap().1.to_owned());
        told
    };
    assert_eq!(front("    listeners: []\n"), ["a load balancer needs a listener [[]]"]);
    assert_eq!(front("    listeners: [{ port: 80, routes: [] }]\n"), ["a listener without a route [[]]"]);
    assert_eq!(
        front("    listeners: [{ port: 80, to: web }, { port: 80, to: web }]\n"),
        ["two listeners have port 80 [80]"]
    );
    assert_eq!(
        front("    layer: 5\n    listeners: [{ port: 80, to: web }]\n"),
        ["a load balancer cannot work at layer 5 [5]"]
    );
    assert_eq!(
        front("    layer: 4\n    listeners: [{ port: 80, certificate: \"arn:aws:acm:x\", to: web }]\n"),
        ["a certificate needs layer 7 [certificate]"]
    );
    let named =
        |names: &str| front(&format!("    listeners: [{{ port: 443, certificate: {names}, to: web }}]\n"));
    assert_eq!(
        named("{ domain: shop }"),
        ["`shop` is no name of a certificate: it is of no domain that anybody can own [shop]"]
    );
    assert_eq!(
        named("{ domain: \"a.*.net\" }"),
        ["`a.*.net` is no name of a certificate: `*` can only be the whole first label [\"a.*.net\"]"]
    );
    assert_eq!(
        named("{ domain: example.net, also: [Example.net.] }"),
        ["`example.net` is named twice [[Example.net.]]"]
    );
    assert_eq!(
        front("    layer: 4\n    listeners: [{ port: 80, routes: [{ to: web }, { to: web }] }]\n")
            .last()
            .unwrap(),
        "a listener of layer 4 sends everything to one group [{ to: web }]"
    );
    assert_eq!(
        front("    listeners: [{ port: 80, routes: [{ path: api, to: web }] }]\n"),
        ["`api` is no path of a route [api]"]
    );
    let both = front("    listeners: [{ port: 80, redirect: https, to: web }]\n");
    assert!(both.contains(&"`redirect` and `to` exclude each other [to]".to_owned()), "{both:?}");
}

#[test]
fn local_files_must_be_there_and_are_absolute() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.conf"), "x").unwrap();
    let text = format!(
        "{HEAD}baselines:\n  base:\n    files:\n      - {{ to: /a, from: ./site.conf }}\n      - {{ to: /b, from: gone }}\n"
    );
    let path = folder.path().join("shop.yaml");
    let problems = super::check(&text, &path, &Options::default()).unwrap_err();
    assert_eq!(problems.diagnostics.len(), 1);
    assert_eq!(problems.diagnostics[0].message, "there is no file or folder `gone`");
    let text = text.replace("gone", "site.conf");
    let blueprint = super::check(&text, &path, &Options::default()).unwrap();
    let wanted = folder.path().join("site.conf").display().to_string();
    assert!(baseline(&blueprint).files.iter().all(|file| file.content == FileContent::From(wanted.clone())));
}

/// Every section that a blueprint can have, also those that no provider makes yet.
#[test]
fn every_section_is_understood() {
    let text = r#"
standfast: 1
name: shop
variables:
  release: { default: "1.4.2" }
secrets:
  db_password: { env: SHOP_DB_PASSWORD }
  sudo: { command: "pass show sudo" }
  cloud: { aws_secrets_manager: shop/x }
objectives:
  availability: 99.95%
  rpo: 5m
  host: { rto: 10s, rpo: 0s }
  region: { rto: 15m }
regions:
  home:
    provider: ssh
    ssh: { user: deploy, become: sudo, become_password: "${secrets.sudo}", known_hosts: ./known_hosts, jump_host: bastion.example.net }
    zones:
      rack-a: { hosts: { lb1: 10.77.0.11, web1: 10.77.0.21, db1: { address: db1.example.net, port: 2222 } } }
      rack-b: { hosts: { lb2: 10.77.0.12, web2: 10.77.0.22, db2: 10.77.0.32 } }
      rack-c: { hosts: { web3: 10.77.0.23, db3: 10.77.0.33, ops1: 10.77.0.41 } }
  refuge: { provider: aws, location: eu-west-1, zones: [eu-west-1a, eu-west-1b], network: 10.20.0.0/16, account: "123456789012" }
  toy: { provider: sim, sim: { seed: 7, latency: 20ms, faults: 2%, lost_answers: 1% }, zones: 2 }
networks:
  main: { region: refuge, nat: single }
load_balancers:
  front:
    region: home
    layer: 7
    hosts: [lb1, lb2]
    virtual_ip: 10.77.0.100
    algorithm: least_connections
    listeners:
      - { port: 80, redirect: https }
      - { port: 443, certificate: "arn:aws:acm:x", routes: [{ path: /api/*, to: api }, { to: web }] }
    stickiness: { cookie: SRV, ttl: 1h }
    drain_timeout: 30s
autoscaling_groups:
  web:
    region: home
    hosts: [web1, web2, web3]
    capacity: { min: 2, desired: 3, max: 3 }
    workload: { package: nginx, version: "${variables.release}" }
    port: 80
    health_check: { path: /healthz, interval: 2s, timeout: 1s, healthy: 2, unhealthy: 3 }
    scaling: [{ metric: cpu, target: 60% }, { metric: requests, target: 200 }]
    update: { strategy: rolling, max_unavailable: 40%, canary: 1, on_failure: rollback }
    lifecycle: { prevent_destroy: true, ignore_changes: [mode] }
    deletion_protection: false
    depends_on: [databases.orders]
  api:
    region: home
    hosts: [web1]
    capacity: { min: 1, max: 1 }
    workload: { container: "registry.example.net/api:1", command: [serve], environment: { DB: "${databases.orders.writer}" } }
    port: 8080
databases:
  orders:
    region: home
    engine: postgres
    version: 15
    topology: primary_replica
    hosts: [db1, db2, db3]
    replication: synchronous
    failover: automatic
    read_write_split: true
    password: ${secrets.db_password}
    storage: 20GiB
    backup: { every: 1d, keep: 14d, point_in_time: true, to: ./backups, verify: weekly }
    parameters: { max_connections: 200, nested: { list: [1, two] } }
session_stores:
  sessions: { region: home, engine: redis, hosts: [db1, db2, db3] }
dns:
  public: { region: refuge, zone: example.net, records: [{ name: www, to: front, routing: latency, ttl: 30s }] }
monitoring: { region: home, hosts: [ops1], notify: { page: { webhook: "https://pager.example.net/x" }, mail: { email: ops@example.net } }, retention: 30d }
disaster_recovery: { from: home, into: refuge, strategy: warm_standby }
baselines:
  hardening:
    region: home
    hosts: all
    packages: [chrony]
    directories: [{ path: /srv/shop, owner: shop, mode: 0750 }]
    users: { shop: { system: true, shell: /usr/sbin/nologin } }
    sysctl: { vm.swappiness: 10 }
    units: { backup.timer: { content: "[Timer]" } }
    services: { chrony: {}, exim4: { enabled: false, running: false } }
    firewall: { allow: [{ ports: [80, 443] }, { protocol: vrrp, from: [10.77.0.0/24] }] }
moved: [{ from: autoscaling_groups.www, to: autoscaling_groups.web }]
removed: [load_balancers.old, home/databases.gone]
environments:
  staging: { autoscaling_groups: { web: { capacity: { min: 1, desired: 1, max: 2 }, hosts: [web1, web2] } } }
"#;
    let blueprint = good(text);
    let ids: Vec<_> = blueprint.components.iter().map(|one| one.id().to_string()).collect();
    assert_eq!(
        ids,
        [
            "networks.main",
            "baselines.hardening",
            "load_balancers.front",
            "autoscaling_groups.web",
            "autoscaling_groups.api",
            "databases.orders",
            "session_stores.sessions",
            "dns.public",
            "monitoring.main",
            "disaster_recovery.main",
        ]
    );
    assert_eq!(group(&blueprint, "web").update.max_unavailable, 1);
    assert_eq!(blueprint.objectives.region.rpo, Some(Duration::from_secs(300)));
    assert_eq!(blueprint.region("toy").unwrap().sim.fault_rate, 0.02);
    assert_eq!(blueprint.warnings, []);
    let staging = Options { environment: Some("staging".into()), ..Options::default() };
    assert_eq!(group(&good_with(text, &staging), "web").hosts, ["web1", "web2"]);
}

#[test]
fn rules_of_alarms() {
    let said = |alarm: &str| {
        let text = format!(
            "{HEAD}{WEB}databases:\n  orders: {{ hosts: [db1, db2], engine: postgres }}\nmonitoring:\n  hosts: [lb1]\n  notify: {{ page: {{ email: a@b.c }} }}\n  alarms:\n    one: {alarm}\n"
        );
        match run(&text, &Options::default()) {
            Ok(blueprint) => blueprint
                .components
                .iter()
                .find_map(|one| match one {
                    Component::Monitoring(it) => it.alarms.first(),
                    _ => None,
                })
                .map(|alarm| format!("{:?} {:?}", alarm.bound.map(|bound| bound.to_string()), alarm.notify))
                .unwrap(),
            Err(problems) => {
                problems.diagnostics.into_iter().map(|one| one.message).collect::<Vec<_>>().join("; ")
            }
        }
    };
    let cases = [
        ("{ of: databases.orders, metric: cpu, above: 80% }", "Some(\"above 80%\") [\"page\"]"),
        ("{ of: databases.orders, metric: free_storage, below: 10GiB }", "Some(\"below 10GiB\") [\"page\"]"),
        ("{ of: databases.orders, metric: connections, above: 400, notify: [] }", "Some(\"above 400\") []"),
        ("{ of: databases.orders, metric: replica_lag, enabled: false }", "None [\"page\"]"),
        ("{ of: databases.orders, metric: cpu }", "an alarm needs `above` or `below`"),
        (
            "{ of: databases.orders, metric: cpu, above: 1%, below: 2% }",
            "`above` and `below` exclude each other",
        ),
        ("{ of: databases.orders, metric: cpu, above: 80 }", "`80` is no amount of `cpu`"),
        ("{ of: databases.orders, metric: replica_lag, above: 5% }", "`5%` is no amount of `replica_lag`"),
        (
            "{ of: databases.orders, metric: latency, above: 1s }",
            "`latency` is not measured of `databases.orders`",
        ),
        ("{ of: monitoring.main, metric: cpu, above: 80% }", "nothing is measured of `monitoring.main`"),
        ("{ of: databases.order, metric: cpu, above: 80% }", "no component `databases.order`"),
        ("{ of: orders, metric: cpu, above: 80% }", "`orders` names no component"),
        ("{ of: databases.orders, metric: cpu, above: 80%, for: 0s }", "`for` cannot be zero"),
        ("{ of: databases.orders, metric: cpu, above: 80%, notify: [pager] }", "no receiver `pager`"),
    ];
    for (alarm, message) in cases {
        assert_eq!(said(alarm), message, "{alarm}");
    }
}

#[test]
fn a_list_that_is_needed_is_said_when_it_is_left_blank() {
    let text = format!("{HEAD}{WEB}load_balancers:\n  front:\n    hosts: [lb1, lb2]\n    listeners:\n");
    assert_eq!(
        bad_with(&text, &Options::default()).join("; ").matches("`listeners` has no value").count(),
        1
    );
}

#[test]
fn a_log_goes_to_a_bucket() {
    let front = |logs: &str| {
        run(
            &format!(
                "{HEAD}{WEB}load_balancers:\n  front: {{ hosts: [lb1, lb2], listeners: [{{ port: 80, to: web }}], access_logs: {logs} }}\n"
            ),
            &Options::default(),
        )
    };
    for (written, bucket, prefix) in [("s3://shop-logs", "shop-logs", ""), ("s3://a.b/c/d/", "a.b", "c/d")] {
        let blueprint = front(written).unwrap();
        let Some(Component::LoadBalancer(it)) =
            blueprint.component(&ComponentId::new(Section::LoadBalancers, "front"))
        else {
            panic!("no load balancer")
        };
        let logs = it.access_logs.as_ref().unwrap();
        assert_eq!((logs.bucket.as_str(), logs.prefix.as_str()), (bucket, prefix));
    }
    for written in ["./logs", "s3://", "s3://Shop", "s3://shop-logs//a", "s3://shop-logs/AWSLogs"] {
        let problems = front(written).unwrap_err();
        let message = &problems.diagnostics[0].message;
        assert_eq!(*message, format!("`{written}` is no place for access logs"));
    }
}

#[test]
fn what_a_health_check_says_itself_is_told_from_defaults() {
    let text = format!("{HEAD}{WEB}    health_check: {{ path: /, interval: 5s, unhealthy: 4 }}\n");
    assert_eq!(group(&good(&text), "web").health_check.stated, ["interval", "unhealthy"]);
}

const DATABASE: &str = "\
standfast: 1
name: shop
regions: { home: { provider: aws, location: eu-west-1, zones: 2 } }
networks: { main: {} }
databases:
  orders: { engine: postgres, version: 16, backup: { window: \"B\" }, maintenance_window: \"M\" }
";

#[test]
fn windows_are_half_an_hour_at_least_and_apart() {
    let with = |backup: &str, maintenance: &str| {
        DATABASE.replace("\"B\"", &format!("\"{backup}\"")).replace("\"M\"", &format!("\"{maintenance}\""))
    };
    let blueprint = good(&with("23:45-00:15", "Sun:03:00-Sun:04:00"));
    let database = blueprint.components.iter().find_map(|component| match component {
        Component::Database(it) => Some(it),
        _ => None,
    });
    let database = database.unwrap();
    assert_eq!(database.maintenance_window.as_deref(), Some("sun:03:00-sun:04:00"));
    assert_eq!(database.backup.as_ref().unwrap().window.as_deref(), Some("23:45-00:15"));
    for (backup, maintenance) in [
        ("02:00-03:00", "sun:03:00-sun:04:00"),
        ("02:00-03:00", "sun:23:30-mon:02:00"),
        ("23:30-00:30", "tue:00:30-tue:01:00"),
    ] {
        good(&with(backup, maintenance));
    }

    let said = |backup: &str, maintenance: &str| {
        bad_with(&with(backup, maintenance), &Options::default()).join("; ")
    };
    let meets = "maintenance would fall into the backup";
    for (backup, maintenance, told) in [
        ("02:00-03:00", "sun:02:30-sun:03:30", meets),
        ("02:00-03:00", "sun:01:00-sun:02:30", meets),
        ("23:30-00:30", "tue:00:00-tue:00:30", meets),
        ("02:00-03:00", "sun:23:00-mon:02:30", meets),
        ("02:00-03:00", "sat:22:00-sun:22:00", meets),
        ("02:00-02:20", "sun:03:00-sun:04:00", "it is 20 minutes long"),
        ("02:00-02:00", "sun:03:00-sun:04:00", "it is 0 minutes long"),
        ("2:00-3:00", "sun:03:00-sun:04:00", "it names no two times"),
        ("24:00-01:00", "sun:03:00-sun:04:00", "it names no two times"),
        ("02:00-03:00", "sun:03:00-tue:04:00", "and must be from 30 minutes to a day"),
        ("02:00-03:00", "sunday 3am", "it names no two times"),
        ("02:00-03:00", "03:00-04:00", "it names no two times"),
    ] {
        let text = said(backup, maintenance);
        assert!(text.contains(told), "{backup} {maintenance}: {text}");
    }
    let often = with("02:00-03:00", "sun:03:00-sun:04:00").replace("backup: {", "backup: { every: 6h,");
    let text = bad_with(&often, &Options::default()).join("; ");
    assert!(text.contains("a window of the day is for backups that are made once a day"), "{text}");
}

#[test]
fn a_name_is_checked_only_where_another_can_answer() {
    let text = DATABASE.split("databases:").next().unwrap().to_owned()
        + "load_balancers: { front: { listeners: [{ port: 80, redirect: https }] } }\n"
        + "dns: { names: { zone: example.net, records: [{ name: www, to: front, health_check: { path: healthz } }] } }\n";
    let told = bad_with(&text, &Options::default()).join("; ");
    assert!(told.contains("a simple record answers always, healthy or not"), "{told}");
    assert!(told.contains("`healthz` is no path"), "{told}");
    let encoded = text.replace("path: healthz", "path: /gr%C3%BC%C3%9Fe");
    assert!(!bad_with(&encoded, &Options::default()).join("; ").contains("is no path"));
    let plain = text.replace("path: healthz", "path: /grüße");
    assert!(bad_with(&plain, &Options::default()).join("; ").contains("`/grüße` is no path"));
}
