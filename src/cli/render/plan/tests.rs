//! One plan with something of everything, seen in each rendering.

use std::collections::BTreeMap;

use standfast_contract::{
    Address, ComponentId, Lifecycle, Map, OnFailure, Operation, OutputRef, Section, Sensitive, Stack, Value,
};

use super::*;
use crate::plan::{Because, Change, FORMAT_VERSION, MemberPlan, Prior, RolloutPlan, Summary, Wait, Warning};

fn balancers() -> ComponentId {
    ComponentId::new(Section::LoadBalancers, "front")
}

fn web() -> ComponentId {
    ComponentId::new(Section::AutoscalingGroups, "web")
}

fn step(component: &ComponentId, kind: &str, name: &str, action: Action, reason: &str) -> Step {
    Step {
        address: Address::new("home", component, kind, name),
        deposed: String::new(),
        kind: kind.to_owned(),
        provider: "ssh".to_owned(),
        action,
        reason: reason.to_owned(),
        changes: Vec::new(),
        lane: format!("ssh:{}", name.split('.').next().unwrap_or_default()),
        place: Value::Null,
        inputs: Map::new(),
        prior: None,
        lifecycle: Lifecycle::default(),
        dependencies: Vec::new(),
        after: Vec::new(),
        dependants: Vec::new(),
        create_before_destroy: false,
        token: None,
        moved_from: None,
    }
}

fn change(attribute: &str, before: impl Into<Value>, after: impl Into<Value>) -> Change {
    Change {
        attribute: attribute.to_owned(),
        before: before.into(),
        after: after.into(),
        because: Because::Blueprint,
        forces_replacement: false,
        effect: None,
    }
}

fn operation(component: &ComponentId, verb: &str, member: &str) -> Operation {
    Operation {
        address: Address::new("home", component, verb, member),
        provider: "ssh".to_owned(),
        verb: verb.to_owned(),
        place: Value::Null,
        lane: format!("ssh:{member}"),
        inputs: Map::new(),
        timeout_ms: 30_000,
    }
}

fn member(name: &str, steps: Vec<u32>, new: bool) -> MemberPlan {
    MemberPlan {
        name: name.to_owned(),
        steps,
        before: vec![operation(&web(), "drain", name)],
        after: vec![operation(&web(), "health", name), operation(&web(), "undrain", name)],
        new,
    }
}

fn secret(digest: &str) -> Value {
    Value::Sensitive(Sensitive::from_digest(digest))
}

const OLD_CONFIG: &str = "global\n  maxconn 2000\n\ndefaults\n  timeout client 30s\n  timeout server 30s\n\nbackend web\n  balance roundrobin\n  server web1 10.77.0.21:80 check\n  server web2 10.77.0.22:80 check\n";

fn steps() -> Vec<Step> {
    let new_config = OLD_CONFIG.replace("roundrobin", "leastconn") + "  server web3 10.77.0.23:80 check\n";
    let front = balancers();
    let mut package = step(&front, "package", "lb2.haproxy", Action::Create, "new");
    package.inputs = Map::from([
        ("name".into(), "haproxy".into()),
        ("host".into(), OutputRef::resource(&Address::new("home", &front, "host", "lb2"), "id")),
        ("password".into(), Value::Join(vec!["user:".into(), secret("digest-0")])),
    ]);
    let mut config = step(&front, "file", "lb1.haproxy-cfg", Action::Update, "changed: content; drift: mode");
    config.changes = vec![
        change("content", OLD_CONFIG, new_config),
        Change {
            because: Because::Drift,
            effect: Some("restarts it".into()),
            ..change("mode", "0600", "0644")
        },
        change("password", secret("digest-1"), secret("digest-2")),
    ];
    let mut address =
        step(&front, "virtual_ip", "main", Action::Replace, "interface cannot be changed in place");
    address.changes = vec![
        Change { forces_replacement: true, ..change("interface", "eth0", "eth1") },
        change("label", Value::Null, "front | `main`"),
        change("old", 5i64, Value::Null),
    ];
    let mut listener =
        step(&front, "listener", "443", Action::Update, "follows a change of what it uses: id");
    listener.changes = vec![Change { because: Because::Upstream, ..change("id", "vip-1", Value::Unknown) }];
    listener.after = vec![Wait { step: 2, soft: false }];
    let mut template = step(
        &front,
        "launch_template",
        "main",
        Action::Update,
        "follows a change of what it uses: user_data",
    );
    let version = OutputRef::resource(&Address::new("home", &front, "parameter", "TOKEN"), "version");
    let script = "\nset -eu\nfetch TOKEN\n";
    template.inputs.insert(
        "user_data".into(),
        Value::Join(vec!["#!/bin/sh\n# TOKEN: version ".into(), version, script.into()]),
    );
    template.changes = vec![Change {
        because: Because::Upstream,
        ..change("user_data", format!("#!/bin/sh\n# TOKEN: version 1{script}"), Value::Unknown)
    }];
    let old = Address::new("home", &web(), "user", "web1.shop");
    let mut renamed = step(&web(), "user", "web1.app", Action::Move, &format!("was {old}"));
    renamed.moved_from = Some(old);
    let mut steps = vec![package, config, address, listener, renamed];
    for host in ["web1", "web2", "web3"] {
        let mut site = step(&web(), "file", &format!("{host}.site"), Action::Update, "changed: content");
        site.moved_from = (host == "web3").then(|| Address::new("home", &web(), "file", "web3.page"));
        site.changes = vec![change("content", "<h1>1.4.2</h1>\n", "<h1>1.5.0</h1>\n")];
        steps.push(site);
    }
    steps.push(step(&web(), "file", "web4.site", Action::Create, "new"));
    let mut deleted = step(&web(), "package", "web1.telnet", Action::Delete, "no longer in the blueprint");
    deleted.prior = Some(Prior { id: "telnet".into(), inputs: Map::new(), outputs: Map::new() });
    let mut left = step(&web(), "release", "web2.app", Action::Delete, "left over from a replacement");
    left.deposed = "d41d8c".into();
    let gone = step(&web(), "sysctl", "web3.somaxconn", Action::Forget, "it is gone already");
    steps.extend([deleted, left, gone, template]);
    steps
}

fn full() -> Plan {
    let steps = steps();
    let mut summary = Summary { no_op: 1041, ..Summary::default() };
    steps.iter().for_each(|step| summary.count(step.action));
    let members =
        ["web1", "web2", "web3"].iter().zip(5u32..).map(|(name, step)| member(name, vec![step], false));
    let rollout = RolloutPlan {
        component: web(),
        canary: 1,
        max_unavailable: 1,
        on_failure: OnFailure::Rollback,
        members: members.chain([member("web4", vec![8], true)]).collect(),
    };
    Plan {
        rollouts: vec![rollout],
        outputs: BTreeMap::from([(balancers(), Map::from([("address".into(), "10.77.0.100".into())]))]),
        warnings: vec![Warning {
            subject: "home/web3".into(),
            message: "the host does not answer; its 7 resources are taken to be as recorded".into(),
            hint: Some("`ssh deploy@10.77.0.23 true` shows why".into()),
        }],
        summary,
        steps,
        ..empty()
    }
}

fn empty() -> Plan {
    Plan {
        format_version: FORMAT_VERSION,
        id: "0b9f6f0a".into(),
        purpose: Purpose::Apply,
        stack: Stack { name: "shop".into(), environment: "production".into() },
        lineage: "7a1c".into(),
        serial: 12,
        summary: Summary { no_op: 44, ..Summary::default() },
        steps: Vec::new(),
        rollouts: Vec::new(),
        outputs: BTreeMap::new(),
        probes: Vec::new(),
        warnings: Vec::new(),
        unread: 0,
        in_flight: Vec::new(),
        resumed: None,
        secrets: Vec::new(),
        blueprint: None,
        blueprint_path: None,
        variables: BTreeMap::new(),
    }
}

fn stripped(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_plan_for_a_terminal() {
    insta::assert_snapshot!(stripped(&text(&full(), false)));
}

#[test]
fn details_show_what_is_created() {
    let mut plan = full();
    plan.steps.truncate(1);
    plan.rollouts.clear();
    insta::assert_snapshot!(stripped(&text(&plan, true)));
}

#[test]
fn a_plan_for_programs() {
    let value: serde_json::Value = serde_json::from_str(&json(&full())).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn a_plan_for_a_pull_request() {
    insta::assert_snapshot!(markdown(&full()));
}

#[test]
fn a_plan_for_a_browser() {
    insta::assert_snapshot!(html(&full()));
}

#[test]
fn nothing_to_do_is_said_by_what_was_asked() {
    let said = |purpose, no_op| {
        summary(&Plan { purpose, summary: Summary { no_op, ..Summary::default() }, ..empty() })
    };
    assert_eq!(said(Purpose::Apply, 44), "No changes. 44 resources are as the blueprint says.");
    assert_eq!(said(Purpose::Apply, 1), "No changes. 1 resource is as the blueprint says.");
    assert_eq!(said(Purpose::Apply, 0), "No changes. There are no resources.");
    assert_eq!(said(Purpose::RefreshOnly, 44), "No drift. 44 resources are as recorded.");
    let unread = |purpose| {
        summary(&Plan { purpose, unread: 7, summary: Summary { no_op: 44, ..Summary::default() }, ..empty() })
    };
    assert_eq!(
        unread(Purpose::Apply),
        "No changes in what could be looked at: 37 resources are as the blueprint says, 7 could not be looked at."
    );
    assert_eq!(
        unread(Purpose::RefreshOnly),
        "No drift in what could be looked at: 37 resources are as recorded, 7 could not be looked at."
    );
    assert_eq!(said(Purpose::Destroy, 0), "Nothing to destroy. No resource is recorded.");
}

#[test]
fn no_rendering_shows_a_secret_or_its_digest() {
    let plan = full();
    for shown in [text(&plan, true), json(&plan), markdown(&plan), html(&plan)] {
        assert!(!shown.contains("digest-"), "{shown}");
    }
}

/// Laid out in one pass: a large plan takes moments, even without optimization on a busy machine.
#[test]
fn a_large_plan_is_laid_out_quickly() {
    let sample = steps();
    let steps: Vec<Step> = sample.iter().cycle().take(20_000).cloned().collect();
    let plan = Plan { steps, ..full() };
    let begun = std::time::Instant::now();
    let sizes = [text(&plan, false), json(&plan), html(&plan)].map(|shown| shown.len());
    let elapsed = begun.elapsed();
    assert!(sizes.iter().all(|&size| size > 2_000_000), "{sizes:?}");
    assert!(elapsed.as_secs() < 30, "{elapsed:?}");
    assert!(markdown(&plan).len() < 65_536, "fits into a comment");
}
