//! The demo's five hosts: built, unchanged, drifted, healed, destroyed.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use super::blueprints::{self, HEALTH_WINDOW_S, PLAIN};
use super::client::Steady;
use super::stand::{Stand, certificate, steps};

/// What a host is made of, as far as standfast might touch it: packages, users, units, and every file outside of
/// caches, logs and package databases. Debian's haproxy keeps its user for good,
/// and its nginx the page that it brings.
const LOOK: &str = r"
dpkg-query -W -f '${Package} ${db:Status-Status}\n' | grep -v config-files | sed 's/^/package /'
getent passwd | cut -d: -f1,3,6,7 | grep -v ^haproxy | sed 's/^/user /'
systemctl list-units --plain --no-legend --type=service --state=active | cut -d' ' -f1 | grep -v -e '^user' -e '^systemd-' | sed 's/^/active /'
find /etc /srv /opt /home /root /usr/local /usr/sbin /var/www /var/lib/standfast -xdev \( -type f -o -type l -o -type d \) 2>/dev/null |
  grep -v -e '^/etc/ld.so.cache' -e '^/etc/.*-$' -e '^/opt/standfast-lab' -e '^/home/deploy/' -e '^/root/' -e '^/var/www/html/index.nginx-debian.html' -e '^/var/www$' -e '^/var/www/html$' | sed 's/^/path /'
find /etc -xdev -type f ! -name '*-' ! -name ld.so.cache ! -name passwd ! -name group ! -name shadow ! -name gshadow -exec sha256sum {} + | sed 's/^/sum /'
";

#[test]
fn the_demo_is_built_healed_and_destroyed() {
    let files = |stand: &Stand| {
        stand.write("shop/index.html", blueprints::SHOP_PAGE);
        certificate(&stand.path("tls/shop.pem"));
    };
    let Some(stand) = Stand::up("hosts-demo", blueprints::shop, files) else { return };
    let hosts = ["lb1", "lb2", "web1", "web2", "web3"];
    let before: Vec<BTreeSet<String>> = hosts.iter().map(|host| look(&stand, host)).collect();

    // Build.
    let built = stand.apply().succeeded();
    println!("first apply: {} created in {:.1} s", built.report()["created"], built.took.as_secs_f64());
    // The apply has ended when it serves, not before.
    stand.run(["--lab", "status", "shop.yaml"]).succeeded();
    let served = visit(&stand, 12);
    assert_eq!(served.len(), 3, "three hosts in turn: {served:?}");
    let plain = curl(&format!("http://{}.100/cart?id=1", stand.net), "%{http_code} %{redirect_url}");
    assert_eq!(plain, format!("301 https://{}.100/cart?id=1", stand.net));

    // Nothing to do.
    let again = stand.apply().succeeded();
    println!("second apply: {:.2} s", again.took.as_secs_f64());
    let summary = &again.report()["summary"];
    for change in ["create", "update", "replace", "delete", "forget", "refresh", "move"] {
        assert_eq!(summary[change], 0, "{summary}");
    }
    stand.clean("after the second apply");
    stand.run(["--lab", "drift", "shop.yaml"]).succeeded();
    stand.run(["--lab", "status", "shop.yaml"]).succeeded();

    heal(&stand);
    refuse_a_bad_certificate(&stand);
    lose_a_zone(&stand);

    // Destroy.
    let gone = stand.run(["--lab", "destroy", "shop.yaml", "--auto-approve", "--format", "json"]).succeeded();
    println!("destroy: {} deleted in {:.1} s", gone.report()["deleted"], gone.took.as_secs_f64());
    for (host, before) in hosts.iter().zip(before) {
        // A removed package keeps its configuration, as Debian has it; what is left must be that and nothing else.
        stand.told(host, "dpkg-query -W -f '${Package} ${db:Status-Status}\n' | sed -n 's/ config-files$//p' | xargs -r dpkg --purge");
        let after = look(&stand, host);
        let (left, lost) = (Vec::from_iter(&after - &before), Vec::from_iter(&before - &after));
        assert!(left.is_empty() && lost.is_empty(), "{host}: left behind {left:#?}, lost {lost:#?}");
    }
}

/// Drift by hand is named by `drift`, and `apply` touches only that.
fn heal(stand: &Stand) {
    stand.told("web1", "echo defaced >/var/www/html/index.html");
    stand.told("web2", "systemctl stop nginx");
    stand.told("web3", "chmod 0666 /var/www/html/healthz; chown nobody /var/www/html/healthz");
    stand.told("lb2", "dpkg -r --force-depends keepalived");
    let drifted = BTreeSet::from(
        [
            "autoscaling_groups.web/file.web1.var-www-html-index.html",
            "autoscaling_groups.web/service.web2.nginx",
            "autoscaling_groups.web/file.web3.var-www-html-healthz",
            "load_balancers.front/package.lb2.packages",
            "load_balancers.front/service.lb2.keepalived",
        ]
        .map(|address| format!("home/{address}")),
    );

    let drift = stand.run(["--lab", "drift", "shop.yaml", "--format", "json"]).exits(2);
    let named: BTreeSet<String> = steps(&drift.json()).into_iter().map(|step| step.0).collect();
    assert_eq!(named, drifted, "{}", drift.stdout);
    let told = stand.run(["--lab", "drift", "shop.yaml"]).exits(2);
    told.says(&["defaced", "0666", "nobody"]);

    let planned: BTreeSet<String> = stand.planned().into_iter().map(|step| step.0).collect();
    assert_eq!(planned, drifted);
    let healed = stand.apply().succeeded();
    println!("healing apply: {:.1} s", healed.took.as_secs_f64());
    assert_eq!(BTreeSet::from_iter(healed.done()), drifted, "{}", healed.stdout);
    stand.clean("after healing");
    assert_eq!(stand.told("web3", "stat -c %U:%a /var/www/html/healthz"), "root:644");
    assert_eq!(stand.told("lb2", "systemctl is-active keepalived"), "active");
    assert_eq!(visit(stand, 12).len(), 3);
}

/// Half of the load balancers with the virtual IP, and a third of the web hosts, lose power at once.
fn lose_a_zone(stand: &Stand) {
    let zone = if stand.holder() == "lb1" { ["lb1", "web1"] } else { ["lb2", "web2"] };
    let steady = Steady::start(format!("{}.100", stand.net).parse().unwrap(), PLAIN, 50);
    std::thread::sleep(Duration::from_secs(1));
    std::thread::scope(|scope| {
        for host in zone {
            scope.spawn(move || stand.lab.power_off(host).unwrap());
        }
    });
    std::thread::sleep(Duration::from_secs(12));
    let tally = steady.stop();
    tally.tell("a whole zone powered off");
    assert!(tally.longest_gap() <= 5.0, "both at once are no worse than the load balancer alone");
    assert!(tally.loss_window() <= HEALTH_WINDOW_S);

    let status = stand.run(["--lab", "status", "shop.yaml"]).exits(2);
    assert!(zone.iter().all(|host| status.stdout.contains(host)), "{}", status.stdout);
    // A plan is still possible, says what it could not look at, and changes nothing.
    let plan = stand.run(["--lab", "plan", "shop.yaml"]).succeeded();
    plan.says(&["could not be looked at", zone[0], zone[1]]);

    for host in zone {
        stand.lab.power_on(host).unwrap();
    }
    let healed = stand.apply().succeeded();
    println!("apply after the zone came back: {:.1} s", healed.took.as_secs_f64());
    let back = std::time::Instant::now();
    stand.recovered().succeeded();
    println!("all well {:.1} s later", back.elapsed().as_secs_f64());
    stand.clean("after the zone came back");
    assert_eq!(visit(stand, 12).len(), 3);
}

/// The host refuses it, and the balancers serve on with the one that they have.
fn refuse_a_bad_certificate(stand: &Stand) {
    let good = std::fs::read(stand.path("tls/shop.pem")).unwrap();
    stand.write("tls/shop.pem", "no certificate at all\n");
    let refused = stand.run(["--lab", "apply", "shop.yaml", "--auto-approve"]).exits(1);
    stand.snapshot("certificate-rejected", &refused);
    assert_eq!(visit(stand, 6).len(), 3);
    // Nothing that cannot be read lies in wait for the next start.
    stand.told("lb1", "systemctl restart haproxy");
    std::fs::write(stand.path("tls/shop.pem"), good).unwrap();
    stand.apply().succeeded();
    stand.clean("after the good certificate came back");
    assert_eq!(visit(stand, 6).len(), 3);
}

/// The hosts that served some requests through the virtual IP, of which each must be answered with 200.
pub fn visit(stand: &Stand, requests: usize) -> BTreeSet<String> {
    let url = format!("https://{}.100/", stand.net);
    let pages = (0..requests).map(|_| curl(&url, "%{http_code}"));
    pages
        .map(|page| {
            assert!(page.ends_with("200"), "{page}");
            let served = page.split_once("Served by ").map(|(_, rest)| rest);
            served.and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{page}")).to_owned()
        })
        .collect()
}

/// The body, then what `write_out` asks for.
fn curl(url: &str, write_out: &str) -> String {
    let arguments = ["--silent", "--show-error", "--insecure", "--max-time", "5", "--write-out"];
    let output = Command::new("curl").args(arguments).args([write_out, url]).output().unwrap();
    assert!(output.status.success(), "{url}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn look(stand: &Stand, host: &str) -> BTreeSet<String> {
    stand.told(host, LOOK).lines().map(str::to_owned).collect()
}
