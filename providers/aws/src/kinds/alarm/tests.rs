use serde_json::{Value as Json, json};

use super::*;
use crate::kinds::Wanted;
use crate::recorded::{site_of_cbor, stack, with_job};

fn metric(id: &str, name: &str, dimension: &str, value: &str) -> Value {
    let dimensions: Map = [(dimension.to_owned(), value.into())].into();
    let whole = map([
        ("id", id.into()),
        ("namespace", "AWS/X".into()),
        ("metric", name.into()),
        ("statistic", "Sum".into()),
        ("dimensions", dimensions.into()),
    ]);
    whole.into()
}

fn inputs(metrics: Vec<Value>, expression: Option<&str>, members: &[&str]) -> Map {
    map([
        ("name", "shop-cpu".into()),
        ("description", "databases.orders cpu above 90% for 10m".into()),
        ("metrics", metrics.into()),
        ("expression", text(expression)),
        ("members", list(members.iter().copied())),
        ("period_s", Value::Int(60)),
        ("periods", Value::Int(10)),
        ("comparison", "GreaterThanThreshold".into()),
        ("threshold", 90.0.into()),
        ("missing", "breaching".into()),
        ("topics", list(["arn:aws:sns:eu-west-1:1:shop-page"])),
    ])
}

/// What CloudWatch tells of an alarm that was put with these inputs.
fn alarm(inputs: &Map) -> MetricAlarm {
    let topics = texts(inputs, "topics").into_iter().map(str::to_owned).collect::<Vec<_>>();
    MetricAlarm::builder()
        .alarm_name("shop-cpu")
        .alarm_arn("arn:aws:cloudwatch:eu-west-1:1:alarm:shop-cpu")
        .alarm_description("databases.orders cpu above 90% for 10m")
        .set_metrics(Some(queries(inputs, 60)))
        .evaluation_periods(10)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .threshold(90.0)
        .treat_missing_data("breaching")
        .actions_enabled(true)
        .set_alarm_actions(Some(topics.clone()))
        .set_ok_actions(Some(topics))
        .build()
}

#[test]
fn what_is_put_is_read_as_it_was_asked_for() {
    let one = inputs(vec![metric("value", "CPUUtilization", "Id", "orders")], None, &[]);
    let each = inputs(vec![metric("value", "Evictions", "CacheClusterId", "*")], None, &["a-001", "a-003"]);
    let alone = inputs(vec![metric("value", "Evictions", "CacheClusterId", "*")], None, &["a-001"]);
    let share = inputs(
        vec![
            metric("bad", "Errors", "LoadBalancer", "app/a"),
            metric("all", "Requests", "LoadBalancer", "app/a"),
        ],
        Some("100 * bad / all"),
        &[],
    );
    for wanted in [one, each, alone, share] {
        assert_eq!(seen_as(&alarm(&wanted), Tags::new()).attributes, wanted);
    }
}

#[test]
fn an_alarm_that_somebody_silenced_tells_nobody() {
    let wanted = inputs(vec![metric("value", "CPUUtilization", "Id", "orders")], None, &[]);
    let mut silenced = alarm(&wanted);
    silenced.actions_enabled = Some(false);
    let mut half = alarm(&wanted);
    half.ok_actions = None;
    for is in [silenced, half] {
        assert!(!seen_as(&is, Tags::new()).attributes.contains_key("topics"));
    }
}

fn listed(names: &[&str], next: Option<&str>) -> Json {
    let arn = |name: &str| format!("arn:aws:cloudwatch:eu-west-1:1:alarm:{name}");
    let alarms: Vec<Json> = names
        .iter()
        .map(|name| json!({ "AlarmName": name, "AlarmArn": arn(name), "Threshold": 1.5, "StateValue": "OK" }))
        .collect();
    match next {
        Some(next) => json!({ "MetricAlarms": alarms, "NextToken": next }),
        None => json!({ "MetricAlarms": alarms }),
    }
}

fn told(name: &str) -> Json {
    let tag = |key: &str, value: &str| json!({ "Key": key, "Value": value });
    json!({ "Tags": [
        tag("standfast:stack", "shop"), tag("standfast:environment", "default"), tag("standfast:address", name),
    ] })
}

#[tokio::test]
async fn a_batch_costs_a_call_for_a_hundred_names_and_none_for_tags() {
    let names: Vec<String> = (0..150).map(|at| format!("shop-{at}")).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    let (site, recorded) =
        site_of_cbor(&[(200, listed(&ids[..100], None)), (200, listed(&ids[100..], None))]);
    assert_eq!(Alarm.look(&site, Select::Bare(&ids, &Wanted::new())).await.unwrap().len(), 150);
    assert_eq!(recorded.asked().len(), 2);
}

#[tokio::test]
async fn what_is_the_stacks_is_looked_for_by_name_page_by_page_and_told_by_tags() {
    let pages = [
        (200, listed(&["shop-a"], Some("more"))),
        (200, listed(&["shopping-b"], None)),
        (200, told("refuge/monitoring.main/alarm.a")),
        (200, json!({ "Tags": [] })),
    ];
    let (site, recorded) = site_of_cbor(&pages);
    let stack = stack();
    let seen = super::super::look(&Alarm, &site, Select::Stack(&stack)).await.unwrap();
    let ids: Vec<&str> = seen.iter().map(|seen| seen.id.as_str()).collect();
    assert_eq!(ids, ["shop-a"], "the other one is of somebody else");
    let asked = recorded.asked();
    assert!(asked[0].contains("DescribeAlarms") && asked[0].contains("AlarmNamePrefix"), "{}", asked[0]);
}

#[tokio::test]
async fn only_what_differs_is_put() {
    let wanted = inputs(vec![metric("value", "CPUUtilization", "Id", "orders")], None, &[]);
    let (site, recorded) = site_of_cbor(&[(200, json!({}))]);
    let seen = seen_as(&alarm(&wanted), Tags::new());
    let other = Map::from([("threshold".to_owned(), 80.0.into())]);
    let changed: Map = wanted.clone().into_iter().chain(other).collect();
    with_job(&site, "alarm", wanted, Map::new(), async |job| Alarm.fit(job, &seen).await.unwrap()).await;
    assert_eq!(recorded.asked(), Vec::<String>::new());
    with_job(&site, "alarm", changed, Map::new(), async |job| Alarm.fit(job, &seen).await.unwrap()).await;
    assert!(recorded.asked()[0].contains("PutMetricAlarm"));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, trouble) in [
        (400, "com.amazonaws.cloudwatch#LimitExceededFault", Trouble::Quota),
        (400, "com.amazonaws.cloudwatch#ThrottlingException", Trouble::Throttled),
        (403, "com.amazonaws.cloudwatch#AccessDeniedException", Trouble::Denied),
        (400, "com.amazonaws.cloudwatch#InvalidParameterValueException", Trouble::Refused),
        (500, "com.amazonaws.cloudwatch#InternalServiceFault", Trouble::Lost),
    ] {
        let (site, _) = site_of_cbor(&[(status, json!({ "__type": code, "message": "because" }))]);
        let wanted = inputs(vec![metric("value", "CPUUtilization", "Id", "orders")], None, &[]);
        let made = with_job(&site, "alarm", wanted, Map::new(), async |job| Alarm.make(job).await).await;
        let failure = made.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "cloudwatch:PutMetricAlarm"), "{code}");
    }
}
