use super::*;
use crate::recorded::{site, stack, with_job};

const ARN: &str = "arn:aws:sns:eu-west-1:123456789012:shop-page-1:6b0e71bd-7e97-4d97-80ce-4a0994e55286";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:shop-page-1";

fn attributes(pending: &str) -> String {
    let entry = |key: &str, value: &str| format!("<entry><key>{key}</key><value>{value}</value></entry>");
    format!(
        "<GetSubscriptionAttributesResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
         <GetSubscriptionAttributesResult><Attributes>{}{}{}{}{}</Attributes></GetSubscriptionAttributesResult>\
         </GetSubscriptionAttributesResponse>",
        entry("SubscriptionArn", ARN),
        entry("TopicArn", TOPIC),
        entry("Protocol", "email"),
        entry("Endpoint", "ops@example.net"),
        entry("PendingConfirmation", pending),
    )
}

fn refusal(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

#[tokio::test]
async fn one_that_nobody_has_confirmed_is_as_it_shall_be_and_is_told() {
    for (pending, is_confirmed) in [("true", false), ("false", true)] {
        let answer = attributes(pending);
        let (site, _) = site(&[(200, &answer), (200, &answer)]);
        let seen = Subscription.look(&site, Select::Ids(&[ARN])).await.unwrap();
        assert_eq!(
            (&seen[0].phase, &seen[0].attributes["email"]),
            (&Phase::Ready, &"ops@example.net".into())
        );
        let inputs: Map = [("subscription".to_owned(), ARN.into())].into();
        let health = crate::health::receiver_now(&site, &inputs).await.unwrap();
        assert_eq!(
            health.detail.contains("ops@example.net has to confirm"),
            !is_confirmed,
            "{}",
            health.detail
        );
    }
}

#[tokio::test]
async fn one_that_lapsed_is_gone() {
    let answer = refusal("NotFound", "Subscription does not exist");
    let (site, _) = site(&[(404, &answer)]);
    assert_eq!(Subscription.look(&site, Select::Ids(&[ARN])).await.unwrap(), []);
}

#[tokio::test]
async fn a_pending_one_cannot_be_taken_away_and_is_as_good_as_gone() {
    let answer = refusal(
        "InvalidParameter",
        "Invalid parameter: SubscriptionArn Reason: Cannot unsubscribe a subscription that is pending confirmation",
    );
    let (site, _) = site(&[(400, &answer)]);
    let failure = Subscription.remove(&site, ARN, &Map::new()).await.unwrap_err();
    assert_eq!(failure.trouble, Trouble::NotFound);
}

#[tokio::test]
async fn without_a_state_it_is_found_by_its_topic_unless_it_is_pending() {
    let member = |arn: &str| {
        format!(
            "<ListSubscriptionsByTopicResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
             <ListSubscriptionsByTopicResult><Subscriptions><member><TopicArn>{TOPIC}</TopicArn><Protocol>https</Protocol>\
             <SubscriptionArn>{arn}</SubscriptionArn><Owner>123456789012</Owner><Endpoint>https://x</Endpoint></member>\
             </Subscriptions></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>"
        )
    };
    let topics = format!(
        "<ListTopicsResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><ListTopicsResult><Topics><member>\
         <TopicArn>{TOPIC}</TopicArn></member></Topics></ListTopicsResult></ListTopicsResponse>"
    );
    let tag = |key: &str, value: &str| format!("<member><Key>{key}</Key><Value>{value}</Value></member>");
    let tags = format!(
        "<ListTagsForResourceResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><ListTagsForResourceResult><Tags>\
         {}{}{}</Tags></ListTagsForResourceResult></ListTagsForResourceResponse>",
        tag("standfast:stack", "shop"),
        tag("standfast:environment", "default"),
        tag("standfast:address", "refuge/monitoring.main/topic.page"),
    );
    let stack = stack();
    for (arn, found) in [(ARN, 1), (PENDING, 0), (DELETED, 0)] {
        let listed = member(arn);
        let (site, _) = site(&[(200, &topics), (200, &tags), (200, &listed)]);
        let seen = super::super::look(&Subscription, &site, Select::Stack(&stack)).await.unwrap();
        assert_eq!(seen.len(), found);
        for seen in seen {
            assert_eq!(seen.tags[marks::ADDRESS], "refuge/monitoring.main/subscription.page");
            assert!(!seen.attributes.contains_key("url"), "a secret is not read back");
        }
    }
}

fn by_mail() -> Map {
    map([("topic", TOPIC.into()), ("protocol", "email".into()), ("email", "ops@example.net".into())])
}

#[test]
fn what_is_said_of_a_refused_address_does_not_repeat_it() {
    let url = "https://pager.example.net/hunter2";
    let said = Failure::refused("sns:Subscribe", format!("Invalid parameter: Unreachable Endpoint {url}"));
    assert_eq!(veiled(said, Some(url)).message, "Invalid parameter: Unreachable Endpoint (sensitive)");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, trouble) in [
        (403, "AuthorizationError", Trouble::Denied),
        (400, "Throttled", Trouble::Throttled),
        (403, "SubscriptionLimitExceeded", Trouble::Quota),
        (404, "NotFound", Trouble::NotFound),
    ] {
        let answer = refusal(code, "because");
        let (site, _) = site(&[(status, &answer)]);
        let made =
            with_job(&site, "subscription", by_mail(), Map::new(), async |job| Subscription.make(job).await);
        let failure = made.await.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "sns:Subscribe"), "{code}");
    }
}
