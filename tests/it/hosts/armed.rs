//! Changes that close the way in: the host undoes them by itself, and the apply says so.

use super::blueprints;
use super::stand::Stand;

/// Three ways to lock oneself out, a host each. a2 is entered by a door that its sshd knows nothing of.
const CLOSING: &str = r#"
  sshd: { hosts: [a1], files: [{ to: /etc/ssh/sshd_config.d/20-closed.conf, content: "AllowUsers nobody\n" }] }
  firewall: { hosts: [a2], firewall: { allow: [{ ports: [80] }] } }
  sudo: { hosts: [a3], files: [{ to: /etc/sudoers.d/zz-closed, mode: "0440", content: "deploy ALL=(ALL) PASSWD: ALL\n" }] }
"#;

const GOOD: &str = r#"
  sshd: { hosts: [a1], files: [{ to: /etc/ssh/sshd_config.d/20-open.conf, content: "MaxSessions 20\n" }] }
  firewall: { hosts: [a1, a2, a3], firewall: { allow: [{ ports: [22, 80] }] } }
"#;

/// Leads from port 2222 to sshd, which takes it for a connection on 22.
const DOOR: &str = "systemd-run -q --unit door --socket-property=ListenStream=2222 /lib/systemd/systemd-socket-proxyd 127.0.0.1:22";

#[test]
fn who_locks_himself_out_is_let_in_again() {
    let ssh = "user: deploy, become: sudo, config: ./ssh_config";
    let closing = |name: &str, net: &str| blueprints::hosts(name, net, ssh, CLOSING, "");
    let Some(stand) = Stand::up("hosts-armed", closing, |stand| stand.write("ssh_config", "")) else {
        return;
    };
    stand.told("a2", DOOR);
    let config = std::fs::read_to_string(stand.lab.ssh_config().unwrap()).unwrap();
    stand.write("ssh_config", &format!("Host {}.12\n    Port 2222\n{config}", stand.net));
    // Known by its new port, too.
    let key = stand.told("a2", "cat /etc/ssh/ssh_host_ed25519_key.pub");
    let known = stand.path("labs/hosts-armed/known_hosts");
    let keys = std::fs::read_to_string(&known).unwrap();
    std::fs::write(&known, format!("{keys}\n[{}.12]:2222 {key}\n", stand.net)).unwrap();

    let ran = stand.run(["apply", "shop.yaml", "--auto-approve", "--format", "json"]).exits(1);
    println!("apply of three changes that close the way in: {:.1} s", ran.took.as_secs_f64());
    let report = ran.report();
    let failed = report["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 3, "{report:#}");
    for failure in failed {
        let error = failure["error"].as_str().unwrap();
        assert!(error.contains("a fresh connection did not get through"), "{failure:#}");
        assert!(error.contains("has put the old state back and can be reached"), "{failure:#}");
    }
    stand.told("a1", "test ! -e /etc/ssh/sshd_config.d/20-closed.conf");
    stand.told("a2", "! nft list tables | grep -q .");
    stand.told("a3", "test ! -e /etc/sudoers.d/zz-closed");
    let undone = stand.run(["state", "list", "--blueprint", "shop.yaml"]).succeeded();
    assert!(!undone.stdout.contains("closed"), "{}", undone.stdout);

    // What does not close it stays. a2's sshd listens there itself now, as only ssh_config knows.
    stand.told("a2", "systemctl stop door.socket door.service; echo 'Port 22\nPort 2222' >/etc/ssh/sshd_config.d/30-ports.conf; systemctl restart ssh");
    stand.write("shop.yaml", &blueprints::hosts("hosts-armed", &stand.net, ssh, GOOD, ""));
    let ran = stand.run(["apply", "shop.yaml", "--auto-approve"]).succeeded();
    println!("apply of changes that do not: {:.1} s", ran.took.as_secs_f64());
    stand.run(["plan", "shop.yaml", "--detailed-exitcode"]).succeeded();
    assert_eq!(stand.told("a1", "sshd -T | grep -i maxsessions"), "maxsessions 20");
    stand.told("a1", "nft list ruleset | grep -q 'policy drop'");
    stand.told("a2", "nft list ruleset | grep -q 'tcp dport 2222 accept comment \"the way in\"'");
    let dropped = stand.told("a2", &format!("curl -s -m 2 http://{}.11:9/ || echo $?", stand.net));
    assert_eq!(dropped, "28", "no answer at all, rather than a refusal");

    stand.run(["destroy", "shop.yaml", "--auto-approve"]).succeeded();
    for host in ["a1", "a2", "a3"] {
        stand.told(host, "! nft list tables | grep -q . && test ! -e /etc/ssh/sshd_config.d/20-open.conf");
    }
}
