use super::*;
use crate::preflight::fixtures::{Asking, call};

const NOBODY: &str = "arn:aws:iam::123456789012:user/jane";

fn quota(value: &str) -> String {
    format!(
        "{{\"Quota\":{{\"ServiceCode\":\"vpc\",\"QuotaCode\":\"L-F678F1CE\",\"QuotaName\":\"VPCs per Region\",\"Value\":{value}}}}}"
    )
}

fn vpcs(count: usize) -> String {
    let vpcs: Vec<String> = (0..count).map(|at| format!("<item><vpcId>vpc-{at}</vpcId></item>")).collect();
    format!("<DescribeVpcsResponse><vpcSet>{}</vpcSet></DescribeVpcsResponse>", vpcs.concat())
}

#[tokio::test]
async fn a_full_quota_is_told_with_its_number_and_how_to_ask_for_more() {
    let calls = [call("vpc", "main", &[])];
    for (there, obstacles) in [(4, 0), (5, 1)] {
        let asking = Asking::new(&calls, &[(200, &vpcs(there)), (200, &quota("5.0"))], NOBODY);
        let found = ask(&asking.ahead()).await;
        assert_eq!(found.len(), obstacles, "{there}");
        if let Some(Obstacle { error, calls }) = found.first() {
            assert_eq!(
                error.to_string(),
                "could not make all VPCs in eu-west-1: the account may have 5 VPCs there, has 5, and the plan makes 1"
            );
            assert!(error.hint.as_ref().unwrap().contains("--quota-code L-F678F1CE"));
            assert_eq!(*calls, [0]);
        }
    }
}

#[tokio::test]
async fn a_quota_that_the_account_has_not_its_own_of_is_awss_default() {
    let calls = [call("vpc", "main", &[])];
    let unknown = "{\"__type\":\"NoSuchResourceException\",\"Message\":\"The request failed\"}";
    let asking = Asking::new(&calls, &[(200, &vpcs(5)), (400, unknown), (200, &quota("5.0"))], NOBODY);
    assert_eq!(ask(&asking.ahead()).await.len(), 1);
    // Nobody knows it.
    let asking = Asking::new(&calls, &[(200, &vpcs(5)), (400, unknown), (400, unknown)], NOBODY);
    assert_eq!(ask(&asking.ahead()).await.len(), 0);
    assert_eq!(*asking.told.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_quota_that_may_not_be_asked_for_is_told_and_hinders_nothing() {
    let calls = [call("vpc", "main", &[])];
    let denied = "{\"__type\":\"AccessDeniedException\",\"Message\":\"jane is not authorized\"}";
    let asking = Asking::new(&calls, &[(200, &vpcs(5)), (400, denied)], NOBODY);
    assert_eq!(ask(&asking.ahead()).await.len(), 0);
    let told = asking.told.lock().unwrap().clone();
    assert!(
        told[0].starts_with("the quota of VPCs was not checked beforehand: servicequotas:GetServiceQuota"),
        "{told:?}"
    );
}

#[tokio::test]
async fn nat_gateways_are_counted_by_zone() {
    let nats = "<DescribeNatGatewaysResponse><natGatewaySet><item><natGatewayId>nat-1</natGatewayId><subnetId>subnet-1</subnetId>\
                <state>available</state></item></natGatewaySet></DescribeNatGatewaysResponse>";
    let subnets = "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId>\
                   <availabilityZone>eu-west-1b</availabilityZone></item></subnetSet></DescribeSubnetsResponse>";
    let calls = ["eu-west-1a", "eu-west-1b"].map(|zone| call("nat_gateway", zone, &[]));
    let asking = Asking::new(&calls, &[(200, nats), (200, subnets), (200, &quota("1.0"))], NOBODY);
    let found = ask(&asking.ahead()).await;
    let [Obstacle { error, calls }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        error.to_string(),
        "could not make all NAT gateways in eu-west-1b: the account may have 1 NAT gateways there, has 1, and the plan \
         makes 1"
    );
    assert_eq!(*calls, [1]);
}

#[tokio::test]
async fn a_name_is_taken_also_by_what_may_not_be_looked_into() {
    let stores = "<DescribeReplicationGroupsResponse xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\">\
                  <DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup>\
                  <ReplicationGroupId>shop-sessions-1</ReplicationGroupId><ARN>arn:1</ARN></ReplicationGroup></ReplicationGroups>\
                  </DescribeReplicationGroupsResult></DescribeReplicationGroupsResponse>";
    let denied = "<ErrorResponse xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"><Error><Type>Sender</Type>\
                  <Code>AccessDenied</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    let calls = [call("replication_group", "main", &[("name", "shop-sessions-1")])];
    let asking = Asking::new(&calls, &[(200, stores), (403, denied)], NOBODY);
    let found = ask(&asking.ahead()).await;
    let told = found[0].error.to_string();
    assert!(
        told.ends_with("the name `shop-sessions-1` is taken by something whose tags cannot be read"),
        "{told}"
    );
}

fn groups(tags: &[(&str, &str)]) -> String {
    let tags: Vec<String> = tags
        .iter()
        .map(|(key, value)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>"))
        .collect();
    format!(
        "<DescribeAutoScalingGroupsResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
         <DescribeAutoScalingGroupsResult><AutoScalingGroups><member><AutoScalingGroupName>shop-web-1</AutoScalingGroupName>\
         <MinSize>1</MinSize><MaxSize>1</MaxSize><DesiredCapacity>1</DesiredCapacity><DefaultCooldown>300</DefaultCooldown>\
         <AvailabilityZones/><HealthCheckType>EC2</HealthCheckType><CreatedTime>2026-01-01T00:00:00Z</CreatedTime>\
         <Tags>{}</Tags></member></AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>",
        tags.concat()
    )
}

#[tokio::test]
async fn a_name_that_another_has_is_told_with_whose_it_is() {
    let calls = [call("autoscaling_group", "main", &[("name", "shop-web-1")])];
    let marked = |stack, token| {
        vec![
            ("standfast:stack", stack),
            ("standfast:environment", "default"),
            ("standfast:address", "refuge/networks.main/autoscaling_group.main"),
            ("standfast:token", token),
        ]
    };
    let told = |tags: Vec<(&'static str, &'static str)>| {
        let asking = Asking::new(&calls, &[(200, &groups(&tags))], NOBODY);
        async move {
            let found = ask(&asking.ahead()).await;
            let lines = found
                .iter()
                .map(|Obstacle { error, .. }| format!("{error} | {}", error.hint.as_deref().unwrap()));
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    insta::assert_snapshot!(
        [
            told(vec![]).await,
            told(vec![("owner", "jane")]).await,
            told(marked("other", "1")).await,
            told(marked("shop", "1")).await,
            // Of an earlier try of this plan.
            told(marked("shop", "token")).await,
        ]
        .join("\n---\n")
    );
}
