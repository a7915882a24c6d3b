//! Replication groups as ElastiCache tells of them: answers in the shapes of its API reference.

use super::*;
use crate::recorded::{Answer, scripted, site, site_that, with_job};

const ARN: &str = "arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:shop-sessions-1f9a0c3b";
const TAGGED: &str = "<ListTagsForResourceResponse xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"><ListTagsForResourceResult><TagList><Tag><Key>standfast:stack</Key><Value>shop</Value></Tag></TagList></ListTagsForResourceResult></ListTagsForResourceResponse>";

/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeReplicationGroups.html>
fn described(status: &str, members: usize, failover: &str) -> String {
    let members: String = (1..=members)
        .map(|number| format!("<ClusterId>shop-sessions-1f9a0c3b-{number:03}</ClusterId>"))
        .collect();
    format!(
        "<DescribeReplicationGroupsResponse xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"><DescribeReplicationGroupsResult><ReplicationGroups>\
         <ReplicationGroup><ReplicationGroupId>shop-sessions-1f9a0c3b</ReplicationGroupId><ARN>{ARN}</ARN><Status>{status}</Status>\
         <MemberClusters>{members}</MemberClusters><AutomaticFailover>{failover}</AutomaticFailover><MultiAZ>{failover}</MultiAZ>\
         <CacheNodeType>cache.t4g.small</CacheNodeType><Engine>redis</Engine>\
         <AtRestEncryptionEnabled>true</AtRestEncryptionEnabled><TransitEncryptionEnabled>true</TransitEncryptionEnabled>\
         <NodeGroups><NodeGroup><NodeGroupId>0001</NodeGroupId>\
         <PrimaryEndpoint><Address>master.shop.cache.amazonaws.com</Address><Port>6379</Port></PrimaryEndpoint>\
         <ReaderEndpoint><Address>replica.shop.cache.amazonaws.com</Address><Port>6379</Port></ReaderEndpoint>\
         </NodeGroup></NodeGroups></ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult></DescribeReplicationGroupsResponse>"
    )
}

fn refused(code: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>because</Message></Error><RequestId>523e3218-afc7-11c3-90f5-f90431260ab4</RequestId></ErrorResponse>"
    )
}

fn answered(action: &str) -> String {
    format!(
        "<{action}Response xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\"><{action}Result/></{action}Response>"
    )
}

fn wanted(replicas: i64) -> Map {
    map([
        ("engine", "redis".into()),
        ("class", "cache.t4g.small".into()),
        ("replicas", Value::Int(replicas)),
        ("failover", (replicas > 0).into()),
    ])
}

#[tokio::test]
async fn a_group_is_on_its_way_there_or_failed() {
    for (status, phase) in [
        ("creating", Phase::Pending("creating".into())),
        ("modifying", Phase::Pending("modifying".into())),
        ("available", Phase::Ready),
    ] {
        let (site, _) = site(&[(200, &described(status, 2, "enabled")), (200, TAGGED)]);
        let seen = ReplicationGroup.look(&site, Select::Ids(&[ARN])).await.unwrap();
        assert_eq!(seen[0].phase, phase);
        assert_eq!(seen[0].attributes["replicas"], Value::Int(1));
        assert_eq!(seen[0].attributes["failover"], true.into());
        assert_eq!(seen[0].outputs["endpoint"], "master.shop.cache.amazonaws.com".into());
    }
    let (failed, _) = site(&[(200, &described("create-failed", 0, "disabled")), (200, TAGGED)]);
    let seen = ReplicationGroup.look(&failed, Select::Ids(&[ARN])).await.unwrap();
    assert!(matches!(seen[0].phase, Phase::Failed(_)));
    let (gone, _) = site(&[(404, &refused("ReplicationGroupNotFoundFault"))]);
    assert_eq!(ReplicationGroup.look(&gone, Select::Ids(&[ARN])).await.unwrap(), []);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, trouble) in [
        (400, "Throttling", Trouble::Throttled),
        (403, "AccessDenied", Trouble::Denied),
        (400, "NodeQuotaForCustomerExceeded", Trouble::Quota),
        (400, "InvalidReplicationGroupState", Trouble::Busy),
    ] {
        let (site, _) = site(&[(200, &described("available", 2, "enabled")), (status, &refused(code))]);
        let failure = ReplicationGroup.remove(&site, ARN, &Map::new()).await.unwrap_err();
        assert_eq!(
            (failure.trouble, failure.action),
            (trouble, "elasticache:DeleteReplicationGroup"),
            "{code}"
        );
    }
}

/// What is asked of a group with so many replicas to make it one with others, and maybe of a newer version, and whether
/// more is to come.
async fn fitted(has: usize, replicas: i64, newer: bool) -> (Vec<String>, bool) {
    let described = described("available", has + 1, if has > 0 { "enabled" } else { "disabled" });
    let (site, endpoint) = site_that(move |asked| {
        Some(Answer::ok(match asked.action.as_str() {
            "DescribeReplicationGroups" => described.clone(),
            "ListTagsForResource" => TAGGED.to_owned(),
            action => answered(action),
        }))
    });
    let seen = ReplicationGroup.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    endpoint.asked();
    let (mut inputs, mut prior) = (wanted(replicas), wanted(has as i64));
    inputs.insert("version".into(), if newer { "7.1" } else { "7.0" }.into());
    prior.insert("version".into(), "7.0".into());
    let done = with_job(&site, "replication_group", inputs, prior, async |job| {
        ReplicationGroup.fit(job, &seen).await
    });
    let more = done.await.is_err_and(|failure| failure.trouble == Trouble::Busy);
    (endpoint.actions(), more)
}

#[tokio::test]
async fn one_change_at_a_time_and_failover_never_without_a_replica() {
    let of = |action: &str, more: bool| (vec![action.to_owned()], more);
    assert_eq!(fitted(1, 1, false).await, (vec![], false));
    assert_eq!(fitted(1, 2, false).await, of("IncreaseReplicaCount", false));
    assert_eq!(fitted(2, 1, false).await, of("DecreaseReplicaCount", false));
    assert_eq!(fitted(0, 1, false).await, of("IncreaseReplicaCount", true));
    assert_eq!(fitted(1, 0, false).await, of("ModifyReplicationGroup", true));
    // The number first: of the version nobody can tell whether it is there.
    assert_eq!(fitted(2, 1, true).await, of("DecreaseReplicaCount", true));
    assert_eq!(fitted(1, 1, true).await, of("ModifyReplicationGroup", false));
}

/// What is asked of an available group whose engine and version were these, to make it one of Valkey.
async fn converted(version: Option<&str>, wanted_version: Option<&str>) -> String {
    let described = described("available", 2, "enabled");
    let (site, endpoint) =
        site(&[(200, &described), (200, TAGGED), (200, &answered("ModifyReplicationGroup"))]);
    let seen = ReplicationGroup.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    endpoint.asked();
    let inputs = |engine: &str, version: Option<&str>| {
        let mut inputs = wanted(1);
        inputs.extend(map([("engine", engine.into()), ("version", text(version))]));
        inputs
    };
    let (prior, inputs) = (inputs("redis", version), inputs("valkey", wanted_version));
    with_job(&site, "replication_group", inputs, prior, async |job| ReplicationGroup.fit(job, &seen).await)
        .await
        .unwrap();
    endpoint.asked().remove(0)
}

#[tokio::test]
async fn redis_becomes_valkey_in_place_with_the_version_that_is_wanted() {
    let asked = converted(Some("7.1"), Some("8.0")).await;
    for part in
        ["Action=ModifyReplicationGroup", "Engine=valkey", "EngineVersion=8.0", "ApplyImmediately=true"]
    {
        assert!(asked.contains(part), "{asked}");
    }
    // The same version is said again: ElastiCache asks for one with another engine.
    assert!(converted(Some("7.2"), Some("7.2")).await.contains("EngineVersion=7.2"));
    assert!(!converted(None, None).await.contains("EngineVersion"));
}

/// What is asked to take away a group that is told of so.
async fn removed(described: &str) -> Vec<String> {
    let (site, endpoint) = site(&[(200, described), (200, &answered("DeleteReplicationGroup"))]);
    ReplicationGroup.remove(&site, ARN, &Map::new()).await.unwrap();
    endpoint.asked().split_off(1)
}

#[tokio::test]
async fn what_is_deleted_leaves_a_snapshot_where_there_is_something_to_keep() {
    let available = described("available", 2, "enabled");
    let asked = removed(&available).await.remove(0);
    assert!(asked.contains("FinalSnapshotIdentifier=shop-sessions-1f9a0c3b-final-"), "{asked}");
    assert_eq!(removed(&available).await.remove(0), asked, "a repeated delete makes no second one");
    let tiny = available.replace("cache.t4g.small", "cache.t1.micro");
    for nothing in [described("create-failed", 0, "disabled"), tiny] {
        let asked = removed(&nothing).await.remove(0);
        assert!(!asked.contains("FinalSnapshot"), "{asked}");
    }
    assert_eq!(removed(&described("deleting", 2, "enabled")).await, Vec::<String>::new());
}

#[test]
fn a_password_that_elasticache_would_refuse_is_refused_before() {
    assert_eq!(wrong_token("correct-horse-battery"), None);
    assert!(wrong_token("too-short").unwrap().contains("16 to 128"));
    assert!(wrong_token("correct horse battery").unwrap().contains("letters, digits"));
}

fn modified(answer: Answer) -> (&'static str, Answer) {
    ("ModifyReplicationGroup", answer)
}

fn available() -> (&'static str, Answer) {
    ("DescribeReplicationGroups", Answer::ok(described("available", 2, "enabled")))
}

/// By which strategies a password is changed, where ElastiCache answers so.
async fn rotated(answers: Vec<(&'static str, Answer)>) -> (Vec<String>, Result<(), Failure>) {
    let (look, _) = site(&[(200, &described("available", 2, "enabled")), (200, TAGGED)]);
    let seen = ReplicationGroup.look(&look, Select::Ids(&[ARN])).await.unwrap().remove(0);
    let (site, endpoint) = scripted(answers);
    let with = |password: &str| {
        let mut inputs = wanted(1);
        inputs.insert("password".into(), password.into());
        inputs
    };
    let (inputs, prior) = (with("correct-horse-battery"), with("another-horse-battery"));
    let done = with_job(&site, "replication_group", inputs, prior, async |job| {
        ReplicationGroup.fit(job, &seen).await
    });
    let done = done.await;
    let strategy = |asked: String| {
        let (_, rest) = asked.split_once("AuthTokenUpdateStrategy=")?;
        rest.split('&').next().map(str::to_owned)
    };
    (endpoint.asked().into_iter().filter_map(strategy).collect(), done)
}

#[tokio::test(start_paused = true)]
async fn a_password_is_rotated_and_then_set_also_by_the_run_after_one_that_was_cut_off() {
    let ok = || modified(Answer::ok(answered("ModifyReplicationGroup")));
    let not_yet =
        || modified(Answer::error(400, "InvalidParameterCombination", "SET is allowed only after ROTATE"));
    let rotating = described("available", 2, "enabled").replace(
        "<NodeGroups>",
        "<PendingModifiedValues><AuthTokenStatus>ROTATING</AuthTokenStatus></PendingModifiedValues><NodeGroups>",
    );
    let rotating = ("DescribeReplicationGroups", Answer::ok(rotating));
    let (strategies, done) = rotated(vec![available(), not_yet(), ok(), rotating, available(), ok()]).await;
    assert_eq!((strategies, done.is_ok()), (vec!["SET".into(), "ROTATE".into(), "SET".into()], true));
    // Cut off between the two.
    let (strategies, done) = rotated(vec![available(), ok()]).await;
    assert_eq!((strategies, done.is_ok()), (vec!["SET".into()], true));
    let (_, done) = rotated(vec![available(), not_yet(), ok(), available(), not_yet()]).await;
    assert_eq!(done.unwrap_err().trouble, Trouble::Busy, "for the next try, which begins with SET");
}

#[tokio::test]
async fn a_password_is_never_taken_away() {
    let (site, _) = site(&[]);
    let with = || Map::from([("password".to_owned(), "correct-horse-battery".into())]);
    for (inputs, prior, refused) in
        [(Map::new(), with(), true), (with(), with(), false), (with(), Map::new(), false)]
    {
        let foreseen = with_job(&site, "replication_group", inputs, prior, async |job| {
            ReplicationGroup.foresee(job.call).map_err(|failure| failure.message)
        });
        let told = foreseen.await;
        assert_eq!(told.is_err(), refused, "{told:?}");
    }
}

/// What a create that finds its name taken comes to, where these are the tags in the end.
async fn made_again(token: &str) -> Result<String, Failure> {
    let tag = |key: &str, value: &str| format!("<Tag><Key>standfast:{key}</Key><Value>{value}</Value></Tag>");
    let tags = format!(
        "<ListTagsForResourceResponse><ListTagsForResourceResult><TagList>{}{}{}</TagList></ListTagsForResourceResult>\
         </ListTagsForResourceResponse>",
        tag("stack", "shop"),
        tag("environment", "default"),
        tag("token", token)
    );
    let creating = || ("DescribeReplicationGroups", Answer::ok(described("creating", 0, "disabled")));
    let busy = Answer::error(400, "InvalidReplicationGroupState", "it is not available");
    let (site, _) = scripted([
        ("CreateReplicationGroup", Answer::error(400, "ReplicationGroupAlreadyExists", "it exists")),
        creating(),
        ("ListTagsForResource", busy),
        creating(),
        ("ListTagsForResource", Answer::ok(tags)),
    ]);
    let mut inputs = wanted(1);
    inputs.extend(map([("name", "shop-sessions-1f9a0c3b".into()), ("subnet_group", "shop".into())]));
    let made = with_job(&site, "replication_group", inputs, Map::new(), async |job| {
        ReplicationGroup.make(job).await
    });
    made.await
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_try_is_still_making_is_waited_for_until_its_tags_are_told() {
    assert_eq!(made_again("token").await.unwrap(), ARN);
    assert!(made_again("another").await.unwrap_err().message.contains("ReplicationGroupAlreadyExists"));
}
