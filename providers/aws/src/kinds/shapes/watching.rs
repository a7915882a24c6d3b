//! Route 53 by REST, SNS by the query protocol, CloudWatch in CBOR.

use super::{Service, Shape};

static ROUTE53: Service = Service {
    name: "route53",
    throttled: (400, "Throttling", "Rate exceeded"),
    denied: (403, "AccessDenied"),
    tag: |key, value| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"),
    between: "",
};
static SNS: Service = Service {
    name: "sns",
    throttled: (400, "Throttling", "Rate exceeded"),
    denied: (403, "AuthorizationError"),
    tag: |key, value| format!("<member><Key>{key}</Key><Value>{value}</Value></member>"),
    between: "",
};
static CLOUDWATCH: Service = Service {
    name: "cloudwatch",
    throttled: (400, "ThrottlingException", "Rate exceeded"),
    denied: (400, "AccessDeniedException"),
    tag: |key, value| format!("{{\"Key\":\"{key}\",\"Value\":\"{value}\"}}"),
    between: ",",
};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:{name}";
const SUBSCRIPTION: &str =
    "arn:aws:sns:eu-west-1:123456789012:shop-mail:6b0e71bd-7e97-4d97-80ce-4a0994e55286";

pub(super) fn shapes() -> Vec<Shape> {
    vec![
        Shape {
            made: "<CreateHealthCheckResponse>{it}</CreateHealthCheckResponse>".into(),
            listed: vec![(
                "ListHealthChecks",
                "<ListHealthChecksResponse><HealthChecks>{it}</HealthChecks></ListHealthChecksResponse>".into(),
            )],
            ..Shape::new("health_check", &ROUTE53, "CreateHealthCheck", "DeleteHealthCheck", (404, "NoSuchHealthCheck"))
        }
        .of("<HealthCheck><Id>hc-1</Id><CallerReference>{token}</CallerReference><HealthCheckConfig><Type>{type}</Type>\
             </HealthCheckConfig><HealthCheckVersion>1</HealthCheckVersion></HealthCheck>")
        .told("ListTagsForResources", tag_sets("healthcheck", "hc-1")),
        Shape {
            made: "<CreateHostedZoneResponse>{it}</CreateHostedZoneResponse>".into(),
            listed: vec![("ListHostedZones", zones("Z1", "{name}"))],
            ..Shape::new("hosted_zone", &ROUTE53, "CreateHostedZone", "DeleteHostedZone", (404, "NoSuchHostedZone"))
        }
        .of(zone("Z1", "{name}"))
        .told("ListTagsForResources", tag_sets("hostedzone", "Z1"))
        .by_id("GetHostedZone", format!("<GetHostedZoneResponse>{}</GetHostedZoneResponse>", zone("Z1", "{name}"))),
        Shape {
            listed: vec![
                (
                    "ListResourceRecordSets",
                    "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>{name}.</Name><Type>A</Type>\
                     <AliasTarget><HostedZoneId>{target_zone}</HostedZoneId><DNSName>{target}</DNSName>\
                     <EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget><HealthCheckId>{health_check}</HealthCheckId></ResourceRecordSet></ResourceRecordSets>\
                     </ListResourceRecordSetsResponse>"
                        .into(),
                ),
                ("ListHostedZones", zones("{zone}", "example.net")),
            ],
            ..records("dns_record")
        },
        Shape {
            listed: vec![
                (
                    "ListResourceRecordSets",
                    "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet><Name>{name}.</Name><Type>CNAME</Type>\
                     <TTL>300</TTL><ResourceRecords><ResourceRecord><Value>{value}.</Value></ResourceRecord></ResourceRecords>\
                     </ResourceRecordSet></ResourceRecordSets></ListResourceRecordSetsResponse>"
                        .into(),
                ),
                ("ListHostedZones", zones("{zone}", "example.net")),
            ],
            ..records("validation_record")
        },
        Shape::new("topic", &SNS, "CreateTopic", "DeleteTopic", (404, "NotFound"))
            .answered(format!("<TopicArn>{TOPIC}</TopicArn>"))
            .by_id("GetTopicAttributes", "<GetTopicAttributesResponse><GetTopicAttributesResult/></GetTopicAttributesResponse>")
            .told(
                "ListTagsForResource",
                "<ListTagsForResourceResponse><ListTagsForResourceResult><Tags>{tags}</Tags></ListTagsForResourceResult>\
                 </ListTagsForResourceResponse>",
            ),
        Shape::new("subscription", &SNS, "Subscribe", "Unsubscribe", (404, "NotFound"))
            .answered(format!("<SubscriptionArn>{SUBSCRIPTION}</SubscriptionArn>"))
            .by_id(
                "GetSubscriptionAttributes",
                "<GetSubscriptionAttributesResponse><GetSubscriptionAttributesResult><Attributes><entry>\
                 <key>PendingConfirmation</key><value>true</value></entry></Attributes></GetSubscriptionAttributesResult>\
                 </GetSubscriptionAttributesResponse>",
            ),
        Shape {
            listed: vec![(
                "DescribeAlarms",
                "{\"MetricAlarms\":[{\"AlarmName\":\"{name}\",\"AlarmArn\":\"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}\"}]}"
                    .into(),
            )],
            is_cbor: true,
            ..Shape::new("alarm", &CLOUDWATCH, "PutMetricAlarm", "DeleteAlarms", (404, "ResourceNotFound"))
        }
        .told("ListTagsForResource", "{\"Tags\":[{tags}]}"),
        Shape {
            is_cbor: true,
            ..Shape::new("dashboard", &CLOUDWATCH, "PutDashboard", "DeleteDashboards", (404, "DashboardNotFoundError"))
        }
        .by_id("GetDashboard", "{\"DashboardName\":\"{name}\",\"DashboardBody\":\"{}\"}"),
    ]
}

fn records(kind: &'static str) -> Shape {
    let change = "ChangeResourceRecordSets";
    Shape {
        made: "<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>\
               <SubmittedAt>2026-01-02T03:04:05Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>"
            .into(),
        ..Shape::new(kind, &ROUTE53, change, change, (404, "NoSuchHostedZone"))
    }
}

fn zone(id: &str, name: &str) -> String {
    format!(
        "<HostedZone><Id>/hostedzone/{id}</Id><Name>{name}.</Name><CallerReference>{{token}}</CallerReference>\
         <Config><Comment>shop default refuge/dns.names/hosted_zone.main</Comment></Config></HostedZone>"
    )
}

fn zones(id: &str, name: &str) -> String {
    format!(
        "<ListHostedZonesResponse><HostedZones>{}</HostedZones></ListHostedZonesResponse>",
        zone(id, name)
    )
}

fn tag_sets(of: &str, id: &str) -> String {
    format!(
        "<ListTagsForResourcesResponse><ResourceTagSets><ResourceTagSet><ResourceType>{of}</ResourceType>\
         <ResourceId>{id}</ResourceId><Tags>{{tags}}</Tags></ResourceTagSet></ResourceTagSets></ListTagsForResourcesResponse>"
    )
}
