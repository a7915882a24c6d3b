//! Health checks as Route 53 tells of them. Shapes:
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHealthChecks.html>

use super::*;
use crate::{
    failure::Trouble,
    recorded::{site, stack, with_job},
};

const CHECK: &str = "<HealthCheck><Id>c1</Id><CallerReference>token</CallerReference><HealthCheckConfig><Port>443</Port>\
     <Type>HTTPS</Type><ResourcePath>/healthz</ResourcePath>\
     <FullyQualifiedDomainName>front-1.eu-west-1.elb.amazonaws.com</FullyQualifiedDomainName>\
     <RequestInterval>30</RequestInterval><FailureThreshold>3</FailureThreshold><EnableSNI>true</EnableSNI>\
     </HealthCheckConfig><HealthCheckVersion>1</HealthCheckVersion></HealthCheck>";

fn listed() -> String {
    format!(
        "<ListHealthChecksResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><HealthChecks>{CHECK}</HealthChecks>\
         <Marker></Marker><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHealthChecksResponse>"
    )
}

fn tagged(tags: &str) -> String {
    format!(
        "<ListTagsForResourcesResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ResourceTagSets>\
         <ResourceTagSet><ResourceType>healthcheck</ResourceType><ResourceId>c1</ResourceId><Tags>{tags}</Tags>\
         </ResourceTagSet></ResourceTagSets></ListTagsForResourcesResponse>"
    )
}

fn refused(code: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>because</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

fn wanted() -> Map {
    map([
        ("type", "HTTPS".into()),
        ("target", "front-1.eu-west-1.elb.amazonaws.com".into()),
        ("port", Value::Int(443)),
        ("path", "/healthz".into()),
        ("interval_s", Value::Int(30)),
        ("unhealthy", Value::Int(3)),
    ])
}

#[tokio::test]
async fn one_whose_tags_did_not_follow_is_known_by_its_reference() {
    let stack = stack();
    for (select, count) in [
        (Select::Token(&stack, "token"), 1),
        (Select::Token(&stack, "other"), 0),
        (Select::Stack(&stack), 0),
        (Select::Ids(&["c1"]), 1),
    ] {
        let (site, _) = site(&[(200, &listed()), (200, &tagged(""))]);
        assert_eq!(crate::kinds::look(&HealthCheck, &site, select).await.unwrap().len(), count);
    }
    // With another's tags it is another's.
    let (site, _) = site(&[(200, &listed()), (200, &tagged("<Tag><Key>team</Key><Value>x</Value></Tag>"))]);
    let seen = crate::kinds::look(&HealthCheck, &site, Select::Token(&stack, "token")).await.unwrap();
    assert_eq!(seen, []);
}

#[tokio::test]
async fn it_is_made_whole_and_tagged_and_its_try_is_the_reference() {
    let made = format!(
        "<CreateHealthCheckResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">{CHECK}</CreateHealthCheckResponse>"
    );
    let done = "<ChangeTagsForResourceResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"/>";
    let (site, endpoint) = site(&[(201, &made), (200, done)]);
    let id = with_job(&site, "health_check", wanted(), Map::new(), async |job| HealthCheck.make(job).await);
    assert_eq!(id.await.unwrap(), "c1");
    let asked = endpoint.asked();
    for said in [
        "<CallerReference>token</CallerReference>",
        "<Type>HTTPS</Type>",
        "<EnableSNI>true</EnableSNI>",
        "<RequestInterval>30</RequestInterval>",
    ] {
        assert!(asked[0].contains(said), "{said}: {}", asked[0]);
    }
    assert!(asked[1].contains("standfast:address"), "{}", asked[1]);
}

#[tokio::test]
async fn an_update_is_made_only_where_something_differs() {
    let (site, endpoint) = site(&[
        (200, &listed()),
        (200, &tagged("")),
        (200, "<UpdateHealthCheckResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"/>"),
    ]);
    let seen = HealthCheck.look(&site, Select::Ids(&["c1"])).await.unwrap().remove(0);
    endpoint.asked();
    let fit = async |inputs: Map| {
        with_job(&site, "health_check", inputs, wanted(), async |job| HealthCheck.fit(job, &seen).await).await
    };
    fit(wanted()).await.unwrap();
    assert_eq!(endpoint.asked(), Vec::<String>::new());
    let mut other = wanted();
    other.remove("path");
    // What the answer lacks does not matter here; what was asked does.
    let _ = fit(other).await;
    assert!(
        endpoint.asked().concat().contains("<ResettableElementName>ResourcePath</ResettableElementName>")
    );
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, trouble) in [
        (400, "TooManyHealthChecks", Trouble::Quota),
        (400, "Throttling", Trouble::Throttled),
        (403, "AccessDenied", Trouble::Denied),
        (400, "InvalidInput", Trouble::Refused),
    ] {
        let (site, _) = site(&[(status, &refused(code))]);
        let made =
            with_job(&site, "health_check", wanted(), Map::new(), async |job| HealthCheck.make(job).await);
        let failure = made.await.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "route53:CreateHealthCheck"), "{code}");
    }
    let (site, _) = site(&[(404, &refused("NoSuchHealthCheck"))]);
    let failure = HealthCheck.remove(&site, "c1", &Map::new()).await.unwrap_err();
    assert_eq!(failure.trouble, Trouble::NotFound);
}
