//! One small estate, drawn in each language.

use standfast_contract::{Address, ComponentId, Desired, Lifecycle, Map, Section, Value};

use super::*;

fn resource(
    section: Section,
    component: &str,
    kind: &str,
    name: &str,
    lane: &str,
    after: &[&Desired],
) -> Desired {
    Desired {
        address: Address::new("home", &ComponentId::new(section, component), kind, name),
        kind: kind.to_owned(),
        provider: "ssh".to_owned(),
        inputs: Map::new(),
        after: after.iter().map(|one| one.address.clone()).collect(),
        follows: Vec::new(),
        place: Value::Null,
        lane: lane.to_owned(),
        lifecycle: Lifecycle::default(),
    }
}

/// Two web hosts, each with a package, a file and a service; a balancer that follows the services.
fn small() -> Graph {
    let mut resources = Vec::new();
    let mut services = Vec::new();
    for host in ["web1", "web2"] {
        let lane = format!("ssh:{host}");
        let of = |kind, name: &str, after: &[&Desired]| {
            resource(Section::AutoscalingGroups, "web", kind, &format!("{host}.{name}"), &lane, after)
        };
        let package = of("package", "nginx", &[]);
        let file = of("file", "nginx-conf", &[&package]);
        let service = of("service", "nginx", &[&package, &file]);
        services.push(service.address.clone());
        resources.extend([package, file, service]);
    }
    let mut config = resource(Section::LoadBalancers, "front", "file", "lb1.haproxy-cfg", "ssh:lb1", &[]);
    config.follows = services;
    resources.push(config);
    // Told in another order the picture is the same.
    resources.reverse();
    Graph::of_resources(resources).unwrap()
}

#[test]
fn dot_has_clusters_and_dashes_what_is_order_only() {
    insta::assert_snapshot!(Picture::of_resources(&small()).dot());
}

#[test]
fn mermaid_numbers_its_nodes() {
    insta::assert_snapshot!(Picture::of_resources(&small()).mermaid());
}

const BLUEPRINT: &str = r#"
standfast: 1
name: shop
regions:
  home:
    provider: ssh
    zones: { a: { hosts: { lb1: 10.0.0.1, web1: 10.0.0.2, web2: 10.0.0.3, db1: 10.0.0.4, db2: 10.0.0.5 } } }
load_balancers:
  front:
    hosts: [lb1]
    listeners: [{ port: 80, to: web }, { port: 8080, routes: [{ path: /api/*, to: api }, { to: web }] }]
baselines: { all: { hosts: [lb1], packages: [curl] } }
autoscaling_groups:
  web:
    hosts: [web1]
    depends_on: [baselines.all]
    capacity: { min: 1, desired: 1, max: 1 }
    workload: { package: nginx }
    port: 80
  api:
    hosts: [web2]
    capacity: { min: 0, desired: 1, max: 1 }
    workload: { package: api, files: [{ to: /etc/api, content: "db=${databases.orders.endpoint}" }] }
    port: 90
databases: { orders: { engine: postgres, version: "15", hosts: [db1, db2] } }
"#;

fn blueprint() -> crate::blueprint::Blueprint {
    crate::blueprint::check(BLUEPRINT, std::path::Path::new("shop.yaml"), &Default::default()).unwrap()
}

#[test]
fn components_say_what_they_are_and_what_they_use() {
    let blueprint = blueprint();
    let picture = Picture::of_components(&blueprint);
    insta::assert_snapshot!(picture.mermaid());
    insta::assert_snapshot!(picture.dot());
    insta::assert_json_snapshot!(picture.json());
    let svg = picture.svg();
    assert_eq!(svg.matches(r#"<rect class="box""#).count(), 5);
    assert_eq!(svg.matches(r#"<path class="far""#).count(), 3);
    assert_eq!(svg.matches(r#"<path class="far soft-link""#).count(), 1);
    assert!(svg.contains(">:80 and :8080</text>"), "{svg}");
}

#[test]
fn the_svg_draws_every_resource_once_and_no_implied_link() {
    let svg = Picture::of_resources(&small()).svg();
    assert_eq!(svg.matches(r#"<rect class="chip""#).count(), 7);
    // package -> file -> service on each host; package -> service is implied.
    assert_eq!(svg.matches(r#"<path class="link""#).count(), 4);
    assert_eq!(svg.matches(r#"<path class="far soft-link""#).count(), 1);
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn no_box_lies_on_another() {
    let graph = small();
    let picture = Picture::of_resources(&graph);
    let layout = layout::layout(&picture);
    for rects in [&layout.boxes, &layout.chips] {
        for (at, a) in rects.iter().enumerate() {
            for b in &rects[at + 1..] {
                let apart = a.right() <= b.x || b.right() <= a.x || a.bottom() <= b.y || b.bottom() <= a.y;
                assert!(apart, "{a:?} {b:?}");
            }
        }
    }
    assert!(layout.boxes.iter().all(|one| one.right() < layout.width && one.bottom() < layout.height));
}

#[test]
fn a_graph_of_nothing_is_drawn_as_nothing() {
    let graph = Graph::of_resources(Vec::new()).unwrap();
    let picture = Picture::of_resources(&graph);
    assert!(picture.svg().contains("0 resources in 0 components"));
    assert!(picture.mermaid().ends_with("flowchart RL\n"));
}
