//! The blueprints of the scenarios, for a name and a network.

/// `blueprints/shop.yaml`, on another network, and with a door without TLS on [`PLAIN`]: fifty handshakes a second by a
/// client of its own process each would be more work than all that they measure.
pub fn shop(name: &str, net: &str) -> String {
    let text = include_str!("../../../blueprints/shop.yaml");
    let doors = "    listeners:\n";
    assert!(text.contains(doors));
    text.replace("10.77.0.", &format!("{net}."))
        .replace("\nname: shop\n", &format!("\nname: {name}\n"))
        .replace(doors, &format!("{doors}      - {{ port: {PLAIN}, to: web }}\n"))
}

pub const PLAIN: u16 = 8080;

pub const SHOP_PAGE: &str = include_str!("../../../blueprints/shop/index.html");

/// Two load balancers with a virtual IP over three hosts that run a release; the variable `release` says which.
pub fn release(name: &str, net: &str) -> String {
    format!(
        r#"
standfast: 1
name: {name}
variables:
  release: {{ default: "1" }}
regions:
  home:
    provider: ssh
    ssh: {{ user: deploy, become: sudo }}
    zones:
      rack-a: {{ hosts: {{ lb1: {net}.11, web1: {net}.21 }} }}
      rack-b: {{ hosts: {{ lb2: {net}.12, web2: {net}.22 }} }}
      rack-c: {{ hosts: {{ web3: {net}.23 }} }}
baselines:
  tools:
    hosts: [web1, web2, web3]
    packages: [busybox]
load_balancers:
  front:
    hosts: [lb1, lb2]
    virtual_ip: {net}.100
    listeners:
      - {{ port: 80, to: web }}
    drain_timeout: 5s
autoscaling_groups:
  web:
    depends_on: [baselines.tools]
    hosts: [web1, web2, web3]
    capacity: {{ min: 2, desired: 3, max: 3 }}
    workload:
      release: ./releases/${{variables.release}}.tar.gz
      run: ./serve
    port: 8080
    health_check: {{ path: /healthz, interval: 2s, timeout: 1s, healthy: 2, unhealthy: 3 }}
    update: {{ max_unavailable: 1, canary: 1, on_failure: rollback, health_timeout: 15s }}
"#
    )
}

/// How long a member may be down before the load balancers of [`release`] and [`shop`] must have noticed: three failed
/// checks, two seconds apart, the last of which takes its timeout.
pub const HEALTH_WINDOW_S: f64 = 7.0;

/// Three hosts, the way in to them, what `baselines` says of them, and `more` at the end.
pub fn hosts(name: &str, net: &str, ssh: &str, baselines: &str, more: &str) -> String {
    format!(
        r#"
standfast: 1
name: {name}
regions:
  home:
    provider: ssh
    ssh: {{ {ssh} }}
    zones:
      rack-a: {{ hosts: {{ a1: {net}.11 }} }}
      rack-b: {{ hosts: {{ a2: {net}.12 }} }}
      rack-c: {{ hosts: {{ a3: {net}.13 }} }}
baselines:
{baselines}
{more}
"#
    )
}
