//! moto knows no instance refresh, so its whole life is told by recorded answers.

use standfast_contract::{Call, Map};

use super::*;
use crate::{
    kinds::map,
    recorded::{Recorded, context, site},
};

const STARTED: &str = "<StartInstanceRefreshResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
    <StartInstanceRefreshResult><InstanceRefreshId>r-1</InstanceRefreshId></StartInstanceRefreshResult>\
    </StartInstanceRefreshResponse>";
const IN_PROGRESS: &str = "<ErrorResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><Error><Type>Sender</Type>\
    <Code>InstanceRefreshInProgress</Code><Message>An Instance Refresh is already in progress and blocks the execution of \
    this Instance Refresh.</Message></Error><RequestId>1</RequestId></ErrorResponse>";

fn is(status: &str, percent: u8, left: u8, reason: &str) -> String {
    of_version("2", status, percent, left, reason)
}

fn of_version(version: &str, status: &str, percent: u8, left: u8, reason: &str) -> String {
    let reason =
        if reason.is_empty() { String::new() } else { format!("<StatusReason>{reason}</StatusReason>") };
    format!(
        "<DescribeInstanceRefreshesResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
         <DescribeInstanceRefreshesResult><InstanceRefreshes><member><InstanceRefreshId>r-1</InstanceRefreshId>\
         <AutoScalingGroupName>shop-web-1</AutoScalingGroupName><Status>{status}</Status>{reason}\
         <StartTime>2026-11-26T21:00:00Z</StartTime><PercentageComplete>{percent}</PercentageComplete>\
         <InstancesToUpdate>{left}</InstancesToUpdate><DesiredConfiguration><LaunchTemplate>\
         <LaunchTemplateId>lt-1</LaunchTemplateId><Version>{version}</Version></LaunchTemplate></DesiredConfiguration>\
         </member></InstanceRefreshes></DescribeInstanceRefreshesResult></DescribeInstanceRefreshesResponse>"
    )
}

/// What it came to, what was told meanwhile, and what was asked.
async fn refreshed(inputs: Map, answers: &[(u16, &str)]) -> (Result<(), Failure>, Vec<String>, Recorded) {
    let (site, recorded) = site(answers);
    let (context, told) = context();
    let call = Call {
        address: "refuge/autoscaling_groups.web/autoscaling_group.main".parse().unwrap(),
        kind: "autoscaling_group".into(),
        place: site.place.to_value(),
        token: "token".into(),
        id: Some("shop-web-1".into()),
        inputs,
        prior: Map::new(),
        prior_outputs: Map::new(),
        changed: vec!["template_version".into()],
    };
    let ended = refresh(&Job { site: &site, context: &context, call: &call }, "shop-web-1").await;
    let told = told.lock().unwrap().clone();
    (ended, told, recorded)
}

fn inputs() -> Map {
    map([
        ("template", "lt-1".into()),
        ("template_version", "2".into()),
        ("min_healthy_percent", Value::Int(67)),
        ("canary_percent", Value::Int(34)),
        ("warmup_s", Value::Int(60)),
        ("on_failure", "rollback".into()),
    ])
}

#[tokio::test]
async fn it_is_watched_past_its_canary_to_its_end() {
    let (ended, told, recorded) = refreshed(
        inputs(),
        &[
            (200, STARTED),
            (200, &is("Pending", 0, 3, "")),
            (200, &is("InProgress", 0, 3, "Waiting for instances to warm up before continuing.")),
            (200, &is("InProgress", 33, 2, "Waiting at checkpoint for 60 seconds.")),
            (200, &is("Baking", 100, 0, "")),
            (200, &is("Successful", 100, 0, "")),
        ],
    )
    .await;
    ended.unwrap();
    assert_eq!(
        told,
        [
            "instance refresh: it is about to begin: 0%, 3 machines to go",
            "instance refresh: 0%, 3 machines to go (Waiting for instances to warm up before continuing.)",
            "instance refresh: 33%, 2 machines to go (Waiting at checkpoint for 60 seconds.)",
            "instance refresh: 100%, 0 machines to go",
        ]
    );
    let asked = recorded.asked();
    for part in [
        "DesiredConfiguration.LaunchTemplate.Version=2",
        "Preferences.MinHealthyPercentage=67",
        "Preferences.CheckpointPercentages.member.1=34",
        "Preferences.CheckpointPercentages.member.2=100",
        "Preferences.CheckpointDelay=60",
        "Preferences.InstanceWarmup=60",
        "Preferences.SkipMatching=true",
        "Preferences.AutoRollback=true",
    ] {
        assert!(asked[0].contains(part), "{part}: {}", asked[0]);
    }
}

#[tokio::test]
async fn whatever_else_it_ends_in_is_an_error_that_says_what_is_so_now() {
    let mut shown = Vec::new();
    for (status, reason) in [
        ("Failed", "There are unhealthy instances in your Auto Scaling group."),
        ("Cancelled", "Cancelled due to user request."),
        ("RollbackSuccessful", "The instance refresh failed."),
        ("RollbackFailed", ""),
    ] {
        let answers = [
            (200, STARTED),
            (200, &*is("RollbackInProgress", 40, 1, "")),
            (200, &*is(status, 40, 2, reason)),
        ];
        let (ended, ..) = refreshed(inputs(), &answers).await;
        let failure = ended.unwrap_err();
        assert_eq!(failure.trouble, Trouble::Broken);
        shown.push(
            failure.of("update refuge/autoscaling_groups.web/autoscaling_group.main", true).to_string(),
        );
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[tokio::test]
async fn one_of_an_earlier_try_is_watched_like_ours() {
    let done = is("Successful", 100, 0, "");
    let (ended, _, recorded) = refreshed(inputs(), &[(400, IN_PROGRESS), (200, &done)]).await;
    ended.unwrap();
    assert_eq!(recorded.asked().len(), 2);
    let back = is("RollbackSuccessful", 40, 2, "");
    let (ended, ..) = refreshed(inputs(), &[(400, IN_PROGRESS), (200, &back)]).await;
    assert_eq!(ended.unwrap_err().trouble, Trouble::Broken);
}

#[tokio::test]
async fn one_of_somebody_else_is_waited_for_and_then_ours_begins() {
    let other = of_version("1", "Cancelled", 40, 2, "");
    let answers = [(400, IN_PROGRESS), (200, &*other), (200, STARTED), (200, &*is("Successful", 100, 0, ""))];
    let (ended, _, recorded) = refreshed(inputs(), &answers).await;
    ended.unwrap();
    assert_eq!(recorded.asked().len(), 4);
}

#[tokio::test]
async fn a_mixed_group_is_refreshed_as_a_mixed_one() {
    let mut mixed = inputs();
    mixed.remove("canary_percent");
    mixed.insert(
        "mixed".into(),
        map([
            ("types", "t3.small, t3a.small".into()),
            ("on_demand_base", Value::Int(1)),
            ("on_demand_percent", Value::Int(50)),
        ])
        .into(),
    );
    let (ended, _, recorded) =
        refreshed(mixed, &[(200, STARTED), (200, &is("Successful", 100, 0, ""))]).await;
    ended.unwrap();
    let asked = recorded.asked();
    let policy = "DesiredConfiguration.MixedInstancesPolicy";
    for part in [
        format!("{policy}.LaunchTemplate.LaunchTemplateSpecification.Version=2"),
        format!("{policy}.LaunchTemplate.Overrides.member.2.InstanceType=t3a.small"),
        format!("{policy}.InstancesDistribution.OnDemandPercentageAboveBaseCapacity=50"),
        format!("{policy}.InstancesDistribution.SpotAllocationStrategy=capacity-optimized"),
    ] {
        assert!(asked[0].contains(&part), "{part}: {}", asked[0]);
    }
    assert!(!asked[0].contains("Checkpoint"), "{}", asked[0]);
}
