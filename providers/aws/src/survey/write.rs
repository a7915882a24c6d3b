//! What was found, in the words of a blueprint.

use std::fmt::Write as _;

use aws_sdk_elasticloadbalancingv2::types::{ActionTypeEnum, Listener, ProtocolEnum, Rule, TargetGroup};
use standfast_contract::{Import, Survey};

use super::{Balancer, Found};

/// What of a load balancer stays as it is, its target groups and listeners included.
const OF_BALANCER: &str = "name, subnets, security_groups, settings, check_matcher, tls_policy";
/// What of a group stays as it is, what its machines run included.
const OF_GROUP: &str = "name, desired, initial, subnets, template_version, health, grace_s, scaling, \
                        reports_members, schedule, mixed, rebalance, min_healthy_percent, \
                        canary_percent, warmup_s, on_failure, root_device, root_gib, security_groups, \
                        instance_profile, user_data, metadata_tokens, disks_encrypted";
const OF_DATABASE: &str = "name, subnet_group, parameter_group, security_groups, storage_type, encrypted, public, \
                           backup_window, maintenance_window";

/// Names of one section, each once.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    /// As much of AWS's name as a blueprint's may be.
    fn take(&mut self, name: &str) -> String {
        let clean: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
        let clean = clean.trim_matches('-');
        let led = if clean.starts_with(|c: char| c.is_ascii_alphabetic()) { "" } else { "x" };
        let base = format!("{led}{clean}");
        let mut name = base.clone();
        for number in 2.. {
            if !self.0.contains(&name) {
                break;
            }
            name = format!("{base}-{number}");
        }
        self.0.push(name.clone());
        name
    }
}

struct Text {
    region: String,
    sections: String,
    imports: Vec<Import>,
    left_out: Vec<String>,
    /// Groups that a listener of the blueprint leads to.
    served: Vec<String>,
}

impl Text {
    fn line(&mut self, line: impl AsRef<str>) {
        self.sections += line.as_ref();
        self.sections.push('\n');
    }

    fn import(&mut self, component: &str, kind: &str, name: &str, id: Option<&str>) {
        if let Some(id) = id {
            let address = format!("{}/{component}/{kind}.{name}", self.region);
            self.imports.push(Import { address, id: id.to_owned() });
        }
    }
}

pub(super) fn blueprint(region: &str, vpc: &str, found: &Found) -> Survey {
    let mut text = Text {
        region: region.to_owned(),
        sections: String::new(),
        imports: Vec::new(),
        left_out: found.left_out.clone(),
        served: Vec::new(),
    };
    text.line(format!("networks:\n  main: {{ existing: {vpc} }}"));
    let mut names = Names::default();
    // By target group, which is what listeners know.
    let groups: Vec<(String, String)> = found
        .groups
        .iter()
        .filter_map(|group| {
            let target = group.target_group_arns().first()?;
            Some((target.clone(), names.take(group.auto_scaling_group_name()?)))
        })
        .collect();
    balancers(&mut text, found, &groups);
    self::groups(&mut text, found, &groups);
    databases(&mut text, found);
    for words in std::mem::take(&mut text.left_out) {
        text.line(format!("# Not said: {words}."));
    }
    text.line("# Not looked at: session stores, names, machines of no group, who else uses what is here.");
    Survey { zones: found.zones.clone(), sections: text.sections, imports: text.imports }
}

fn balancers(text: &mut Text, found: &Found, groups: &[(String, String)]) {
    let mut names = Names::default();
    let mut is_first = true;
    for balancer in &found.balancers {
        let own = balancer.is.load_balancer_name().unwrap_or_default();
        let mut lines = Vec::new();
        let mut said = Vec::new();
        for (listener, rules) in &balancer.listeners {
            match line(listener, rules, groups) {
                Some(line) => {
                    lines.push(line);
                    said.push(listener);
                }
                None => text.left_out.push(format!(
                    "the listener at {} of {own} does something that no blueprint says, or serves what is in none",
                    listener.port().unwrap_or_default()
                )),
            }
        }
        if lines.is_empty() {
            text.left_out.push(format!("the load balancer {own} has no listener that can be said"));
            continue;
        }
        if std::mem::take(&mut is_first) {
            text.line("load_balancers:");
        }
        let name = names.take(own);
        text.line(format!("  {name}:\n    listeners:"));
        lines.iter().for_each(|line| text.line(format!("      - {line}")));
        text.line(format!("    lifecycle: {{ prevent_destroy: true, ignore_changes: [{OF_BALANCER}] }}"));
        let component = format!("load_balancers.{name}");
        text.import(&component, "load_balancer", "main", balancer.is.load_balancer_arn());
        for (target, group) in groups {
            if lines.iter().any(|line| line.contains(&format!("to: {group} "))) {
                text.import(&component, "target_group", group, Some(target));
                text.served.push(group.clone());
            }
        }
        for listener in said {
            let port = listener.port().unwrap_or_default().to_string();
            text.import(&component, "listener", &port, listener.listener_arn());
        }
    }
}

/// `{ port: 80, to: web }`, where it can be said.
fn line(listener: &Listener, rules: &[Rule], groups: &[(String, String)]) -> Option<String> {
    let port = listener.port()?;
    let mut line = format!("{{ port: {port}");
    if listener.protocol() == Some(&ProtocolEnum::Https) {
        let _ = write!(line, ", certificate: \"{}\"", listener.certificates().first()?.certificate_arn()?);
    }
    let to = |action: &aws_sdk_elasticloadbalancingv2::types::Action| {
        let several = action.forward_config().map(|forward| forward.target_groups()).unwrap_or_default();
        let target = action.target_group_arn().or_else(|| several.first()?.target_group_arn())?;
        let group = groups.iter().find(|(arn, _)| arn == target).map(|(_, group)| group.clone())?;
        (several.len() < 2).then_some(group)
    };
    let [action] = listener.default_actions() else { return None };
    let mut own: Vec<&Rule> = rules.iter().filter(|rule| rule.is_default() != Some(true)).collect();
    own.sort_by_key(|rule| rule.priority().and_then(|number| number.parse::<u32>().ok()));
    match action.r#type()? {
        ActionTypeEnum::Redirect if own.is_empty() => {
            let to_https = action.redirect_config()?.protocol() == Some("HTTPS");
            to_https.then(|| line + ", redirect: https }")
        }
        ActionTypeEnum::Forward if own.is_empty() => Some(format!("{line}, to: {} }}", to(action)?)),
        ActionTypeEnum::Forward => {
            let mut routes = Vec::new();
            for (number, rule) in (1..).zip(own) {
                let [action] = rule.actions() else { return None };
                // As standfast numbers them, so that none has to move.
                if rule.priority() != Some(&number.to_string()) {
                    return None;
                }
                routes.push(format!("{{ {}, to: {} }}", condition(rule)?, to(action)?));
            }
            Some(format!("{line}, routes: [{}, {{ to: {} }}] }}", routes.join(", "), to(action)?))
        }
        _ => None,
    }
}

fn condition(rule: &Rule) -> Option<String> {
    let [condition] = rule.conditions() else { return None };
    let (key, values) = match condition.field()? {
        "path-pattern" => ("path", condition.path_pattern_config().map(|it| it.values())),
        "host-header" => ("host", condition.host_header_config().map(|it| it.values())),
        _ => return None,
    };
    let [value] = values.unwrap_or(condition.values()) else { return None };
    Some(format!("{key}: {}", quoted(value)))
}

/// A text of YAML, whatever is in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn groups(text: &mut Text, found: &Found, names: &[(String, String)]) {
    if !found.groups.is_empty() {
        text.line("autoscaling_groups:");
    }
    let targets: Vec<&TargetGroup> =
        found.balancers.iter().flat_map(|Balancer { targets, .. }| targets).collect();
    for ((group, machine), (target, name)) in found.groups.iter().zip(&found.machines).zip(names) {
        let Some(target) = targets.iter().find(|one| one.target_group_arn() == Some(target)) else {
            continue;
        };
        let template = group.launch_template().and_then(|template| template.launch_template_id());
        let (min, max) = (group.min_size().unwrap_or(0), group.max_size().unwrap_or(1).max(1));
        let desired = group.desired_capacity().unwrap_or(min);
        text.line(format!("  {name}:\n    capacity: {{ min: {min}, desired: {desired}, max: {max} }}"));
        let size = machine.instance_type().map(|size| size.as_str()).unwrap_or_default();
        text.line(format!(
            "    instance_type: {size}\n    image: {}",
            machine.image_id().unwrap_or_default()
        ));
        text.line(
            "    # What runs there cannot be read: say it. It stays as it is while `user_data` stands below.",
        );
        text.line("    workload: {}");
        text.line(format!("    port: {}", target.port().unwrap_or(80)));
        let path = target.health_check_path().map(|path| format!("path: {}, ", quoted(path)));
        let path = path.unwrap_or_default();
        text.line(format!(
            "    health_check: {{ {path}interval: {}s, timeout: {}s, healthy: {}, unhealthy: {} }}",
            target.health_check_interval_seconds().unwrap_or(30),
            target.health_check_timeout_seconds().unwrap_or(5),
            target.healthy_threshold_count().unwrap_or(5),
            target.unhealthy_threshold_count().unwrap_or(2),
        ));
        // Served by a listener that the blueprint does not say, it stays there.
        let elsewhere = if text.served.contains(name) { "" } else { ", target_groups" };
        text.line(format!(
            "    lifecycle: {{ prevent_destroy: true, ignore_changes: [{OF_GROUP}{elsewhere}] }}"
        ));
        let component = format!("autoscaling_groups.{name}");
        text.import(&component, "launch_template", "main", template);
        text.import(&component, "autoscaling_group", "main", group.auto_scaling_group_name());
    }
}

fn databases(text: &mut Text, found: &Found) {
    if !found.databases.is_empty() {
        text.line("databases:");
    }
    let mut names = Names::default();
    for database in &found.databases {
        let name = names.take(database.db_instance_identifier().unwrap_or_default());
        let engine = database.engine().unwrap_or_default();
        let class = database.db_instance_class().unwrap_or_default();
        text.line(format!("  {name}:\n    engine: {engine}"));
        text.line(format!("    version: \"{}\"", database.engine_version().unwrap_or_default()));
        text.line(format!("    instance_type: {class}"));
        text.line(format!("    storage: {}GiB", database.allocated_storage().unwrap_or(20)));
        if database.multi_az() == Some(true) {
            text.line("    replicas: 1");
        } else {
            text.line("    topology: single");
        }
        if let Some(user) = database.master_username() {
            text.line(format!("    username: {user}"));
        }
        let days = database.backup_retention_period().unwrap_or(0);
        if days > 0 {
            text.line(format!("    backup: {{ keep: {days}d }}"));
        }
        text.line(format!("    deletion_protection: {}", database.deletion_protection() == Some(true)));
        text.line("    # Its password is as it was: without `password` here nothing changes it.");
        let backups = if days > 0 { "" } else { ", backup_days" };
        text.line(format!(
            "    lifecycle: {{ prevent_destroy: true, ignore_changes: [{OF_DATABASE}{backups}] }}"
        ));
        text.import(&format!("databases.{name}"), "db_instance", "main", database.db_instance_arn());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_blueprints_and_each_of_its_own() {
        let mut names = Names::default();
        let taken = ["old_web", "old-web", "3rd", "--"].map(|name| names.take(name));
        assert_eq!(taken, ["old-web", "old-web-2", "x3rd", "x"]);
    }

    #[test]
    fn a_path_stays_one_text() {
        assert_eq!(quoted(r#"/a"b\c"#), r#""/a\"b\\c""#);
    }
}
