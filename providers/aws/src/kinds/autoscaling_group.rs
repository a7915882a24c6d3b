//! An autoscaling group: so many machines of a launch template, over the zones, with the rules by which it scales.
//!
//! A new version of the template is rolled out by AWS's instance refresh (`refresh`); `mixed` knows several sizes and spot
//! machines, `schedule` other capacities at certain times.

mod mixed;
mod refresh;
mod schedule;

use async_trait::async_trait;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup as Found, EnabledMetric, Filter, LaunchTemplateSpecification, MetricType,
    PredefinedMetricSpecification, ScalingPolicy, ScheduledUpdateGroupAction, Tag,
    TargetTrackingConfiguration,
};
use futures::try_join;
use standfast_contract::{Attribute, Kind, Map, Value};

use super::{
    DELETING, ID, Job, Parts, Phase, Seen, Select, TAGS, Works, fixed, list, map, may, must, text, texts,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::{ENVIRONMENT, STACK, TOKEN, Tags},
};

pub(crate) use schedule::UTC;

pub(super) struct AutoscalingGroup;

/// Of a rollout over all machines at once, such as over the only one.
const NONE_SERVES: &str = "no machine serves meanwhile";

/// `min`, `desired` and `max` are given where nothing else changes them; where a rule or a schedule does they are
/// `initial_min`, `initial` and `initial_max`, and then the group's own.
/// `reports_members`: to CloudWatch, how many serve; what else it is told to report is left alone.
/// `scaling`: each `{metric, target, label}`. `schedule`: each `{name, cron, time_zone, min, desired, max}`.
/// `mixed`: `{types, on_demand_base, on_demand_percent}`.
static KIND: Kind = Kind::new(
    "autoscaling_group",
    &[
        ID,
        TAGS,
        fixed("name").kept().unique(),
        may("min"),
        may("max"),
        may("desired"),
        may("initial").unobserved(),
        may("initial_min").unobserved(),
        may("initial_max").unobserved(),
        // Its machines and its target groups cannot move to another one; AWS tells the subnets only.
        fixed("vpc").unobserved(),
        must("subnets"),
        must("template").effect_if(NONE_SERVES, "min_healthy_percent", 0),
        must("template_version").effect_if(NONE_SERVES, "min_healthy_percent", 0),
        must("health"),
        Attribute::new("grace_s").required().unit("seconds"),
        may("target_groups"),
        may("scaling"),
        may("reports_members"),
        may("schedule"),
        may("mixed").effect_if(NONE_SERVES, "min_healthy_percent", 0),
        may("rebalance"),
        may("min_healthy_percent").unobserved(),
        may("canary_percent").unobserved(),
        Attribute::new("warmup_s").unobserved().unit("seconds"),
        may("on_failure").unobserved(),
    ],
);

/// How many machines serve; a group reports it only when it is told to.
pub(crate) const IN_SERVICE: &str = "GroupInServiceInstances";

#[async_trait]
impl Works for AutoscalingGroup {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let groups = groups(site, select).await?;
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        // Of the whole region unless it is about one group: policies and schedules know no other filter.
        let one = match &groups[..] {
            [group] => group.auto_scaling_group_name.clone(),
            _ => None,
        };
        let scheduled = async {
            // One that nobody here wrote is nobody's drift.
            if select.asks("schedule") { schedule::all(site, one.clone()).await } else { Ok(Vec::new()) }
        };
        let (policies, scheduled) = try_join!(policies(site, one.clone()), scheduled)?;
        Ok(groups.iter().map(|group| seen_as(group, &policies, &scheduled)).collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let name = job.text("name")?;
        let tags = job.tags();
        let tags = tags.iter().map(|(key, value)| tag_of(name, key, value, !is_mark(key)));
        let groups: Vec<String> = job.texts("target_groups").into_iter().map(str::to_owned).collect();
        let template = template(job)?;
        let mixed = mixed::policy(job, &template)?;
        let call = job
            .site
            .change
            .asg
            .create_auto_scaling_group()
            .auto_scaling_group_name(name)
            .set_min_size(limit(job, "min", "initial_min"))
            .set_max_size(limit(job, "max", "initial_max"))
            .set_desired_capacity(limit(job, "desired", "initial"))
            .vpc_zone_identifier(joined(job))
            .set_launch_template(mixed.is_none().then_some(template))
            .set_mixed_instances_policy(mixed)
            .set_capacity_rebalance(job.find("rebalance").and_then(Value::as_bool))
            .health_check_type(job.text("health")?)
            .health_check_grace_period(job.int("grace_s")?)
            .set_target_group_arns(Some(groups).filter(|groups| !groups.is_empty()))
            .set_tags(Some(tags.collect()));
        call.send().await.map_err(failed("autoscaling:CreateAutoScalingGroup")).map_err(heard)?;
        Ok(name.to_owned())
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let is_new_version =
            ["template", "template_version", "mixed"].iter().any(|key| job.differs(key, seen));
        fit_own(job, seen).await?;
        if job.is("reports_members") && job.differs("reports_members", seen) {
            let call = job
                .site
                .change
                .asg
                .enable_metrics_collection()
                .auto_scaling_group_name(&seen.id)
                .granularity("1Minute")
                .metrics(IN_SERVICE);
            call.send().await.map_err(failed("autoscaling:EnableMetricsCollection"))?;
        }
        fit_target_groups(job, seen).await?;
        fit_scaling(job, seen).await?;
        schedule::fit(job, seen).await?;
        if is_new_version { refresh::refresh(job, &seen.id).await } else { Ok(()) }
    }

    /// With its machines: they hold nothing that is not in the template.
    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.asg.delete_auto_scaling_group().auto_scaling_group_name(id).force_delete(true);
        match call.send().await.map_err(failed("autoscaling:DeleteAutoScalingGroup")) {
            // The call knows no other word for it.
            Err(failure) if failure.message.contains("not found") => {
                Err(Failure { trouble: Trouble::NotFound, ..failure })
            }
            other => other.map(drop),
        }
    }

    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        if !set.is_empty() {
            let tags = set.iter().map(|(key, value)| tag_of(id, key, value, !is_mark(key))).collect();
            let call = site.change.asg.create_or_update_tags().set_tags(Some(tags));
            call.send().await.map_err(failed("autoscaling:CreateOrUpdateTags"))?;
        }
        if !unset.is_empty() {
            let tags = unset.iter().map(|key| tag_of(id, key, "", false)).collect();
            let call = site.change.asg.delete_tags().set_tags(Some(tags));
            call.send().await.map_err(failed("autoscaling:DeleteTags"))?;
        }
        Ok(())
    }
}

fn is_in_service(metric: &EnabledMetric) -> bool {
    metric.metric() == Some(IN_SERVICE)
}

/// Machines get the marks from their template, without the address.
fn is_mark(key: &str) -> bool {
    key.starts_with("standfast:")
}

fn tag_of(group: &str, key: &str, value: &str, for_machines: bool) -> Tag {
    Tag::builder()
        .resource_id(group)
        .resource_type("auto-scaling-group")
        .key(key)
        .value(value)
        .propagate_at_launch(for_machines)
        .build()
}

/// By name in one call each fifty, or by tag.
pub(crate) async fn groups(site: &Site, select: Select<'_>) -> Result<Vec<Found>, Failure> {
    const NAMES_MAX: usize = 50;
    let describe = || site.look.asg.describe_auto_scaling_groups();
    let filter = |key: &str, value: &str| Filter::builder().name(format!("tag:{key}")).values(value).build();
    let of_stack = |stack: &standfast_contract::Stack| {
        vec![filter(STACK, &stack.name), filter(ENVIRONMENT, &stack.environment)]
    };
    let calls = match select {
        Select::Ids(ids) | Select::Bare(ids, _) => ids
            .chunks(NAMES_MAX)
            .map(|page| {
                let names = page.iter().map(|id| (*id).to_owned()).collect();
                describe().set_auto_scaling_group_names(Some(names))
            })
            .collect(),
        Select::Stack(stack) => vec![describe().set_filters(Some(of_stack(stack)))],
        Select::Token(stack, token) => {
            let mut filters = of_stack(stack);
            filters.push(filter(TOKEN, token));
            vec![describe().set_filters(Some(filters))]
        }
    };
    let mut found = Vec::new();
    for call in calls {
        let groups: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        found.extend(groups.map_err(failed("autoscaling:DescribeAutoScalingGroups"))?);
    }
    Ok(found)
}

async fn policies(site: &Site, group: Option<String>) -> Result<Vec<ScalingPolicy>, Failure> {
    let call = site.look.asg.describe_policies().set_auto_scaling_group_name(group);
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    all.map_err(failed("autoscaling:DescribePolicies"))
}

/// A number that is kept so, or else with which it begins.
fn limit(job: &Job<'_>, key: &str, initial: &str) -> Option<i32> {
    let given = job.find(key).or_else(|| job.find(initial));
    given.and_then(Value::as_int).and_then(|int| i32::try_from(int).ok())
}

fn seen_as(group: &Found, policies: &[ScalingPolicy], scheduled: &[ScheduledUpdateGroupAction]) -> Seen {
    let name = group.auto_scaling_group_name().unwrap_or_default();
    let template = mixed::template_of(group);
    let whole = |number: Option<i32>| number.map_or(Value::Null, |number| Value::Int(number.into()));
    let own = policies.iter().filter(|policy| policy.auto_scaling_group_name() == Some(name));
    let own: Vec<(Map, &str)> =
        own.filter_map(|policy| Some((rule(policy)?, policy.policy_name()?))).collect();
    let subnets = group.vpc_zone_identifier().unwrap_or_default();
    let phase = match group.status() {
        Some(_) => Phase::Pending(format!("{DELETING}, {} machines left", group.instances().len())),
        // It is there, whatever its machines do: a group whose machines do not start must be open to mending.
        None => Phase::Ready,
    };
    let tags = group.tags().iter();
    let tags = tags
        .map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned()))
        .collect();
    Seen {
        id: name.to_owned(),
        phase,
        tags,
        attributes: map([
            ("name", name.into()),
            ("min", whole(group.min_size())),
            ("max", whole(group.max_size())),
            ("desired", whole(group.desired_capacity())),
            ("subnets", list(subnets.split(',').filter(|subnet| !subnet.is_empty()))),
            ("template", text(template.and_then(|it| it.launch_template_id()))),
            ("template_version", text(template.and_then(|it| it.version()))),
            ("health", text(group.health_check_type())),
            ("grace_s", whole(group.health_check_grace_period())),
            ("target_groups", list(group.target_group_arns().iter().map(String::as_str))),
            ("reports_members", group.enabled_metrics().iter().any(is_in_service).into()),
            ("scaling", list(own.iter().map(|(rule, _)| rule.clone()))),
            ("schedule", schedule::seen_as(name, scheduled)),
            ("mixed", mixed::seen_as(group.mixed_instances_policy())),
            ("rebalance", if group.capacity_rebalance() == Some(true) { true.into() } else { Value::Null }),
        ]),
        outputs: map([("id", name.into()), ("arn", text(group.auto_scaling_group_arn()))]),
        // The metric of each policy, and its name.
        parts: own
            .iter()
            .map(|(rule, policy)| (rule["metric"].to_string(), (*policy).to_owned()))
            .collect::<Parts>(),
    }
}

/// A policy as a rule; those of other types are somebody else's.
fn rule(policy: &ScalingPolicy) -> Option<Map> {
    let tracking = policy.target_tracking_configuration()?;
    let metric = tracking.predefined_metric_specification()?;
    Some(map([
        ("metric", metric.predefined_metric_type()?.as_str().into()),
        ("target", tracking.target_value().unwrap_or_default().into()),
        ("label", text(metric.resource_label())),
    ]))
}

fn joined(job: &Job<'_>) -> String {
    job.texts("subnets").into_iter().collect::<Vec<_>>().join(",")
}

fn template(job: &Job<'_>) -> Result<LaunchTemplateSpecification, Failure> {
    Ok(LaunchTemplateSpecification::builder()
        .launch_template_id(job.text("template")?)
        .version(job.text("template_version")?)
        .build())
}

/// IAM's news of a new profile: "Invalid IAM Instance Profile name", "Invalid IamInstanceProfile".
fn heard(failure: Failure) -> Failure {
    let is_news = ["Invalid IAM Instance Profile", "Invalid IamInstanceProfile"]
        .iter()
        .any(|words| failure.message.contains(words));
    if is_news { Failure { trouble: Trouble::NotYet, ..failure } } else { failure }
}

/// What is a number or a word of the group itself.
async fn fit_own(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    const OWN: [&str; 7] = ["min", "max", "desired", "subnets", "health", "grace_s", "rebalance"];
    let asg = &job.site.change.asg;
    // An instance refresh cannot take several sizes away.
    let is_unmixed = job.find("mixed").is_none() && seen.attributes.contains_key("mixed");
    let is_asked_anew = |key: &str| job.call.changed.iter().any(|changed| changed == key);
    let anew = |key: &str, initial: &str| {
        limit(job, key, initial).filter(|_| job.find(key).is_some() || is_asked_anew(initial))
    };
    if OWN.iter().any(|key| (job.find(key).is_some() || *key == "rebalance") && job.differs(key, seen))
        || is_unmixed
        || ["initial_min", "initial_max"].into_iter().any(is_asked_anew)
    {
        let call = asg
            .update_auto_scaling_group()
            .auto_scaling_group_name(&seen.id)
            .set_min_size(anew("min", "initial_min"))
            .set_max_size(anew("max", "initial_max"))
            .set_desired_capacity(job.find("desired").map(|_| job.int("desired")).transpose()?)
            .vpc_zone_identifier(joined(job))
            .health_check_type(job.text("health")?)
            .health_check_grace_period(job.int("grace_s")?)
            .set_launch_template(is_unmixed.then(|| template(job)).transpose()?)
            .capacity_rebalance(job.is("rebalance"));
        call.send().await.map_err(failed("autoscaling:UpdateAutoScalingGroup"))?;
    }
    Ok(())
}

async fn fit_target_groups(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    let (wanted, have) = (job.texts("target_groups"), texts(&seen.attributes, "target_groups"));
    let added: Vec<String> = wanted.difference(&have).map(|&arn| arn.to_owned()).collect();
    let gone: Vec<String> = have.difference(&wanted).map(|&arn| arn.to_owned()).collect();
    let asg = &job.site.change.asg;
    if !added.is_empty() {
        let call = asg
            .attach_load_balancer_target_groups()
            .auto_scaling_group_name(&seen.id)
            .set_target_group_arns(Some(added));
        call.send().await.map_err(failed("autoscaling:AttachLoadBalancerTargetGroups"))?;
    }
    if !gone.is_empty() {
        let call = asg
            .detach_load_balancer_target_groups()
            .auto_scaling_group_name(&seen.id)
            .set_target_group_arns(Some(gone));
        call.send().await.map_err(failed("autoscaling:DetachLoadBalancerTargetGroups"))?;
    }
    Ok(())
}

/// A policy is named after its metric: putting it again changes it.
async fn fit_scaling(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    if !job.differs("scaling", seen) {
        return Ok(());
    }
    let asg = &job.site.change.asg;
    let rules = job.find("scaling").and_then(Value::as_list).unwrap_or_default();
    let mut wanted = Vec::new();
    for rule in rules.iter().filter_map(Value::as_map) {
        let of = |key: &str| rule.get(key).and_then(Value::as_str);
        let Some(metric) = of("metric") else { continue };
        wanted.push(metric);
        let target = match rule.get("target") {
            Some(Value::Float(target)) => *target,
            Some(Value::Int(target)) => *target as f64,
            _ => continue,
        };
        let measured = PredefinedMetricSpecification::builder()
            .predefined_metric_type(MetricType::from(metric))
            .set_resource_label(of("label").map(str::to_owned))
            .build();
        let tracking = TargetTrackingConfiguration::builder()
            .predefined_metric_specification(measured)
            .target_value(target)
            .build();
        let call = asg
            .put_scaling_policy()
            .auto_scaling_group_name(&seen.id)
            .policy_name(seen.parts.get(metric).map_or(metric, String::as_str))
            .policy_type("TargetTrackingScaling")
            .target_tracking_configuration(tracking);
        call.send().await.map_err(failed("autoscaling:PutScalingPolicy"))?;
    }
    for (_, policy) in seen.parts.iter().filter(|(metric, _)| !wanted.contains(&metric.as_str())) {
        let call = asg.delete_policy().auto_scaling_group_name(&seen.id).policy_name(policy);
        call.send().await.map_err(failed("autoscaling:DeletePolicy"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
