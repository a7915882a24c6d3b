//! A run for a program: every event as one JSON object on its own line of stdout. The shape is described in
//! docs/plan-json.md.

use std::{borrow::Cow, io::Write};

use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::BATCH_EVENTS_MAX;
use crate::{apply::Event, cli::render::value};

/// Of the event lines.
pub const FORMAT_VERSION: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    format_version: u32,
    /// RFC 3339, UTC, to the millisecond.
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

pub async fn follow(events: &mut UnboundedReceiver<Event>) {
    let mut batch = Vec::new();
    while events.recv_many(&mut batch, BATCH_EVENTS_MAX).await > 0 {
        let now = jiff::Timestamp::now();
        let mut text = String::new();
        for event in batch.drain(..) {
            text.push_str(&line(&event, now));
            text.push('\n');
        }
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes());
        let _ = stdout.flush();
    }
}

fn line(event: &Event, now: jiff::Timestamp) -> String {
    let mut event = Cow::Borrowed(event);
    if let Event::Ended(report) = &*event {
        let mut report = report.clone();
        for value in report.outputs.values_mut().flat_map(|outputs| outputs.values_mut()) {
            *value = value::without_secrets(value);
        }
        event = Cow::Owned(Event::Ended(report));
    }
    let line = Line { format_version: FORMAT_VERSION, time: format!("{now:.3}"), event: &event };
    // Nothing in an event fails to be written: its maps have text keys.
    serde_json::to_string(&line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use standfast_contract::{ComponentId, Map, Section, Sensitive, Value};

    use super::*;
    use crate::apply::{Outcome, Report};

    fn shown(event: &Event) -> String {
        line(event, jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_ended_task_says_how_at_the_top_level() {
        let event = Event::TaskEnded {
            task: 4,
            address: "home/load_balancers.front/package.lb1.haproxy".into(),
            did: "created".into(),
            outcome: Outcome::Failed { error: "no".into(), hint: None },
            elapsed: Duration::from_millis(1500),
            tasks_over: 3,
            tasks: 9,
        };
        insta::assert_snapshot!(shown(&event), @r#"{"format_version":1,"time":"1970-01-01T00:00:00.000Z","event":"task_ended","task":4,"address":"home/load_balancers.front/package.lb1.haproxy","did":"created","outcome":"failed","error":"no","elapsed_ms":1500,"tasks_over":3,"tasks":9}"#);
    }

    #[test]
    fn the_report_has_no_secret_and_no_digest_of_one() {
        let id = ComponentId::new(Section::Databases, "orders");
        let secret = Value::Sensitive(Sensitive::from_digest("d1"));
        let outputs = BTreeMap::from([(id, Map::from([("url".into(), Value::List(vec![secret]))]))]);
        let blocked = vec![("a".into(), "b".into())];
        let report = Report { run: 3, created: 2, blocked, outputs, ..Report::default() };
        insta::assert_snapshot!(shown(&Event::Ended(report)), @r#"{"format_version":1,"time":"1970-01-01T00:00:00.000Z","event":"ended","run":3,"created":2,"updated":0,"replaced":0,"deleted":0,"forgotten":0,"refreshed":0,"moved":0,"unchanged":0,"rolled_back":0,"put_back":0,"failed":[],"blocked":[{"address":"a","by":"b"}],"cancelled":[],"interrupted":false,"outputs":{"databases.orders":{"url":["(sensitive)"]}},"elapsed_ms":0}"#);
    }
}
