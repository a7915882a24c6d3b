//! Load balancers, with their target groups and listeners: ALBs and NLBs, whether they face the internet or not.

use std::fmt::Write as _;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Listener, LoadBalancer, LoadBalancerSchemeEnum, LoadBalancerTypeEnum,
    ProtocolEnum, Rule, TargetGroup,
};

use super::{
    group::Group,
    text::{Names, Text, quoted},
};
use crate::{
    clients::Site,
    failure::{Failure, failed},
    kinds, marks,
};

/// What stays as it is, target groups and listeners included.
const KEPT: &[&str] = &["subnets", "security_groups", "settings", "check_matcher", "tls_policy"];

pub(super) struct Balancer {
    is: LoadBalancer,
    listeners: Vec<(Listener, Vec<Rule>)>,
    pub targets: Vec<TargetGroup>,
}

impl Balancer {
    fn name(&self) -> &str {
        self.is.load_balancer_name().unwrap_or_default()
    }

    fn is_network(&self) -> bool {
        self.is.r#type() == Some(&LoadBalancerTypeEnum::Network)
    }

    fn is_internal(&self) -> bool {
        self.is.scheme() == Some(&LoadBalancerSchemeEnum::Internal)
    }

    /// The port that its redirects lead to, where a blueprint says them.
    fn https(&self) -> String {
        let is_secure = |listener: &Listener| listener.protocol() == Some(&ProtocolEnum::Https);
        let secure = self.listeners.iter().find(|(listener, _)| is_secure(listener));
        secure.and_then(|(listener, _)| listener.port()).unwrap_or(443).to_string()
    }

    /// The addresses that somebody gave it, by id.
    fn addresses(&self) -> Vec<&str> {
        let addresses = self.is.availability_zones().iter().flat_map(|zone| zone.load_balancer_addresses());
        addresses.filter_map(|address| address.allocation_id()).collect()
    }
}

/// What was written of them.
#[derive(Default)]
pub(super) struct Written {
    /// Groups that a listener leads to.
    pub served: Vec<String>,
    /// Names in DNS, each with the blueprint's.
    pub balancers: Vec<(String, String)>,
}

pub(super) async fn look(site: &Site, vpc: &str, text: &mut Text) -> Result<Vec<Balancer>, Failure> {
    let elb = &site.look.elb;
    let all: Result<Vec<_>, _> =
        elb.describe_load_balancers().into_paginator().items().send().collect().await;
    let mut all = all.map_err(failed("elasticloadbalancing:DescribeLoadBalancers"))?;
    all.retain(|is| is.vpc_id() == Some(vpc));
    let arns: Vec<String> = all.iter().filter_map(|is| is.load_balancer_arn.clone()).collect();
    let tags = kinds::balancer_tags(site, &arns).await?;
    let mut balancers = Vec::new();
    for is in all {
        let (name, arn) =
            (is.load_balancer_name().unwrap_or_default(), is.load_balancer_arn().unwrap_or_default());
        if tags.get(arn).is_some_and(|tags| tags.contains_key(marks::STACK)) {
            text.leave_out(format!("the load balancer {name} is a stack's already"));
            continue;
        }
        let kinds = [LoadBalancerTypeEnum::Application, LoadBalancerTypeEnum::Network];
        if !is.r#type().is_some_and(|kind| kinds.contains(kind)) {
            text.leave_out(format!("the load balancer {name} is neither an ALB nor an NLB"));
            continue;
        }
        let call = elb.describe_target_groups().load_balancer_arn(arn);
        let targets: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let targets = targets.map_err(failed("elasticloadbalancing:DescribeTargetGroups"))?;
        let call = elb.describe_listeners().load_balancer_arn(arn);
        let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let mut listeners = Vec::new();
        for listener in all.map_err(failed("elasticloadbalancing:DescribeListeners"))? {
            let rules = kinds::listener_rules(site, &listener).await?;
            listeners.push((listener, rules));
        }
        listeners.sort_by_key(|(listener, _)| listener.port());
        balancers.push(Balancer { is, listeners, targets });
    }
    Ok(balancers)
}

pub(super) fn write(text: &mut Text, balancers: &[Balancer], groups: &[Group]) -> Written {
    let mut names = Names::default();
    let mut written = Written::default();
    for balancer in balancers {
        let own = balancer.name();
        let https = balancer.https();
        let mut lines = Vec::new();
        let mut said = Vec::new();
        for (listener, rules) in &balancer.listeners {
            let mut led_to = Vec::new();
            match line(listener, rules, &https, groups, &mut led_to) {
                Some(line) => {
                    lines.push(line);
                    said.push((listener, led_to));
                }
                None => text.leave_out(format!(
                    "the listener at {} of {own} does something that no blueprint says, or serves what is in none",
                    listener.port().unwrap_or_default()
                )),
            }
        }
        if lines.is_empty() {
            text.leave_out(format!("the load balancer {own} has no listener that can be said"));
            continue;
        }
        if written.balancers.is_empty() {
            text.line("load_balancers:");
        }
        let name = names.take(own);
        let mut served: Vec<&Group> = said.iter().flat_map(|(_, led_to)| led_to.iter().copied()).collect();
        served.sort_by_key(|group| &group.name);
        served.dedup_by_key(|group| &group.name);
        text.line(format!("  {name}:"));
        if balancer.is_network() {
            text.line("    layer: 4");
        }
        if balancer.is_internal() {
            text.line("    internal: true");
        }
        text.line("    listeners:");
        lines.iter().for_each(|line| text.line(format!("      - {line}")));
        write_kept(text, balancer, &served);
        let component = format!("load_balancers.{name}");
        text.import(&component, "load_balancer", "main", balancer.is.load_balancer_arn());
        for group in served {
            text.import(&component, "target_group", &group.name, group.target_arn());
            written.served.push(group.name.clone());
        }
        for (listener, _) in said {
            let port = listener.port().unwrap_or_default().to_string();
            text.import(&component, "listener", &port, listener.listener_arn());
        }
        written.balancers.push((balancer.is.dns_name().unwrap_or_default().to_ascii_lowercase(), name));
    }
    written
}

fn write_kept(text: &mut Text, balancer: &Balancer, served: &[&Group]) {
    let mut kept = KEPT.to_vec();
    if balancer.is_network() {
        // <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html>
        if balancer.is.security_groups().is_empty() {
            text.note("It was made without security groups, and AWS gives it none later: `security_groups` has to stay.");
        }
        kept.push("elastic_ips");
        let addresses = balancer.addresses();
        if !addresses.is_empty() {
            text.note(format!("Its addresses stay with it and are nobody's here: {}.", addresses.join(", ")));
        }
    }
    for group in served {
        for unsaid in group.unsaid() {
            if !kept.contains(&unsaid) {
                kept.push(unsaid);
            }
        }
    }
    text.keep(&kept);
}

/// `{ port: 80, to: web }`, where it can be said: `https` is where a redirect leads. Adds the groups that it leads to.
fn line<'a>(
    listener: &Listener,
    rules: &[Rule],
    https: &str,
    groups: &'a [Group],
    led_to: &mut Vec<&'a Group>,
) -> Option<String> {
    let port = listener.port()?;
    let mut line = format!("{{ port: {port}");
    // How members are spoken to; TLS ends at layer 7 only.
    let spoken = match listener.protocol()? {
        ProtocolEnum::Http => ProtocolEnum::Http,
        ProtocolEnum::Https => {
            let _ =
                write!(line, ", certificate: \"{}\"", listener.certificates().first()?.certificate_arn()?);
            ProtocolEnum::Http
        }
        ProtocolEnum::Tcp => ProtocolEnum::Tcp,
        _ => return None,
    };
    let mut to = |action: &Action| {
        let several = action.forward_config().map(|forward| forward.target_groups()).unwrap_or_default();
        let target = action.target_group_arn().or_else(|| several.first()?.target_group_arn())?;
        let group = groups.iter().find(|group| group.target_arn() == Some(target))?;
        if several.len() > 1 || group.target.protocol() != Some(&spoken) {
            return None;
        }
        led_to.push(group);
        Some(group.name.as_str())
    };
    let [action] = listener.default_actions() else { return None };
    match action.r#type()? {
        ActionTypeEnum::Redirect if rules.is_empty() => {
            let redirect = action.redirect_config()?;
            let is_to_https = redirect.protocol() == Some("HTTPS") && redirect.port() == Some(https);
            is_to_https.then(|| line + ", redirect: https }")
        }
        ActionTypeEnum::Forward if rules.is_empty() => Some(format!("{line}, to: {} }}", to(action)?)),
        ActionTypeEnum::Forward => {
            let mut routes = Vec::new();
            for (number, rule) in (1..).zip(rules) {
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
