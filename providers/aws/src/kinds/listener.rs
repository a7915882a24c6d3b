//! A listener of a load balancer with its rules: the routes of a blueprint, first that fits first.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, FixedResponseActionConfig, HostHeaderConditionConfig,
    Listener as Found, PathPatternConditionConfig, ProtocolEnum, RedirectActionConfig,
    RedirectActionStatusCodeEnum, Rule, RuleCondition,
};
use standfast_contract::{Kind, Map, Value};

use super::{
    ID, Job, Phase, Seen, Select, TAGS, Works, elb, fixed, map, may, must, requested_certificate, text,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed, unless_gone},
    marks::Tags,
};

pub(super) struct Listener;

/// `awaits_certificate`: until ACM has issued it. `to`: the target group of what fits no route; without it that is answered with 404. `redirect`: the port of https
/// where everything is sent. `rules`: each `{path, host, to}`, in order.
static KIND: Kind = Kind::new(
    "listener",
    &[
        ID,
        TAGS,
        fixed("load_balancer"),
        must("port"),
        must("protocol"),
        may("certificate"),
        may("awaits_certificate").unobserved(),
        may("tls_policy"),
        may("redirect"),
        may("to"),
        may("rules"),
    ],
);

#[async_trait]
impl Works for Listener {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let mut seen = Vec::new();
        for (found, tags) in
            elb::selected(site, select, list(site, select).await?, |one| one.listener_arn()).await?
        {
            let rules = unless_gone(rules(site, &found).await)?;
            seen.extend(rules.map(|rules| seen_as(&found, &rules, tags)));
        }
        Ok(seen)
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        await_certificate(job).await?;
        let call = job
            .site
            .change
            .elb
            .create_listener()
            .load_balancer_arn(job.text("load_balancer")?)
            .port(job.int("port")?)
            .protocol(ProtocolEnum::from(job.text("protocol")?))
            .set_certificates(certificates(job))
            .set_ssl_policy(job.maybe("tls_policy").map(str::to_owned))
            .default_actions(default_action(&job.call.inputs))
            .set_tags(Some(elb::written(&job.tags())));
        let action = "elasticloadbalancing:CreateListener";
        let made = call.send().await.map_err(failed(action))?;
        let first = made.listeners.unwrap_or_default().into_iter().next();
        first.and_then(|made| made.listener_arn).ok_or_else(|| Failure::lost(action))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        const OWN: [&str; 6] = ["port", "protocol", "certificate", "tls_policy", "redirect", "to"];
        if job.differs("certificate", seen) {
            await_certificate(job).await?;
        }
        if OWN.iter().any(|key| job.differs(key, seen)) {
            let call = job
                .site
                .change
                .elb
                .modify_listener()
                .listener_arn(&seen.id)
                .port(job.int("port")?)
                .protocol(ProtocolEnum::from(job.text("protocol")?))
                .set_certificates(certificates(job))
                .set_ssl_policy(job.maybe("tls_policy").map(str::to_owned))
                .default_actions(default_action(&job.call.inputs));
            call.send().await.map_err(failed("elasticloadbalancing:ModifyListener"))?;
        }
        fit_rules(job, seen).await
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.elb.delete_listener().listener_arn(id);
        call.send().await.map_err(failed("elasticloadbalancing:DeleteListener"))?;
        Ok(())
    }

    /// And its rules.
    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        elb::tag(site, id, set, unset).await?;
        if id.contains(":listener/app/") {
            for rule in rules_of(site, id).await? {
                elb::tag(site, rule.rule_arn().unwrap_or_default(), set, unset).await?;
            }
        }
        Ok(())
    }
}

/// A few by their ARNs, else those of every load balancer.
async fn list(site: &Site, select: Select<'_>) -> Result<Vec<Found>, Failure> {
    let describe = || site.look.elb.describe_listeners();
    let action = "elasticloadbalancing:DescribeListeners";
    if let Some(ids) = select.ids() {
        let mut found = Vec::new();
        for page in ids.chunks(elb::ARNS_MAX) {
            let few = page.iter().map(|id| (*id).to_owned()).collect();
            match describe().set_listener_arns(Some(few)).send().await.map_err(failed(action)) {
                Ok(answer) => found.extend(answer.listeners.unwrap_or_default()),
                Err(failure) if failure.trouble != Trouble::NotFound => return Err(failure),
                // One of them is missing, and the call does not say which.
                Err(_) => {
                    for &id in page.iter().filter(|_| page.len() > 1) {
                        match describe().listener_arns(id).send().await.map_err(failed(action)) {
                            Ok(answer) => found.extend(answer.listeners.unwrap_or_default()),
                            Err(failure) if failure.trouble == Trouble::NotFound => {}
                            Err(failure) => return Err(failure),
                        }
                    }
                }
            }
        }
        return Ok(found);
    }
    let mut found = Vec::new();
    for balancer in elb::load_balancers(site, select).await? {
        let call = describe().set_load_balancer_arn(balancer.load_balancer_arn);
        let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        match all.map_err(failed(action)) {
            Ok(all) => found.extend(all),
            // Deleted meanwhile.
            Err(failure) if failure.trouble == Trouble::NotFound => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// Beside the default, in order; only HTTP has any.
pub(crate) async fn rules(site: &Site, found: &Found) -> Result<Vec<Rule>, Failure> {
    if !matches!(found.protocol(), Some(ProtocolEnum::Http | ProtocolEnum::Https)) {
        return Ok(Vec::new());
    }
    rules_of(site, found.listener_arn().unwrap_or_default()).await
}

async fn rules_of(site: &Site, listener: &str) -> Result<Vec<Rule>, Failure> {
    let call = site.look.elb.describe_rules().listener_arn(listener);
    let rules: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let mut rules = rules.map_err(failed("elasticloadbalancing:DescribeRules"))?;
    rules.retain(|rule| rule.is_default() != Some(true));
    rules.sort_by_key(|rule| rule.priority().and_then(|text| text.parse().ok()).unwrap_or(i32::MAX));
    Ok(rules)
}

fn seen_as(found: &Found, rules: &[Rule], tags: Tags) -> Seen {
    let default = found.default_actions().first();
    let redirect = default.and_then(Action::redirect_config).and_then(RedirectActionConfig::port);
    let told: Vec<Value> = rules.iter().map(|rule| route(rule).into()).collect();
    let parts =
        rules.iter().filter_map(|rule| Some((rule.priority()?.to_owned(), rule.rule_arn()?.to_owned())));
    Seen {
        id: found.listener_arn().unwrap_or_default().to_owned(),
        phase: Phase::Ready,
        tags,
        attributes: map([
            ("load_balancer", text(found.load_balancer_arn())),
            ("port", found.port().map_or(Value::Null, |port| Value::Int(port.into()))),
            ("protocol", text(found.protocol().map(ProtocolEnum::as_str))),
            ("certificate", text(found.certificates().first().and_then(Certificate::certificate_arn))),
            ("tls_policy", text(found.ssl_policy())),
            ("redirect", text(redirect)),
            ("to", text(default.and_then(target))),
            ("rules", if told.is_empty() { Value::Null } else { told.into() }),
        ]),
        outputs: map([("id", text(found.listener_arn()))]),
        parts: parts.collect(),
    }
}

/// AWS tells the target of a forward in one of two places.
fn target(action: &Action) -> Option<&str> {
    let groups = action.forward_config().map(|forward| forward.target_groups()).unwrap_or_default();
    action.target_group_arn().or_else(|| groups.first()?.target_group_arn())
}

fn route(rule: &Rule) -> Map {
    let condition = |field: &str| {
        let condition = rule.conditions().iter().find(|one| one.field() == Some(field))?;
        let configured = match field {
            "path-pattern" => condition.path_pattern_config().map(|it| it.values()),
            _ => condition.host_header_config().map(|it| it.values()),
        };
        configured.unwrap_or_default().first().or_else(|| condition.values().first()).map(String::as_str)
    };
    map([
        ("path", text(condition("path-pattern"))),
        ("host", text(condition("host-header"))),
        ("to", text(rule.actions().first().and_then(target))),
    ])
}

fn certificates(job: &Job<'_>) -> Option<Vec<Certificate>> {
    job.maybe("certificate").map(|arn| vec![Certificate::builder().certificate_arn(arn).build()])
}

/// One that ACM is about to issue.
async fn await_certificate(job: &Job<'_>) -> Result<(), Failure> {
    match job.maybe("certificate") {
        Some(arn) if job.is("awaits_certificate") => {
            requested_certificate::issued(job.context, job.site, arn).await
        }
        _ => Ok(()),
    }
}

fn forward(to: &str) -> Action {
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(to).build()
}

fn default_action(inputs: &Map) -> Action {
    let of = |key: &str| inputs.get(key).and_then(Value::as_str);
    if let Some(port) = of("redirect") {
        let redirect = RedirectActionConfig::builder()
            .protocol("HTTPS")
            .port(port)
            .status_code(RedirectActionStatusCodeEnum::Http301)
            .build();
        return Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(redirect).build();
    }
    if let Some(to) = of("to") {
        return forward(to);
    }
    let answer = FixedResponseActionConfig::builder().status_code("404").content_type("text/plain").build();
    Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(answer).build()
}

/// Rules by their number: what is as wanted stays, so that nothing is served by nobody in between.
async fn fit_rules(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    let elb = &job.site.change.elb;
    let items = |value: Option<&Value>| value.and_then(Value::as_list).unwrap_or_default().to_vec();
    let wanted = items(job.call.inputs.get("rules"));
    let have: BTreeMap<i32, (&String, Value)> = seen
        .parts
        .iter()
        .filter_map(|(number, arn)| Some((number.parse::<i32>().ok()?, arn)))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .zip(items(seen.attributes.get("rules")))
        .map(|((number, arn), route)| (number, (arn, route)))
        .collect();
    for (number, wanted) in (1..).zip(&wanted) {
        let Some(route) = wanted.as_map() else { continue };
        let to = route.get("to").and_then(Value::as_str).unwrap_or_default();
        match have.get(&number) {
            Some((_, is)) if is == wanted => {}
            Some((arn, _)) => {
                let call = elb
                    .modify_rule()
                    .rule_arn(*arn)
                    .set_conditions(Some(conditions(route)))
                    .actions(forward(to));
                call.send().await.map_err(failed("elasticloadbalancing:ModifyRule"))?;
            }
            None => {
                let call = elb
                    .create_rule()
                    .listener_arn(&seen.id)
                    .priority(number)
                    .set_conditions(Some(conditions(route)))
                    .actions(forward(to))
                    .set_tags(Some(elb::written(&job.tags())));
                call.send().await.map_err(failed("elasticloadbalancing:CreateRule"))?;
            }
        }
    }
    let last = i32::try_from(wanted.len()).unwrap_or(i32::MAX);
    for (arn, _) in have.range(last.saturating_add(1)..).map(|(_, rule)| rule) {
        let call = elb.delete_rule().rule_arn(*arn);
        call.send().await.map_err(failed("elasticloadbalancing:DeleteRule"))?;
    }
    Ok(())
}

fn conditions(route: &Map) -> Vec<RuleCondition> {
    let of = |key: &str| route.get(key).and_then(Value::as_str);
    let path = of("path").map(|path| {
        RuleCondition::builder()
            .field("path-pattern")
            .path_pattern_config(PathPatternConditionConfig::builder().values(path).build())
            .build()
    });
    let host = of("host").map(|host| {
        RuleCondition::builder()
            .field("host-header")
            .host_header_config(HostHeaderConditionConfig::builder().values(host).build())
            .build()
    });
    path.into_iter().chain(host).collect()
}
