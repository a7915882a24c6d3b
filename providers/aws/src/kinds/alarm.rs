//! An alarm of CloudWatch: a measured value, a bound, and who is told when it is passed and when it no longer is.
//!
//! Made again it is the same one: its name is its identity. Its whole content is put with every change.

use async_trait::async_trait;
use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, Dimension, Metric, MetricAlarm, MetricDataQuery, MetricStat, Tag,
};
use futures::future::try_join_all;
use standfast_contract::{Attribute, Kind, Map, Value};

use super::{
    ID, Job, Parts, Phase, Seen, Select, UNSEEN_TAGS, Works, fixed, list, map, may, must, out, text, texts,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::Tags,
    names,
};

#[cfg(test)]
mod tests;

pub(super) struct Alarm;

/// `metrics`: each `{id, namespace, metric, statistic, dimensions}`; the one that `expression` gives counts, or the only
/// one. With `members` there is one for each of those, whose name stands where the dimensions say `*`, and the largest
/// counts.
static KIND: Kind = Kind::new(
    "alarm",
    &[
        ID,
        UNSEEN_TAGS,
        fixed("name"),
        must("description"),
        must("metrics"),
        may("expression"),
        may("members"),
        Attribute::new("period_s").required().unit("seconds"),
        must("periods"),
        must("comparison"),
        must("threshold"),
        must("missing"),
        may("topics"),
        out("arn"),
    ],
);

/// Names in one call, and alarms in one page.
const NAMES_MAX: usize = 100;
const PAGE_MAX: i32 = 100;
const EACH: &str = "*";

#[async_trait]
impl Works for Alarm {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let found = alarms(site, select).await?;
        let asked = found.iter().map(|alarm| async {
            let arn = alarm.alarm_arn().unwrap_or_default();
            Ok(if select.asks("tags") { tags(site, arn).await? } else { Some(Tags::new()) })
        });
        let tags: Vec<Option<Tags>> = try_join_all(asked).await?;
        let seen = found.iter().zip(tags).filter_map(|(alarm, tags)| Some(seen_as(alarm, tags?)));
        Ok(seen.collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        put(job, Some(&job.tags())).await?;
        Ok(job.text("name")?.to_owned())
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let own = KIND.attributes.iter().filter(|attribute| attribute.observed && !attribute.computed);
        if own.map(|attribute| attribute.name).any(|key| job.differs(key, seen)) {
            put(job, None).await?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.cloudwatch.delete_alarms().alarm_names(id);
        call.send().await.map_err(failed("cloudwatch:DeleteAlarms"))?;
        Ok(())
    }

    /// By its ARN, which the name alone does not give.
    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        let found = alarms(site, Select::Ids(&[id])).await?;
        let Some(arn) = found.first().and_then(|alarm| alarm.alarm_arn()) else {
            return Err(Failure::new(Trouble::NotFound, "", format!("there is no alarm `{id}`")));
        };
        let cloudwatch = &site.change.cloudwatch;
        if !set.is_empty() {
            let call = cloudwatch.tag_resource().resource_arn(arn).set_tags(Some(written(set)));
            call.send().await.map_err(failed("cloudwatch:TagResource"))?;
        }
        if !unset.is_empty() {
            let call = cloudwatch.untag_resource().resource_arn(arn).set_tag_keys(Some(unset.to_vec()));
            call.send().await.map_err(failed("cloudwatch:UntagResource"))?;
        }
        Ok(())
    }
}

fn written(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

async fn tags(site: &Site, arn: &str) -> Result<Option<Tags>, Failure> {
    let call = site.look.cloudwatch.list_tags_for_resource().resource_arn(arn);
    match call.send().await.map_err(failed("cloudwatch:ListTagsForResource")) {
        Ok(answer) => {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            Ok(Some(answer.tags().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect()))
        }
        Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A call for each hundred names, or the pages of those whose name can be the stack's.
pub(crate) async fn alarms(site: &Site, select: Select<'_>) -> Result<Vec<MetricAlarm>, Failure> {
    let describe = || {
        let call = site.look.cloudwatch.describe_alarms();
        call.alarm_types(AlarmType::MetricAlarm).max_records(PAGE_MAX)
    };
    let calls = match select {
        Select::Ids(ids) | Select::Bare(ids, _) => ids
            .chunks(NAMES_MAX)
            .map(|page| describe().set_alarm_names(Some(page.iter().map(|id| (*id).to_owned()).collect())))
            .collect(),
        Select::Stack(stack) => vec![describe().alarm_name_prefix(names::beginning(stack))],
        // A create makes no second one.
        Select::Token(..) => Vec::new(),
    };
    let mut found = Vec::new();
    for call in calls {
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed("cloudwatch:DescribeAlarms"))?;
            found.extend(page.metric_alarms.unwrap_or_default());
        }
    }
    Ok(found)
}

/// CloudWatch takes tags of a new one only.
async fn put(job: &Job<'_>, tags: Option<&Tags>) -> Result<(), Failure> {
    let inputs = &job.call.inputs;
    let topics: Vec<String> = job.texts("topics").into_iter().map(str::to_owned).collect();
    let threshold = match job.find("threshold") {
        Some(Value::Float(number)) => *number,
        Some(Value::Int(number)) => *number as f64,
        _ => return Err(Failure::refused("", "`threshold` is missing or no number")),
    };
    let call = job
        .site
        .change
        .cloudwatch
        .put_metric_alarm()
        .alarm_name(job.text("name")?)
        .alarm_description(job.text("description")?)
        .set_metrics(Some(queries(inputs, job.int("period_s")?)))
        .evaluation_periods(job.int("periods")?)
        .comparison_operator(ComparisonOperator::from(job.text("comparison")?))
        .threshold(threshold)
        .treat_missing_data(job.text("missing")?)
        .actions_enabled(true)
        .set_alarm_actions(Some(topics.clone()))
        .set_ok_actions(Some(topics))
        .set_tags(tags.map(written));
    call.send().await.map_err(failed("cloudwatch:PutMetricAlarm"))?;
    Ok(())
}

/// The value that counts is the only one that is returned.
fn queries(inputs: &Map, period_s: i32) -> Vec<MetricDataQuery> {
    let metrics = inputs.get("metrics").and_then(Value::as_list).unwrap_or_default();
    let metrics = metrics.iter().filter_map(Value::as_map);
    let members = texts(inputs, "members");
    let expression = inputs.get("expression").and_then(Value::as_str);
    let is_alone = expression.is_none() && members.is_empty();
    let of = |metric: &Map, id: &str, member: Option<&str>| {
        let text = |key: &str| metric.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let dimensions = metric.get("dimensions").and_then(Value::as_map).into_iter().flatten();
        let dimensions = dimensions.map(|(name, value)| {
            let value = value.to_string();
            let value = member.filter(|_| value == EACH).unwrap_or(&value);
            Dimension::builder().name(name).value(value).build()
        });
        let measured = Metric::builder()
            .namespace(text("namespace"))
            .metric_name(text("metric"))
            .set_dimensions(Some(dimensions.collect()))
            .build();
        let stat = MetricStat::builder().metric(measured).period(period_s).stat(text("statistic")).build();
        MetricDataQuery::builder().id(id).metric_stat(stat).return_data(is_alone).build()
    };
    let mut queries: Vec<MetricDataQuery> = Vec::new();
    for metric in metrics {
        let id = metric.get("id").and_then(Value::as_str).unwrap_or_default();
        if members.is_empty() {
            queries.push(of(metric, id, None));
        }
        queries
            .extend((1..).zip(&members).map(|(at, member)| of(metric, &format!("{id}{at}"), Some(member))));
    }
    let largest = || {
        let ids: Vec<&str> = queries.iter().filter_map(|query| query.id()).collect();
        format!("MAX([{}])", ids.join(", "))
    };
    let result = match expression {
        Some(expression) => Some(expression.to_owned()),
        None if !members.is_empty() => Some(largest()),
        None => None,
    };
    queries.extend(result.map(|expression| {
        MetricDataQuery::builder().id("result").expression(expression).return_data(true).build()
    }));
    queries
}

fn seen_as(alarm: &MetricAlarm, tags: Tags) -> Seen {
    let whole = |number: Option<i32>| number.map_or(Value::Null, |number| Value::Int(number.into()));
    let (metrics, expression, members) = measured(alarm);
    let periods: Vec<i32> = alarm.metrics().iter().filter_map(|one| one.metric_stat()?.period()).collect();
    let told: Vec<&str> = alarm.alarm_actions().iter().map(String::as_str).collect();
    // Who is told of the end too, and by an alarm that somebody has silenced nobody.
    let is_told = alarm.actions_enabled().unwrap_or(true) && alarm.ok_actions().len() == told.len();
    Seen {
        id: alarm.alarm_name().unwrap_or_default().to_owned(),
        phase: Phase::Ready,
        tags,
        attributes: map([
            ("name", text(alarm.alarm_name())),
            ("description", text(alarm.alarm_description())),
            ("metrics", metrics.into()),
            ("expression", text(expression.as_deref())),
            ("members", list(members.iter().map(String::as_str))),
            ("period_s", whole(alarm.period().or(periods.first().copied()))),
            ("periods", whole(alarm.evaluation_periods())),
            ("comparison", text(alarm.comparison_operator().map(ComparisonOperator::as_str))),
            ("threshold", alarm.threshold().map_or(Value::Null, Value::from)),
            ("missing", alarm.treat_missing_data().unwrap_or("missing").into()),
            ("topics", if is_told { list(told) } else { Value::Null }),
        ]),
        outputs: map([("id", text(alarm.alarm_name())), ("arn", text(alarm.alarm_arn()))]),
        parts: Parts::new(),
    }
}

/// Back from queries: metrics, expression and members.
fn measured(alarm: &MetricAlarm) -> (Vec<Value>, Option<String>, Vec<String>) {
    let of = |query: &MetricDataQuery| {
        let stat = query.metric_stat()?;
        let metric = stat.metric()?;
        let dimensions = metric.dimensions().iter();
        let dimensions: Map =
            dimensions.filter_map(|one| Some((one.name()?.to_owned(), one.value()?.into()))).collect();
        Some(map([
            ("id", text(query.id())),
            ("namespace", text(metric.namespace())),
            ("metric", text(metric.metric_name())),
            ("statistic", text(stat.stat())),
            ("dimensions", dimensions.into()),
        ]))
    };
    let mut metrics: Vec<Map> = alarm.metrics().iter().filter_map(of).collect();
    let expression = alarm.metrics().iter().find_map(|query| query.expression());
    if !expression.is_some_and(|expression| expression.starts_with("MAX([")) {
        return (metrics.into_iter().map(Value::from).collect(), expression.map(str::to_owned), Vec::new());
    }
    let mut members = Vec::new();
    for metric in &mut metrics {
        if let Some(Value::Map(dimensions)) = metric.get_mut("dimensions") {
            members
                .extend(dimensions.values_mut().map(|name| std::mem::replace(name, EACH.into()).to_string()));
        }
        if let Some(Value::Text(id)) = metric.get_mut("id") {
            id.truncate(id.trim_end_matches(|c: char| c.is_ascii_digit()).len());
        }
    }
    metrics.dedup();
    (metrics.into_iter().map(Value::from).collect(), None, members)
}
