//! A dashboard of CloudWatch: the state of every alarm, then a graph of each with its bound.
//!
//! moto and older endpoints know no tags of dashboards, so the last widget says in words whose it is. Made again it is
//! the same one: its name is its identity.

use async_trait::async_trait;
use futures::future::try_join_all;
use serde_json::{Value as Json, json};
use standfast_contract::{Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, UNSEEN_TAGS, Works, fixed, map, must};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    marks::{self, Tags},
    names,
};

pub(super) struct Dashboard;

/// `widgets`: each `{title, alarm}`, the latter an ARN.
static KIND: Kind = Kind::new("dashboard", &[ID, UNSEEN_TAGS, fixed("name"), must("widgets")]);

/// Columns of a dashboard, and the size of a graph.
const COLUMNS: usize = 24;
const GRAPH: (usize, usize) = (8, 6);
const STATES_HEIGHT: usize = 4;
/// Alarms whose states one widget shows.
const STATES_MAX: usize = 100;
/// How the mark begins.
const MARK: &str = "Made by standfast: ";

#[async_trait]
impl Works for Dashboard {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let names = match select {
            Select::Ids(ids) | Select::Bare(ids, _) => ids.iter().map(|id| (*id).to_owned()).collect(),
            Select::Stack(stack) => listed(site, &names::beginning(stack)).await?,
            // A create makes no second one.
            Select::Token(..) => Vec::new(),
        };
        let asked = names.iter().map(|name| async move {
            let call = site.look.cloudwatch.get_dashboard().dashboard_name(name);
            match call.send().await.map_err(failed("cloudwatch:GetDashboard")) {
                Ok(answer) => {
                    Ok(Some(seen_as(name, answer.dashboard_body().unwrap_or_default(), &site.place.location)))
                }
                Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
                Err(failure) => Err(failure),
            }
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        put(job).await?;
        Ok(job.text("name")?.to_owned())
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        if job.differs("widgets", seen) { put(job).await } else { Ok(()) }
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.cloudwatch.delete_dashboards().dashboard_names(id);
        call.send().await.map_err(failed("cloudwatch:DeleteDashboards"))?;
        Ok(())
    }

    /// Only an address may change: the mark is put with the next change.
    async fn tag(&self, _: &Site, _: &str, _: &Tags, _: &[String]) -> Result<(), Failure> {
        Ok(())
    }
}

async fn listed(site: &Site, beginning: &str) -> Result<Vec<String>, Failure> {
    let call = site.look.cloudwatch.list_dashboards().dashboard_name_prefix(beginning);
    let mut pages = call.into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(failed("cloudwatch:ListDashboards"))?;
        names.extend(
            page.dashboard_entries.unwrap_or_default().into_iter().filter_map(|one| one.dashboard_name),
        );
    }
    Ok(names)
}

async fn put(job: &Job<'_>) -> Result<(), Failure> {
    let widgets = job.find("widgets").and_then(Value::as_list).unwrap_or_default();
    let mark =
        format!("{MARK}{} {} {}", job.context.stack.name, job.context.stack.environment, job.call.address);
    let body = body(&graphs(widgets), &job.site.place.location, &mark);
    let call = job
        .site
        .change
        .cloudwatch
        .put_dashboard()
        .dashboard_name(job.text("name")?)
        .dashboard_body(body.to_string());
    call.send().await.map_err(failed("cloudwatch:PutDashboard"))?;
    Ok(())
}

/// Title and ARN of each.
fn graphs(widgets: &[Value]) -> Vec<(String, String)> {
    let text = |map: &Map, key: &str| map.get(key).map(ToString::to_string).unwrap_or_default();
    widgets.iter().filter_map(Value::as_map).map(|map| (text(map, "title"), text(map, "alarm"))).collect()
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>
fn body(graphs: &[(String, String)], location: &str, mark: &str) -> Json {
    let alarms: Vec<&str> = graphs.iter().take(STATES_MAX).map(|(_, alarm)| alarm.as_str()).collect();
    let (width, height) = GRAPH;
    let in_row = COLUMNS / width;
    let place = |at: usize| (at % in_row * width, STATES_HEIGHT + at / in_row * height);
    let states = json!({
        "type": "alarm", "x": 0, "y": 0, "width": COLUMNS, "height": STATES_HEIGHT,
        "properties": { "title": "Alarms", "alarms": alarms, "sortBy": "stateUpdatedTimestamp" },
    });
    let drawn = graphs.iter().enumerate().map(|(at, (title, alarm))| {
        let (x, y) = place(at);
        json!({
            "type": "metric", "x": x, "y": y, "width": width, "height": height,
            "properties": { "title": title, "region": location, "annotations": { "alarms": [alarm] } },
        })
    });
    let (_, below) = place(graphs.len().next_multiple_of(in_row));
    let whose = json!({
        "type": "text", "x": 0, "y": below, "width": COLUMNS, "height": 1, "properties": { "markdown": mark },
    });
    let widgets: Vec<Json> = std::iter::once(states).chain(drawn).chain([whose]).collect();
    json!({ "widgets": widgets })
}

/// The widgets of a body that is as it was put; of any other none, so that it is put again.
fn seen_as(name: &str, written: &str, location: &str) -> Seen {
    let read: Json = serde_json::from_str(written).unwrap_or_default();
    let widgets = read["widgets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |widget: &Json, path: &str| {
        widget.pointer(path).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let mark = widgets.last().map(|widget| of(widget, "/properties/markdown")).unwrap_or_default();
    let drawn = widgets.iter().filter(|widget| widget["type"] == "metric");
    let graphs: Vec<(String, String)> = drawn
        .map(|widget| (of(widget, "/properties/title"), of(widget, "/properties/annotations/alarms/0")))
        .collect();
    let is_ours = body(&graphs, location, &mark) == read;
    let widgets: Vec<Value> = graphs
        .iter()
        .map(|(title, alarm)| {
            map([("title", title.as_str().into()), ("alarm", alarm.as_str().into())]).into()
        })
        .collect();
    Seen {
        id: name.to_owned(),
        phase: Phase::Ready,
        tags: tags(&mark),
        attributes: map([
            ("name", name.into()),
            ("widgets", if is_ours { widgets.into() } else { Value::Null }),
        ]),
        outputs: map([("id", name.into())]),
        parts: Parts::new(),
    }
}

/// The marks, as far as the last widget says them.
fn tags(mark: &str) -> Tags {
    let words: Vec<&str> = mark.strip_prefix(MARK).unwrap_or_default().split(' ').collect();
    match words[..] {
        [stack, environment, address] => [
            (marks::STACK.to_owned(), stack.to_owned()),
            (marks::ENVIRONMENT.to_owned(), environment.to_owned()),
            (marks::ADDRESS.to_owned(), address.to_owned()),
        ]
        .into(),
        _ => Tags::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_it_was_put_and_another_one_is_not() {
        let graphs =
            [("databases.orders cpu".to_owned(), "arn:1".to_owned()), ("b".to_owned(), "arn:2".to_owned())];
        let mark = "Made by standfast: shop default refuge/monitoring.main/dashboard.main";
        let put = body(&graphs, "eu-west-1", mark);
        let seen = seen_as("shop-main", &put.to_string(), "eu-west-1");
        let titles: Vec<String> =
            super::graphs(seen.attributes["widgets"].as_list().unwrap()).into_iter().map(|it| it.0).collect();
        assert_eq!(titles, ["databases.orders cpu", "b"]);
        assert_eq!(marks::address(&seen.tags).unwrap().name(), "main");

        let mut changed = put;
        changed["widgets"][1]["width"] = 24.into();
        assert!(!seen_as("shop-main", &changed.to_string(), "eu-west-1").attributes.contains_key("widgets"));
        assert!(seen_as("shop-main", "no JSON", "eu-west-1").tags.is_empty());
    }
}
