//! The blueprint that the tests of this room expand: two load balancers, three web hosts in three zones.

use std::time::Duration;

use standfast_contract::{
    Answers, Component, ComponentId, ExpandRequest, Expansion, Lookup, Map, OnFailure, Problem, Region,
    SecretSource, Section, Stack, Value,
    component::{
        Algorithm, AutoscalingGroup, Baseline, Become, Capacity, Certificate, Common, FileContent, FileSpec,
        HealthCheck, Host, Listener, LoadBalancer, Route, SimWorld, SshAccess, Stickiness, UpdatePolicy,
        Workload, WorkloadSource, Zone,
    },
};

use super::site::{Site, inputs};

/// A blueprint, checked.
pub struct Blueprint {
    pub stack: Stack,
    pub regions: Vec<Region>,
    pub components: Vec<Component>,
}

impl Blueprint {
    pub fn request(&self, id: &str) -> ExpandRequest<'_> {
        let component = self.components.iter().find(|one| one.id().to_string() == id).unwrap();
        let region = self.regions.iter().find(|one| one.name == component.common().region).unwrap();
        ExpandRequest {
            stack: &self.stack,
            region,
            component,
            components: &self.components,
            regions: &self.regions,
        }
    }

    pub fn expand(&self, id: &str, answers: &Answers) -> Result<Expansion, Vec<Problem>> {
        super::expand(&self.request(id), answers)
    }

    pub fn front(&mut self) -> &mut LoadBalancer {
        self.components
            .iter_mut()
            .find_map(|one| match one {
                Component::LoadBalancer(it) => Some(it),
                _ => None,
            })
            .unwrap()
    }

    pub fn group(&mut self, name: &str) -> &mut AutoscalingGroup {
        self.components
            .iter_mut()
            .find_map(|one| match one {
                Component::AutoscalingGroup(it) if it.common.name == name => Some(it),
                _ => None,
            })
            .unwrap()
    }
}

pub fn site<'a>(blueprint: &'a Blueprint, host: &str) -> Site<'a> {
    let request = blueprint.request("autoscaling_groups.web");
    Site::new(&request, request.region.host(host).unwrap())
}

pub fn common(name: &str) -> Common {
    Common { name: name.into(), region: "home".into(), ..Common::default() }
}

fn zone(name: &str, hosts: &[(&str, &str)]) -> Zone {
    let host = |(name, address): &(&str, &str)| Host {
        name: (*name).into(),
        address: (*address).into(),
        port: None,
        user: None,
    };
    Zone { name: name.into(), hosts: hosts.iter().map(host).collect() }
}

pub fn region() -> Region {
    Region {
        name: "home".into(),
        provider: "ssh".into(),
        location: None,
        zones: vec![
            zone("rack-a", &[("lb1", "10.77.0.11"), ("web1", "10.77.0.21"), ("web4", "10.77.0.24")]),
            zone("rack-b", &[("lb2", "10.77.0.12"), ("web2", "10.77.0.22")]),
            zone("rack-c", &[("web3", "10.77.0.23")]),
        ],
        ssh: SshAccess {
            user: Some("deploy".into()),
            r#become: Become::Sudo,
            become_password: Some(SecretSource::Env("SUDO".into())),
            ..SshAccess::default()
        },
        network: None,
        account: None,
        assume_role: None,
        sim: SimWorld::default(),
        tags: Map::new(),
    }
}

pub fn file(to: &str, content: FileContent) -> FileSpec {
    FileSpec {
        to: to.into(),
        content,
        owner: "root".into(),
        group: "root".into(),
        mode: "0644".into(),
        sensitive: false,
        reloads: Vec::new(),
        restarts: Vec::new(),
        validate: None,
    }
}

pub fn group(name: &str, port: u16, workload: Workload) -> AutoscalingGroup {
    AutoscalingGroup {
        common: common(name),
        hosts: ["web1", "web4", "web2", "web3"].map(String::from).to_vec(),
        capacity: Capacity { min: 2, desired: 3, max: 4 },
        workload,
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
        scaling: Vec::new(),
        update: UpdatePolicy {
            max_unavailable: 1,
            canary: 1,
            on_failure: OnFailure::Rollback,
            health_timeout: Duration::from_secs(60),
        },
        instance_type: None,
        image: None,
        instance_types: vec![],
        spot: None,
        schedule: vec![],
    }
}

pub fn nginx() -> Workload {
    let variables =
        inputs([("greeting", "hello".into()), ("token", Value::Secret(SecretSource::Env("TOKEN".into())))]);
    let mut config = file(
        "/etc/nginx/conf.d/shop.conf",
        FileContent::Template { path: "/src/shop.conf.j2".into(), variables },
    );
    config.validate = Some("nginx -t -c %s".into());
    Workload {
        source: WorkloadSource::Package {
            package: "nginx".into(),
            version: Some("1.22*".into()),
            service: "nginx".into(),
        },
        files: vec![config, file("/var/www/shop", FileContent::From("/src/site".into()))],
        environment: Map::new(),
    }
}

pub fn release() -> Workload {
    let url = Value::Join(vec![
        "postgres://app:".into(),
        Value::Secret(SecretSource::Env("PASSWORD".into())),
        "@db/$shop".into(),
    ]);
    Workload {
        source: WorkloadSource::Release {
            archive: "/src/api-1.4.2.tar.gz".into(),
            run: "./bin/api --port \"$PORT\"".into(),
            user: None,
        },
        files: vec![file("/etc/shop/api.toml", FileContent::Inline("[api]\n".into()))],
        environment: inputs([("DATABASE_URL", url), ("WORKERS", 4_i64.into())]),
    }
}

fn to(name: &str, path: Option<&str>, host: Option<&str>) -> Route {
    Route {
        path: path.map(String::from),
        host: host.map(String::from),
        to: ComponentId::new(Section::AutoscalingGroups, name),
    }
}

pub fn front() -> LoadBalancer {
    LoadBalancer {
        common: common("front"),
        layer: 7,
        hosts: vec!["lb1".into(), "lb2".into()],
        virtual_ip: Some("10.77.0.100".parse().unwrap()),
        algorithm: Algorithm::LeastConnections,
        listeners: vec![
            Listener { port: 80, redirect_https: true, certificate: None, routes: Vec::new() },
            Listener {
                port: 443,
                redirect_https: false,
                certificate: Some(Certificate::Pem("/src/tls/shop.pem".into())),
                routes: vec![
                    to("api", Some("/api/*"), None),
                    to("api", Some("/v1"), Some("*.shop.example.net")),
                    to("web", None, None),
                ],
            },
        ],
        stickiness: Some(Stickiness { cookie: "SRV".into(), ttl: Some(Duration::from_secs(3600)) }),
        drain_timeout: Duration::from_secs(30),
        internal: false,
        access_logs: None,
    }
}

/// A load balancer of layer 4 in front of the api alone.
pub fn plain() -> LoadBalancer {
    let listener = Listener {
        port: 8443,
        redirect_https: false,
        certificate: None,
        routes: vec![to("api", None, None)],
    };
    LoadBalancer {
        layer: 4,
        virtual_ip: None,
        algorithm: Algorithm::SourceIp,
        listeners: vec![listener],
        stickiness: None,
        ..front()
    }
}

pub fn shop() -> Blueprint {
    Blueprint {
        stack: Stack { name: "shop".into(), environment: "production".into() },
        regions: vec![region()],
        components: vec![
            Component::LoadBalancer(front()),
            Component::AutoscalingGroup(group("web", 80, nginx())),
            Component::AutoscalingGroup(group("api", 8080, release())),
        ],
    }
}

pub fn with_baseline(baseline: Baseline) -> Blueprint {
    let mut blueprint = shop();
    blueprint.components.push(Component::Baseline(baseline));
    blueprint
}

/// The answers that the shop's lookups get.
pub fn answers() -> Answers {
    let facts = |address: &str| {
        let interfaces = inputs([("127.0.0.1/8", "lo".into()), (address, "host0".into())]);
        Value::Map(inputs([("os_id", "debian".into()), ("interfaces", interfaces.into())]))
    };
    let entry = |digest: &str, size: i64, text: Value| {
        inputs([("digest", digest.into()), ("size", size.into()), ("text", text)])
    };
    let in_tree = |path: &str, mode: &str, text: Value| {
        let mut entry = entry("aa11", 6, text);
        entry.extend(inputs([("path", path.into()), ("mode", mode.into())]));
        Value::Map(entry)
    };
    let template = "# {{ host.name }} of {{ stack.name }}: {{ greeting }}\nset $token {{ token }};\n";
    let tree = vec![
        in_tree("css/a-b.css", "0644", "a{}".into()),
        in_tree("css/a/b.css", "0644", "b{}".into()),
        in_tree("hook", "0755", Value::Null),
    ];
    let facts_of = |host: &str| Lookup::Provider {
        region: "home".into(),
        question: "facts".into(),
        subject: host.into(),
    };
    let path = |path: &str| Lookup::File { path: path.into() };
    Answers(
        [
            (facts_of("lb1"), facts("10.77.0.11/24")),
            (facts_of("lb2"), facts("10.77.0.12/24")),
            (path("/src/shop.conf.j2"), Value::Map(entry("bb22", 60, template.into()))),
            (Lookup::Tree { path: "/src/site".into() }, Value::List(tree)),
            (path("/src/api-1.4.2.tar.gz"), Value::Map(entry("cc33", 4096, Value::Null))),
        ]
        .into_iter()
        .collect(),
    )
}
