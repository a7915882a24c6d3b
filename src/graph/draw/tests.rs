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
    insta::assert_snapshot!(dot(&small(), Level::Resources));
}

#[test]
fn mermaid_numbers_its_nodes() {
    insta::assert_snapshot!(mermaid(&small(), Level::Resources), @r#"
    flowchart RL
      subgraph r0["home"]
        subgraph c0["autoscaling_groups.web"]
          n0["file<br>web1.nginx-conf"]
          n1["file<br>web2.nginx-conf"]
          n2["package<br>web1.nginx"]
          n3["package<br>web2.nginx"]
          n4["service<br>web1.nginx"]
          n5["service<br>web2.nginx"]
        end
        subgraph c1["load_balancers.front"]
          n6["file<br>lb1.haproxy-cfg"]
        end
      end
      n0 --> n2
      n1 --> n3
      n4 --> n0
      n4 --> n2
      n5 --> n1
      n5 --> n3
      n6 -.-> n4
      n6 -.-> n5
    "#);
}

#[test]
fn components_have_one_link_between_two() {
    insta::assert_snapshot!(mermaid(&small(), Level::Components), @r#"
    flowchart RL
      subgraph r0["home"]
        c0["autoscaling_groups.web"]
        c1["load_balancers.front"]
      end
      c1 -.-> c0
    "#);
    assert!(
        dot(&small(), Level::Components)
            .contains(r#""home/load_balancers.front" -> "home/autoscaling_groups.web" [style=dashed];"#)
    );
}

#[test]
fn the_svg_draws_every_resource_once_and_no_implied_link() {
    let svg = svg(&small(), Level::Resources);
    assert_eq!(svg.matches(r#"<rect class="chip""#).count(), 7);
    // package -> file -> service on each host; package -> service is implied.
    assert_eq!(svg.matches(r#"<path class="link""#).count(), 4);
    assert_eq!(svg.matches(r#"<path class="far soft-link""#).count(), 1);
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn no_box_lies_on_another() {
    let graph = small();
    let picture = Picture::of(&graph, Level::Resources);
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
    for level in [Level::Resources, Level::Components] {
        assert!(svg(&graph, level).contains("0 resources in 0 components"));
        assert_eq!(mermaid(&graph, level), "flowchart RL\n");
    }
}
