//! What a plan decides, and its reasons.

use super::{FLEET, SHOP, Sandbox};

const WEB: &str = "home/autoscaling_groups.web";
const FRONT: &str = "home/load_balancers.front";
const ORDERS: &str = "home/databases.orders";

#[track_caller]
fn check(sandbox: &Sandbox, arguments: &str, expected: &[&str]) {
    assert_eq!(sandbox.plan(arguments).steps(), expected);
}

#[test]
fn an_attribute_that_may_is_updated_in_place() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.edit("engine: postgres,", "engine: postgres, storage: 50GiB,");
    let plan = sandbox.plan("");
    assert_eq!(plan.steps(), [format!("update {ORDERS}/database.main (changed: storage_bytes)")]);
    assert_eq!((plan.count("update"), plan.count("no_op")), (1, 9));
    let changes = plan.0["steps"][0]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0]["attribute"], "storage_bytes");
    let id = sandbox.id("home/databases.orders/database.main");
    sandbox.ok("apply --auto-approve");
    assert_eq!(sandbox.id("home/databases.orders/database.main"), id);
    sandbox.assert_settled();
}

#[test]
fn a_replacement_names_the_attribute_that_forces_it() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.edit("virtual_ip: 10.0.0.100", "virtual_ip: 10.0.0.101");
    check(
        &sandbox,
        "",
        &[
            &format!("replace {FRONT}/address.public (requested cannot be changed in place)"),
            &format!("replace {FRONT}/balancer.main (address cannot be changed in place)"),
            &format!("replace {FRONT}/listener.80 (balancer cannot be changed in place)"),
        ],
    );
    let plan = sandbox.plan("");
    let forcing = plan.0["steps"][0]["changes"][0].clone();
    assert_eq!(forcing["forces_replacement"], true, "{forcing}");
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

#[test]
fn a_replacement_is_made_first_where_its_kind_allows_and_the_user_does_not_forbid() {
    // The order of the effects, as the world wrote them down.
    let order = |sandbox: &Sandbox, before: usize| -> Vec<String> {
        let text = std::fs::read_to_string(sandbox.world_file()).unwrap();
        let lines = text.lines().skip(before).filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            ["made", "gone"].iter().find_map(|verb| {
                let id = line[verb]["id"].as_str()?;
                id.starts_with("tg-").then(|| format!("{verb} {id}"))
            })
        });
        lines.collect()
    };
    let lines = |sandbox: &Sandbox| std::fs::read_to_string(sandbox.world_file()).unwrap().lines().count();
    let sandbox = Sandbox::applied(FLEET);
    let before = lines(&sandbox);
    sandbox.edit("    port: 80", "    port: 8080");
    let steps = sandbox.plan("").steps();
    assert!(
        steps.contains(&format!("replace {FRONT}/target_group.web (port cannot be changed in place)")),
        "{steps:?}"
    );
    sandbox.ok("apply --auto-approve");
    assert_eq!(order(&sandbox, before), ["made tg-000002", "gone tg-000001"]);
    sandbox.assert_settled();
}

#[test]
fn what_is_no_longer_wanted_is_deleted_and_only_that() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.edit("hosts: [w1, w2, w3, w4]", "hosts: [w1, w2, w3]");
    sandbox.edit("desired: 4, max: 4", "desired: 3, max: 3");
    check(&sandbox, "", &[&format!("delete {WEB}/member.w4 (no longer in the blueprint)")]);
    let ran = sandbox.run("apply --auto-approve").code(0);
    assert!(!ran.stderr.contains("drain.w1"), "a member that stays is left alone:\n{}", ran.shown());
    sandbox.assert_settled();
}

#[test]
fn fewer_members_and_a_new_release_at_once() {
    let sandbox = Sandbox::applied(FLEET);
    sandbox.edit("hosts: [w1, w2, w3, w4]", "hosts: [w1, w2, w3]");
    sandbox.edit("desired: 4, max: 4", "desired: 3, max: 3");
    sandbox.edit("version: \"1\"", "version: \"2\"");
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

#[test]
fn drift_and_the_users_own_change_are_told_apart_in_one_resource() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.edit("hosts: [lb1, lb2]", "hosts: [lb1, lb2]\n    drain_timeout: 7s");
    sandbox.meddle(
        r#"{"tamper":{"address":"home/load_balancers.front/balancer.main","attribute":"algorithm","value":"random"}}"#,
    );
    check(
        &sandbox,
        "",
        &[&format!("update {FRONT}/balancer.main (changed: drain_timeout_ms; drift: algorithm)")],
    );
    // `drift` knows nothing of the blueprint's change, and without a look nothing of the drift is known.
    check(&sandbox, "--refresh-only", &[&format!("refresh {FRONT}/balancer.main (drift: algorithm)")]);
    check(
        &sandbox,
        "--refresh=false",
        &[&format!("update {FRONT}/balancer.main (changed: drain_timeout_ms)")],
    );
    check(
        &sandbox,
        "--refresh false",
        &[&format!("update {FRONT}/balancer.main (changed: drain_timeout_ms)")],
    );
}

#[test]
fn refresh_only_takes_over_what_is_so() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.meddle(
        r#"{"tamper":{"address":"home/load_balancers.front/balancer.main","attribute":"algorithm","value":"random"}}"#,
    );
    sandbox.meddle(r#"{"destroy":{"address":"home/databases.orders/replica.db2"}}"#);
    sandbox.ok("apply --refresh-only --auto-approve");
    sandbox.run("drift").code(0);
    // The state agrees with the world now; the blueprint does not agree with either.
    check(
        &sandbox,
        "",
        &[
            &format!("create {ORDERS}/replica.db2 (new)"),
            &format!("update {FRONT}/balancer.main (changed: algorithm)"),
        ],
    );
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

#[test]
fn prevent_destroy_refuses_deletion_and_replacement() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit("virtual_ip:", "lifecycle: { prevent_destroy: true }\n    virtual_ip:");
    sandbox.ok("apply --auto-approve");
    sandbox.edit("virtual_ip: 10.0.0.100", "virtual_ip: 10.0.0.101");
    sandbox
        .run("plan")
        .code(1)
        .says("the plan would replace home/load_balancers.front/address.public")
        .says("which is protected")
        .says("lifecycle.prevent_destroy: false")
        // The rest is shown, and where it would go wrong.
        .prints("cannot be changed in place; refused: it is protected")
        .prints("Plan: ");
    // Its removal from the blueprint is no way around it.
    let text = SHOP.replace("load_balancers:\n  front:", "load_balancers:\n  other:");
    sandbox.write("standfast.yaml", &text);
    sandbox.run("plan").code(1).says("delete home/load_balancers.front/address.public");
}

#[test]
fn deletion_protection_said_outright_guards_data_and_not_what_is_around_it() {
    let said = SHOP
        .replace("engine: postgres,", "engine: postgres, version: 15, deletion_protection: true,")
        .replace("    hosts: [lb1, lb2]\n", "    hosts: [lb1, lb2]\n    deletion_protection: true\n");
    let sandbox = Sandbox::applied(&said);
    sandbox.run("plan --destroy").code(1).says("delete home/databases.orders/database.main");
    // Other parameters of another version replace the group of the old one.
    sandbox.edit("version: 15", "version: 16");
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
    // A component that holds none is guarded whole.
    sandbox.run("plan --replace home/load_balancers.front/listener.80").code(1).says("which is protected");
}

#[test]
fn deletion_protection_guards_data_by_default_and_can_be_lifted() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.run("plan --destroy").code(1).says("delete home/databases.orders/database.main");
    // What is around it may go, with what depends on that.
    check(
        &sandbox,
        "--destroy --exclude databases.orders --target load_balancers.front",
        &[
            &format!("delete {WEB}/member.web1 (the stack is destroyed)"),
            &format!("delete {WEB}/member.web2 (the stack is destroyed)"),
            &format!("delete {FRONT}/address.public (the stack is destroyed)"),
            &format!("delete {FRONT}/balancer.main (the stack is destroyed)"),
            &format!("delete {FRONT}/listener.80 (the stack is destroyed)"),
            &format!("delete {FRONT}/target_group.web (the stack is destroyed)"),
        ],
    );
    // What is excluded stays, with all that it stands on.
    check(
        &sandbox,
        "--destroy --exclude databases.orders --exclude home/load_balancers.front/listener.80",
        &[
            &format!("delete {WEB}/launch_template.main (the stack is destroyed)"),
            &format!("delete {WEB}/member.web1 (the stack is destroyed)"),
            &format!("delete {WEB}/member.web2 (the stack is destroyed)"),
        ],
    );
    sandbox.edit("engine: postgres,", "engine: postgres, deletion_protection: false,");
    // Lifting it in the blueprint alone is not enough: it has to be applied first.
    sandbox.run("plan --destroy").code(1);
    sandbox.ok("apply --auto-approve");
    assert_eq!(sandbox.plan("--destroy").count("delete"), 10);
}

#[test]
fn ignored_attributes_are_left_alone() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit("virtual_ip:", "lifecycle: { ignore_changes: [algorithm] }\n    virtual_ip:");
    sandbox.ok("apply --auto-approve");
    sandbox.meddle(
        r#"{"tamper":{"address":"home/load_balancers.front/balancer.main","attribute":"algorithm","value":"random"}}"#,
    );
    check(&sandbox, "", &[]);
    sandbox.edit("virtual_ip:", "algorithm: least_connections\n    virtual_ip:");
    check(&sandbox, "", &[]);
}

#[test]
fn an_ignored_attribute_is_kept_when_something_else_changes() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit("virtual_ip:", "lifecycle: { ignore_changes: [algorithm] }\n    virtual_ip:");
    sandbox.ok("apply --auto-approve");
    sandbox.meddle(
        r#"{"tamper":{"address":"home/load_balancers.front/balancer.main","attribute":"algorithm","value":"random"}}"#,
    );
    sandbox.edit("virtual_ip:", "drain_timeout: 7s\n    virtual_ip:");
    check(&sandbox, "", &[&format!("update {FRONT}/balancer.main (changed: drain_timeout_ms)")]);
    sandbox.ok("apply --auto-approve");
    let objects = sandbox.world().objects().unwrap();
    let balancer = objects.iter().find(|object| object.kind == "balancer").unwrap();
    assert_eq!(balancer.inputs["algorithm"].as_str(), Some("random"), "{balancer:?}");
}

#[test]
fn moved_renames_without_destroying() {
    let sandbox = Sandbox::applied(SHOP);
    let id = sandbox.id("home/databases.orders/database.main");
    sandbox.edit("  orders:", "  sales:");
    sandbox.edit("databases:", "moved: [{ from: databases.orders, to: databases.sales }]\ndatabases:");
    let plan = sandbox.plan("");
    assert_eq!(
        (plan.count("move"), plan.count("delete"), plan.count("create")),
        (3, 0, 0),
        "{:?}",
        plan.steps()
    );
    sandbox.ok("apply --auto-approve");
    assert_eq!(sandbox.id("home/databases.sales/database.main"), id);
    sandbox.assert_settled();
    // What was said once may stay in the blueprint, and may go.
    check(&sandbox, "", &[]);
    sandbox.edit("moved: [{ from: databases.orders, to: databases.sales }]\n", "");
    check(&sandbox, "", &[]);
    sandbox.assert_settled();
}

#[test]
fn removed_forgets_and_touches_nothing() {
    let sandbox = Sandbox::applied(SHOP);
    sandbox.edit(
        "databases:\n  orders: { engine: postgres, hosts: [db1, db2] }\n",
        "removed: [databases.orders]\n",
    );
    let plan = sandbox.plan("");
    assert_eq!(plan.count("forget"), 3, "{:?}", plan.steps());
    sandbox.ok("apply --auto-approve");
    check(&sandbox, "", &[]);
    assert_eq!(sandbox.world().len().unwrap(), 10);
    assert!(!sandbox.ok("state list").contains("orders"));
}

#[test]
fn target_takes_what_it_depends_on_and_exclude_what_depends_on_it() {
    let sandbox = Sandbox::new(SHOP);
    let only = |arguments: &str| -> Vec<String> {
        let plan = sandbox.plan(arguments);
        let steps = plan.0["steps"].as_array().unwrap();
        let mut found: Vec<_> =
            steps.iter().map(|step| step["address"].as_str().unwrap().to_owned()).collect();
        found.sort();
        found
    };
    assert_eq!(
        only("--target home/databases.orders/database.main"),
        [format!("{ORDERS}/database.main"), format!("{ORDERS}/parameter_group.main")]
    );
    let without = only("--exclude home/databases.orders/database.main");
    assert_eq!(without.len(), 8, "{without:?}");
    assert!(!without.contains(&format!("{ORDERS}/replica.db2")), "{without:?}");
    assert_eq!(only("--target home/databases.orders/*").len(), 3);
    assert_eq!(only("--target databases.orders --target load_balancers.front").len(), 7);
    for flag in ["--target", "--exclude", "--replace"] {
        sandbox.run(&format!("plan {flag} databases.ordres")).code(1).says("databases.ordres names nothing");
    }
    sandbox.ok("apply --auto-approve --target databases.orders");
    assert_eq!(sandbox.world().len().unwrap(), 3);
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
}

#[test]
fn replace_makes_anew_what_is_not_protected() {
    let sandbox = Sandbox::applied(SHOP);
    let id = sandbox.id("home/databases.orders/replica.db2");
    let replica = format!("{ORDERS}/replica.db2");
    check(
        &sandbox,
        &format!("--replace {replica}"),
        &[&format!("replace {replica} (asked for by --replace)")],
    );
    sandbox.run("plan --replace home/databases.orders/database.main").code(1).says("which is protected");
    sandbox.ok(&format!("apply --auto-approve --replace {replica}"));
    assert_ne!(sandbox.id(&replica), id);
    sandbox.assert_settled();
}

#[test]
fn exit_codes_tell_what_was_planned() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.run("plan --detailed-exitcode").code(2);
    sandbox.run("plan").code(0);
    sandbox.ok("apply --auto-approve");
    sandbox.run("plan --detailed-exitcode").code(0);
    sandbox.run("plan --detailed-exitcode --target nothing.here").code(1);
}

#[test]
fn the_json_has_what_is_promised() {
    let sandbox = Sandbox::new(SHOP);
    let plan = sandbox.plan("").0;
    assert_eq!(plan["format_version"], 1);
    for count in ["create", "update", "replace", "delete", "forget", "no_op"] {
        assert!(plan["summary"][count].is_u64(), "{count}");
    }
    for step in plan["steps"].as_array().unwrap() {
        for key in ["address", "kind", "action", "reason"] {
            assert!(step[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {step}");
        }
    }
}

#[test]
fn cycles_are_told_by_name_along_the_path() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit("    hosts: [web1, web2]", "    hosts: [web1, web2]\n    depends_on: [databases.orders]");
    sandbox.edit("engine: postgres,", "engine: postgres, depends_on: [autoscaling_groups.web],");
    let ran = sandbox.run("plan").code(65);
    for name in ["autoscaling_groups.web", "databases.orders"] {
        assert!(ran.stderr.contains(name), "{name}:\n{}", ran.shown());
    }
    assert_eq!(sandbox.run("check").code(65).stderr, ran.stderr, "a check sees it too");
    let itself =
        Sandbox::new(&SHOP.replace("engine: postgres,", "engine: postgres, depends_on: [databases.orders],"));
    let alone = itself.run("plan").code(65);
    super::snapshot("cycles", &[ran, alone]);
}

/// What the other one stands on itself comes before it, and all else behind it.
#[test]
fn a_component_waits_for_one_that_needs_a_part_of_it() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit("virtual_ip:", "depends_on: [autoscaling_groups.web]\n    virtual_ip:");
    let told = sandbox.run("apply --auto-approve --parallelism 1").code(0).stderr;
    let at = |what: &str| {
        told.find(&format!("created   home/{what}")).unwrap_or_else(|| panic!("{what}:\n{told}"))
    };
    let members = ["web1", "web2"].map(|name| at(&format!("autoscaling_groups.web/member.{name}")));
    assert!(members.iter().all(|member| at("load_balancers.front/target_group.web") < *member), "{told}");
    assert!(members.iter().all(|member| *member < at("load_balancers.front/balancer.main")), "{told}");
    sandbox.assert_settled();
}

#[test]
fn an_output_that_there_is_not_is_told_at_its_place() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit(
        "workload: { package: nginx }",
        "workload: { package: nginx, files: [{ to: /etc/db, content: \"db=${databases.orders.writter}\" }] }",
    );
    super::snapshot("no-such-output", &[sandbox.run("plan").code(65)]);
}

/// What AWS does not build yet is held beside its provider.
#[cfg(not(feature = "aws"))]
#[test]
fn what_nothing_here_can_build_is_one_clear_error() {
    let sandbox = Sandbox::new(
        "standfast: 1\nname: shop\nregions: { away: { provider: aws, location: eu-west-1, zones: 2 } }\n\
         databases: { orders: { engine: postgres } }\n",
    );
    sandbox.run("check").code(0);
    let ran = sandbox.run("plan").code(65).says("databases.orders").says("aws");
    super::snapshot("unsupported", &[ran]);
}

#[test]
fn several_regions_on_one_world() {
    let sandbox = Sandbox::new(SHOP);
    sandbox.edit("load_balancers:", "  away: { provider: sim, zones: 2 }\nload_balancers:");
    sandbox.edit("    hosts: [lb1, lb2]", "    region: home\n    hosts: [lb1, lb2]");
    sandbox.edit("    hosts: [web1, web2]", "    region: home\n    hosts: [web1, web2]");
    sandbox.edit(
        "orders: {",
        "copy: { region: away, engine: postgres, deletion_protection: false }\n  orders: { region: home,",
    );
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
    let away = sandbox.plan("--destroy --target away");
    assert!(away.count("delete") > 0);
    assert!(away.steps().iter().all(|step| step.starts_with("delete away/")), "{:?}", away.steps());
}

/// Nothing to do is no good news where nobody could look.
#[test]
fn what_could_not_be_looked_at_is_counted_and_fails() {
    let sandbox = Sandbox::applied(SHOP);
    assert_eq!(sandbox.plan("").0["unread"], 0);
    sandbox.meddle(r#"{"fault":{"address":"home/databases.orders/*","verb":"read","kind":"unreachable","forever":true}}"#);
    let plan = sandbox.plan("--out unread.plan");
    assert_eq!((plan.0["unread"].as_u64(), plan.count("no_op")), (Some(3), 10));
    assert_eq!(sandbox.json("show unread.plan --format json")["unread"], 3);
    let ran = [
        sandbox.run("plan --detailed-exitcode").code(1),
        sandbox.run("show unread.plan").code(0),
        sandbox.run("drift").code(1),
        sandbox.run("apply --auto-approve").code(1),
    ];
    super::snapshot("unread", &ran);
}

#[cfg(feature = "ssh")]
#[test]
fn a_database_on_hosts_is_refused_with_what_hosts_can_have() {
    let sandbox = Sandbox::new(
        "standfast: 1\nname: shop\nregions:\n  home: { provider: ssh, zones: { rack: { hosts: { db1: 192.0.2.1, db2: 192.0.2.2 } } } }\n\
         databases: { orders: { engine: postgres, hosts: [db1, db2] } }\n",
    );
    // Before any host is asked for anything: these do not exist.
    let ran = [
        sandbox.run("check").code(65),
        sandbox.run("plan").code(65),
        sandbox.run("apply --auto-approve").code(65),
    ];
    super::snapshot("unsupported-on-hosts", &ran);
}

/// What several members stand on is replaced, the old one first: no rollout can keep them in service, and the plan says so.
#[test]
fn members_that_leave_together_are_told_beforehand() {
    let sandbox = Sandbox::applied(
        "\
standfast: 1
name: fleet
regions:
  home: { provider: sim, zones: 1 }
networks:
  main: { cidr: 10.20.0.0/16 }
load_balancers:
  front: { listeners: [{ port: 80, to: web }] }
autoscaling_groups:
  web:
    capacity: { min: 1, desired: 3, max: 3 }
    workload: { package: nginx }
    port: 80
    health_check: { path: / }
    update: { max_unavailable: 1, canary: 1 }
",
    );
    sandbox.edit("10.20.0.0/16", "10.30.0.0/16");
    sandbox
        .run("plan")
        .code(0)
        .prints("3 members leave service together: they stand on home/networks.main/network.main");
    sandbox.ok("apply --auto-approve");
    sandbox.assert_settled();
    assert!(sandbox.world().objects().unwrap().iter().all(|object| !object.drained));
}
