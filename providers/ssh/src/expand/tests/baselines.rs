use standfast_contract::{
    Component, SecretSource, Value,
    component::{
        Baseline, DirectorySpec, FileContent, Firewall, FirewallRule, ServiceSpec, UnitSpec, UserSpec,
    },
};

use super::{content, expand, fixtures, is_in_order, listing, resource};
use crate::expand::site::inputs;

pub fn hardening() -> Baseline {
    let directory = |path: &str| DirectorySpec {
        path: path.into(),
        owner: "backup".into(),
        group: "backup".into(),
        mode: "0750".into(),
    };
    let mut sshd = fixtures::file(
        "/etc/ssh/sshd_config.d/50-hardening.conf",
        FileContent::Inline("PasswordAuthentication no\n".into()),
    );
    sshd.reloads = vec!["ssh".into()];
    sshd.validate = Some("sshd -t -f %s".into());
    let mut key = fixtures::file(
        "/srv/backup/keys/key",
        FileContent::Inline(Value::Secret(SecretSource::Env("BACKUP_KEY".into()))),
    );
    key.restarts = vec!["backup.service".into()];
    let rule = |protocol: &str, ports: &[u16], from: &[&str]| FirewallRule {
        protocol: protocol.into(),
        ports: ports.to_vec(),
        from: from.iter().map(|net| net.parse().unwrap()).collect(),
    };
    Baseline {
        common: fixtures::common("hardening"),
        hosts: vec!["lb1".into()],
        packages: vec!["chrony".into(), "rsync".into()],
        directories: vec![directory("/srv/backup/keys"), directory("/srv/backup")],
        files: vec![sshd, key],
        users: vec![UserSpec {
            name: "backup".into(),
            uid: Some(900),
            groups: vec!["adm".into()],
            shell: "/bin/sh".into(),
            home: Some("/srv/backup".into()),
            system: true,
            authorized_keys: vec!["ssh-ed25519 AAAA backup".into()],
        }],
        sysctl: vec![("net.core.somaxconn".into(), 4096_i64.into())],
        units: vec![UnitSpec {
            name: "backup.service".into(),
            content: FileContent::Inline("[Service]\nExecStart=/bin/true\n".into()),
        }],
        services: vec![ServiceSpec { name: "backup".into(), enabled: true, running: true }],
        firewall: Some(Firewall {
            allow: vec![
                rule("tcp", &[80, 443], &[]),
                rule("tcp", &[9100], &["10.77.0.0/24", "10.77.0.41/32", "fd00::/8"]),
                rule("udp", &[], &["10.77.0.41/32"]),
                rule("vrrp", &[], &["10.77.0.12/32"]),
            ],
        }),
    }
}

#[test]
fn a_baseline_becomes() {
    let expansion = expand(&fixtures::with_baseline(hardening()), "baselines.hardening");
    is_in_order(&expansion);
    insta::assert_snapshot!("hardening", listing(&expansion, "lb1"));
    insta::assert_snapshot!(
        "firewall",
        content(&expansion, "home/baselines.hardening/nftables.lb1.shop_hardening")
    );
}

#[test]
fn the_way_in_stays_open_and_its_files_are_guarded() {
    let mut blueprint = fixtures::with_baseline(hardening());
    blueprint.regions[0].zones[0].hosts[0].port = Some(2222);
    let expansion = expand(&blueprint, "baselines.hardening");
    let table = content(&expansion, "home/baselines.hardening/nftables.lb1.shop_hardening");
    assert!(table.contains("tcp dport 2222 accept"), "{table}");
    let sshd = "home/baselines.hardening/file.lb1.etc-ssh-sshd_config.d-50-hardening.conf";
    assert_eq!(resource(&expansion, sshd).inputs["guard"], Value::Bool(true));
    let key = resource(&expansion, "home/baselines.hardening/file.lb1.srv-backup-keys-key");
    assert!(!key.inputs.contains_key("guard"));
}

#[test]
fn what_sshd_says_of_its_port_goes_before_the_blueprint() {
    let mut blueprint = fixtures::with_baseline(hardening());
    blueprint.regions[0].zones[0].hosts[0].port = Some(8022);
    let mut answers = fixtures::answers();
    let question = crate::expand::site::facts_of("home", "lb1");
    assert!(crate::expand::lookups(&blueprint.request("baselines.hardening")).contains(&question));
    answers.0.insert(question, Value::Map(inputs([("ssh_port", 2222_i64.into())])));
    let expansion = blueprint.expand("baselines.hardening", &answers).unwrap();
    let table = content(&expansion, "home/baselines.hardening/nftables.lb1.shop_hardening");
    assert!(table.contains("tcp dport 2222 accept") && !table.contains("8022"), "{table}");
}

#[test]
fn two_firewalls_on_a_host_are_refused() {
    let mut blueprint = fixtures::with_baseline(hardening());
    let mut other = hardening();
    other.common.name = "other".into();
    blueprint.components.push(Component::Baseline(other));
    let problems = blueprint.expand("baselines.hardening", &fixtures::answers()).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].key, "firewall");
}
