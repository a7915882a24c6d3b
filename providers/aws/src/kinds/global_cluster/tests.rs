//! Global databases as RDS tells of them: moto makes none of a cluster outside us-east-1, and tags none. Shapes:
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeGlobalClusters.html>

use super::*;
use crate::{
    kinds::Phase,
    recorded::{site, stack, with_job},
};

const ARN: &str = "arn:aws:rds::123456789012:global-cluster:shop-main-orders-1f9a0c3b";
const HOME: &str = "arn:aws:rds:eu-west-1:123456789012:cluster:shop-orders";
const AWAY: &str = "arn:aws:rds:eu-central-1:123456789012:cluster:shop-main-orders";

fn cluster(status: &str, members: &[(&str, bool)]) -> String {
    let member = |(arn, writes): &(&str, bool)| {
        format!(
            "<GlobalClusterMember><DBClusterArn>{arn}</DBClusterArn><IsWriter>{writes}</IsWriter></GlobalClusterMember>"
        )
    };
    let members: String = members.iter().map(member).collect();
    format!(
        "<GlobalClusterIdentifier>shop-main-orders-1f9a0c3b</GlobalClusterIdentifier><GlobalClusterArn>{ARN}</GlobalClusterArn>\
         <GlobalClusterResourceId>cluster-1</GlobalClusterResourceId><Status>{status}</Status><Engine>aurora-postgresql</Engine>\
         <EngineVersion>16.4</EngineVersion><StorageEncrypted>true</StorageEncrypted><DeletionProtection>false</DeletionProtection>\
         <Endpoint>shop.global-abc.global.rds.amazonaws.com</Endpoint><GlobalClusterMembers>{members}</GlobalClusterMembers>\
         <TagList><Tag><Key>standfast:stack</Key><Value>shop</Value></Tag><Tag><Key>standfast:environment</Key>\
         <Value>default</Value></Tag><Tag><Key>standfast:token</Key><Value>token</Value></Tag></TagList>"
    )
}

fn listed(status: &str, members: &[(&str, bool)]) -> String {
    let inner = cluster(status, members);
    answered(
        "DescribeGlobalClusters",
        &format!("<GlobalClusters><GlobalClusterMember>{inner}</GlobalClusterMember></GlobalClusters>"),
    )
}

fn answered(action: &str, result: &str) -> String {
    format!(
        "<{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{action}Result>{result}</{action}Result></{action}Response>"
    )
}

fn refused(code: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>because</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

async fn make(status: u16, answer: &str) -> (Result<String, Failure>, String) {
    let (site, endpoint) = site(&[(status, answer)]);
    let inputs = map([("name", "shop-main-orders-1f9a0c3b".into()), ("source", HOME.into())]);
    let made =
        with_job(&site, "global_cluster", inputs, Map::new(), async |job| GlobalCluster.make(job).await);
    let made = made.await;
    (made, endpoint.asked().concat())
}

#[tokio::test]
async fn it_is_made_of_the_cluster_and_takes_all_else_from_it() {
    let made = answered(
        "CreateGlobalCluster",
        &format!("<GlobalCluster>{}</GlobalCluster>", cluster("creating", &[])),
    );
    let (made, asked) = make(200, &made).await;
    assert_eq!(made.unwrap(), ARN);
    assert!(asked.contains("SourceDBClusterIdentifier=arn%3Aaws%3Ards%3Aeu-west-1"), "{asked}");
    assert!(!asked.contains("Engine") && asked.contains("standfast%3Atoken"), "{asked}");
}

#[tokio::test]
async fn it_is_known_by_its_tags_and_by_its_members() {
    let stack = stack();
    for (select, count) in [
        (Select::Stack(&stack), 1),
        (Select::Token(&stack, "token"), 1),
        (Select::Token(&stack, "other"), 0),
        (Select::Ids(&[ARN]), 1),
    ] {
        let (site, _) = site(&[(200, &listed("available", &[]))]);
        assert_eq!(crate::kinds::look(&GlobalCluster, &site, select).await.unwrap().len(), count);
    }
    for (cluster, name) in [(AWAY, Some("shop-main-orders-1f9a0c3b".to_owned())), ("arn:other", None)] {
        let (site, _) = site(&[(200, &listed("available", &[(HOME, true), (AWAY, false)]))]);
        assert_eq!(of_member(&site, cluster).await.unwrap(), name);
    }
    for (status, phase) in
        [("creating", Phase::Pending("creating".into())), ("modifying", Phase::Pending("modifying".into()))]
    {
        let (site, _) = site(&[(200, &listed(status, &[]))]);
        assert_eq!(GlobalCluster.look(&site, Select::Ids(&[ARN])).await.unwrap()[0].phase, phase);
    }
    let (site, _) = site(&[(404, &refused("GlobalClusterNotFoundFault"))]);
    assert_eq!(GlobalCluster.look(&site, Select::Ids(&[ARN])).await.unwrap(), []);
}

#[tokio::test]
async fn its_members_leave_it_the_writer_last() {
    let (left, gone) = (answered("RemoveFromGlobalCluster", ""), answered("DeleteGlobalCluster", ""));
    let (site, endpoint) = site(&[
        (200, &listed("available", &[(HOME, true), (AWAY, false)])),
        (404, &refused("DBClusterNotFoundFault")),
        (200, &left),
        (200, &gone),
    ]);
    GlobalCluster.remove(&site, ARN, &Map::new()).await.unwrap();
    let asked = endpoint.asked();
    assert!(asked[1].contains("eu-central-1") && asked[2].contains("eu-west-1"), "{asked:?}");
    assert!(asked[3].contains("Action=DeleteGlobalCluster"), "{asked:?}");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    // A member that is still leaving is waited for.
    let (site, _) =
        site(&[(200, &listed("available", &[])), (400, &refused("InvalidGlobalClusterStateFault"))]);
    let failure = GlobalCluster.remove(&site, ARN, &Map::new()).await.unwrap_err();
    assert_eq!(failure.trouble, Trouble::Busy);
    for (status, code, trouble) in [
        (400, "GlobalClusterQuotaExceededFault", Trouble::Quota),
        (400, "InvalidDBClusterStateFault", Trouble::Busy),
        (403, "AccessDenied", Trouble::Denied),
        (400, "Throttling", Trouble::Throttled),
    ] {
        let failure = make(status, &refused(code)).await.0.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "rds:CreateGlobalCluster"), "{code}");
    }
}
