//! What moto never says of a group: a profile that is not known yet, a denial, one that is on its way out.

use super::*;
use crate::{
    kinds::look,
    recorded::{site, stack, with_job},
};

fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

fn inputs() -> Map {
    map([
        ("name", "shop-web-1".into()),
        ("initial_min", Value::Int(1)),
        ("initial_max", Value::Int(3)),
        ("initial", Value::Int(2)),
        ("subnets", ["subnet-1"].into_iter().collect()),
        ("template", "lt-1".into()),
        ("template_version", "1".into()),
        ("health", "EC2".into()),
        ("grace_s", Value::Int(240)),
    ])
}

#[tokio::test]
async fn a_profile_that_is_not_known_everywhere_yet_is_tried_again() {
    let name = "You must use a valid fully-formed launch template. Value (shop-web-1) for parameter iamInstanceProfile.name \
                is invalid. Invalid IAM Instance Profile name";
    for (status, code, message, trouble) in [
        (400, "ValidationError", name, Trouble::NotYet),
        (400, "ValidationError", "Invalid IamInstanceProfile: shop-web-1", Trouble::NotYet),
        (400, "ValidationError", "The image id '[ami-1]' does not exist", Trouble::Refused),
        (403, "AccessDenied", "User: jane is not authorized", Trouble::Denied),
        (400, "LimitExceeded", "You have reached your limit of groups", Trouble::Quota),
        (400, "ScalingActivityInProgress", "wait", Trouble::Throttled),
    ] {
        let (site, recorded) = site(&[(status, &error(code, message))]);
        let failure = with_job(&site, "autoscaling_group", inputs(), Map::new(), async |job| {
            AutoscalingGroup.make(job).await.unwrap_err()
        })
        .await;
        assert_eq!(failure.trouble, trouble, "{message}");
        // Longer than the engine's tries would take by themselves.
        let waits = failure.of("create it", true).retry_after.map(|wait| wait.as_secs());
        assert_eq!(waits, (trouble == Trouble::NotYet).then_some(15), "{message}");
        let asked = recorded.asked();
        assert!(asked[0].contains("MinSize=1") && asked[0].contains("DesiredCapacity=2"), "{asked:?}");
    }
}

#[tokio::test]
async fn one_that_is_being_deleted_is_waited_for() {
    let group = "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
                 <DescribeAutoScalingGroupsResult><AutoScalingGroups><member><AutoScalingGroupName>shop-web-1</AutoScalingGroupName>\
                 <MinSize>0</MinSize><MaxSize>0</MaxSize><DesiredCapacity>0</DesiredCapacity><DefaultCooldown>300</DefaultCooldown>\
                 <AvailabilityZones/><HealthCheckType>EC2</HealthCheckType><CreatedTime>2026-01-01T00:00:00Z</CreatedTime>\
                 <Status>Delete in progress</Status><Tags><member><Key>standfast:stack</Key><Value>shop</Value></member>\
                 <member><Key>standfast:environment</Key><Value>default</Value></member></Tags></member></AutoScalingGroups>\
                 </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>";
    let policies = "<DescribePoliciesResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
                    <DescribePoliciesResult><ScalingPolicies/></DescribePoliciesResult></DescribePoliciesResponse>";
    let scheduled = "<DescribeScheduledActionsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
                     <DescribeScheduledActionsResult><ScheduledUpdateGroupActions/></DescribeScheduledActionsResult>\
                     </DescribeScheduledActionsResponse>";
    let (site, _) = site(&[(200, group), (200, policies), (200, scheduled)]);
    let seen = look(&AutoscalingGroup, &site, Select::Stack(&stack())).await.unwrap();
    assert_eq!(seen[0].phase, Phase::Pending("deleting, 0 machines left".into()));
}

#[test]
fn a_rollout_over_the_only_machine_says_that_nobody_serves_meanwhile() {
    let version = KIND.attribute("template_version").unwrap();
    let told = |percent| version.effect_with(&map([("min_healthy_percent", Value::Int(percent))]));
    assert_eq!((told(0), told(67)), (Some(NONE_SERVES), None));
}
