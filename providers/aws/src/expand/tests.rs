//! Expansions as snapshots, and the problems of what cannot be built.

use std::{fmt::Write, time::Duration};

use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, ComponentId, ExpandRequest, Expansion, Map, OnFailure, OutputRef, Problem, Region,
    SecretSource, Section, Stack, Value,
    component::{
        AccessLogs, Algorithm, AutoscalingGroup, Baseline, Capacity, Certificate, Common, HealthCheck,
        Listener, LoadBalancer, Nat, Network, Route, ScalingMetric, ScalingRule, ScheduledCapacity, SimWorld,
        Spot, SshAccess, Stickiness, UpdatePolicy, Workload, WorkloadSource, Zone,
    },
};

use super::{ask, expand};
use crate::look_up::{IMAGE, VPC, ZONES};

pub(super) fn region() -> Region {
    let zone = |name: &str| Zone { name: name.into(), hosts: vec![] };
    Region {
        name: "refuge".into(),
        provider: "aws".into(),
        location: Some("eu-west-1".into()),
        zones: vec![zone("a"), zone("b"), zone("c")],
        ssh: SshAccess::default(),
        network: None,
        account: None,
        assume_role: None,
        sim: SimWorld::default(),
        tags: Map::new(),
    }
}

pub(super) fn common(name: &str) -> Common {
    Common { name: name.into(), region: "refuge".into(), ..Common::default() }
}

fn network(nat: Nat) -> Network {
    Network { common: common("main"), cidr: "10.20.0.0/16".parse().ok(), nat, existing: None }
}

pub(super) fn expanded(
    region: &Region,
    components: &[Component],
    which: usize,
    answers: &Answers,
) -> Result<Expansion, Vec<Problem>> {
    let stack = Stack { name: "shop".into(), environment: "default".into() };
    let regions = std::slice::from_ref(region);
    expand(
        &ExpandRequest { stack: &stack, region, component: &components[which], components, regions },
        answers,
    )
}

/// Every resource in one line, references by the last part of the address.
pub(super) fn shown(expansion: &Expansion) -> String {
    let mut text = String::new();
    let short = |text: String| text.replace("refuge/networks.main/", "").replace("refuge/", "");
    for resource in &expansion.resources {
        let inputs: Vec<String> = resource
            .inputs
            .iter()
            .map(|(key, value)| format!("{key}: {}", short(value.to_string())))
            .collect();
        let address = short(resource.address.to_string());
        let after: Vec<String> = resource.after.iter().map(|after| short(after.to_string())).collect();
        let after = if after.is_empty() { String::new() } else { format!(" (after {})", after.join(", ")) };
        writeln!(text, "{address} [{}]{after}\n    {}", resource.lane, inputs.join("\n    ")).unwrap();
    }
    for (name, value) in &expansion.outputs {
        writeln!(text, "-> {name} = {}", short(value.to_string())).unwrap();
    }
    text
}

pub(super) fn problems(result: Result<Expansion, Vec<Problem>>) -> String {
    let lines = result.unwrap_err().into_iter().map(|problem| {
        let hint = problem.hint.map(|hint| format!(" | {hint}")).unwrap_or_default();
        format!("{}: {}{hint}", problem.key, problem.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_network_has_three_tiers_in_every_zone_and_a_way_out_of_each() {
    let expansion = expanded(&region(), &[Component::Network(network(Nat::PerZone))], 0, &Answers::default());
    assert_snapshot!(shown(&expansion.unwrap()));
}

#[test]
fn another_number_of_nat_gateways_changes_routes_only() {
    let with = |nat| {
        expanded(&region(), &[Component::Network(network(nat))], 0, &Answers::default()).unwrap().resources
    };
    let (per_zone, single, none) = (with(Nat::PerZone), with(Nat::Single), with(Nat::None));
    for (fewer, count) in [(&single, 1), (&none, 0)] {
        let nats = fewer.iter().filter(|one| one.kind == "nat_gateway").count();
        assert_eq!(nats, count);
        for resource in fewer {
            let before = per_zone.iter().find(|one| one.address == resource.address).unwrap();
            let differs = |key: &String| before.inputs.get(key) != resource.inputs.get(key);
            let keys = before.inputs.keys().filter(|key| differs(key));
            assert!(keys.clone().all(|key| key == "routes"), "{}", resource.address);
        }
    }
}

#[test]
fn a_zone_more_moves_no_subnet() {
    let mut larger = region();
    larger.zones.push(Zone { name: "d".into(), hosts: vec![] });
    let components = [Component::Network(network(Nat::None))];
    let before = expanded(&region(), &components, 0, &Answers::default()).unwrap().resources;
    let after = expanded(&larger, &components, 0, &Answers::default()).unwrap().resources;
    for subnet in before.iter().filter(|one| one.kind == "subnet") {
        assert!(after.contains(subnet), "{}", subnet.address);
    }
}

#[test]
fn subnets_are_apart_and_within_whatever_the_size() {
    for prefix in 16..=22 {
        let cidr: ipnet::Ipv4Net = format!("10.20.0.0/{prefix}").parse().unwrap();
        let tiers = super::network::Tier::ALL;
        let ranges: Vec<_> =
            tiers.iter().flat_map(|tier| (0..6).map(|zone| tier.range(cidr, zone).unwrap())).collect();
        for (at, range) in ranges.iter().enumerate() {
            assert!(cidr.contains(range) && range.prefix_len() <= 28, "{range}");
            assert!(ranges[..at].iter().all(|other| !other.contains(range) && !range.contains(other)));
        }
    }
}

#[test]
fn what_cannot_be_a_network_is_said_at_its_key() {
    let check = |network: Network, region: &Region, answers: &Answers| {
        problems(expanded(region, &[Component::Network(network)], 0, answers))
    };
    let sized = |cidr: &str| Network { cidr: cidr.parse().ok(), ..network(Nat::None) };
    let nothing = Answers::default();
    let nowhere = Region { location: None, ..region() };
    let misspelt = Region { location: Some("eu-wst-1".into()), ..region() };
    let existing = || Network { existing: Some("vpc-1".into()), ..network(Nat::None) };
    let gone = Answers([(ask(&region(), VPC, "vpc-1"), Value::Null)].into());
    let two =
        Answers([(ask(&region(), ZONES, ""), ["eu-west-1a", "eu-west-1b"].into_iter().collect())].into());
    assert_snapshot!(
        [
            check(sized("10.0.0.0/8"), &region(), &nothing),
            check(sized("10.0.0.0/24"), &region(), &nothing),
            check(sized("fd00::/48"), &region(), &nothing),
            check(network(Nat::None), &nowhere, &nothing),
            check(network(Nat::None), &misspelt, &nothing),
            check(network(Nat::None), &region(), &two),
            check(existing(), &region(), &nothing),
            check(existing(), &region(), &gone),
        ]
        .join("\n")
    );
}

#[test]
fn what_is_not_built_yet_says_so() {
    let baseline = Baseline { common: common("main"), ..Baseline::default() };
    let result = expanded(&region(), &[Component::Baseline(baseline)], 0, &Answers::default());
    assert_snapshot!(problems(result));
}

#[test]
fn tags_that_aws_would_refuse_are_said_at_their_key() {
    let tagged = |tags: &[(&str, &str)], of_region: &[(&str, &str)]| {
        let map = |tags: &[(&str, &str)]| -> Map {
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect()
        };
        let mut network = network(Nat::None);
        network.common.tags = map(tags);
        let region = Region { tags: map(of_region), ..region() };
        expanded(&region, &[Component::Network(network)], 0, &Answers::default())
    };
    assert!(tagged(&[("Owner", "web team"), ("Ort", "Köln")], &[("cost:center", "7")]).is_ok());
    let many: Vec<String> = (0..46).map(|at| format!("tag{at}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
    assert_snapshot!(
        [
            problems(tagged(&[("aws:owner", "me"), ("standfast:stack", "other")], &[])),
            problems(tagged(&[("quote", "a \"b\"")], &[("long", &"x".repeat(257))])),
            problems(tagged(&many, &[])),
        ]
        .join("\n")
    );
}

#[test]
fn tags_that_iam_takes_for_one_are_said_where_there_is_a_role() {
    let tagged = |tags: &[&str]| {
        let mut group = group("web", 80);
        group.scaling.clear();
        group.common.tags = tags.iter().map(|key| ((*key).to_owned(), "x".into())).collect();
        let components = [Component::Network(network(Nat::None)), Component::AutoscalingGroup(group)];
        expanded(&region(), &components, 1, &debian())
    };
    assert!(tagged(&["Name", "env", "team"]).is_ok());
    assert!(
        problems(tagged(&["env", "Env"])).starts_with("tags: the tags `Env` and `env` differ by case only")
    );
    assert!(problems(tagged(&["name"])).starts_with("tags: the tags `Name` and `name` differ by case only"));
}

/// What stands around the workload counts too.
#[test]
fn a_script_that_is_a_little_too_long_is_refused() {
    let with = |bytes: usize| {
        let mut group = group("web", 80);
        group.scaling.clear();
        group.workload.source = WorkloadSource::Container { image: "x".repeat(bytes), command: vec![] };
        let components = [Component::Network(network(Nat::None)), Component::AutoscalingGroup(group)];
        expanded(&region(), &components, 1, &debian())
    };
    let script_of = |expansion: Expansion| {
        let template = expansion.resources.into_iter().find(|one| one.kind == "launch_template").unwrap();
        template.inputs["user_data"].to_string().len()
    };
    let around = script_of(with(0).unwrap());
    assert_eq!(script_of(with(16 * 1024 - around).unwrap()), 16 * 1024);
    assert!(problems(with(16 * 1024 - around + 1)).contains("16385 bytes"));
}

pub(super) fn group(name: &str, port: u16) -> AutoscalingGroup {
    AutoscalingGroup {
        common: common(name),
        hosts: vec![],
        capacity: Capacity { min: 3, desired: 3, max: 6 },
        workload: Workload {
            source: WorkloadSource::Package {
                package: "nginx".into(),
                version: None,
                service: "nginx".into(),
            },
            files: vec![],
            environment: Map::new(),
        },
        port,
        health_check: HealthCheck {
            path: Some("/healthz".into()),
            host: None,
            port: None,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            healthy: 2,
            unhealthy: 3,
            stated: vec![],
        },
        scaling: vec![
            ScalingRule { metric: ScalingMetric::Cpu, target: 60.0 },
            ScalingRule { metric: ScalingMetric::Requests, target: 200.0 },
        ],
        update: UpdatePolicy {
            max_unavailable: 1,
            canary: 1,
            on_failure: OnFailure::Rollback,
            health_timeout: Duration::from_secs(60),
        },
        instance_type: Some("t3.small".into()),
        image: None,
        instance_types: vec![],
        spot: None,
        schedule: vec![],
    }
}

pub(super) fn balancer(layer: u8) -> LoadBalancer {
    let to = |path: Option<&str>, group: &str| Route {
        path: path.map(str::to_owned),
        host: None,
        to: ComponentId::new(Section::AutoscalingGroups, group),
    };
    let http = vec![
        Listener { port: 80, redirect_https: true, certificate: None, routes: vec![] },
        Listener {
            port: 443,
            redirect_https: false,
            certificate: Some(Certificate::Arn("arn:aws:acm:eu-west-1:123456789012:certificate/1".into())),
            routes: vec![to(Some("/api/*"), "api"), to(None, "web")],
        },
    ];
    let tcp = vec![Listener {
        port: 5000,
        redirect_https: false,
        certificate: None,
        routes: vec![to(None, "web")],
    }];
    LoadBalancer {
        common: common("front"),
        layer,
        hosts: vec![],
        virtual_ip: None,
        algorithm: Algorithm::RoundRobin,
        listeners: if layer == 7 { http } else { tcp },
        stickiness: (layer == 7).then(|| Stickiness { cookie: "SRV".into(), ttl: None }),
        drain_timeout: Duration::from_secs(30),
        internal: false,
        access_logs: None,
    }
}

fn shop(layer: u8) -> Vec<Component> {
    vec![
        Component::Network(network(Nat::Single)),
        Component::LoadBalancer(balancer(layer)),
        Component::AutoscalingGroup(group("web", 80)),
        Component::AutoscalingGroup(group("api", 8080)),
    ]
}

pub(super) fn debian() -> Answers {
    let image = crate::kinds::map([
        ("id", "ami-1".into()),
        ("root_device", "/dev/xvda".into()),
        ("root_gib", Value::Int(8)),
    ]);
    let question = ask(&region(), IMAGE, "/aws/service/debian/release/12/latest/amd64");
    Answers([(question, Value::Map(image))].into())
}

#[test]
fn an_alb_has_a_target_group_for_each_group_and_opens_its_ports_only() {
    assert_snapshot!(shown(&expanded(&region(), &shop(7), 1, &debian()).unwrap()));
}

#[test]
fn a_certificate_from_a_file_is_imported_and_its_key_is_in_no_plan() {
    let mut components = shop(7);
    components[1] = Component::LoadBalancer({
        let mut it = balancer(7);
        it.listeners[1].certificate = Some(Certificate::Pem("/tls/shop.pem".into()));
        it.access_logs = Some(AccessLogs { bucket: "shop-logs".into(), prefix: "front".into() });
        it
    });
    let expansion = expanded(&region(), &components, 1, &debian()).unwrap();
    let of = |kind: &str| expansion.resources.iter().find(|one| one.kind == kind).unwrap();
    let pem = Value::Secret(SecretSource::FileExact("/tls/shop.pem".into()));
    assert_eq!(of("certificate").inputs["pem"], pem);
    let secure =
        expansion.resources.iter().find(|one| one.address.to_string().ends_with("listener.443")).unwrap();
    assert_eq!(secure.inputs["certificate"].to_string(), "${refuge/load_balancers.front/certificate.443.id}");
    let settings = of("load_balancer").inputs["settings"].to_string();
    assert!(
        settings.contains(
            "access_logs.s3.bucket: shop-logs, access_logs.s3.enabled: true, access_logs.s3.prefix: front"
        ),
        "{settings}"
    );
}

#[test]
fn an_nlb_has_an_address_in_every_zone() {
    assert_snapshot!(shown(&expanded(&region(), &shop(4), 1, &debian()).unwrap()));
}

#[test]
fn a_group_is_a_template_and_scales_by_its_rules() {
    assert_snapshot!(shown(&expanded(&region(), &shop(7), 2, &debian()).unwrap()));
}

#[test]
fn a_group_takes_several_sizes_spot_machines_and_other_capacities_by_the_clock() {
    let mut group = group("web", 80);
    group.scaling.clear();
    group.instance_type = None;
    group.instance_types = vec!["t3.small".into(), "t3a.small".into()];
    group.spot = Some(Spot { share: 40, base: 2 });
    let at = |name: &str, cron: &str, zone: Option<&str>, min, desired| ScheduledCapacity {
        name: name.into(),
        cron: cron.into(),
        time_zone: zone.map(str::to_owned),
        min,
        desired,
        max: None,
    };
    group.schedule = vec![
        at("days", "0 8 * * MON-FRI", Some("Europe/Berlin"), Some(4), Some(6)),
        at("nights", "0 20 * * *", None, Some(2), None),
    ];
    let components = [Component::Network(network(Nat::None)), Component::AutoscalingGroup(group)];
    let expansion = expanded(&region(), &components, 1, &debian()).unwrap();
    let kinds = ["instance_profile", "autoscaling_group"];
    let resources =
        expansion.resources.into_iter().filter(|one| kinds.contains(&one.kind.as_str())).collect();
    assert_snapshot!(shown(&Expansion { resources, ..Expansion::default() }));
}

#[test]
fn a_cookie_lasts_as_long_as_a_load_balancer_takes() {
    let with = |ttl: Duration| {
        let mut balancer = balancer(7);
        balancer.stickiness = Some(Stickiness { cookie: "SRV".into(), ttl: Some(ttl) });
        let components = [
            Component::Network(network(Nat::None)),
            Component::LoadBalancer(balancer),
            Component::AutoscalingGroup(group("web", 80)),
            Component::AutoscalingGroup(group("api", 8080)),
        ];
        expanded(&region(), &components, 1, &debian())
    };
    for ttl in [Duration::from_secs(1), Duration::from_secs(7 * 24 * 60 * 60)] {
        assert!(with(ttl).is_ok(), "{ttl:?}");
    }
    for ttl in [Duration::from_millis(500), Duration::from_secs(8 * 24 * 60 * 60)] {
        assert!(problems(with(ttl)).starts_with("stickiness.ttl: "), "{ttl:?}");
    }
}

#[test]
fn machines_with_everything_in_their_image_get_no_script() {
    let mut group = group("web", 80);
    group.workload.source = WorkloadSource::Image;
    group.scaling.clear();
    let components = [Component::Network(network(Nat::None)), Component::AutoscalingGroup(group)];
    let expansion = expanded(&region(), &components, 1, &debian()).unwrap();
    let template = expansion.resources.iter().find(|one| one.kind == "launch_template").unwrap();
    assert_eq!(template.inputs.get("user_data"), None);
}

#[test]
fn a_container_runs_in_a_unit_and_says_nothing_secret() {
    let with = |environment: Map| {
        let mut group = group("web", 80);
        group.workload = Workload {
            source: WorkloadSource::Container { image: "shop:1".into(), command: vec!["serve $HOME".into()] },
            files: vec![],
            environment,
        };
        group.scaling.clear();
        let components = [Component::Network(network(Nat::None)), Component::AutoscalingGroup(group)];
        expanded(&region(), &components, 1, &debian())
    };
    let plain = with(Map::from([("MODE".into(), "fast".into())])).unwrap();
    let template = plain.resources.iter().find(|one| one.kind == "launch_template").unwrap();
    let script = template.inputs["user_data"].to_string();
    assert_snapshot!(script.split_once("cat >").unwrap().1);
    let secret = Value::Secret(SecretSource::Env("PASSWORD".into()));
    let database = ComponentId::new(Section::Databases, "orders");
    let writer = OutputRef::component(database, "writer");
    let fetching = with(Map::from([
        ("PASSWORD".into(), secret),
        ("DB_HOST".into(), writer),
        ("MODE".into(), "fast".into()),
    ]));
    let kinds = ["parameter", "instance_profile", "launch_template"];
    let resources = fetching.unwrap().resources.into_iter().filter(|one| kinds.contains(&one.kind.as_str()));
    assert_snapshot!(
        "what_is_secret_is_fetched",
        shown(&Expansion { resources: resources.collect(), ..Expansion::default() })
    );
    let text = problems(with(Map::from([("LINES".into(), "a\nb".into())])));
    assert!(text.starts_with("workload.environment.LINES: an environment variable has one line"), "{text}");
}

#[test]
fn what_cannot_serve_is_said_at_its_key() {
    let check = |change: &dyn Fn(&mut Vec<Component>), which: usize, answers: &Answers| {
        let mut components = shop(7);
        change(&mut components);
        problems(expanded(&region(), &components, which, answers))
    };
    let balanced = |change: fn(&mut LoadBalancer)| {
        move |components: &mut Vec<Component>| {
            if let Component::LoadBalancer(it) = &mut components[1] {
                change(it);
            }
        }
    };
    let grouped = |change: fn(&mut AutoscalingGroup)| {
        move |components: &mut Vec<Component>| {
            if let Component::AutoscalingGroup(it) = &mut components[2] {
                change(it);
            }
        }
    };
    let logs = |components: &mut Vec<Component>| {
        let logs = AccessLogs { bucket: "logs".into(), prefix: String::new() };
        components[1] = Component::LoadBalancer(LoadBalancer { access_logs: Some(logs), ..balancer(4) });
    };
    let checked = grouped(|it| {
        let check = &mut it.health_check;
        (check.interval, check.timeout) = (Duration::from_millis(7_500), Duration::from_secs(1));
        (check.healthy, check.unhealthy) = (1, 11);
        check.path = Some(format!("/{}", "x".repeat(1_024)));
        check.stated = vec!["interval", "timeout", "healthy", "unhealthy"];
    });
    let slow = grouped(|it| {
        it.health_check.timeout = Duration::from_secs(6);
        it.health_check.stated = vec!["timeout"];
    });
    let by_source = balanced(|it| it.algorithm = Algorithm::SourceIp);
    let drains = balanced(|it| it.drain_timeout = Duration::from_secs(7200));
    let untyped = grouped(|it| it.instance_type = None);
    let of_two_kinds = grouped(|it| it.instance_types = vec!["t4g.small".into()]);
    let by_memory = grouped(|it| it.scaling[0].metric = ScalingMetric::Memory);
    let release = grouped(|it| {
        it.workload.source =
            WorkloadSource::Release { archive: "/a.tar.gz".into(), run: "./a".into(), user: None };
    });
    let homeless =
        |components: &mut Vec<Component>| components.retain(|one| one.id().section != Section::Networks);
    let theirs = grouped(|it| it.image = Some("ami-9".into()));
    let nothing = Answers::default();
    let no_image = {
        let mut answers = debian();
        answers.0.values_mut().for_each(|answer| *answer = Value::Null);
        answers
    };
    assert_snapshot!(
        [
            check(&logs, 1, &debian()),
            check(&by_source, 1, &debian()),
            check(&drains, 1, &debian()),
            check(&homeless, 0, &debian()),
            check(&untyped, 2, &debian()),
            check(&of_two_kinds, 2, &debian()),
            check(&by_memory, 2, &debian()),
            check(&release, 2, &debian()),
            check(&checked, 2, &debian()),
            check(&slow, 2, &debian()),
            check(&|_| {}, 2, &nothing),
            check(&|_| {}, 2, &no_image),
            check(&theirs, 2, &Answers([(ask(&region(), IMAGE, "ami-9"), Value::Null)].into())),
        ]
        .join("\n")
    );
}
