use super::*;
use crate::recorded::{Answer, scripted, with_job};

const ARN: &str = "arn:aws:sns:eu-west-1:123456789012:shop-main-page-1f9a0c3b";

/// What a create comes to where a topic of the name carries other tags, among them this address.
async fn made(address: &str) -> Result<String, Failure> {
    let tag =
        |key: &str, value: &str| format!("<member><Key>standfast:{key}</Key><Value>{value}</Value></member>");
    let tags = [
        tag("stack", "shop"),
        tag("environment", "default"),
        tag("address", address),
        tag("token", "earlier"),
    ];
    let refusal = "Invalid parameter: Tags Reason: Topic already exists with different tags";
    let (site, _) = scripted([
        ("CreateTopic", Answer::error(400, "InvalidParameter", refusal)),
        (
            "ListTopics",
            Answer::ok(format!(
                "<ListTopicsResponse><ListTopicsResult><Topics><member><TopicArn>{ARN}</TopicArn></member></Topics>\
                 </ListTopicsResult></ListTopicsResponse>"
            )),
        ),
        (
            "ListTagsForResource",
            Answer::ok(format!(
                "<ListTagsForResourceResponse><ListTagsForResourceResult><Tags>{}</Tags></ListTagsForResourceResult>\
                 </ListTagsForResourceResponse>",
                tags.concat()
            )),
        ),
    ]);
    let inputs = map([("name", name_of(ARN).into())]);
    with_job(&site, "topic", inputs, Map::new(), async |job| Topic.make(job).await).await
}

#[tokio::test]
async fn one_that_another_try_made_is_taken_over_and_that_of_another_resource_is_not() {
    assert_eq!(made("refuge/databases.orders/topic.main").await.unwrap(), ARN);
    let refused = made("refuge/monitoring.main/topic.other").await.unwrap_err();
    assert!(refused.message.ends_with("is taken by a topic of others"), "{refused:?}");
}
