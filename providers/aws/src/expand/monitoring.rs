//! Monitoring: a topic of SNS for each receiver, alarms of CloudWatch that tell it when they ring and when they stop, and
//! a dashboard of them all.
//!
//! A topic for each receiver, because an alarm chooses its receivers and SNS could not tell alarms apart. Topics are not
//! encrypted on disk: CloudWatch cannot send to one under AWS's own key, and a key of one's own costs by the month for
//! messages that hold a name, a number and a time.
//! <https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns>
//!
//! An alarm for each series: it names the server or group that it is of.

use std::time::Duration;

use standfast_contract::{
    Address, Component, ComponentId, OutputRef, Value,
    alarm::{Bound, Metric, lasting},
    component::{Monitoring, Notify},
};

use super::{
    Build,
    measure::{self, Series},
};
use crate::{
    health,
    kinds::map,
    names::{self, LONG_MAX},
};

#[cfg(test)]
pub(super) mod tests;

const CLOUDWATCH: &str = "cloudwatch";
const SNS: &str = "sns";
/// Actions of one alarm for each of its states.
const RECEIVERS_MAX: usize = 5;
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
const LASTING_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Widgets of one dashboard; the first two are not of one alarm.
const WIDGETS_MAX: usize = 500 - 2;

/// One alarm as the blueprint has it, or as it is when the blueprint says nothing.
struct Wanted<'a> {
    /// The alarm's own, or `databases.orders.cpu`.
    name: String,
    /// Its name in the blueprint's `alarms`; a default one has none there.
    alarm: Option<&'a str>,
    of: &'a Component,
    metric: Metric,
    bound: Bound,
    lasting: Duration,
    notify: Vec<&'a str>,
}

pub(super) fn expand<'a>(build: &mut Build<'a>, monitoring: &'a Monitoring) {
    check(build, monitoring);
    for (name, notify) in &monitoring.notify {
        add_receiver(build, name, notify);
    }
    let mut alarms: Vec<(String, Address)> = Vec::new();
    for wanted in wanted(build, monitoring) {
        let all = match measure::series(build, wanted.of, wanted.metric) {
            Ok(all) => all,
            Err((message, hint)) => {
                build.problem(wanted.key("metric"), message, hint);
                continue;
            }
        };
        let Some(limit) = limit(build, &wanted, &all) else { continue };
        alarms.extend(all.into_iter().map(|series| add_alarm(build, &wanted, &limit, series)));
    }
    if alarms.is_empty() {
        return;
    }
    add_dashboard(build, &alarms);
    let ids: Value = alarms.iter().map(|(_, alarm)| OutputRef::resource(alarm, "id")).collect();
    build.probe("alarms", health::ALARMS, [("alarms", ids)]);
}

impl Wanted<'_> {
    /// Where a problem of it is shown.
    fn key(&self, part: &str) -> String {
        match self.alarm {
            Some(name) => format!("alarms.{name}.{part}"),
            None => "default_alarms".into(),
        }
    }
}

fn check(build: &mut Build<'_>, monitoring: &Monitoring) {
    if !monitoring.hosts.is_empty() {
        build.problem("hosts", "CloudWatch has no hosts of yours", "Remove `hosts`.");
    }
    // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>
    if monitoring.retention.is_some() {
        build.problem(
            "retention",
            "CloudWatch keeps metrics for 15 months, no more and no less",
            "Remove `retention`.",
        );
    }
    if monitoring.default_alarms && monitoring.notify.len() > RECEIVERS_MAX {
        build.problem(
            "notify",
            format!("an alarm of CloudWatch tells {RECEIVERS_MAX} receivers at most"),
            "Let a list or a pager service tell the others.",
        );
    }
}

fn add_receiver(build: &mut Build<'_>, name: &str, notify: &Notify) {
    let address = build.address("topic", name);
    let topic = build.add(
        SNS,
        "topic",
        name,
        [("name", names::identifier(build.request.stack, &address, LONG_MAX).into())],
    );
    let (protocol, email, url) = match notify {
        Notify::Email(email) => ("email", email.as_str().into(), Value::Null),
        Notify::Webhook(url) => {
            if url.as_str().is_some_and(|url| url.starts_with("http://")) {
                build.problem(
                    format!("notify.{name}.webhook"),
                    "an alarm would go over the network in clear",
                    "Give an `https://` address.",
                );
            }
            // Whoever knows the address can ring.
            ("https", Value::Null, url.clone().masked())
        }
    };
    let subscription = build.add(
        SNS,
        "subscription",
        name,
        [
            ("topic", OutputRef::resource(&topic, "id")),
            ("protocol", protocol.into()),
            ("email", email),
            ("url", url),
        ],
    );
    let id = OutputRef::resource(&subscription, "id");
    build.probe(name, health::RECEIVER, [("subscription", id)]);
}

/// What the blueprint says, then what it leaves to us.
fn wanted<'a>(build: &mut Build<'a>, monitoring: &'a Monitoring) -> Vec<Wanted<'a>> {
    let mut all = Vec::new();
    for alarm in &monitoring.alarms {
        let key = format!("alarms.{}", alarm.name);
        let Some(bound) = alarm.bound else { continue };
        let Some(of) = component(build, &alarm.of, &key) else { continue };
        if alarm.notify.len() > RECEIVERS_MAX {
            build.problem(
                format!("{key}.notify"),
                format!("an alarm of CloudWatch tells {RECEIVERS_MAX} receivers at most"),
                "Name fewer.",
            );
        }
        let notify = alarm.notify.iter().map(String::as_str).collect();
        let (metric, lasting) = (alarm.metric, alarm.lasting);
        let name = alarm.name.clone();
        all.push(Wanted { name, alarm: Some(&alarm.name), of, metric, bound, lasting, notify });
    }
    let components = if monitoring.default_alarms { build.request.components } else { &[] };
    for of in components.iter().filter(|of| of.common().region == build.region.name) {
        for (metric, bound, lasting) in measure::defaults(build, of) {
            let is_said = monitoring.alarms.iter().any(|alarm| alarm.of == of.id() && alarm.metric == metric);
            if !is_said {
                let name = format!("{}.{}", of.id(), metric.as_str());
                let notify = monitoring.notify.iter().map(|(name, _)| name.as_str()).collect();
                all.push(Wanted { name, alarm: None, of, metric, bound, lasting, notify });
            }
        }
    }
    all
}

fn component<'a>(build: &mut Build<'a>, id: &ComponentId, key: &str) -> Option<&'a Component> {
    let of = build.request.components.iter().find(|component| component.id() == *id)?;
    if of.common().region == build.region.name {
        return Some(of);
    }
    build.problem(
        format!("{key}.of"),
        format!("`{id}` is in region `{}`: CloudWatch watches its own region", of.common().region),
        "Watch it from a monitoring of that region.",
    );
    None
}

/// A bound as CloudWatch has it.
struct Limit {
    comparison: &'static str,
    threshold: f64,
    /// How many values in a row.
    periods: u64,
}

fn limit(build: &mut Build<'_>, wanted: &Wanted<'_>, all: &[Series]) -> Option<Limit> {
    let (key, amount, comparison) = match wanted.bound {
        Bound::Above(amount) => ("above", amount, "GreaterThanThreshold"),
        Bound::Below(amount) => ("below", amount, "LessThanThreshold"),
    };
    let threshold = match measure::threshold(wanted.of, wanted.metric, amount) {
        Ok(threshold) => threshold,
        Err((message, hint)) => {
            build.problem(wanted.key(key), message, hint);
            return None;
        }
    };
    let Some(period_s) = all.first().map(|series| series.period_s) else {
        if wanted.alarm.is_some() {
            let message = format!("`{}` has nothing with a `{}`", wanted.of.id(), wanted.metric.as_str());
            build.problem(wanted.key("of"), message, "Remove the alarm.");
        }
        return None;
    };
    let lasting_s = wanted.lasting.as_secs();
    let is_whole = wanted.lasting.subsec_nanos() == 0 && lasting_s.is_multiple_of(period_s);
    if !is_whole || wanted.lasting > LASTING_MAX {
        let each = lasting(Duration::from_secs(period_s));
        build.problem(
            wanted.key("for"),
            format!("`{}` of `{}` is measured each {each}", wanted.metric.as_str(), wanted.of.id()),
            format!("Say `for: {each}` or a multiple of it, `1d` at most."),
        );
        return None;
    }
    Some(Limit { comparison, threshold, periods: lasting_s / period_s })
}

/// Its title and address.
fn add_alarm(build: &mut Build<'_>, wanted: &Wanted<'_>, limit: &Limit, series: Series) -> (String, Address) {
    let name = match &series.part {
        Some(part) => format!("{}.{part}", wanted.name),
        None => wanted.name.clone(),
    };
    let part = series.part.as_ref().map(|part| format!(" ({part})")).unwrap_or_default();
    let title = format!("{}{part} {}", wanted.of.id(), wanted.metric.as_str());
    let topics = wanted.notify.iter().map(|name| OutputRef::resource(&build.address("topic", name), "id"));
    let topics: Vec<Value> = topics.collect();
    let address = build.address("alarm", &name);
    let alarm = build.add(
        CLOUDWATCH,
        "alarm",
        &name,
        [
            ("name", names::identifier(build.request.stack, &address, LONG_MAX).into()),
            ("description", format!("{title} {} for {}", wanted.bound, lasting(wanted.lasting)).into()),
            ("metrics", series.metrics.into()),
            ("expression", crate::kinds::text(series.expression)),
            ("members", series.members),
            ("period_s", whole(series.period_s)),
            ("periods", whole(limit.periods)),
            ("comparison", limit.comparison.into()),
            ("threshold", limit.threshold.into()),
            ("missing", series.missing.into()),
            ("topics", if topics.is_empty() { Value::Null } else { topics.into() }),
        ],
    );
    if let Some(desired) = build.out.resources.last_mut() {
        desired.follows.extend(series.follows);
    }
    (title, alarm)
}

fn add_dashboard(build: &mut Build<'_>, alarms: &[(String, Address)]) {
    let widgets = alarms.iter().take(WIDGETS_MAX).map(|(title, alarm)| {
        map([("title", title.as_str().into()), ("alarm", OutputRef::resource(alarm, "arn"))])
    });
    let widgets: Vec<Value> = widgets.map(Value::from).collect();
    let address = build.address("dashboard", "main");
    let name = names::identifier(build.request.stack, &address, LONG_MAX);
    let location = build.place.location.clone();
    let made =
        build.add(CLOUDWATCH, "dashboard", "main", [("name", name.into()), ("widgets", widgets.into())]);
    let console = format!(
        "https://{location}.console.aws.amazon.com/cloudwatch/home?region={location}#dashboards/dashboard/"
    );
    build.output("url", Value::Join(vec![console.into(), OutputRef::resource(&made, "id")]));
}

fn whole(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
